// SPDX-License-Identifier: Apache-2.0
#include "agent/app/intake_routes.h"

#include "agent/base/text.h"
#include "agent/http/router.h"

namespace rollguard::app {
namespace {

std::optional<release::FlaggerHook> HookFrom(std::string_view word) {
  if (word == "confirm-rollout" || word == "confirm-promotion" ||
      word == "confirm-traffic-increase")
    return release::FlaggerHook::kConfirm;
  if (word == "rollback") return release::FlaggerHook::kRollback;
  return std::nullopt;
}

std::string NamesOf(const SenderMappings& mappings) {
  std::string names = "generic";
  for (const auto& [name, mapping] : mappings) {
    if (name != "generic") names += StrCat(", ", name);
  }
  return names;
}

}  // namespace

http::Response AlertsFrom(Intake& intake, const SenderMappings& mappings, const std::string& name,
                          const http::Request& request, const std::string& sender) {
  static const alerts::Mapping generic;
  auto found = mappings.find(name);
  if (found == mappings.end() && name != "generic") {
    return http::Problem(404, StrCat("there is no mapping ", Quote(name), ": ", NamesOf(mappings)));
  }
  const alerts::Mapping& mapping = found == mappings.end() ? generic : found->second;
  return intake.FromStranger(request, mapping, sender);
}

http::Response FlaggerAnswer(Loop& loop, const Controller& controller, const std::string& guard,
                             std::string_view hook) {
  auto asked = HookFrom(hook);
  if (!asked) {
    return http::Problem(404, StrCat("there is no hook ", Quote(hook),
                                     ": confirm-rollout, confirm-traffic-increase, "
                                     "confirm-promotion or rollback"));
  }
  struct Seen {
    bool known = false;
    std::string reason;
  };
  auto seen = loop.Ask<Seen>([&controller, guard, which = *asked] {
    auto summary = controller.Find(guard);
    if (!summary) return Seen{};
    return Seen{true, release::FlaggerReason(summary->state, which)};
  });
  if (!seen) {
    http::Response busy = http::Problem(503, "the agent is too busy to answer");
    busy.headers.emplace_back("Retry-After", "1");
    return busy;
  }
  if (!seen->known) return http::Problem(404, StrCat("there is no guard ", guard));
  if (!seen->reason.empty()) return http::Problem(403, seen->reason);
  return http::Response{.body = "{\"ok\":true}"};
}

}  // namespace rollguard::app
