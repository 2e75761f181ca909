// SPDX-License-Identifier: Apache-2.0
// What a guard may have besides its strategy: hooks, configuration that goes with the version, a
// freeze, approvals, header routes. Drawn from a stream of its own, so that it moves nothing else.
#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/simulation/harness/plan.h"

namespace rollguard::simulation {
namespace {

const char* const kJob =
    "job: {ttlSecondsAfterFinished: 2, template: {spec: {restartPolicy: Never, containers: [{name: "
    "m, image: ";
const char* const kHeaders =
    "{setHeaderRoute: {name: beta, match: [{headerName: x-test, headerValue: {exact: "
    "yes-please}}]}}, ";
const char* const kApproval = "{approval: {required: 1}}, ";
const char* const kSecondWeight = "{setWeight: 50}";

bool IsCanary(const Setup& setup) { return setup.strategy.starts_with("canary"); }

bool KnowsHeaders(const Setup& setup) {
  for (const char* router : {"istio", "gatewayApi", "nginx", "apisix"}) {
    if (setup.strategy.find(StrCat(router, ":")) != std::string::npos) return true;
  }
  return false;
}

std::string Hook(const char* list, const char* name) {
  return StrCat("    ", list, ": [{name: ", name, ", ", kJob, "tool/", name, ":1}]}}}}]\n");
}

}  // namespace

Besides DrawBesides(uint64_t seed, const Setup& setup) {
  Random random(seed * 104'729 + 7);
  Besides besides;
  if (setup.external()) {  // hooks and configuration are the other controller's own
    besides.frozen_from = minutes(1 + static_cast<int64_t>(random.Below(3)));
    besides.frozen_for = random.Chance(0.12) ? minutes(2) : Duration(0);
    besides.approve_back = random.Chance(0.15);
    return besides;
  }
  if (random.Chance(0.2)) {
    besides.hooks = random.Chance(0.8) ? Besides::Hooks::kGood : Besides::Hooks::kRollbackFails;
  }
  besides.configured = random.Chance(0.25) && !setup.second;
  if (random.Chance(0.12)) {
    besides.frozen_from = minutes(1 + static_cast<int64_t>(random.Below(3)));
    besides.frozen_for = minutes(1 + static_cast<int64_t>(random.Below(2)));
  }
  besides.approve_back = random.Chance(0.1);
  besides.headers = random.Chance(0.3) && IsCanary(setup) && KnowsHeaders(setup);
  besides.approve_step = random.Chance(0.15) && IsCanary(setup);
  return besides;
}

std::string BesidesYaml(const Besides& besides) {
  std::string out;
  if (besides.hooks != Besides::Hooks::kNone) {
    out += "  hooks:\n" + Hook("preRelease", "before") + Hook("postPromote", "after") +
           Hook("rollback", "down") + Hook("verify", "check");
  }
  if (besides.frozen_for > Duration(0)) {
    out += StrCat("  freeze: [{cron: \"", besides.frozen_from / minutes(1),
                  " 0 * * *\", duration: ", besides.frozen_for / minutes(1), "m}]\n");
  }
  return out;
}

std::string StrategyYaml(const Plan& plan) {
  std::string more;
  if (plan.besides.headers) more += kHeaders;
  if (plan.besides.approve_step) more += kApproval;
  return ReplaceAll(plan.setup->strategy, kSecondWeight, more + kSecondWeight);
}

std::string Describe(const Besides& besides) {
  std::string out;
  if (besides.hooks == Besides::Hooks::kGood) out += ", hooks";
  if (besides.hooks == Besides::Hooks::kRollbackFails) out += ", hooks whose rollback fails";
  if (besides.configured) out += ", configuration with the version";
  if (besides.frozen_for > Duration(0)) {
    out += StrCat(", frozen from ", FormatShortDuration(besides.frozen_from), " for ",
                  FormatShortDuration(besides.frozen_for));
  }
  if (besides.approve_back) out += ", rollbacks wait for approval";
  if (besides.headers) out += ", a header route";
  if (besides.approve_step) out += ", an approval before half of the traffic";
  return out;
}

}  // namespace rollguard::simulation
