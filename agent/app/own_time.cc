// SPDX-License-Identifier: Apache-2.0
#include "agent/app/own_time.h"

#include <algorithm>
#include <vector>

#include "agent/base/text.h"
#include "agent/promql/printer.h"
#include "agent/promql/reach.h"

namespace rollguard::app {
namespace {

// The server writes times in whole seconds: the last one before may be in the first.
constexpr Duration kSecond = std::chrono::seconds(1);

Duration AgeOf(Time since, Time at) { return std::max(kSecond, at - since - kSecond); }

}  // namespace

void OwnTime::Learn(const GuardView& view) {
  const std::string& kind = view.guard.target.kind;
  if (!view.state.release || (kind != "StatefulSet" && kind != "Canary")) return;
  const release::ReleaseState& release = *view.state.release;
  if (release_ != release.id) *this = OwnTime();
  release_ = release.id;
  if (kind == "Canary") {
    began_ = release.started;
    return;
  }
  const release::RevisionView* revision = view.observation.target.Find(release.candidate);
  if (revision == nullptr || revision->pods.empty()) return;
  pods_.clear();
  for (size_t i = 0; i < revision->pods.size(); ++i) {
    const std::string& name = revision->pods[i];
    auto made = i < revision->made.size() ? ParseRfc3339(revision->made[i])
                                          : Expected<Time>(view.observation.now);
    const auto known = seen_.try_emplace(name, made ? *made : view.observation.now).first;
    pods_.emplace(name, known->second);
  }
}

std::optional<OwnTime::Asked> OwnTime::For(Duration reach, Time at) const {
  if (unlimited()) return std::nullopt;
  if (began_) {
    const Duration age = AgeOf(*began_, at);
    return age < reach ? std::optional(Asked{{}, age}) : std::nullopt;
  }
  Duration oldest{0};
  for (const auto& [name, since] : pods_) oldest = std::max(oldest, AgeOf(since, at));
  const Duration least = std::min(oldest, reach / 2);
  Asked asked{{}, reach};
  for (const auto& [name, since] : pods_) {
    const Duration age = AgeOf(since, at);
    if (age < least) continue;
    asked.reach = std::min(asked.reach, age);
    asked.pods += StrCat(asked.pods.empty() ? "" : "|", name);
  }
  return asked;
}

Expected<std::string> BindQueryWithin(const OwnTime& own, bool mine,
                                      const promql::ParseResult& parsed, std::string_view text,
                                      promql::Bindings values, Time at) {
  if (own.unlimited() || !parsed.ok()) return BindQuery(parsed, text, values);
  std::vector<std::string_view> names = {"candidate_pods"};
  if (mine) names.emplace_back("pods");
  const std::vector<promql::NodeId> selectors = promql::SelectorsOf(parsed.query, names);
  promql::ParseResult bound = promql::Bind(parsed.query, text, values);
  const Duration reach(bound.ok() ? promql::ReachOf(bound.query, selectors) : 0);
  const auto asked = reach > Duration(0) ? own.For(reach, at) : std::nullopt;
  if (!asked) return BindQuery(parsed, text, values);
  if (!asked->pods.empty()) {
    for (std::string_view name : names) values[std::string(name)] = PodsValue(asked->pods);
    bound = promql::Bind(parsed.query, text, values);
    if (!bound.ok()) return Error(ErrorCode::kInvalid, promql::ToString(bound.errors[0]));
  }
  promql::LimitReach(bound.query, selectors, asked->reach / kSecond * kSecond.count());
  return promql::Print(bound.query);
}

}  // namespace rollguard::app
