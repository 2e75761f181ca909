// SPDX-License-Identifier: Apache-2.0
// `rollguard backtest` against the distribution's Prometheus: releases found in its own series,
// quiet times, a named source, and what goes wrong.
#include <fstream>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "agent/cli/command.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_prometheus.h"

namespace rollguard::cli {
namespace {

constexpr int64_t kStart = 1'793'700'000;  // 2026-11-03T10:00:00Z
constexpr int64_t kHours = 3;

const char* const kRules = R"(groups:
  - name: errors
    interval: 15s
    rules:
      - rollback: HighErrorRate
        expr: |
          sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods", code=~"5.."}[2m]))
            / sum(rate(http_requests_total{namespace="$namespace", pod=~"$candidate_pods"}[2m])) > 0.01
        for: 2m
      - pause: PodsGone
        expr: max(old_gauge{namespace="$namespace"}) > 5
        noData: pass
  - name: compare
    rules:
      - rollback: WorseThanStable
        compare:
          proportion:
            bad: sum(increase(http_requests_total{pod=~"$pods", code=~"5.."}[$window]))
            total: sum(increase(http_requests_total{pod=~"$pods"}[$window]))
)";

const char* const kGuard = R"(apiVersion: rollguard.dev/v1alpha1
kind: Guard
metadata: {name: checkout, namespace: shop}
spec:
  target: {name: checkout}
  strategy: {rolling: {}}
  bake: 10m
  rollback: {rules: [errors]}
)";

// Requests of two ReplicaSets' pods, the younger one failing; the sets themselves; a gauge that
// stops being exported an hour in, at a value that is bad.
std::string History() {
  std::string text = "# TYPE http_requests counter\n";
  auto requests = [&](const char* pod, const char* code, double per_look) {
    double sum = 0;
    for (int64_t t = 0; t <= kHours * 3600; t += 15)
      text += Format("http_requests_total{namespace=\"shop\",pod=\"%s\",code=\"%s\"} %.3f %lld\n",
                     pod, code, sum += per_look, static_cast<long long>(kStart + t));
  };
  requests("checkout-5c4b-a", "200", 149.9);
  requests("checkout-5c4b-a", "500", 0.1);
  requests("checkout-5c4b-b", "200", 149.9);
  requests("checkout-5c4b-b", "500", 0.1);
  requests("checkout-7d9f-a", "200", 140);
  requests("checkout-7d9f-a", "500", 10);
  text += "# TYPE kube_replicaset_created gauge\n";
  for (auto [set, created] :
       {std::pair("checkout-5c4b", -86'400), std::pair("checkout-7d9f", 4'000)}) {
    for (int64_t t = std::max(created, 0); t <= kHours * 3600; t += 30)
      text +=
          Format("kube_replicaset_created{namespace=\"shop\",replicaset=\"%s\"} %lld %lld\n", set,
                 static_cast<long long>(kStart + created), static_cast<long long>(kStart + t));
  }
  text += "# TYPE old_gauge gauge\n";
  for (int64_t t = 0; t <= 600; t += 15)
    text += Format("old_gauge{namespace=\"shop\"} 9 %lld\n", static_cast<long long>(kStart + t));
  return text + "# EOF\n";
}

struct Files {
  testing::TempDir folder{"backtest"};
  std::string rules = folder.Write("rules.yaml", kRules);
  std::string guard = folder.Write("guard.yaml", kGuard);
};

std::vector<std::string> With(std::vector<std::string> args, std::vector<std::string> more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace

TEST_CASE("backtest: a real Prometheus' past", "[cli][backtest]") {
  auto server = testing::RealPrometheus::Start(
      {.openmetrics = History(), .data_dir = {}, .config = {}, .flags = {}});
  REQUIRE(server != nullptr);
  Files files;
  std::vector<std::string> base = {"backtest",  "--source", server->url(),          "--rules",
                                   files.rules, "--now",    "2026-11-03T13:00:00Z", "-o",
                                   "json"};

  SECTION("releases of a guard are found by themselves") {
    Outcome outcome = Call(With(base, {"--guard", files.guard, "--since", "2h30m"}));
    INFO(outcome.out);
    CHECK(outcome.code == kOk);
    auto json = ParseJson(outcome.out);
    REQUIRE(json.ok());
    REQUIRE(json->At("releases").size() == 1);
    const Json& release = json->At("releases").At(size_t{0});
    CHECK(release.At("id").Str() == "checkout-7d9f");
    CHECK(release.At("outcome").Str() == "rolled_back");
    CHECK(release.At("rule").Str() == "HighErrorRate");
    CHECK(release.At("start").DoubleOr(0) == kStart + 4000);
    CHECK(release.At("end").DoubleOr(0) == kStart + 4000 + 2400);  // 30 minutes and the bake
    CHECK(release.At("after").DoubleOr(0) >= 120);
    CHECK(release.At("after").DoubleOr(0) < 180);
    CHECK(json->At("summary", "medianSecondsToDetect").DoubleOr(0) ==
          release.At("after").DoubleOr(1));
    // Of the guard's rules only; the gauge ended before.
    CHECK(release.At("signals").size() == 2);
  }

  SECTION("a quiet time counts false alarms") {
    Outcome outcome =
        Call(With(base, {"--quiet", "-3h..now", "--workload", "checkout-5c4b", "--namespace",
                         "shop", "--group", "errors", "--group", "compare", "--length", "1h"}));
    INFO(outcome.out);
    CHECK(outcome.code == kOk);
    auto json = ParseJson(outcome.out);
    REQUIRE(json.ok());
    CHECK(json->At("releases").size() == 3);
    CHECK(json->At("summary", "falsePositives").IntOr(-1) == 0);
    // The gauge was 9 for the first ten minutes: a pause, no rollback.
    CHECK(json->At("releases").At(size_t{0}).At("outcome").Str() == "held");
    CHECK(json->At("releases").At(size_t{0}).At("rule").Str() == "PodsGone");
    CHECK(json->At("releases").At(size_t{1}).At("outcome").Str() == "passed");
    // The comparison saw both sides.
    bool compared = false;
    for (const Json& signal : json->At("releases").At(size_t{1}).At("signals").items())
      compared = compared || (signal.At("rule").Str() == "WorseThanStable" &&
                              signal.At("withoutData").IntOr(99) < 5);
    CHECK(compared);
  }

  SECTION("a series that ended is seen to end, as the server sees it") {
    // The server has it for five minutes after its last sample at 600 s; without a stale marker in
    // the blocks that is what an instant query there says too.
    auto at = [&](int64_t t) {
      return server->Query("old_gauge", std::to_string(kStart + t)).body.find("\"9\"") !=
             std::string::npos;
    };
    CHECK(at(890));
    CHECK_FALSE(at(915));
    std::string past = files.folder.Write(
        "past.yaml", StrCat("- {workload: checkout-5c4b, namespace: shop, start: ", kStart + 930,
                            ", end: ", kStart + 1800, ", label: good}\n"));
    auto json = ParseJson(Call(With(base, {"--releases", past, "--group", "errors"})).out);
    REQUIRE(json.ok());
    CHECK(json->At("releases").At(size_t{0}).At("outcome").Str() == "passed");
    CHECK(json->At("summary", "trueNegatives").IntOr(0) == 1);
  }

  SECTION("a source by its name in the configuration") {
    std::string config = files.folder.Write(
        "config.yaml", StrCat("apiVersion: rollguard.dev/v1alpha1\nkind: AgentConfig\nmetrics:\n"
                              "  - {name: main, prometheus: {url: '",
                              server->url(), "'}}\n"));
    std::vector<std::string> args = {"backtest",
                                     "--source",
                                     "main",
                                     "--config",
                                     config,
                                     "--rules",
                                     files.rules,
                                     "--last",
                                     "1h",
                                     "--now",
                                     "2026-11-03T13:00:00Z",
                                     "--workload",
                                     "checkout-7d9f",
                                     "--namespace",
                                     "shop",
                                     "--group",
                                     "errors"};
    std::string page = files.folder.path() + "/report.html";
    Outcome outcome = Call(With(args, {"--html", page}));
    INFO(outcome.out);
    CHECK(outcome.code == kOk);
    CHECK(outcome.out.find("rolled back after 2m") != std::string::npos);
    CHECK(outcome.out.find("{rule=\"HighErrorRate\"}") != std::string::npos);  // the plot
    CHECK(testing::ReadFile(page).find("<svg") != std::string::npos);
    args[2] = "mian";
    CHECK(Call(args).code == kUsage);
  }

  SECTION("no release, no data") {
    CHECK(Call(With(base, {"--guard", files.guard, "--since", "10m"})).code == kFound);
    Outcome nobody =
        Call(With(base, {"--last", "1h", "--workload", "nobody", "--group", "errors"}));
    CHECK(nobody.code == kFound);
    CHECK(ParseJson(nobody.out)
              ->At("releases")
              .At(size_t{0})
              .At("problem")
              .Str()
              .find("no rule saw any data") == 0);
  }
}

TEST_CASE("backtest: wrong usage and a server that is not there", "[cli][backtest]") {
  Files files;
  std::vector<std::string> good = {
      "backtest", "--source", "http://127.0.0.1:1", "--rules", files.rules, "--workload", "w"};
  struct Row {
    const char* name;
    std::vector<std::string> args;
    int code;
  };
  const Row rows[] = {
      {"nothing", {"backtest"}, kUsage},
      {"no way to find releases", good, kUsage},
      {"two ways", With(good, {"--last", "1h", "--quiet", "-2h..now"}), kUsage},
      {"bad duration", With(good, {"--last", "soon"}), kUsage},
      {"bad time", With(good, {"--last", "1h", "--now", "later"}), kUsage},
      {"quiet backwards", With(good, {"--quiet", "now..-1h"}), kUsage},
      {"quiet too short", With(good, {"--quiet", "-1m..now"}), kUsage},
      {"unknown group", With(good, {"--last", "1h", "--group", "erors"}), kUsage},
      {"bad var", With(good, {"--last", "1h", "--var", "x"}), kUsage},
      {"bad plot", With(good, {"--last", "1h", "--plot", "some"}), kUsage},
      {"unknown option", With(good, {"--last", "1h", "--hmtl", "x"}), kUsage},
      {"missing list", With(good, {"--releases", "no/such.yaml"}), kFound},
      {"bad list", With(good, {"--releases", files.rules}), kFound},
      {"bad rules",
       With(good, {"--rules", files.folder.Write("x.yaml", "groups: 1\n"), "--last", "1h"}),
       kFound},
      {"no server", With(good, {"--last", "1h"}), kFound},
      {"a name without configuration",
       {"backtest", "--source", "main", "--rules", files.rules, "--last", "1h", "--workload", "w"},
       kUsage},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    Outcome outcome = Call(row.args);
    CHECK(outcome.code == row.code);
    CHECK(outcome.out.empty());
  }
}

}  // namespace rollguard::cli
