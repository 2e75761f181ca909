// SPDX-License-Identifier: Apache-2.0
// What a strategy asks of its routers, held against what each of them can do.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/routing/routing.h"

namespace rollguard::routing {
namespace {

struct Wanted {
  bool shares = false;
  bool headers = false;
  bool header_regex = false;
  bool cookies = false;
  bool query = false;
  bool mirror = false;
  bool mirror_share = false;
};

void Note(const std::vector<spec::RequestMatch>& matches, Wanted& wanted) {
  for (const auto& match : matches) {
    wanted.headers = wanted.headers || !match.headers.empty();
    wanted.cookies = wanted.cookies || !match.cookies.empty();
    wanted.query = wanted.query || !match.query.empty();
    for (const auto& header : match.headers) {
      wanted.header_regex =
          wanted.header_regex || header.value.kind != spec::StringMatch::Kind::kExact;
    }
  }
}

void Note(const std::vector<spec::Step>& steps, Wanted& wanted) {
  for (const auto& step : steps) {
    if (const auto* weight = std::get_if<spec::SetWeight>(&step.action)) {
      wanted.shares = wanted.shares || (weight->percent > 0 && weight->percent < 100);
    } else if (const auto* header = std::get_if<spec::SetHeaderRoute>(&step.action)) {
      Note(header->match, wanted);
    } else if (const auto* mirror = std::get_if<spec::SetMirrorRoute>(&step.action)) {
      wanted.mirror = wanted.mirror || mirror->percent > 0;
      wanted.mirror_share = wanted.mirror_share || (mirror->percent > 0 && mirror->percent < 100);
      Note(mirror->match, wanted);
    }
  }
}

Wanted WantedBy(const spec::Strategy& strategy) {
  Wanted wanted;
  if (const auto* canary = std::get_if<spec::CanaryStrategy>(&strategy)) {
    Note(canary->steps, wanted);
  } else if (const auto* ab = std::get_if<spec::AbTestStrategy>(&strategy)) {
    Note(ab->match, wanted);
  } else if (const auto* mirror = std::get_if<spec::MirrorStrategy>(&strategy)) {
    Note(mirror->match, wanted);
    Note(mirror->steps, wanted);
    wanted.mirror = true;
    wanted.mirror_share = wanted.mirror_share || mirror->percent < 100;
  }
  return wanted;
}

}  // namespace

std::vector<std::string> Unsupported(const spec::Strategy& strategy) {
  std::vector<std::string> problems;
  const Wanted wanted = WantedBy(strategy);
  const auto& routing = spec::RoutingOf(strategy);
  auto check = [&](bool asked, auto can, std::string_view what, std::string_view advice) {
    if (!asked) return;
    if (routing.empty()) {
      problems.push_back(StrCat("replica ratio cannot route by ", what, ": ", advice));
    }
    for (const auto& one : routing) {
      if (can(spec::CapabilitiesOf(one.settings))) continue;
      problems.push_back(
          StrCat("router ", Quote(spec::NameOf(one.settings)), " cannot do ", what, ": ", advice));
    }
  };
  using Caps = spec::RoutingCapabilities;
  if (!routing.empty()) {
    check(
        wanted.shares, [](const Caps& c) { return c.weights; }, "shares of traffic",
        "use 0 and 100 only, or a router with weights");
  }
  check(
      wanted.headers, [](const Caps& c) { return c.headers; }, "header matches",
      "use istio, gatewayApi, nginx or apisix");
  check(
      wanted.header_regex, [](const Caps& c) { return c.header_regex; },
      "header matches other than exact ones", "match the exact value");
  check(
      wanted.cookies, [](const Caps& c) { return c.cookies; }, "cookie matches",
      "use istio, nginx or apisix");
  check(
      wanted.query, [](const Caps& c) { return c.query; }, "query matches",
      "use istio or gatewayApi");
  check(
      wanted.mirror, [](const Caps& c) { return c.mirror; }, "mirroring",
      "use istio, gatewayApi or contour");
  check(
      wanted.mirror_share, [](const Caps& c) { return c.mirror_share; },
      "mirroring a part of the requests", "mirror all of them (percent: 100)");
  return problems;
}

}  // namespace rollguard::routing
