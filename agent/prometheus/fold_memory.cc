// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/fold_memory.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/parser.h"

namespace rollguard::prometheus {
namespace {

constexpr size_t kMaxKept = 50'000;
constexpr size_t kMaxRemembered = 10'000;

}  // namespace

promql::FoldLimits FoldMemory::Limits() const {
  promql::FoldLimits limits;
  limits.max_values = std::max<size_t>(1, options_.max_values);
  limits.max_members = [this](std::string_view shape) {
    auto found = max_members_.find(shape);
    return found == max_members_.end() ? SIZE_MAX : found->second;
  };
  limits.is_off = [this](std::string_view shape) { return off_.find(shape) != off_.end(); };
  return limits;
}

std::shared_ptr<const promql::FoldSign> FoldMemory::Sign(const std::string& text) {
  auto found = signs_.find(text);
  if (found != signs_.end()) {
    found->second.used = true;
    return found->second.sign;
  }
  if (signs_.size() >= sweep_at_) ForgetUnused();
  std::shared_ptr<promql::FoldSign> sign;
  if (auto query = promql::ParseQuery(text)) {
    sign = std::make_shared<promql::FoldSign>(promql::SignOf(*query));
    auto known = families_.find(sign->family->text);
    auto family = known != families_.end() ? known->second.lock() : nullptr;
    if (family != nullptr) {
      sign->family = std::move(family);
    } else {
      if (known != families_.end()) families_.erase(known);
      families_.emplace(sign->family->text, sign->family);
    }
  }
  signs_[text] = {sign, true};
  return sign;
}

// What was not asked since the last time. The next time comes when as many new ones have come as
// there are now, so that forgetting costs little and what is kept is what is asked.
void FoldMemory::ForgetUnused() {
  std::erase_if(signs_, [](const auto& entry) { return !entry.second.used; });
  if (signs_.size() >= kMaxKept) signs_.clear();
  for (auto& [text, kept] : signs_) kept.used = false;
  std::erase_if(families_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = std::clamp(2 * signs_.size(), kFirstSweep, kMaxKept);
}

std::string FoldMemory::SlotKey(const promql::FoldRequest& request, uint32_t slot) {
  std::string key = request.shape->text;
  for (const std::string& value : request.slots[slot])
    key += StrCat("\n", value.size(), ":", value);
  return key;
}

void FoldMemory::AskAlone(const promql::FoldRequest& request, uint32_t slot) {
  if (alone_.size() < kMaxRemembered) alone_[SlotKey(request, slot)] = 0;
}

void FoldMemory::WasClean(const promql::FoldRequest& request, uint32_t slot) {
  auto found = alone_.find(SlotKey(request, slot));
  if (found != alone_.end() && ++found->second >= options_.clean_rounds) alone_.erase(found);
}

bool FoldMemory::IsAlone(const promql::FoldRequest& request, uint32_t slot) const {
  return alone_.find(SlotKey(request, slot)) != alone_.end();
}

void FoldMemory::NoteCost(const promql::FoldRequest& request, uint64_t peak_samples) {
  if (peak_samples == 0 || request.slots.empty()) return;
  double each = static_cast<double>(peak_samples) / static_cast<double>(request.slots.size());
  double budget = static_cast<double>(options_.server_max_samples) * options_.samples_share;
  double members = std::max(1.0, budget / each);
  if (members >= static_cast<double>(options_.max_values)) {
    max_members_.erase(request.shape->text);
  } else if (max_members_.size() < kMaxRemembered) {
    max_members_[request.shape->text] = static_cast<size_t>(members);
  }
}

void FoldMemory::NoteTooLarge(const promql::FoldRequest& request) {
  if (max_members_.size() >= kMaxRemembered) return;
  size_t half = std::max<size_t>(1, request.slots.size() / 2);
  auto [entry, added] = max_members_.emplace(request.shape->text, half);
  entry->second = std::min(entry->second, half);
}

}  // namespace rollguard::prometheus
