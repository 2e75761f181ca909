// SPDX-License-Identifier: Apache-2.0
// A client whose answers come on the test's own thread, while it waits for them: a channel belongs
// to one thread, as in the agent to the deciding one.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "agent/notify/channel.h"
#include "agent/ports/http_client.h"

namespace rollguard::notify {

class HereClient final : public HttpClient {
 public:
  explicit HereClient(HttpClient& real) : real_(real) {}

  HttpId Send(HttpRequest request, HttpDone done) override {
    return real_.Send(std::move(request), [this, done](Expected<HttpResponse> answer) {
      std::lock_guard lock(mutex_);
      answers_.emplace_back(done, std::move(answer));
      came_.notify_all();
    });
  }
  HttpId Stream(HttpRequest request, HttpStream stream) override {
    return real_.Stream(std::move(request), std::move(stream));
  }
  void Cancel(HttpId id) override { real_.Cancel(id); }

  // Delivers and hands on answers until the channel says how it went; nothing when that took longer
  // than a minute.
  std::optional<Status> Deliver(Channel& channel, const Notice& notice) {
    auto told = std::make_shared<std::optional<Status>>();
    channel.Deliver(notice, [told](Status status) { *told = std::move(status); });
    while (!*told) {
      auto answers = Await();
      if (answers.empty()) break;
      for (auto& [done, answer] : answers) done(std::move(answer));
    }
    return *told;
  }

 private:
  using Answer = std::pair<HttpDone, Expected<HttpResponse>>;

  std::vector<Answer> Await() {
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, std::chrono::seconds(60), [this] { return !answers_.empty(); });
    return std::exchange(answers_, {});
  }

  HttpClient& real_;
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Answer> answers_;
};

}  // namespace rollguard::notify
