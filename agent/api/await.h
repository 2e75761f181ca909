// SPDX-License-Identifier: Apache-2.0
// Waiting on a server's worker for what happens on the deciding thread.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "agent/app/loop.h"

namespace rollguard::api {

// Runs `start` on the loop and waits until it calls back; nothing when that took longer. The
// callback may come late or twice: only the first counts. Must not be called on the loop.
template <class T>
std::optional<T> Await(app::Loop& loop, std::function<void(std::function<void(T)>)> start,
                       Duration limit) {
  struct Shared {
    std::promise<T> promise;
    std::atomic_flag answered = ATOMIC_FLAG_INIT;
  };
  auto shared = std::make_shared<Shared>();
  std::future<T> future = shared->promise.get_future();
  loop.Post([shared, start = std::move(start)] {
    start([shared](T answer) {
      if (!shared->answered.test_and_set()) shared->promise.set_value(std::move(answer));
    });
  });
  if (future.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return future.get();
}

}  // namespace rollguard::api
