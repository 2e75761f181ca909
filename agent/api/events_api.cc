// SPDX-License-Identifier: Apache-2.0
// The event stream. What a stream may carry is settled when it is opened; the server's loop then
// asks a pure function for every event. A few seconds later, and again and again, a worker asks who
// the caller is and what it may see: a stream whose answer has changed ends, and the client, when
// it comes back, is treated as it is now. So a token that was revoked hears nothing more once the
// review of it is forgotten (`auth.cache`).
#include "agent/api/service.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

constexpr std::chrono::milliseconds kAskAgain = std::chrono::seconds(5);

bool Passes(const Error& error) { return error.code == ErrorCode::kUnavailable; }

}  // namespace

// While nobody can be asked (the API server is away) the stream stays as it is.
bool Service::StillSees(const Route& route, const http::Request& request, const Sight& sight) {
  Call call{.route = route, .request = request};
  auto caller = parts_.identity->Identify(request);
  if (!caller) return Passes(caller.error());
  call.caller = std::move(*caller);
  auto now = SightOf(call);
  return now ? *now == sight : Passes(now.error());
}

http::Response Service::StreamEvents(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  std::string_view last = call.request.Header("last-event-id");
  std::string after = last.empty() ? call.Query("after").value_or("0") : std::string(last);
  auto id = ParseInt(after);
  if (!id || *id < 0) return Invalid("Last-Event-ID: must be the id of an event");
  std::set<std::string> types;
  std::string wanted = call.Query("types").value_or("");
  for (std::string_view type : Split(wanted, ',')) {
    if (!type.empty()) types.emplace(type);
  }
  http::EventSubscription subscription;
  subscription.after_id = static_cast<uint64_t>(*id);
  subscription.ask_again = kAskAgain;
  subscription.still_allowed = [this, &route = call.route, request = call.request, sight = *sight] {
    return StillSees(route, request, sight);
  };
  subscription.wants = [sight = std::move(*sight), types = std::move(types)](const http::Event& e) {
    return (types.empty() || types.contains(e.type)) && sight.Sees(e.topic);
  };
  return http::Response{.subscription = std::move(subscription)};
}

void Service::Publish(std::string type, std::string topic, const Json& data) {
  if (publisher_) publisher_(std::move(type), std::move(topic), data.Dump());
}

void Service::GuardChanged() {
  std::lock_guard lock(moved_mutex_);
  ++moves_;
  moved_.notify_all();
}

}  // namespace rollguard::api
