// SPDX-License-Identifier: Apache-2.0
#include "agent/app/intake.h"

#include <condition_variable>
#include <mutex>

#include "agent/base/text.h"
#include "agent/http/router.h"

namespace rollguard::app {
namespace {

http::Response TryAgain(std::string_view why) {
  http::Response response = http::Problem(503, why);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

// Counts the answers of those who keep what has come.
struct Intake::Waiter {
  explicit Waiter(size_t answers) : left(answers) {}

  std::mutex mutex;
  std::condition_variable done;
  size_t left;
  std::optional<Error> error;

  void Count(const Status& status) {
    std::lock_guard lock(mutex);
    if (!status && !error) error = status.error();
    if (--left == 0) done.notify_all();
  }
  Status Wait(const char* too_late) {
    std::unique_lock lock(mutex);
    if (!done.wait_for(lock, std::chrono::seconds(8), [this] { return left == 0; }))
      return Error(ErrorCode::kTimeout, too_late);
    return error ? Status(*error) : Status();
  }
};

http::Response Intake::FromAlertmanager(const http::Request& request, const std::string& actor) {
  auto payload = alerts::ParseAlertmanager(request.body);
  if (!payload)
    return http::Problem(payload.error().code == ErrorCode::kTooLarge ? 413 : 400,
                         payload.error().message);
  return Accept(*payload, actor);
}

http::Response Intake::FromStranger(const http::Request& request, const alerts::Mapping& mapping,
                                    const std::string& actor) {
  auto payload = alerts::ParseMapped(request.body, mapping, clock_.Now());
  if (!payload)
    return http::Problem(payload.error().code == ErrorCode::kTooLarge ? 413 : 400,
                         payload.error().message);
  return Accept(*payload, actor);
}

std::shared_ptr<Intake::Waiter> Intake::Record(const std::vector<alerts::Alert>& alerts,
                                               const std::string& actor, Time arrived) {
  auto waiter = std::make_shared<Waiter>(alerts.size());
  for (const alerts::Alert& alert : alerts) {
    history_.Append({.kind = "alert",
                     .id = alert.EventKey(),
                     .at = arrived,
                     .guard = alert.Label("rollguard_guard"),
                     .release = {},
                     .actor = actor,
                     .body = alerts::ToJson(alert)},
                    [waiter](const Status& status) { waiter->Count(status); });
  }
  return waiter;
}

http::Response Intake::Accept(const alerts::Payload& payload, const std::string& actor) {
  const auto arrived = clock_.Monotonic();
  const Time now = clock_.Now();
  if (payload.alerts.empty()) return http::Response{.body = "{\"alerts\":[]}"};
  const auto kept = std::make_shared<Waiter>(1);
  auto asked = loop_.Begin<std::vector<AlertReceipt>>(
      [this, arrived, kept, alerts = payload.alerts] {
        auto received = desk_.Receive(alerts);
        desk_.Keep(received, [kept](const Status& status) { kept->Count(status); });
        // After the looks that they cause, and before those are carried out.
        if (observer_) loop_.AtOnce([this, received, arrived] { observer_(received, arrived); });
        return received;
      },
      Turn::kAtOnce);
  const auto recorded = Record(payload.alerts, actor, now);
  // Who is told to try again is listened to again, whatever has come of it by then.
  const auto refuse = [&](std::string_view why) {
    loop_.Post([this, alerts = payload.alerts] { desk_.Unrecorded(alerts); }, Turn::kAtOnce);
    return TryAgain(why);
  };
  const auto receipts = asked.Wait(std::chrono::seconds(2));
  if (!receipts) return refuse("the agent is too busy to decide; send the alerts again");
  if (Status done = recorded->Wait("the history did not confirm the alerts in time"); !done)
    return refuse(done.error().message);
  if (Status done = kept->Wait("the other replicas could not be told in time"); !done)
    return TryAgain(done.error().message);
  Json list = Json::Arr();
  for (const AlertReceipt& receipt : *receipts) list.Push(ToJson(receipt));
  return http::Response{.body = Json::Obj({{"alerts", std::move(list)}}).Dump()};
}

}  // namespace rollguard::app
