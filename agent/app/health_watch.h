// SPDX-License-Identifier: Apache-2.0
// What the health sensor keeps of one guard. For health_sensor.cc and health_ask.cc only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/bindings.h"
#include "agent/app/health_sensor.h"
#include "agent/app/own_time.h"

namespace rollguard::app {

// What is remembered of a pod between two looks at it.
struct PodMemory {
  bool known = false;
  bool was_ready = false;
  int64_t restarts_before = 0;  // counted before the release began
  uint64_t seen = 0;            // the turn it was last there
};

struct HealthSensor::Beat {
  spec::HealthCheck check;
  bool candidate = false;
  TimerId timer = 0;
  uint64_t round = 0;
  size_t waiting = 0;  // answers of this round still to come
  std::vector<ProbeId> probes;
  HealthWindow window;
  WindowVerdict verdict;
  std::optional<double> value;
  std::string hold;      // why it cannot be asked
  bool excused = false;  // stable failed it before: not the candidate's doing
};

struct HealthSensor::Track {
  std::string pattern;  // of its pods' names, for queries
  spec::StringMap variables;
  analysis::Health health = analysis::Health::kUnknown;
  std::optional<double> score;
  bool critical_failing = false;
  std::string reason;
  std::vector<double> scores;
  std::optional<Time> at;
};

struct HealthSensor::Watch {
  std::string guard, ns, release;
  spec::Target target;
  std::string candidate_name;
  int64_t generation = 0;
  Time began{};
  spec::HealthSpec settings;
  bool leaving = false;  // the candidate goes
  bool over = false;
  std::string stable_hash, news_hash;
  routing::Label candidate_label;
  promql::Bindings bindings;
  Track tracks[2];  // stable, candidate
  OwnTime own;
  std::vector<BeatPtr> beats;
  std::map<std::string, PodMemory> pods;  // by uid
  uint64_t turn = 0;
  Duration look_every{0};
  TimerId look_timer = 0;

  const Beat* Find(const std::string& check, bool candidate) const {
    for (const BeatPtr& beat : beats) {
      if (beat->candidate == candidate && beat->check.name == check) return beat.get();
    }
    return nullptr;
  }
};

}  // namespace rollguard::app
