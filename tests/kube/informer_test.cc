// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/informer.h"

#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/kube/fake_cluster.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

Json Object(const std::string& name, const std::string& version, const std::string& ns = "shop") {
  return Json::Obj(
      {{"kind", "Deployment"},
       {"metadata", Json::Obj({{"name", name}, {"namespace", ns}, {"resourceVersion", version}})}});
}

Json Page(Json::Array items, const std::string& version, const std::string& token = "") {
  return Json::Obj({{"metadata", Json::Obj({{"resourceVersion", version}, {"continue", token}})},
                    {"items", Json(std::move(items))}});
}

std::string Named(const Json& object) {
  return StrCat(object.At("metadata", "name").Str(), "@",
                object.At("metadata", "resourceVersion").Str());
}

struct InformerFixture {
  FakeCluster cluster;
  HandTimers timers;
  std::string log;
  InformerOptions options;
  std::unique_ptr<Informer> informer;

  InformerFixture() {
    options.type = resources::Deployments();
    Make();
  }
  void Make() {
    informer = std::make_unique<Informer>(
        cluster, timers, Random(1), [](std::function<void()> fn) { fn(); }, options);
    informer->AddHandler(Logger());
  }
  InformerHandler Logger() {
    InformerHandler handler;
    handler.upsert = [this](const Json& object, const Json* before) {
      log += StrCat("+", Named(object), before != nullptr ? "<" + Named(*before) : "", " ");
    };
    handler.deleted = [this](const Json& last) { log += StrCat("-", Named(last), " "); };
    handler.synced = [this] { log += "synced "; };
    handler.trouble = [this](const Error& e) { log += StrCat("!", e.message, " "); };
    handler.wants_before = true;
    return handler;
  }
  std::string Log() { return std::exchange(log, {}); }
  void Sync() {
    informer->Start();
    cluster.Answer(Page({Object("a", "1"), Object("b", "2")}, "10"));
    Log();
  }
};

TEST_CASE_METHOD(InformerFixture,
                 "pages are listed, then a watch goes on from the list's version") {
  informer->Start();
  ClusterRequest first = cluster.Answer(Page({Object("a", "1")}, "", "next"));
  CHECK(first.verb == Verb::kList);
  CHECK(first.limit == 500);
  CHECK(first.projection->drop == std::vector<std::string>{"metadata.managedFields"});
  CHECK_FALSE(informer->stats().synced);
  ClusterRequest second = cluster.Answer(Page({Object("b", "2")}, "10"));
  CHECK(second.continue_token == "next");
  CHECK(Log() == "+a@1 +b@2 synced ");
  REQUIRE(cluster.watches.size() == 1);
  CHECK(cluster.LastWatch().resource_version == "10");
  CHECK(cluster.LastWatch().bookmarks);
  CHECK(informer->stats().synced);
  CHECK(informer->stats().objects == 2);
}

TEST_CASE_METHOD(InformerFixture, "events change the cache and reach the handlers") {
  Sync();
  cluster.Event(WatchEvent::Type::kAdded, Object("c", "11"));
  cluster.Event(WatchEvent::Type::kModified, Object("a", "12"));
  cluster.Event(WatchEvent::Type::kModified, Object("a", "12"));  // nothing new
  cluster.Event(WatchEvent::Type::kDeleted, Object("b", "13"));
  cluster.Event(WatchEvent::Type::kDeleted, Object("never", "13"));
  CHECK(Log() == "+c@11 +a@12<a@1 -b@13 ");
  Json object;
  REQUIRE(informer->Get("shop", "a", &object));
  CHECK(object == Object("a", "12"));
  CHECK_FALSE(informer->Has("shop", "b"));
  CHECK_FALSE(informer->Has("other", "a"));
  CHECK(informer->ResourceVersion("shop", "c") == "11");
  CHECK(informer->stats().objects == 2);
}

TEST_CASE_METHOD(InformerFixture, "a watch that ends goes on from the last version or bookmark") {
  Sync();
  cluster.Event(WatchEvent::Type::kBookmark, Object("", "20"));
  cluster.Close({});
  REQUIRE(cluster.watches.size() == 1);
  CHECK(cluster.LastWatch().resource_version == "20");
  CHECK(Log().empty());
  cluster.Event(WatchEvent::Type::kModified, Object("a", "21"));
  cluster.Close(Error(ErrorCode::kUnavailable, "cut"));
  CHECK(Log() == "+a@21<a@1 !cut ");
  CHECK(cluster.watches.empty());
  timers.Advance(options.min_backoff);
  REQUIRE(cluster.watches.size() == 1);
  CHECK(cluster.LastWatch().resource_version == "21");
  CHECK(cluster.calls.empty());
}

TEST_CASE_METHOD(InformerFixture, "a server that ends every watch at once is asked with pauses") {
  Sync();
  cluster.Close({});
  CHECK(cluster.watches.empty());
  timers.Advance(options.max_backoff);
  CHECK(cluster.watches.size() == 1);
}

TEST_CASE_METHOD(InformerFixture, "410 Gone lists again, and what is missing then is deleted") {
  Sync();
  cluster.Close(Error(ErrorCode::kGone, "too old"));
  REQUIRE(cluster.calls.size() == 1);
  Json object;
  CHECK(informer->Get("shop", "b", &object));  // the old content stays readable meanwhile
  cluster.Answer(Page({Object("a", "1"), Object("c", "30")}, "40"));
  CHECK(Log() == "+c@30 -b@2 ");
  CHECK(cluster.LastWatch().resource_version == "40");
  CHECK(informer->stats().relists_gone == 1);
  // Gone again at once: now with a pause.
  cluster.Close(Error(ErrorCode::kGone, "too old"));
  CHECK(cluster.calls.empty());
  timers.Advance(options.max_backoff);
  CHECK(cluster.calls.size() == 1);
}

TEST_CASE_METHOD(InformerFixture, "a continue token that expired starts the list over, once") {
  informer->Start();
  cluster.Answer(Page({Object("a", "1")}, "", "next"));
  cluster.Answer(Error(ErrorCode::kGone, "continue token too old"));
  REQUIRE(cluster.calls.size() == 1);
  ClusterRequest again = cluster.Answer(Page({Object("b", "2")}, "10"));
  CHECK(again.continue_token.empty());
  CHECK(Log() == "+a@1 +b@2 -a@1 synced ");
}

TEST_CASE_METHOD(InformerFixture, "failures wait longer and longer, at random, up to the limit") {
  informer->Start();
  Duration expected = options.min_backoff;
  for (int i = 0; i < 12; ++i) {
    cluster.Answer(Error(ErrorCode::kUnavailable, "down"));
    REQUIRE(cluster.calls.empty());
    Duration wait = timers.Next();
    CHECK(wait >= expected / 2);
    CHECK(wait <= expected);
    timers.Advance(wait);
    REQUIRE(cluster.calls.size() == 1);
    expected = std::min(expected * 2, options.max_backoff);
  }
  CHECK(informer->stats().failures == 12);
  Error throttled(ErrorCode::kThrottled, "slow down");
  throttled.retry_after = std::chrono::minutes(5);
  cluster.Answer(throttled);
  CHECK(timers.Next() == std::chrono::minutes(5));
}

TEST_CASE_METHOD(InformerFixture, "a watch that is forbidden goes back to listing, with pauses") {
  Sync();
  cluster.Close(Error(ErrorCode::kDenied, "forbidden"));
  CHECK(Log() == "!forbidden ");
  CHECK(cluster.calls.empty());
  timers.Advance(options.max_backoff);
  CHECK(cluster.calls.size() == 1);
}

TEST_CASE_METHOD(InformerFixture, "what was not heard of for long is listed, not told again") {
  Sync();
  const Error down(ErrorCode::kUnavailable, "down");
  for (int i = 1; i <= 4; ++i) {
    CHECK_FALSE(informer->stats().behind);
    REQUIRE(cluster.watches.size() == 1);
    cluster.Close(down);
    timers.Advance(options.max_backoff);
  }
  CHECK(informer->stats().behind);
  CHECK(cluster.watches.empty());
  cluster.Answer(down);
  timers.Advance(options.max_backoff);
  CHECK(informer->stats().behind);
  cluster.Answer(Page({Object("a", "31")}, "40"));
  CHECK_FALSE(informer->stats().behind);
  CHECK(cluster.LastWatch().resource_version == "40");
  cluster.Close(down);
  CHECK_FALSE(informer->stats().behind);
  timers.Advance(options.max_backoff);
  CHECK(cluster.watches.size() == 1);
}

TEST_CASE_METHOD(InformerFixture, "an event says that the server is heard") {
  Sync();
  for (int i = 1; i <= 9; ++i) {
    cluster.Event(WatchEvent::Type::kBookmark, Object("", "20"));
    cluster.Close(Error(ErrorCode::kUnavailable, "cut"));
    timers.Advance(options.max_backoff);
    CHECK_FALSE(informer->stats().behind);
    REQUIRE(cluster.watches.size() == 1);
  }
}

TEST_CASE_METHOD(InformerFixture, "a handler that comes late sees what is there") {
  Sync();
  auto id = informer->AddHandler(Logger());
  CHECK(Log() == "+a@1 +b@2 synced ");
  informer->RemoveHandler(id);
  cluster.Event(WatchEvent::Type::kModified, Object("a", "12"));
  CHECK(Log() == "+a@12<a@1 ");
}

TEST_CASE_METHOD(InformerFixture, "a resync hands everything on again") {
  options.resync = std::chrono::minutes(10);
  Make();
  Sync();
  timers.Advance(std::chrono::minutes(10));
  CHECK(Log() == "+a@1<a@1 +b@2<b@2 ");
  timers.Advance(std::chrono::minutes(10));
  CHECK(Log() == "+a@1<a@1 +b@2<b@2 ");
}

TEST_CASE_METHOD(InformerFixture, "objects are visited by namespace, in order") {
  informer->Start();
  cluster.Answer(Page(
      {Object("b", "1", "y"), Object("a", "2", "y"), Object("c", "3", "x"), Object("n", "4", "")},
      "10"));
  auto visited = [&](const char* ns) {
    std::string names;
    informer->ForEach(ns, [&](const Json& o) { names += o.At("metadata", "name").Str(); });
    return names;
  };
  CHECK(visited("") == "ncab");
  CHECK(visited("y") == "ab");
  CHECK(visited("z").empty());
}

TEST_CASE_METHOD(InformerFixture, "what comes after it is gone is dropped") {
  Sync();
  cluster.Close(Error(ErrorCode::kGone, "too old"));
  informer.reset();
  cluster.Answer(Page({Object("z", "1")}, "50"));
  timers.Advance(std::chrono::hours(1));
  CHECK(Log().empty());
  CHECK(cluster.watches.empty());
  CHECK(cluster.calls.empty());
}

}  // namespace
}  // namespace rollguard::kube
