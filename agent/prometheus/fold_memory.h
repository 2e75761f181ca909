// SPDX-License-Identifier: Apache-2.0
// What folding has learnt from earlier rounds: what to ask alone, what not to fold, what a member
// of a request costs the server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/promql/fold.h"

namespace rollguard::prometheus {

struct FoldOptions {
  bool fold = true;
  size_t max_values = 200;
  uint64_t server_max_samples = 50'000'000;  // the server's --query.max-samples
  double samples_share = 0.1;                // of it that one request may need
  double shadow_chance = 0.05;               // of checking one member in a round
  int clean_rounds = 5;                      // after which a member asked alone is let back
  size_t max_bisections = 64;                // extra requests a round may spend on finding culprits
};

// Not thread-safe.
class FoldMemory {
 public:
  explicit FoldMemory(FoldOptions options) : options_(options) {}

  const FoldOptions& options() const { return options_; }
  promql::FoldLimits Limits() const;

  // What planning needs of a query, kept as long as it is asked again; nullptr for what our parser
  // does not take.
  std::shared_ptr<const promql::FoldSign> Sign(const std::string& text);

  // The slot broke a folded request, or answered well alone.
  void AskAlone(const promql::FoldRequest& request, uint32_t slot);
  void WasClean(const promql::FoldRequest& request, uint32_t slot);
  bool IsAlone(const promql::FoldRequest& request, uint32_t slot) const;
  bool has_alone() const { return !alone_.empty(); }
  size_t alone() const { return alone_.size(); }

  // What a folded answer cost; `too_large` when the server refused it for its size.
  void NoteCost(const promql::FoldRequest& request, uint64_t peak_samples);
  void NoteTooLarge(const promql::FoldRequest& request);

  // A shadow check found that folding this shape changes answers.
  void SwitchOff(const std::string& shape) { off_.insert(shape); }
  size_t off() const { return off_.size(); }

 private:
  static std::string SlotKey(const promql::FoldRequest& request, uint32_t slot);

  static constexpr size_t kFirstSweep = 1000;

  FoldOptions options_;
  struct Kept {
    std::shared_ptr<const promql::FoldSign> sign;
    bool used = false;
  };
  void ForgetUnused();

  std::unordered_map<std::string, Kept> signs_;
  size_t sweep_at_ = kFirstSweep;  // so many are kept when those not asked any more are forgotten
  std::unordered_map<std::string, std::weak_ptr<const promql::FoldFamily>> families_;  // by text
  std::map<std::string, int, std::less<>> alone_;  // -> clean rounds so far
  std::map<std::string, size_t, std::less<>> max_members_;
  std::set<std::string, std::less<>> off_;
};

}  // namespace rollguard::prometheus
