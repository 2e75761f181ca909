// SPDX-License-Identifier: Apache-2.0
// The embedded source in virtual time: pages come from a table, time from a list of timers.
#include "agent/prometheus/embedded.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::prometheus {
namespace {

// Clock, timers and web at once; everything happens in Run().
class World : public Clock, public Timers, public HttpClient {
 public:
  Time Now() const override { return FromUnixMillis(1'700'000'000'000) + now_; }
  std::chrono::nanoseconds Monotonic() const override { return now_; }

  TimerId After(Duration delay, std::function<void()> fn) override {
    timers_.emplace(std::pair(now_ + delay, ++last_id_), std::move(fn));
    return last_id_;
  }
  void CancelTimer(TimerId id) override {
    std::erase_if(timers_, [&](const auto& entry) { return entry.first.second == id; });
  }
  HttpId Send(HttpRequest request, HttpDone done) override {
    ++requests;
    last_request = request;
    After(Duration(20), [this, url = request.url, done = std::move(done)] {
      auto page = pages.find(url);
      if (page == pages.end()) return done(Error(ErrorCode::kUnavailable, "refused"));
      done(page->second);
    });
    return 0;
  }
  HttpId Stream(HttpRequest, HttpStream) override { return 0; }
  void Cancel(HttpId) override {}

  void Run(Duration duration) {
    Duration end = now_ + duration;
    while (!timers_.empty() && timers_.begin()->first.first <= end) {
      auto node = timers_.extract(timers_.begin());
      now_ = node.key().first;
      node.mapped()();
    }
    now_ = end;
  }

  void Serve(const std::string& url, std::string body, std::string type = "text/plain") {
    pages[url] = HttpResponse{200, {{"content-type", std::move(type)}}, std::move(body), {}};
  }

  std::map<std::string, HttpResponse> pages;
  int requests = 0;
  HttpRequest last_request;

 private:
  Duration now_{0};
  std::map<std::pair<Duration, TimerId>, std::function<void()>> timers_;
  TimerId last_id_ = 0;
};

constexpr Duration kInterval = std::chrono::seconds(15);

ScrapeTarget Pod(const std::string& name) {
  return {StrCat("http://", name, ":8080/metrics"),
          promql::Labels({{"job", "shop"}, {"pod", name}})};
}

// The answer as text without times; "suspect: " before it when it is.
std::string Ask(World& world, EmbeddedSource& source, std::string query) {
  std::string out = "no answer";
  source.Query({.query = std::move(query), .at = world.Now()}, [&](Expected<MetricAnswer> answer) {
    if (!answer) {
      out = "error: " + answer.error().message;
      return;
    }
    out = answer->suspect ? "suspect: " : "";
    if (auto* vector = std::get_if<promql::Vector>(&answer->value)) {
      std::sort(vector->begin(), vector->end(),
                [](const auto& a, const auto& b) { return a.labels < b.labels; });
      for (const auto& sample : *vector) {
        out += StrCat(sample.labels.ToString(), " ", promql::FormatValue(sample.v), "; ");
      }
    }
  });
  CHECK(out == "no answer");  // never inside the call
  world.Run(Duration(0));
  return out;
}

}  // namespace

TEST_CASE("pods are scraped and asked", "[prometheus][embedded]") {
  World world;
  EmbeddedSource source(world, world, world);
  CHECK(Ask(world, source, "up") == "suspect: ");
  world.Serve("http://p1:8080/metrics", "req_total{code=\"200\",pod=\"mine\"} 10\ntemp 3\n");
  world.Serve("http://p2:8080/metrics", "req_total 5 1700000000.000\n# EOF\n",
              "application/openmetrics-text; version=1.0.0");
  source.SetTargets({Pod("p1"), Pod("p2"), Pod("p3")});
  world.Run(Duration(0));
  CHECK(Ask(world, source, "up").starts_with("suspect"));
  world.Run(kInterval + Duration(100));
  CHECK(Ask(world, source, "up") ==
        "up{job=\"shop\", pod=\"p1\"} 1; up{job=\"shop\", pod=\"p2\"} 1; "
        "up{job=\"shop\", pod=\"p3\"} 0; ");
  CHECK(Ask(world, source, "temp") == "temp{job=\"shop\", pod=\"p1\"} 3; ");
  CHECK(Ask(world, source, "req_total") ==
        "req_total{code=\"200\", exported_pod=\"mine\", job=\"shop\", pod=\"p1\"} 10; "
        "req_total{job=\"shop\", pod=\"p2\"} 5; ");
  CHECK(Ask(world, source, "scrape_samples_scraped{pod=\"p1\"}") ==
        "scrape_samples_scraped{job=\"shop\", pod=\"p1\"} 2; ");
  CHECK(Ask(world, source, "rat(temp[1m])").starts_with("error: 1:1: parse error"));
  CHECK(world.last_request.accept_gzip);
  CHECK(world.last_request.timeout == std::chrono::seconds(10));

  // Each target once per interval.
  int before = world.requests;
  world.Run(kInterval * 4);
  CHECK(world.requests == before + 12);
}

TEST_CASE("what vanishes becomes stale at once", "[prometheus][embedded]") {
  World world;
  EmbeddedSource source(world, world, world);
  world.Serve("http://p1:8080/metrics", "a 1\nb 1\n");
  source.SetTargets({Pod("p1")});
  world.Run(kInterval * 2);
  CHECK(Ask(world, source, "count({__name__=~\"a|b\"})") == "{} 2; ");

  SECTION("a series that is no longer on the page") {
    world.Serve("http://p1:8080/metrics", "a 1\n");
    world.Run(kInterval);
    CHECK(Ask(world, source, "b") == "");
    CHECK(Ask(world, source, "a") == "a{job=\"shop\", pod=\"p1\"} 1; ");
  }
  SECTION("a page that cannot be read") {
    world.Serve("http://p1:8080/metrics", "a 1\nb{ 1\n");
    world.Run(kInterval);
    CHECK(Ask(world, source, "{__name__=~\"a|b|up\"}") == "up{job=\"shop\", pod=\"p1\"} 0; ");
  }
  SECTION("a page that is cut short") {
    world.Serve("http://p1:8080/metrics", "a 1\n", "application/openmetrics-text");
    world.Run(kInterval);
    CHECK(Ask(world, source, "{__name__=~\"a|b|up\"}") == "up{job=\"shop\", pod=\"p1\"} 0; ");
  }
  SECTION("a pod that does not answer, and comes back") {
    auto page = world.pages;
    world.pages.clear();
    world.Run(kInterval);
    CHECK(Ask(world, source, "a") == "");
    CHECK(Ask(world, source, "count_over_time(a[1m])").find("} 2") != std::string::npos);
    world.pages = page;
    world.Run(kInterval);
    CHECK(Ask(world, source, "a") == "a{job=\"shop\", pod=\"p1\"} 1; ");
  }
  SECTION("a pod that is gone") {
    source.SetTargets({});
    world.Run(Duration(1));
    CHECK(Ask(world, source, "{__name__=~\"a|b|up\"}") == "suspect: ");
    int before = world.requests;
    world.Run(kInterval * 2);
    CHECK(world.requests == before);
  }
}

TEST_CASE("memory stays bounded", "[prometheus][embedded]") {
  World world;
  EmbeddedOptions options;
  options.max_series_per_target = 10;
  options.max_series = 40;
  options.retention = std::chrono::minutes(2);
  EmbeddedSource source(world, world, world, options);
  std::string many;
  for (int i = 0; i < 11; ++i) many += StrCat("a", i, " 1\n");
  world.Serve("http://p1:8080/metrics", many);
  source.SetTargets({Pod("p1")});
  world.Run(kInterval * 2);
  CHECK(Ask(world, source, "up") == "up{job=\"shop\", pod=\"p1\"} 0; ");
  CHECK(Ask(world, source, "a1") == "");

  // A pod that names its series anew at each scrape.
  size_t most = 0;
  for (int round = 0; round < 60; ++round) {
    world.Serve("http://p1:8080/metrics", StrCat("a{run=\"", round, "\"} 1\nb 1\n"));
    world.Run(kInterval);
    source.Status([&](EmbeddedStatus status) { most = std::max(most, status.series); });
    world.Run(Duration(0));
  }
  CHECK(most >= 10);
  CHECK(most <= 25);
  EmbeddedStatus status;
  source.Status([&](EmbeddedStatus s) { status = s; });
  world.Run(Duration(0));
  CHECK(status.samples <= 25 * 12);
  CHECK(status.bytes > 0);
  CHECK(Ask(world, source, "b") == "b{job=\"shop\", pod=\"p1\"} 1; ");
}

TEST_CASE("nothing runs once the source is gone", "[prometheus][embedded]") {
  World world;
  world.Serve("http://p1:8080/metrics", "a 1\n");
  bool answered = false;
  {
    EmbeddedSource source(world, world, world);
    source.SetTargets({Pod("p1")});
    world.Run(kInterval);
    source.Query({.query = "a", .at = world.Now()}, [&](auto) { answered = true; });
  }
  int before = world.requests;
  world.Run(kInterval * 3);
  CHECK_FALSE(answered);
  CHECK(world.requests == before);
}

}  // namespace rollguard::prometheus
