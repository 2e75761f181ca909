// SPDX-License-Identifier: Apache-2.0
// Routes, queues, retries and dead letters under virtual time.
#include "agent/notify/dispatcher.h"

#include "agent/base/text.h"
#include "agent/sim/scheduler.h"
#include "agent/spec/load.h"
#include "tests/notify/notify_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::notify {
namespace {

// What a channel was told, and how it answers: the next of `moods`, the last one for ever.
struct Record {
  std::vector<std::string> moods = {"well"};  // well, busy, throttled, refused, hangs
  std::vector<std::pair<Time, std::string>> told;
  std::vector<Delivered> hanging;
};

class FakeChannel final : public Channel {
 public:
  FakeChannel(sim::Scheduler& scheduler, Record& record) : scheduler_(scheduler), record_(record) {}
  void Deliver(const Notice& notice, Delivered done) override {
    record_.told.emplace_back(scheduler_.Now(), notice.id);
    std::string mood = record_.moods.front();
    if (record_.moods.size() > 1) record_.moods.erase(record_.moods.begin());
    if (mood == "hangs") {
      record_.hanging.push_back(std::move(done));
      return;
    }
    Status status;
    if (mood != "well") {
      Error error(mood == "refused" ? ErrorCode::kInvalid : ErrorCode::kUnavailable, mood);
      if (mood == "throttled") error.retry_after = std::chrono::minutes(2);
      status = error;
    }
    done(status);  // at once: the hardest case for the dispatcher
  }

 private:
  sim::Scheduler& scheduler_;
  Record& record_;
};

struct Fixture {
  explicit Fixture(std::vector<std::string> names, spec::NotificationsConfig config = {}) {
    if (config.routes.empty()) {
      for (const std::string& name : names) {
        spec::NotificationRoute route;
        route.channel = name;
        route.go_on = true;
        config.routes.push_back(route);
      }
    }
    std::vector<Dispatcher::Named> channels;
    for (const std::string& name : names)
      channels.push_back({name, "fake", std::make_unique<FakeChannel>(scheduler, records[name])});
    dispatcher.emplace(scheduler, scheduler, config, std::move(channels), 5);
  }
  void Send(const std::string& id, const std::string& event = "promoted") {
    Notice notice = RolledBack();
    notice.id = id;
    notice.event = event;
    dispatcher->Send(notice);
  }
  std::string Told(const std::string& channel) {
    std::string text;
    for (const auto& [at, id] : records[channel].told) text += StrCat(text.empty() ? "" : " ", id);
    return text;
  }
  ChannelHealth Health(const std::string& channel) {
    for (ChannelHealth& health : dispatcher->Channels()) {
      if (health.channel == channel) return health;
    }
    return {};
  }

  sim::Scheduler scheduler;
  std::map<std::string, Record> records;
  std::optional<Dispatcher> dispatcher;
};

TEST_CASE("routes: the first that matches holds, continue goes on") {
  auto route = [](const char* channel, std::vector<std::string> namespaces,
                  std::vector<std::string> events, std::vector<spec::RuleSeverity> severities,
                  bool go_on) {
    spec::NotificationRoute r;
    r.channel = channel;
    r.namespaces = std::move(namespaces);
    r.events = std::move(events);
    r.severities = std::move(severities);
    r.go_on = go_on;
    return r;
  };
  const std::vector<spec::NotificationRoute> routes = {
      route("pager", {}, {"rollbackFailed", "blind"}, {spec::RuleSeverity::kCritical}, true),
      route("payments", {"payments"}, {}, {}, false),
      route("chatter", {"shop"}, {"started", "advanced"}, {}, false),
      route("everything", {}, {}, {}, true),
      route("everything", {}, {}, {}, false),
      route("never", {}, {}, {}, false),
  };
  struct Row {
    const char* ns;
    const char* event;
    spec::RuleSeverity severity;
    const char* want;
  };
  const Row rows[] = {
      {"shop", "promoted", spec::RuleSeverity::kLow, "everything"},
      {"payments", "promoted", spec::RuleSeverity::kLow, "payments"},
      {"payments", "started", spec::RuleSeverity::kLow, ""},
      {"shop", "started", spec::RuleSeverity::kLow, "chatter"},
      {"shop", "rollbackFailed", spec::RuleSeverity::kCritical, "pager,everything"},
      {"payments", "rollbackFailed", spec::RuleSeverity::kCritical, "pager,payments"},
      {"shop", "blind", spec::RuleSeverity::kCritical, "pager"},
      {"shop", "blind", spec::RuleSeverity::kHigh, ""},
  };
  for (const Row& row : rows) {
    INFO(row.ns << " " << row.event);
    Notice notice = RolledBack();
    notice.ns = row.ns;
    notice.event = row.event;
    notice.severity = row.severity;
    CHECK(Join(RoutesFor(routes, notice), ",") == row.want);
  }
}

TEST_CASE("the example's routes do what its comments say") {
  std::string path = StrCat(ROLLGUARD_SOURCE_DIR, "/docs/examples/notifications.yaml");
  auto config = spec::ParseAgentConfig("notifications.yaml", testing::ReadFile(path));
  REQUIRE(config.ok());
  auto to = [&](const char* ns, const char* event) {
    Notice notice = RolledBack();
    notice.ns = ns;
    notice.event = event;
    return Join(RoutesFor(config->notifications.routes, notice), ",");
  };
  CHECK(to("shop", "rollbackFailed") == "pager,audit,events,slack");
  CHECK(to("payments", "rolledBack") == "audit,events,teams");
  CHECK(to("shop", "started") == "events");
}

TEST_CASE("terminal outcomes are events that exist") {
  int terminal = 0;
  for (std::string_view event : spec::NotificationEvents()) terminal += IsTerminal(event) ? 1 : 0;
  CHECK(terminal == 9);
}

TEST_CASE("notices go out in order, and the same one once") {
  Fixture f({"a", "b"});
  f.Send("1");
  f.Send("2");
  f.Send("1");
  f.Send("3");
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("a") == "1 2 3");
  CHECK(f.Told("b") == "1 2 3");
  CHECK(f.Health("a").sent == 3);
  CHECK(f.dispatcher->DeadLetters().empty());
}

TEST_CASE("a channel that hangs or fails holds up nobody else") {
  Fixture f({"hangs", "fails", "well"});
  f.records["hangs"].moods = {"hangs"};
  f.records["fails"].moods = {"busy"};
  for (int i = 0; i < 5; ++i) f.Send(StrCat("n", i));
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("well") == "n0 n1 n2 n3 n4");
  CHECK(f.Told("hangs") == "n0");
  CHECK(f.Health("hangs").waiting == 5);
  f.records["hangs"].moods = {"well"};
  f.records["hangs"].hanging[0]({});
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("hangs") == "n0 n1 n2 n3 n4");
}

TEST_CASE("pauses grow, and Retry-After is obeyed") {
  Fixture f({"a"});
  f.records["a"].moods = {"busy", "busy", "busy", "throttled", "well"};
  f.Send("1");
  f.Send("2");
  f.scheduler.RunFor(std::chrono::minutes(10));
  CHECK(f.Told("a") == "1 1 1 1 1 2");
  const auto& told = f.records["a"].told;
  double wanted[] = {1, 2, 4, 120};
  for (size_t i = 0; i < 4; ++i) {
    double pause = ToSeconds(told[i + 1].first - told[i].first);
    INFO(i << ": " << pause);
    CHECK(pause >= wanted[i] * 0.74);
    CHECK(pause <= wanted[i] * 1.26);
  }
  CHECK(f.Health("a").failed == 4);
  CHECK(f.Health("a").last_error.empty());
}

TEST_CASE("what was tried too often is a dead letter, and the next is tried all the same") {
  Fixture f({"a"});
  f.records["a"].moods = {"busy", "busy", "busy", "busy", "busy", "busy", "busy", "busy", "well"};
  int seen = 0;
  f.dispatcher->SetObserver([&](const DeadLetter&) { ++seen; });
  f.Send("1");
  f.Send("2");
  f.scheduler.RunFor(std::chrono::hours(1));
  CHECK(f.records["a"].told.size() == 9);
  auto dead = f.dispatcher->DeadLetters();
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].notice.id == "1");
  CHECK(dead[0].attempts == 8);
  CHECK(dead[0].error == "busy");
  CHECK(dead[0].channel == "a");
  CHECK(seen == 1);
  CHECK(f.Health("a").sent == 1);
}

TEST_CASE("what will never work is not tried again") {
  Fixture f({"a"});
  f.records["a"].moods = {"refused", "well"};
  f.Send("1");
  f.Send("2");
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("a") == "1 2");
  REQUIRE(f.dispatcher->DeadLetters().size() == 1);
  CHECK(f.dispatcher->DeadLetters()[0].error == "refused");
}

TEST_CASE("queues are bounded: the oldest that waits makes room") {
  Fixture f({"a"});
  f.records["a"].moods = {"hangs"};
  for (size_t i = 0; i < Dispatcher::kMaxWaiting + 3; ++i) f.Send(StrCat("n", i));
  CHECK(f.Health("a").waiting == Dispatcher::kMaxWaiting);
  auto dead = f.dispatcher->DeadLetters();
  REQUIRE(dead.size() == 3);
  CHECK(dead[2].notice.id == "n1");  // n0 is under way
  CHECK(dead[0].notice.id == "n3");
  CHECK(dead[0].error == "the queue of 1000 is full");
}

TEST_CASE("a guard's own channels are told beside the routes, unknown ones are dead letters") {
  Fixture f({"a", "b"}, [] {
    spec::NotificationsConfig config;
    config.routes.emplace_back().channel = "a";
    return config;
  }());
  Notice notice = RolledBack();
  notice.channels = {"b", "a", "nowhere"};
  f.dispatcher->Send(notice);
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("a") == "n1");
  CHECK(f.Told("b") == "n1");
  REQUIRE(f.dispatcher->DeadLetters().size() == 1);
  CHECK(f.dispatcher->DeadLetters()[0].error ==
        "the agent's configuration has no channel \"nowhere\"");
}

TEST_CASE("it may go while much is under way") {
  Fixture f({"a", "b"});
  f.records["a"].moods = {"hangs"};
  f.records["b"].moods = {"busy"};
  for (int i = 0; i < 3; ++i) f.Send(StrCat("n", i));
  f.dispatcher.reset();
  f.records["a"].hanging[0]({});
  f.scheduler.RunFor(std::chrono::hours(1));
  CHECK(f.records["b"].told.size() == 1);
}

}  // namespace
TEST_CASE("a dead letter is told again, or forgotten, when a person says so", "[notify]") {
  Fixture f({"chat"});
  f.records["chat"].moods = {"refused", "refused", "well"};
  f.Send("n1");
  f.Send("n2");
  f.scheduler.RunFor(std::chrono::seconds(1));
  auto letters = f.dispatcher->DeadLetters();
  REQUIRE(letters.size() == 2);
  CHECK(letters[0].id != letters[1].id);
  CHECK(ToJson(letters[1]).At("id").Str() == letters[1].id);
  CHECK(f.dispatcher->Retry(letters[1].id).ok());
  CHECK(f.dispatcher->Discard(letters[0].id).ok());
  f.scheduler.RunFor(std::chrono::seconds(1));
  CHECK(f.Told("chat") == "n1 n2 n1");
  CHECK(f.dispatcher->DeadLetters().empty());
  CHECK(f.Health("chat").sent == 1);
  CHECK(f.dispatcher->Retry(letters[0].id).error().code == ErrorCode::kNotFound);
  CHECK(f.dispatcher->Discard("nothing").error().code == ErrorCode::kNotFound);
  // A channel that is no longer configured cannot be told anything.
  Notice notice = RolledBack();
  notice.id = "n3";
  notice.channels = {"gone"};
  f.dispatcher->Send(notice);
  REQUIRE(f.dispatcher->DeadLetters().size() == 1);
  Status again = f.dispatcher->Retry(f.dispatcher->DeadLetters()[0].id);
  CHECK(again.error().code == ErrorCode::kConflict);
  CHECK(again.error().message.find("no channel \"gone\"") != std::string::npos);
  CHECK(f.dispatcher->DeadLetters().size() == 1);
}

}  // namespace rollguard::notify
