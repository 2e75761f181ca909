// SPDX-License-Identifier: Apache-2.0
// One round: the questions that are due at one time, their plan, the requests under way and what
// becomes of their answers.
//
// A folded request that the server refuses because of what it asks is halved until the member at
// fault stands alone; the others get their answers in the same round. A failure of the server fails
// everybody who waits for the request. An answer is given as soon as its parts are there.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/ports/metrics_source.h"
#include "agent/prometheus/answer.h"
#include "agent/prometheus/fold_memory.h"

namespace rollguard::prometheus {

// Counted for the agent's own metrics; readable from any thread.
struct FoldCounters {
  std::atomic<uint64_t> questions{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> folded_requests{0};
  std::atomic<uint64_t> bisections{0};
  std::atomic<uint64_t> shadow_checks{0};
  std::atomic<uint64_t> shadow_differences{0};
};

// How a round asks: one instant query at the round's time, answered later on the same loop and
// within the round's deadline.
using AskServer =
    std::function<void(const std::string& expr, std::function<void(QueryOutcome)> done)>;

// Keeps itself alive until every question is answered. Memory, random and counters must outlive it.
class MetricsRound : public std::enable_shared_from_this<MetricsRound> {
 public:
  // All questions are instant queries at `at`.
  static void Start(MetricsSource::Round questions, Time at, FoldMemory& memory, Random& random,
                    FoldCounters& counters, AskServer ask);

 private:
  // A request under way and which slots of the plan's request it is for.
  struct Job {
    promql::FoldRequest request;
    uint32_t planned = 0;
    std::vector<uint32_t> slots;
    bool alone = false;  // asked singly because it once broke a folded request
  };
  struct Part {
    bool there = false;
    Expected<promql::Value> value = Error();
    std::vector<std::string> warnings;
    std::vector<uint32_t> waiting;  // questions
  };
  struct Question {
    MetricDone done;
    promql::FoldRecipe recipe;
    size_t missing = 0;
  };

  MetricsRound(Time at, FoldMemory& memory, Random& random, FoldCounters& counters, AskServer ask)
      : at_(at), memory_(memory), random_(random), counters_(counters), ask_(std::move(ask)) {}

  void Plan(MetricsSource::Round questions);
  void AskUnparsed(const std::string& text, MetricDone done);
  void PickShadow();
  void SendPlanned(uint32_t planned);
  void Send(Job job);
  void Answered(Job job, QueryOutcome outcome);
  void Halve(const Job& job);
  void Fill(const Job& job, QueryAnswer answer);
  void Fail(const Job& job, const Error& error);
  void Settle(uint32_t planned, uint32_t slot);
  void Answer(Question& question);
  void Shadow(const Job& job, uint32_t slot, promql::Value folded, bool again);

  Time at_;
  FoldMemory& memory_;
  Random& random_;
  FoldCounters& counters_;
  AskServer ask_;
  std::vector<promql::FoldRequest> planned_;
  std::vector<std::vector<Part>> parts_;  // per planned request, per slot
  std::vector<Question> questions_;
  size_t bisections_ = 0;
  size_t shadow_request_ = SIZE_MAX;  // the planned request of which a member is checked
};

}  // namespace rollguard::prometheus
