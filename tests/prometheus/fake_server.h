// SPDX-License-Identifier: Apache-2.0
// A loop in virtual time and a metrics server behind it that answers from a store in memory, or as
// badly as a test wants.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/text.h"
#include "agent/ports/http_client.h"
#include "agent/ports/timers.h"
#include "agent/promql/engine.h"
#include "agent/promql/parser.h"
#include "agent/promql/storage.h"

namespace rollguard::prometheus {

class FakeLoop final : public Clock, public Timers {
 public:
  Time Now() const override { return now_; }
  std::chrono::nanoseconds Monotonic() const override { return now_.time_since_epoch(); }
  TimerId After(Duration delay, std::function<void()> fn) override {
    tasks_[{now_ + delay, ++last_id_}] = std::move(fn);
    return last_id_;
  }
  void CancelTimer(TimerId id) override {
    std::erase_if(tasks_, [id](const auto& task) { return task.first.second == id; });
  }
  // Everything there is to do, and what that leads to.
  void Run() {
    while (!tasks_.empty()) {
      auto task = tasks_.extract(tasks_.begin());
      now_ = task.key().first;
      task.mapped()();
    }
  }

 private:
  Time now_ = FromUnixMillis(1'700'000'900'000);
  TimerId last_id_ = 0;
  std::map<std::pair<Time, TimerId>, std::function<void()>> tasks_;
};

inline HttpResponse Respond(int status, std::string body, HttpHeaders headers = {}) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

inline HttpResponse ApiError(int status, const std::string& type, const std::string& text) {
  return Respond(status,
                 Json::Obj({{"status", "error"}, {"errorType", type}, {"error", text}}).Dump());
}

class FakeServer final : public HttpClient {
 public:
  explicit FakeServer(FakeLoop& loop) : loop_(loop) {}

  // Asked before the store; nothing: answer from the store.
  std::function<std::optional<Expected<HttpResponse>>(const std::string& query)> before;
  std::vector<HttpRequest> requests;
  promql::MemoryStore store;

  static std::string Field(const std::string& body, std::string_view name) {
    for (std::string_view pair : Split(body, '&')) {
      size_t equals = pair.find('=');
      if (pair.substr(0, equals) == name) return Decode(pair.substr(equals + 1));
    }
    return {};
  }
  std::vector<std::string> Queries() const {
    std::vector<std::string> out;
    for (const HttpRequest& r : requests) out.push_back(Field(r.body, "query"));
    return out;
  }

  HttpId Send(HttpRequest request, HttpDone done) override {
    requests.push_back(request);
    loop_.After(Duration(1), [this, request = std::move(request), done = std::move(done)] {
      done(Answer(request));
    });
    return requests.size();
  }
  HttpId Stream(HttpRequest, HttpStream) override { return 0; }
  void Cancel(HttpId) override {}

 private:
  static std::string Decode(std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '%') {
        out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
        i += 2;
      } else {
        out += text[i];
      }
    }
    return out;
  }

  Expected<HttpResponse> Answer(const HttpRequest& request) {
    std::string text = Field(request.body, "query");
    if (before) {
      if (auto answer = before(text)) return *answer;
    }
    auto query = promql::ParseQuery(text);
    if (!query) return ApiError(400, "bad_data", query.error().message);
    auto at = ParseDouble(Field(request.body, "time")).value_or(0);
    Time time = FromUnixMillis(static_cast<int64_t>(at * 1000));
    auto value = promql::Engine(store).Instant(*query, time);
    if (!value) return ApiError(422, "execution", value.error().message);
    return Respond(200,
                   Json::Obj({{"status", "success"}, {"data", promql::ToJson(*value)}}).Dump());
  }

  FakeLoop& loop_;
};

}  // namespace rollguard::prometheus
