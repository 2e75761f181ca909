// SPDX-License-Identifier: Apache-2.0
// The metrics sources by name, and how well they answer lately.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/ports/metrics_source.h"

namespace rollguard::app {

// Sources are borrowed and outlive this. Belongs to the deciding thread.
class MetricsSources {
 public:
  explicit MetricsSources(const Clock& clock) : clock_(clock) {}

  void Add(std::string name, MetricsSource* source);
  // The default for an empty name; nullptr when there is none of that name.
  MetricsSource* Find(const std::string& name) const;

  // Called with each outcome; errors of the question itself (kInvalid) say nothing of the source.
  void Note(const std::string& name, const Status& outcome);
  // Why answers of this source cannot be had now; empty: they can.
  std::string Trouble(const std::string& name) const;

 private:
  struct Entry {
    MetricsSource* source = nullptr;
    int failures = 0;  // in a row
    std::optional<Time> since;
    std::string last_error;
  };
  const std::string& NameOf(const std::string& name) const {
    return name.empty() ? default_ : name;
  }

  const Clock& clock_;
  std::map<std::string, Entry> sources_;
  std::string default_;
};

}  // namespace rollguard::app
