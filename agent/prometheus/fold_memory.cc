// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/fold_memory.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/promql/parser.h"

namespace rollguard::prometheus {
namespace {

constexpr size_t kMaxParsed = 50'000;
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

std::shared_ptr<const promql::Query> FoldMemory::Parsed(const std::string& text) {
  auto found = parsed_.find(text);
  if (found != parsed_.end()) {
    found->second.used = true;
    return found->second.query;
  }
  if (parsed_.size() >= kMaxParsed) {
    // Forget what was not asked since the last time this was full.
    std::erase_if(parsed_, [](const auto& entry) { return !entry.second.used; });
    if (parsed_.size() >= kMaxParsed) parsed_.clear();
    for (auto& [key, kept] : parsed_) kept.used = false;
  }
  auto query = promql::ParseQuery(text);
  std::shared_ptr<const promql::Query> kept;
  if (query) kept = std::make_shared<const promql::Query>(*std::move(query));
  parsed_[text] = {kept, true};
  return kept;
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
