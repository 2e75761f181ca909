// SPDX-License-Identifier: Apache-2.0
#include "agent/probe/names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/base/text.h"

namespace rollguard::probe {
namespace {

constexpr size_t kThreads = 4;
constexpr size_t kMaxWaiting = 4096;

Expected<std::vector<std::string>> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    return Error(ErrorCode::kUnavailable,
                 StrCat("the name ", Quote(host), " cannot be resolved: ", gai_strerror(code)));
  }
  std::vector<std::string> addresses;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    char text[NI_MAXHOST];
    if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) ==
        0) {
      addresses.emplace_back(text);
    }
  }
  freeaddrinfo(list);
  return addresses;
}

}  // namespace

struct Names::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::pair<std::string, Found>> waiting;
  size_t threads = 0;
  size_t idle = 0;
  bool stopping = false;
};

Names::Names() : shared_(std::make_shared<Shared>()) {}

Names::~Names() {
  std::lock_guard lock(shared_->mutex);
  shared_->stopping = true;
  shared_->waiting.clear();
  shared_->wake.notify_all();
}

void Names::Find(std::string host, Found found) {
  if (std::string bare; IsAddress(host, bare)) {
    found(std::vector<std::string>{bare});
    return;
  }
  {
    std::lock_guard lock(shared_->mutex);
    if (shared_->waiting.size() < kMaxWaiting) {
      shared_->waiting.emplace_back(std::move(host), std::move(found));
      if (shared_->idle == 0 && shared_->threads < kThreads) {
        ++shared_->threads;
        std::thread([shared = shared_] { Work(shared); }).detach();
      }
      shared_->wake.notify_one();
      return;
    }
  }
  found(Error(ErrorCode::kUnavailable, "too many names wait for the resolver"));
}

void Names::Work(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    ++shared->idle;
    shared->wake.wait(lock, [&] { return shared->stopping || !shared->waiting.empty(); });
    --shared->idle;
    if (shared->stopping) return;
    auto [host, found] = std::move(shared->waiting.front());
    shared->waiting.pop_front();
    lock.unlock();
    auto addresses = Resolve(host);
    lock.lock();
    // Under the lock: once the owner's destructor has it, nobody is called any more.
    if (shared->stopping) return;
    found(std::move(addresses));
  }
}

bool IsAddress(const std::string& host, std::string& bare) {
  bare = host.size() > 2 && host.front() == '[' && host.back() == ']'
             ? host.substr(1, host.size() - 2)
             : host;
  in6_addr six{};
  in_addr four{};
  return inet_pton(AF_INET, bare.c_str(), &four) == 1 ||
         inet_pton(AF_INET6, bare.c_str(), &six) == 1;
}

}  // namespace rollguard::probe
