// SPDX-License-Identifier: Apache-2.0
// Callers put tasks and cancellations into an inbox and wake the loop through an eventfd. A task is
// `live` from Add until its last callback begins or it is cancelled; Cancel waits for the callback
// that is running at the moment.
#include "agent/probe/socket_loop.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_set>

#include "agent/base/text.h"
#include "agent/probe/names.h"

namespace rollguard::probe {
namespace {

using Nanos = std::chrono::nanoseconds;
constexpr Nanos kLongestWait = std::chrono::minutes(1);

struct Entry {
  std::unique_ptr<SocketTask> task;
  ProbeDone done;
  Nanos began{0};
  Duration timeout{0};
  SocketWait wait;
};

class AnswerTask final : public SocketTask {
 public:
  explicit AnswerTask(ProbeAnswer answer) : answer_(std::move(answer)) {}
  std::variant<SocketWait, ProbeAnswer> Advance(Duration) override { return answer_; }
  void Named(Expected<std::vector<std::string>>) override {}
  std::string Awaited() const override { return "nothing"; }

 private:
  ProbeAnswer answer_;
};

}  // namespace

class SocketLoop::Impl {
 public:
  explicit Impl(const Clock& clock) : clock_(clock), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      live_.clear();
    }
    Wake();
    thread_.join();
    names_.reset();  // before the eventfd: the resolver's threads wake us through it
    ::close(wake_);
  }

  TaskId Add(std::unique_ptr<SocketTask> task, Duration timeout, ProbeDone done) {
    Entry entry{std::move(task), std::move(done), clock_.Monotonic(), timeout, {}};
    TaskId id = 0;
    {
      std::lock_guard lock(mutex_);
      id = ++last_id_;
      live_.insert(id);
      incoming_.emplace_back(id, std::move(entry));
    }
    Wake();
    return id;
  }

  void Cancel(TaskId id) {
    std::unique_lock lock(mutex_);
    if (live_.erase(id) > 0) {
      cancelled_.push_back(id);
      Wake();
    }
    if (std::this_thread::get_id() != thread_.get_id())
      idle_.wait(lock, [&] { return running_ != id; });
  }

 private:
  void Wake() {
    uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof one);
  }

  void Run() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (TakeInbox()) {
      Expire();
      Poll();
    }
    entries_.clear();  // closes their sockets
  }

  bool TakeInbox() {
    std::vector<std::pair<TaskId, Entry>> incoming;
    std::vector<TaskId> cancelled;
    std::vector<std::pair<TaskId, Expected<std::vector<std::string>>>> named;
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return false;
      incoming.swap(incoming_);
      cancelled.swap(cancelled_);
      named.swap(named_);
    }
    for (auto& [id, entry] : incoming) {
      deadlines_.emplace(entry.began + entry.timeout, id);
      entries_.emplace(id, std::move(entry));
      Advance(id);
    }
    for (TaskId id : cancelled) Drop(id);
    for (auto& [id, addresses] : named) {
      auto found = entries_.find(id);
      if (found == entries_.end()) continue;
      found->second.task->Named(std::move(addresses));
      Advance(id);
    }
    return true;
  }

  Duration Elapsed(const Entry& entry) const {
    return std::chrono::duration_cast<Duration>(clock_.Monotonic() - entry.began);
  }

  void Advance(TaskId id) {
    auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    auto next = entry.task->Advance(Elapsed(entry));
    if (auto* answer = std::get_if<ProbeAnswer>(&next)) {
      Finish(id, std::move(*answer));
      return;
    }
    entry.wait = std::move(std::get<SocketWait>(next));
    if (entry.wait.name.empty()) return;
    names_->Find(entry.wait.name, [this, id](Expected<std::vector<std::string>> addresses) {
      std::lock_guard lock(mutex_);
      named_.emplace_back(id, std::move(addresses));
      Wake();
    });
  }

  void Drop(TaskId id) {
    auto found = entries_.find(id);
    if (found == entries_.end()) return;
    deadlines_.erase({found->second.began + found->second.timeout, id});
    entries_.erase(found);
  }

  void Finish(TaskId id, ProbeAnswer answer) {
    ProbeDone done = std::move(entries_.at(id).done);
    Drop(id);
    {
      std::lock_guard lock(mutex_);
      if (live_.erase(id) == 0) return;
      running_ = id;
    }
    done(std::move(answer));
    done = nullptr;
    {
      std::lock_guard lock(mutex_);
      running_ = 0;
    }
    idle_.notify_all();
  }

  void Expire() {
    while (!deadlines_.empty() && deadlines_.begin()->first <= clock_.Monotonic()) {
      TaskId id = deadlines_.begin()->second;
      const Entry& entry = entries_.at(id);
      Finish(id, ProbeAnswer::Fail(ProbeFault::kTimeout, Elapsed(entry),
                                   StrCat("no ", entry.task->Awaited(), " within ",
                                          FormatGoDuration(entry.timeout))));
    }
  }

  void Poll() {
    std::vector<pollfd> fds = {{wake_, POLLIN, 0}};
    std::vector<TaskId> ids = {0};
    for (const auto& [id, entry] : entries_) {
      if (entry.wait.fd < 0) continue;
      int events = (entry.wait.read ? POLLIN : 0) | (entry.wait.write ? POLLOUT : 0);
      fds.push_back({entry.wait.fd, static_cast<short>(events), 0});
      ids.push_back(id);
    }
    Nanos wait = kLongestWait;
    if (!deadlines_.empty())
      wait = std::clamp(deadlines_.begin()->first - clock_.Monotonic(), Nanos(0), kLongestWait);
    auto millis = std::chrono::ceil<std::chrono::milliseconds>(wait);
    if (::poll(fds.data(), fds.size(), static_cast<int>(millis.count())) <= 0) return;
    if (fds[0].revents != 0) {
      uint64_t count = 0;
      (void)!::read(wake_, &count, sizeof count);
    }
    for (size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0) Advance(ids[i]);
    }
  }

  const Clock& clock_;
  int wake_;
  std::unique_ptr<Names> names_ = std::make_unique<Names>();
  // The loop's own.
  std::map<TaskId, Entry> entries_;
  std::set<std::pair<Nanos, TaskId>> deadlines_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable idle_;
  bool stopping_ = false;
  TaskId last_id_ = 0;
  TaskId running_ = 0;
  std::unordered_set<TaskId> live_;
  std::vector<std::pair<TaskId, Entry>> incoming_;
  std::vector<TaskId> cancelled_;
  std::vector<std::pair<TaskId, Expected<std::vector<std::string>>>> named_;
  std::thread thread_;
};

SocketLoop::SocketLoop(const Clock& clock) : impl_(std::make_unique<Impl>(clock)) {}
SocketLoop::~SocketLoop() = default;

TaskId SocketLoop::Add(std::unique_ptr<SocketTask> task, Duration timeout, ProbeDone done) {
  return impl_->Add(std::move(task), timeout, std::move(done));
}

void SocketLoop::Cancel(TaskId id) { impl_->Cancel(id); }

std::unique_ptr<SocketTask> MakeAnswerTask(ProbeAnswer answer) {
  return std::make_unique<AnswerTask>(std::move(answer));
}

}  // namespace rollguard::probe
