// SPDX-License-Identifier: Apache-2.0
#include "agent/app/health_window.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

using Verdict = ProbeAnswer::Verdict;

constexpr double kFailingScore = 0.5;
constexpr double kRounding = 1e-9;

std::string Percent(double share) { return FormatNumber(std::round(share * 1000) / 10) + "%"; }

// Nearest rank; few samples give the slowest of them.
Duration Percentile99(std::vector<Duration> latencies) {
  size_t rank = (latencies.size() * 99 + 99) / 100 - 1;
  std::nth_element(latencies.begin(), latencies.begin() + static_cast<ptrdiff_t>(rank),
                   latencies.end());
  return latencies[rank];
}

struct Sums {
  double share = 0, newest_share = 0;
  size_t known = 0, errors = 0, newest = 0;
  bool several_rounds = false;
  std::vector<Duration> latencies;
  const HealthSample* last = nullptr;      // the newest answer that is one
  const HealthSample* last_bad = nullptr;  // the newest bad one
};

void Fail(WindowVerdict& verdict, std::string why) {
  if (!verdict.failing) verdict.why = std::move(why);
  verdict.failing = true;
}

}  // namespace

bool IsStateCheck(const spec::HealthCheck& check) {
  bool state = std::holds_alternative<spec::PodsCheck>(check.kind) ||
               std::holds_alternative<spec::PromqlCheck>(check.kind) ||
               std::holds_alternative<spec::AlertmanagerCheck>(check.kind);
  return state && !check.min_success_rate && !check.max_error_rate;
}

Duration EffectiveWindow(const spec::HealthCheck& check) {
  return std::max(check.window, 2 * check.interval + check.timeout);
}

void HealthWindow::Add(HealthSample sample) {
  samples_.push_back(std::move(sample));
  if (samples_.size() > kMaxSamples) samples_.pop_front();
}

void HealthWindow::Drop(Time before) {
  while (!samples_.empty() && samples_.front().at < before) samples_.pop_front();
}

WindowVerdict HealthWindow::Judge(const spec::HealthCheck& check, Time now) const {
  WindowVerdict verdict;
  Sums sums;
  const Time from = now - EffectiveWindow(check);
  uint64_t newest_round = 0;
  for (auto at = samples_.rbegin(); at != samples_.rend() && at->at >= from; ++at) {
    if (verdict.why.empty()) verdict.why = at->answer.why;
    if (at->answer.verdict == Verdict::kUnknown) continue;
    if (sums.last == nullptr) {
      sums.last = &*at;
      newest_round = at->round;
    }
    if (at->round != newest_round) sums.several_rounds = true;
    if (at->round == newest_round) {
      sums.newest_share += at->share;
      ++sums.newest;
    }
    ++sums.known;
    sums.share += at->share;
    if (IsError(at->answer.fault)) ++sums.errors;
    if (at->answer.verdict == Verdict::kPass) {
      sums.latencies.push_back(at->answer.latency);
    } else if (sums.last_bad == nullptr) {
      sums.last_bad = &*at;
    }
  }
  verdict.known = sums.known;
  if (sums.known == 0) return verdict;
  auto known = static_cast<double>(sums.known);
  verdict.success_rate = sums.share / known;
  verdict.error_rate = static_cast<double>(sums.errors) / known;
  if (!sums.latencies.empty()) verdict.latency = Percentile99(sums.latencies);
  if (IsStateCheck(check)) {
    verdict.score = sums.last->share;
    verdict.why = sums.last->answer.why;
    verdict.failing = sums.last->answer.verdict == Verdict::kFail;
    return verdict;
  }
  verdict.score = verdict.success_rate;
  if (!sums.several_rounds) return verdict;
  const std::string because =
      sums.last_bad == nullptr ? std::string() : StrCat("; ", sums.last_bad->answer.why);
  if (check.min_success_rate && verdict.success_rate < *check.min_success_rate - kRounding) {
    Fail(verdict,
         StrCat(Percent(verdict.success_rate), " of ", sums.known,
                " answers are good, required are ", Percent(*check.min_success_rate), because));
  }
  if (check.max_error_rate && verdict.error_rate > *check.max_error_rate + kRounding) {
    Fail(verdict, StrCat(Percent(verdict.error_rate), " of ", sums.known,
                         " checks got no valid answer, allowed are ",
                         Percent(*check.max_error_rate), because));
  }
  if (!check.min_success_rate && !check.max_error_rate && verdict.success_rate < 0.5 &&
      sums.newest_share / static_cast<double>(sums.newest) < 0.5) {
    Fail(verdict, StrCat(Percent(1 - verdict.success_rate), " of ", sums.known, " answers are bad",
                         because));
  }
  double slowness = 1;
  if (check.max_latency && verdict.latency && *verdict.latency > *check.max_latency) {
    slowness = ToSeconds(*check.max_latency) / ToSeconds(*verdict.latency);
    Fail(verdict, StrCat("p99 is ", FormatGoDuration(*verdict.latency), ", allowed are ",
                         FormatGoDuration(*check.max_latency)));
  }
  if (verdict.failing) verdict.score = std::min({*verdict.score, kFailingScore, slowness});
  return verdict;
}

}  // namespace rollguard::app
