// SPDX-License-Identifier: Apache-2.0
#include "agent/app/intake_routes.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using Shared = std::shared_ptr<const IntakeRoutes>;
using Handle = std::function<http::Response(const http::Request&, const std::string& sender)>;

http::Response Later(int status, std::string_view why) {
  http::Response response = http::Problem(status, why);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

// The checks before every handler: rate, who it is, size.
http::Handler Guarded(Shared routes, std::shared_ptr<RateLimit> limit, Handle handle) {
  return [routes = std::move(routes), limit = std::move(limit),
          handle = std::move(handle)](const http::Request& request) {
    if (!limit->Take()) return Later(429, "too many requests: send them again in a moment");
    if (!routes->identify)
      return http::Problem(401, "webhooks are not taken: set auth.webhooks in the configuration");
    auto sender = routes->identify(request);
    if (!sender) {
      return sender.error().retryable ? Later(503, sender.error().message)
                                      : http::Problem(401, sender.error().message);
    }
    if (request.body.size() > routes->max_bytes) {
      return http::Problem(413, StrCat("the payload is larger than ", routes->max_bytes, " bytes"));
    }
    return handle(request, *sender);
  };
}

http::Response FromMapped(const IntakeRoutes& routes, const http::Request& request,
                          const std::string& sender) {
  std::string name = request.matches.empty() ? "" : request.matches[0];
  auto found = routes.mappings.find(name);
  if (found == routes.mappings.end())
    return http::Problem(404, StrCat("there is no mapping ", Quote(name)));
  return routes.intake->FromStranger(request, found->second, sender);
}

std::optional<release::FlaggerHook> HookFrom(std::string_view word) {
  if (word == "confirm-rollout" || word == "confirm-promotion" ||
      word == "confirm-traffic-increase")
    return release::FlaggerHook::kConfirm;
  if (word == "rollback") return release::FlaggerHook::kRollback;
  return std::nullopt;
}

// 200: go on (or go back); 403: not now, with the reason. Flagger takes every status but 2xx for
// no.
http::Response Gate(const IntakeRoutes& routes, const http::Request& request) {
  std::string guard = StrCat(request.matches.at(0), "/", request.matches.at(1));
  auto hook = HookFrom(request.matches.at(2));
  if (!hook) {
    return http::Problem(404, StrCat("there is no hook ", Quote(request.matches.at(2)),
                                     ": confirm-rollout, confirm-traffic-increase, "
                                     "confirm-promotion or rollback"));
  }
  struct Seen {
    bool known = false;
    std::string reason;
  };
  auto seen = routes.loop->Ask<Seen>([&controller = *routes.controller, guard, hook = *hook] {
    auto summary = controller.Find(guard);
    if (!summary) return Seen{};
    return Seen{true, release::FlaggerReason(summary->state, hook)};
  });
  if (!seen) return Later(503, "the agent is too busy to answer");
  if (!seen->known) return http::Problem(404, StrCat("there is no guard ", guard));
  if (!seen->reason.empty()) return http::Problem(403, seen->reason);
  return http::Response{.body = "{\"ok\":true}"};
}

void RegisterWith(http::Router& router, IntakeRoutes given, bool alertmanager) {
  given.mappings.try_emplace("generic");
  auto routes = std::make_shared<const IntakeRoutes>(std::move(given));
  auto limit =
      std::make_shared<RateLimit>(*routes->clock, routes->requests_per_second, routes->burst);
  auto add = [&](const char* pattern, Handle handle) {
    router.Add("POST", pattern, Guarded(routes, limit, std::move(handle)));
  };
  if (routes->intake != nullptr && alertmanager) {
    add("/api/v1/alerts", [routes](const http::Request& request, const std::string& sender) {
      return routes->intake->FromAlertmanager(request, sender);
    });
  }
  if (routes->intake != nullptr) {
    add("/api/v1/alerts/from/{mapping}",
        [routes](const http::Request& request, const std::string& sender) {
          return FromMapped(*routes, request, sender);
        });
  }
  if (routes->controller == nullptr) return;
  add("/api/v1/flagger/{namespace}/{guard}/{hook}",
      [routes](const http::Request& request, const std::string&) {
        return Gate(*routes, request);
      });
}

}  // namespace

bool RateLimit::Take() {
  auto now = clock_.Monotonic();
  std::lock_guard lock(mutex_);
  if (at_.count() != 0) {
    double seconds = std::chrono::duration<double>(now - at_).count();
    left_ = std::min(burst_, left_ + seconds * per_second_);
  }
  at_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

void RegisterIntake(http::Router& router, IntakeRoutes routes) {
  RegisterWith(router, std::move(routes), true);
}

void RegisterOtherSenders(http::Router& router, IntakeRoutes routes) {
  RegisterWith(router, std::move(routes), false);
}

}  // namespace rollguard::app
