// SPDX-License-Identifier: Apache-2.0
// The answers of one check of one track within its window, and what they say. A plain value; pure.
//
// Checks of requests (http, tcp, grpc, postgres, journey) are judged over the window: the share of
// good answers is the score. A check that misses one of its thresholds fails, and scores 0.5 at the
// most. Without thresholds it fails while most answers are bad, the newest ones included. One round
// of answers alone never fails: a lost packet is no verdict.
// Checks of states (pods, promql, alertmanager) already speak of a time: their newest answer
// counts, unless a rate is asked for.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "agent/ports/prober.h"
#include "agent/spec/health.h"

namespace rollguard::app {

struct HealthSample {
  Time at{};
  uint64_t round = 0;  // answers of one turn to ask (several pods) share it
  ProbeAnswer answer;
  double share = 0;             // how much of it was well: 1, 0, or the share of ready pods
  std::optional<double> value;  // what was measured
};

struct WindowVerdict {
  std::optional<double> score;  // nothing known: absent
  bool failing = false;
  double success_rate = 0;
  double error_rate = 0;
  std::optional<Duration> latency;  // p99 of the good answers
  size_t known = 0;
  std::string why;  // what is wrong, or the newest answer
};

class HealthWindow {
 public:
  // Answers beyond this many, or older than the window, are dropped.
  static constexpr size_t kMaxSamples = 1000;

  void Add(HealthSample sample);
  WindowVerdict Judge(const spec::HealthCheck& check, Time now) const;
  const HealthSample* newest() const { return samples_.empty() ? nullptr : &samples_.back(); }
  void Drop(Time before);

 private:
  std::deque<HealthSample> samples_;
};

// Whether the newest answer alone counts.
bool IsStateCheck(const spec::HealthCheck& check);
// How long answers count: the window, but never so short that none is in it.
Duration EffectiveWindow(const spec::HealthCheck& check);

}  // namespace rollguard::app
