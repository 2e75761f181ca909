// SPDX-License-Identifier: Apache-2.0
// All questions go out together; each answer is awaited until one common deadline. Who answers
// later finds the promise still there and nobody waiting.
#include "agent/serve/checkup.h"

#include <future>

#include "agent/base/text.h"

namespace rollguard::serve {
namespace {

constexpr Duration kLimit = std::chrono::seconds(3);
constexpr std::chrono::nanoseconds kKeep = std::chrono::seconds(1);

// One question under way: "" is well, else what is wrong.
struct Question {
  api::DependencyHealth health;
  std::future<std::pair<std::string, std::chrono::nanoseconds>> answer;
};
using Promise = std::promise<std::pair<std::string, std::chrono::nanoseconds>>;
using Answer = std::function<void(std::string problem)>;

Question Begin(std::string name, bool required, const Clock& clock,
               const std::function<void(Answer)>& ask) {
  auto promise = std::make_shared<Promise>();
  Question question;
  question.health.name = std::move(name);
  question.health.required = required;
  question.answer = promise->get_future();
  auto begun = clock.Monotonic();
  ask([promise, begun, &clock](std::string problem) {
    promise->set_value({std::move(problem), clock.Monotonic() - begun});
  });
  return question;
}

api::DependencyHealth End(Question question, std::chrono::nanoseconds left) {
  if (question.answer.wait_for(left) != std::future_status::ready) {
    question.health.ok = false;
    question.health.detail = StrCat("no answer within ", FormatShortDuration(kLimit));
    question.health.latency = kLimit;
    return question.health;
  }
  auto [problem, took] = question.answer.get();
  question.health.ok = problem.empty();
  question.health.detail = std::move(problem);
  question.health.latency = std::chrono::duration_cast<Duration>(took);
  return question.health;
}

void AskKube(kube::KubeClient& client, Answer answer) {
  client.Raw("/version", kLimit, [answer = std::move(answer)](Expected<std::string> body) {
    answer(body ? std::string() : body.error().message);
  });
}

void AskSource(MetricsSource& source, Time now, Answer answer) {
  MetricQuery query;
  query.query = "vector(1)";
  query.at = now;
  query.timeout = kLimit;
  source.Query(std::move(query), [answer = std::move(answer)](Expected<MetricAnswer> value) {
    answer(value ? std::string() : value.error().message);
  });
}

api::DependencyHealth HistoryHealthOf(Ground& ground) {
  auto begun = ground.clock.Monotonic();
  HistoryHealth health = ground.history->Health();
  api::DependencyHealth out;
  out.name = "history";
  out.required = false;  // without it alerts are refused, but running releases are still guarded
  out.ok = !health.degraded;
  out.detail = health.degraded ? StrCat(health.reason, " (", health.waiting, " facts waiting)")
                               : std::string();
  out.latency = std::chrono::duration_cast<Duration>(ground.clock.Monotonic() - begun);
  return out;
}

api::DependencyHealth LibraryHealthOf(const LibraryKeeper& keeper) {
  LibraryHealth health = keeper.Health();
  api::DependencyHealth out;
  out.name = "rules";
  out.required = false;
  out.ok = health.problem.empty();
  out.detail = health.problem.empty()
                   ? StrCat(health.files, " files, ", health.groups, " rule groups")
                   : StrCat("the old rules stay in use: ", Abbreviate(health.problem, 2000));
  return out;
}

}  // namespace

std::vector<api::DependencyHealth> Checkup::Ask() {
  std::lock_guard lock(mutex_);
  if (!asked_ || ground_.clock.Monotonic() - *asked_ > kKeep) {
    last_ = AskNow();
    asked_ = ground_.clock.Monotonic();
  }
  return last_;
}

std::vector<api::DependencyHealth> Checkup::AskNow() {
  auto deadline = ground_.clock.Monotonic() + std::chrono::nanoseconds(kLimit);
  std::vector<Question> questions;
  questions.push_back(Begin("loop", true, ground_.clock, [this](Answer answer) {
    ground_.loop.Post([answer = std::move(answer)] { answer({}); });
  }));
  questions.push_back(Begin("kubernetes", true, ground_.clock,
                            [this](Answer answer) { AskKube(*ground_.kube, std::move(answer)); }));
  for (const Sources::One& one : sources_.all()) {
    questions.push_back(Begin(
        StrCat("metrics/", one.name), false, ground_.clock,
        [&](Answer answer) { AskSource(*one.source, ground_.clock.Now(), std::move(answer)); }));
  }
  std::vector<api::DependencyHealth> out = {HistoryHealthOf(ground_), LibraryHealthOf(library_)};
  if (auto shards = ground_.loop.Ask<api::DependencyHealth>(shards_)) out.push_back(*shards);
  for (Question& question : questions) {
    auto left = std::max(deadline - ground_.clock.Monotonic(), std::chrono::nanoseconds(0));
    out.push_back(End(std::move(question), left));
  }
  return out;
}

}  // namespace rollguard::serve
