// SPDX-License-Identifier: Apache-2.0
// Who a request comes from, and what that name may do.
#include "agent/api/identity.h"

#include "agent/base/text.h"
#include "tests/api/api_world.h"
#include "tests/support/catch.h"

namespace rollguard::api {
namespace {

class StillClock final : public Clock {
 public:
  Time Now() const override { return FromUnixMillis(0); }
  std::chrono::nanoseconds Monotonic() const override { return now; }
  std::chrono::nanoseconds now = std::chrono::seconds(1000);
};

// Answers reviews at once and counts them.
class Reviewer final : public Cluster {
 public:
  void Call(ClusterRequest request, ClusterDone done) override {
    ++calls;
    if (down) return done(Error(ErrorCode::kUnavailable, "connection refused"));
    if (silent) return;
    Json status;
    if (request.type.kind == "TokenReview") {
      bool known = request.body.At("spec", "token").Str() == "good";
      status = Json::Obj({{"authenticated", known}});
      if (known)
        status.Set("user", Json::Obj({{"username", "ann"}, {"groups", Json::Arr({"sre"})}}));
    } else {
      last = request.body.At("spec");
      status = Json::Obj({{"allowed", last.At("resourceAttributes", "verb").Str() == verb}});
    }
    done(Json::Obj({{"status", std::move(status)}}));
  }
  WatchId Watch(WatchRequest, WatchHandler) override { return 1; }
  void CancelWatch(WatchId) override {}

  std::atomic<int> calls{0};
  bool down = false, silent = false;
  std::string verb = "get";
  Json last;
};

struct Fixture {
  testing::RealClock real;
  StillClock clock;
  Reviewer reviewer;
  app::Loop loop{real};
  std::map<std::string, std::string> files{{"ci.token", "s3cret\n"}, {"empty.token", "\n"}};
  spec::AuthConfig config;

  Fixture() {
    loop.Start();
    config.tokens = {{"ci", "ci.token", {"bots"}, {"get", "list", "promote"}, {"shop"}},
                     {"root", "root.token", {}, {"*"}, {}},
                     {"nothing", "empty.token", {}, {"*"}, {}}};
  }
  Identity Make() {
    return Identity(config, {.cluster = &reviewer,
                             .loop = &loop,
                             .clock = &clock,
                             .read_file = [this](const std::string& path) -> Expected<std::string> {
                               auto found = files.find(path);
                               if (found == files.end())
                                 return Error(ErrorCode::kNotFound, "no such file");
                               return found->second;
                             }});
  }
  static http::Request With(const std::string& authorization, const std::string& peer = "") {
    http::Request request;
    if (!authorization.empty()) request.headers = {{"authorization", authorization}};
    request.peer_identity = peer;
    return request;
  }
};

ErrorCode CodeOf(const Status& status) {
  return status.ok() ? ErrorCode::kAlreadyExists : status.error().code;
}

}  // namespace

TEST_CASE("a caller is who its credentials say", "[api]") {
  Fixture f;
  Identity identity = f.Make();
  struct Row {
    const char* header;
    const char* peer;
    const char* want;  // name, or empty: 401
    Caller::Kind kind;
  };
  const Row rows[] = {
      {"Bearer s3cret", "", "ci", Caller::Kind::kStatic},
      {"bearer  s3cret ", "", "ci", Caller::Kind::kStatic},
      {"Bearer good", "", "ann", Caller::Kind::kKubernetes},
      {"", "node-7", "node-7", Caller::Kind::kCertificate},
      {"Bearer good", "node-7", "ann", Caller::Kind::kKubernetes},
      {"Bearer wrong", "node-7", "", {}},
      {"Bearer s3cre", "", "", {}},
      {"Bearer ", "", "", {}},
      {"Bearer", "", "", {}},
      {"Basic czNjcmV0", "", "", {}},
      {"s3cret", "", "", {}},
      {"", "", "", {}},
  };
  for (const Row& row : rows) {
    INFO("'" << row.header << "' peer '" << row.peer << "'");
    auto caller = identity.Identify(Fixture::With(row.header, row.peer));
    REQUIRE(caller.ok() == (row.want[0] != 0));
    if (!caller.ok()) {
      CHECK(caller.error().code == ErrorCode::kUnauthenticated);
      continue;
    }
    CHECK(caller->name == row.want);
    CHECK(caller->kind == row.kind);
  }
}

TEST_CASE("an unreadable or empty token file lets nobody in", "[api]") {
  Fixture f;
  Identity identity = f.Make();
  CHECK_FALSE(identity.Identify(Fixture::With("Bearer \n")).ok());
  f.files["root.token"] = "root1";
  f.clock.now += std::chrono::seconds(2);
  CHECK(identity.Identify(Fixture::With("Bearer root1"))->name == "root");
  f.files["root.token"] = "root2";  // changed: the old one ends within a second
  f.clock.now += std::chrono::seconds(2);
  CHECK_FALSE(identity.Identify(Fixture::With("Bearer root1")).ok());
  CHECK(identity.Identify(Fixture::With("Bearer root2"))->name == "root");
}

TEST_CASE("static names may do what the configuration says", "[api]") {
  Fixture f;
  f.files["root.token"] = "root";
  Identity identity = f.Make();
  Caller ci = *identity.Identify(Fixture::With("Bearer s3cret"));
  CHECK(ci.groups == std::vector<std::string>{"bots"});
  CHECK(identity.Allow(ci, {"promote", "shop", "cart"}).ok());
  CHECK(CodeOf(identity.Allow(ci, {"rollback", "shop", "cart"})) == ErrorCode::kDenied);
  CHECK(CodeOf(identity.Allow(ci, {"promote", "pay", "x"})) == ErrorCode::kDenied);
  CHECK(CodeOf(identity.Allow(ci, {"list", "", ""})) == ErrorCode::kDenied);
  Caller root = *identity.Identify(Fixture::With("Bearer root"));
  CHECK(identity.Allow(root, {"rollback", "", ""}).ok());
  CHECK(f.reviewer.calls == 0);
  // After a reload without it the name is nobody.
  f.config.tokens.clear();
  identity.SetConfig(f.config);
  CHECK(CodeOf(identity.Allow(root, {"get", "shop", "cart"})) == ErrorCode::kUnauthenticated);
}

TEST_CASE("reviews are asked once within the cache's time", "[api]") {
  Fixture f;
  Identity identity = f.Make();
  for (int i = 0; i < 5; ++i) REQUIRE(identity.Identify(Fixture::With("Bearer good")).ok());
  CHECK(f.reviewer.calls == 1);
  Caller ann = *identity.Identify(Fixture::With("Bearer good"));
  for (int i = 0; i < 5; ++i) CHECK(identity.Allow(ann, {"get", "shop", "cart"}).ok());
  CHECK(f.reviewer.calls == 2);
  CHECK(f.reviewer.last.At("user").Str() == "ann");
  CHECK(f.reviewer.last.At("resourceAttributes", "resource").Str() == "guards");
  CHECK_FALSE(identity.Allow(ann, {"rollback", "shop", "cart"}).ok());
  // A role given just now works within seconds; one taken away ends with the cache.
  f.reviewer.verb = "rollback";
  f.clock.now += std::chrono::seconds(6);
  CHECK(identity.Allow(ann, {"rollback", "shop", "cart"}).ok());
  CHECK(identity.Allow(ann, {"get", "shop", "cart"}).ok());
  f.clock.now += std::chrono::seconds(31);
  CHECK_FALSE(identity.Allow(ann, {"get", "shop", "cart"}).ok());
}

TEST_CASE("without reviews nobody is let in, and it is said to be our trouble", "[api]") {
  Fixture f;
  f.reviewer.down = true;
  Identity identity = f.Make();
  auto caller = identity.Identify(Fixture::With("Bearer good"));
  REQUIRE_FALSE(caller.ok());
  CHECK(caller.error().code == ErrorCode::kUnavailable);
  Caller ann{.kind = Caller::Kind::kKubernetes, .name = "ann"};
  CHECK(CodeOf(identity.Allow(ann, {"get", "shop", "cart"})) == ErrorCode::kUnavailable);
  f.reviewer.down = false;  // a failure is not remembered
  CHECK(identity.Identify(Fixture::With("Bearer good")).ok());
}

TEST_CASE("anonymous callers may read when that was opened, and never more", "[api]") {
  Fixture f;
  f.config.anonymous_read = true;
  Identity identity = f.Make();
  auto caller = identity.Identify(Fixture::With(""));
  REQUIRE(caller.ok());
  CHECK(identity.Allow(*caller, {"get", "shop", "cart"}).ok());
  CHECK(identity.Allow(*caller, {"watch", "", ""}).ok());
  CHECK(CodeOf(identity.Allow(*caller, {"rollback", "shop", "cart"})) ==
        ErrorCode::kUnauthenticated);
  CHECK_FALSE(identity.Identify(Fixture::With("Bearer wrong")).ok());
}

TEST_CASE("a certificate's name is held to the configuration, else to Kubernetes", "[api]") {
  Fixture f;
  Identity identity = f.Make();
  Caller ci = *identity.Identify(Fixture::With("", "ci"));
  CHECK(identity.Allow(ci, {"promote", "shop", "x"}).ok());
  CHECK_FALSE(identity.Allow(ci, {"rollback", "shop", "x"}).ok());
  Caller other = *identity.Identify(Fixture::With("", "other"));
  CHECK(identity.Allow(other, {"get", "shop", "x"}).ok());
  CHECK(f.reviewer.last.At("user").Str() == "other");
  f.config.kubernetes = false;
  identity.SetConfig(f.config);
  CHECK(CodeOf(identity.Allow(other, {"get", "shop", "x"})) == ErrorCode::kDenied);
}

}  // namespace rollguard::api
