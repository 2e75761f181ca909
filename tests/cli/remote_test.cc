// SPDX-License-Identifier: Apache-2.0
// The commands that ask the running agent, held against an agent whose answers are scripted.
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "agent/base/text.h"
#include "tests/cli/call.h"
#include "tests/support/catch.h"
#include "tests/support/tiny_server.h"

namespace rollguard::cli {
namespace {

const char* const kGuard = R"({
  "summary": {"id": "shop/checkout", "namespace": "shop", "name": "checkout",
    "target": "Deployment checkout", "strategy": "canary", "mode": "enforce", "state": "releasing",
    "phase": "Progressing", "stable": "aaa111", "candidate": "bbb222", "release": "r-7",
    "startedAt": "2020-01-01T00:00:00Z", "weight": 20, "step": 1, "steps": 3, "score": 0.98,
    "scores": [0.97, 0.98], "reason": "pause for 2m", "estimatedCompletion": null, "blind": false,
    "rollbackReady": true},
  "steps": [{"index": 0, "kind": "setWeight", "words": "weight to 20 %", "state": "done"},
    {"index": 1, "kind": "pause", "words": "pause for 2m", "state": "current"},
    {"index": 2, "kind": "analysis", "words": "analysis success-rate", "state": "next"}],
  "reasons": ["the pause ends in 1m"],
  "evidence": [{"name": "HighErrorRate", "source": "rule", "state": "firing", "reason": "too many",
    "value": 0.034, "op": ">", "threshold": 0.01}],
  "decisions": [{"words": "14:02:11 went on: weight to 20 %"}],
  "conditions": [], "quarantine": [], "history": [],
  "actions": [{"verb": "promote"}, {"verb": "promote"}, {"verb": "rollback"}]})";

std::string Ended(const char* outcome) {
  Json guard = *ParseJson(kGuard);
  Json& row = guard["summary"];
  row.Erase("release");
  row.Erase("candidate");
  row.Set("state", "stable").Set("last", Json::Obj({{"release", "r-7"}, {"outcome", outcome}}));
  return guard.Dump();
}

// An agent that answers each path with what the test says, one answer after the other, the last
// one for ever; and remembers what it was asked.
class Agent {
 public:
  struct Answer {
    int status = 200;
    std::string body;
  };
  void On(const std::string& path, std::vector<Answer> answers) { script_[path] = {answers, 0}; }
  std::string url() const { return server_.Url(); }
  std::vector<testing::TinyRequest> asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  struct Script {
    std::vector<Answer> answers;
    size_t next = 0;
  };
  void Handle(const testing::TinyRequest& request, testing::TinyConnection& connection) {
    std::unique_lock lock(mutex_);
    asked_.push_back(request);
    auto found = script_.find(request.Path());
    if (found == script_.end()) {
      lock.unlock();
      connection.Respond(404,
                         R"({"title": "Not Found", "status": 404, "detail": "no such guard"})");
      return;
    }
    Script& script = found->second;
    const Answer answer = script.answers[std::min(script.next, script.answers.size() - 1)];
    ++script.next;
    lock.unlock();
    connection.Respond(answer.status, answer.body);
  }

  std::mutex mutex_;
  std::map<std::string, Script> script_;
  std::vector<testing::TinyRequest> asked_;
  testing::TinyServer server_{[this](const auto& r, auto& c) { Handle(r, c); }};
};

bool Has(const std::string& text, const std::string& piece) {
  return text.find(piece) != std::string::npos;
}

}  // namespace

TEST_CASE("status shows steps, evidence, decisions and what can be asked", "[cli][remote]") {
  Agent agent;
  agent.On("/api/v1/guards/shop/checkout", {{200, kGuard}});
  Outcome shown = Call({"status", "checkout", "-n", "shop", "--server", agent.url()});
  CHECK(shown.code == 0);
  for (const char* piece :
       {"shop/checkout   releasing   canary of Deployment checkout", "aaa111 → bbb222",
        "20 % on the candidate", "✓ weight to 20 %", "▶ pause for 2m", "· analysis success-rate",
        "firing", "0.034 > 0.01", "the pause ends in 1m", "14:02:11 went on",
        "you can    promote, rollback\n"}) {
    INFO(shown.out);
    CHECK(Has(shown.out, piece));
  }
  Outcome yaml = Call({"status", "shop/checkout", "-o", "yaml", "--server", agent.url()});
  CHECK(Has(yaml.out, "  weight: 20\n"));
  CHECK(Call({"status", "shop/nothing", "--server", agent.url()}).code == 1);
  CHECK(Call({"status", "--server", agent.url()}).code == 2);
  CHECK(Call({"status", "x", "--server", "localhost"}).code == 2);
}

TEST_CASE("get prints tables, one row each", "[cli][remote]") {
  Agent agent;
  const std::string row = ParseJson(kGuard)->At("summary").Dump();
  agent.On("/api/v1/guards", {{200, StrCat("{\"items\": [", row, "], \"total\": 1}")}});
  agent.On("/api/v1/rules", {{200, R"({"items": []})"}});
  Outcome table = Call({"get", "--server", agent.url(), "-n", "shop", "--state", "releasing"});
  CHECK(table.code == 0);
  CHECK(Has(table.out, "GUARD           STATE       STEP   WEIGHT   SCORE"));
  CHECK(Has(table.out, "shop/checkout   releasing   1/3    20%      0.98    aaa111   bbb222"));
  CHECK(agent.asked().back().target == "/api/v1/guards?limit=100&namespace=shop&state=releasing");
  CHECK(Call({"get", "rules", "--server", agent.url()}).out.empty());
  CHECK(Call({"get", "gards", "--server", agent.url()}).code == 2);
  CHECK(Call({"get", "-o", "xml", "--server", agent.url()}).code == 2);
}

TEST_CASE("a verb is posted with reason, revision and token, and its answer is said",
          "[cli][remote]") {
  Agent agent;
  const std::string ok = R"({"id": "c-1", "accepted": true, "message": "going back to aaa111"})";
  agent.On("/api/v1/guards/shop/checkout/rollback", {{200, ok}});
  agent.On("/api/v1/guards/shop/checkout/promote",
           {{403, R"({"title": "Forbidden", "detail": "mia may not promote in shop"})"}});
  TempFile token("t0ken\n");
  Outcome outcome = Call({"rollback", "shop/checkout", "--to", "aaa111", "--reason", "slow",
                          "--server", agent.url(), "--token-file", token.path()});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "shop/checkout: going back to aaa111\n");
  const testing::TinyRequest asked = agent.asked().back();
  CHECK(asked.method == "POST");
  CHECK(asked.body == R"({"reason":"slow","to":"aaa111"})");
  CHECK(asked.Header("authorization") == "Bearer t0ken");
  CHECK(Call({"promote", "shop/checkout", "--full", "--server", agent.url()}).code == 1);
  CHECK(agent.asked().back().body == R"({"full":true})");
  CHECK(Call({"pause", "shop/checkout", "--full", "--server", agent.url()}).code == 2);
}

TEST_CASE("watch ends with the release: 0 when promoted, 1 when not", "[cli][remote]") {
  for (const auto& [outcome, code] : {std::pair{"promoted", 0}, std::pair{"rolledBack", 1}}) {
    Agent agent;
    agent.On("/api/v1/guards/shop/checkout", {{200, kGuard}, {200, kGuard}, {200, Ended(outcome)}});
    agent.On("/api/v1/events",
             {{200, "id: 1\nevent: decision\ndata: {\"words\": \"14:03:00 promoted\"}\n\n"}});
    Outcome shown = Call({"watch", "shop/checkout", "--server", agent.url()});
    CHECK(shown.code == code);
    CHECK(Has(shown.out, "shop/checkout releasing step 1/3 weight 20 score 0.98  pause for 2m\n"));
    CHECK(Has(shown.out, "14:03:00 promoted\n"));
    CHECK(Has(shown.out, "shop/checkout stable"));
  }
  Agent agent;
  agent.On("/api/v1/guards/shop/checkout", {{200, Ended("promoted")}});
  CHECK(Call({"watch", "shop/checkout", "--no-wait", "--server", agent.url()}).code == 0);
  CHECK(Call({"watch", "shop/other", "--server", agent.url()}).code == 1);
}

TEST_CASE("the history is read over REST: pages, explanations, figures, the audit",
          "[cli][remote]") {
  Agent agent;
  const std::string release = R"({"id": "r-7", "guard": "shop/checkout", "strategy": "canary",
    "revision": "bbb222", "previous": "aaa111", "startedAt": "2026-01-01T10:00:00Z",
    "endedAt": "2026-01-01T10:05:00Z", "outcome": "rolled_back", "trigger": "HighErrorRate",
    "triggerKind": "rule", "triggerAt": "2026-01-01T10:03:00Z", "safeAt": "2026-01-01T10:03:30Z",
    "right": true})";
  agent.On("/api/v1/releases", {{200, StrCat("{\"items\": [", release, "], \"next\": \"more\"}")},
                                {200, StrCat("{\"items\": [", release, "]}")}});
  agent.On("/api/v1/releases/r-7", {{200, StrCat("{\"release\": ", release, "}")}});
  agent.On("/api/v1/history", {{200, R"({"items": [{"seq": 3, "kind": "decision", "id": "d-1",
    "at": "2026-01-01T10:03:00Z", "guard": "shop/checkout", "release": "r-7", "actor": "rollguard",
    "body": {"verdict": "rollback", "reason": "HighErrorRate: 0.0523412341 > 0.01", "weight": 20,
      "given": "cafe"}}]})"}});
  agent.On("/api/v1/decisions/d-1/given", {{404, R"({"title": "Not Found", "detail": "gone"})"}});
  agent.On("/api/v1/audit", {{200, R"({"verifiedAt": "2026-01-01T10:03:00Z", "rows": 9,
    "givens": 2, "breaks": []})"},
                             {200, R"({"verifiedAt": "2026-01-01T10:03:00Z", "rows": 9,
    "givens": 2, "breaks": ["row 4 of chain a: its content was changed"]})"}});
  Outcome list = Call({"history", "--server", agent.url(), "--guard", "shop/checkout"});
  CHECK(list.code == 0);
  CHECK(Has(list.out, "2026-01-01 10:00:00   shop/checkout   r-7       rolled_back   5m"));
  CHECK(Has(list.out, "HighErrorRate (rule)"));
  CHECK(agent.asked()[0].target == "/api/v1/releases?guard=shop/checkout&limit=50");
  CHECK(Has(agent.asked()[1].target, "&limit=49&continue=more"));
  Outcome decisions = Call({"history", "decisions", "--server", agent.url()});
  CHECK(Has(decisions.out, "HighErrorRate: 0.05234 > 0.01"));
  Outcome told = Call({"explain", "d-1", "--server", agent.url()});
  CHECK(told.code == 0);
  CHECK(Has(told.out, "HighErrorRate: 0.05234 > 0.01"));
  CHECK(Has(told.out, "safe after 30s"));
  CHECK(Has(told.out, "it cannot be replayed"));
  CHECK(Has(Call({"explain", "d-1", "-o", "yaml", "--server", agent.url()}).out, "0.0523412341"));
  Outcome stats = Call({"stats", "--server", agent.url(), "--since", "2026-01-01T00:00:00Z",
                        "--until", "2026-01-02T00:00:00Z", "-o", "json"});
  CHECK(stats.code == 0);
  CHECK(Has(stats.out, "\"rolledBack\": 1"));
  CHECK(Call({"audit", "verify", "--server", agent.url()}).code == 0);
  Outcome broken = Call({"audit", "verify", "--server", agent.url()});
  CHECK(broken.code == 1);
  CHECK(Has(broken.out, "row 4 of chain a"));
  CHECK(Call({"history", "-o", "xml", "--server", agent.url()}).code == 2);
  CHECK(Call({"history", "decisionz", "--server", agent.url()}).code == 2);
}

TEST_CASE("what could not be told is listed, tried again and forgotten", "[cli][remote]") {
  Agent agent;
  agent.On("/api/v1/notifications", {{200, R"({"channels": [{"name": "oncall", "kind": "slack",
    "waiting": 0, "sent": 4, "failedAttempts": 8, "deadLetters": 1, "lastError": "no such webhook"}],
    "deadLetters": [{"id": "ab12", "at": "2026-01-01T10:00:00Z", "channel": "oncall", "attempts": 8,
    "error": "no such webhook", "notice": {"namespace": "shop", "guard": "checkout",
    "event": "rolledBack"}}]})"}});
  agent.On("/api/v1/notifications/dead-letters/ab12/retry",
           {{200, R"({"id": "ab12", "message": "told again to oncall"})"}});
  agent.On("/api/v1/notifications/dead-letters/ab12/discard",
           {{200, R"({"id": "ab12", "message": "forgotten"})"}});
  CHECK(Has(Call({"get", "channels", "--server", agent.url()}).out, "oncall    slack"));
  CHECK(Has(Call({"get", "dead-letters", "--server", agent.url()}).out, "shop/checkout"));
  CHECK(Call({"notices", "retry", "ab12", "--server", agent.url()}).out ==
        "ab12: told again to oncall\n");
  CHECK(Call({"notices", "discard", "--all", "--server", agent.url()}).out == "ab12: forgotten\n");
  CHECK(Call({"notices", "retry", "--server", agent.url()}).code == 2);
  CHECK(Call({"notices", "retry", "zz", "--server", agent.url()}).code == 1);
  CHECK(Call({"notices", "--server", agent.url()}).code == 2);
  CHECK(Call({"get", "channels", "--limit", "5", "--server", agent.url()}).code == 2);
  CHECK(Call({"get", "rules", "--state", "held", "--server", agent.url()}).code == 2);
}

TEST_CASE("an agent that is away, and a server that is none, are said so", "[cli][remote]") {
  Agent agent;
  agent.On("/api/v1/guards", {{200, "<html>hello</html>"}});
  CHECK(Call({"get", "--server", agent.url()}).code == 1);
  CHECK(Call({"get", "--server", "http://127.0.0.1:1"}).code == 1);
}

}  // namespace rollguard::cli
