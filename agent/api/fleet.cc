// SPDX-License-Identifier: Apache-2.0
#include "agent/api/fleet.h"

#include <algorithm>

#include "agent/api/view.h"

namespace rollguard::api {
namespace {

constexpr size_t kSlice = 200;

FleetRow RowOf(const spec::Guard& guard, const release::GuardState& state,
               const std::string& problem, Time now) {
  return {guard.Id(), guard.metadata.ns,
          RowJson({.guard = guard, .state = state, .problem = problem, .now = now})};
}

// On the loop: the usable guards from `from` on, and the name to go on with.
struct Slice {
  std::vector<FleetRow> rows;
  std::string next;
};
Slice ReadSlice(const app::Controller& controller, const std::string& from, Time now) {
  static const std::string no_problem;
  Slice slice;
  controller.ForEach("", [&](const spec::Guard& guard, const release::GuardState& state) {
    if (!slice.next.empty()) return;
    std::string id = guard.Id();
    if (id < from) return;
    if (slice.rows.size() == kSlice) {
      slice.next = id;
      return;
    }
    slice.rows.push_back(RowOf(guard, state, no_problem, now));
  });
  return slice;
}

}  // namespace

std::optional<FleetRows> Fleet::Read(app::Controller& controller) {
  std::lock_guard lock(mutex_);
  auto now = clock_.Monotonic();
  if (rows_ != nullptr && now - built_ < keep_) return rows_;
  auto rows = Build(controller);
  if (rows) {
    rows_ = *rows;
    built_ = now;
  }
  return rows;
}

std::optional<FleetRows> Fleet::Build(app::Controller& controller) {
  std::vector<FleetRow> rows;
  Time now = clock_.Now();
  std::string from;
  do {
    auto slice =
        loop_.Ask<Slice>([&controller, from, now] { return ReadSlice(controller, from, now); });
    if (!slice) return std::nullopt;
    std::move(slice->rows.begin(), slice->rows.end(), std::back_inserter(rows));
    from = slice->next;
  } while (!from.empty());
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  // Those that cannot be used have no state to visit; they are few.
  auto ids = loop_.Ask<std::vector<std::string>>([&controller] { return controller.GuardIds(); });
  if (!ids) return std::nullopt;
  std::vector<FleetRow> others;
  for (const std::string& id : *ids) {
    auto at =
        std::lower_bound(rows.begin(), rows.end(), id,
                         [](const FleetRow& row, const std::string& i) { return row.id < i; });
    if (at != rows.end() && at->id == id) continue;
    auto found = loop_.Ask<std::optional<app::GuardSummary>>(
        [&controller, id] { return controller.Find(id); });
    if (!found) return std::nullopt;
    if (*found) others.push_back(RowOf((*found)->guard, (*found)->state, (*found)->problem, now));
  }
  std::move(others.begin(), others.end(), std::back_inserter(rows));
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return std::make_shared<const std::vector<FleetRow>>(std::move(rows));
}

}  // namespace rollguard::api
