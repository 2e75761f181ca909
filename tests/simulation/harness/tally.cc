// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/tally.h"

#include "agent/base/text.h"

namespace rollguard::simulation {
namespace {

std::string StrategyOf(const Setup& setup) {
  const std::string kind = setup.strategy.substr(0, setup.strategy.find(':'));
  if (setup.external()) return StrCat(kind, " ", setup.kind);
  return kind == "rolling" ? StrCat(kind, " of a ", setup.kind) : kind;
}

// A word for each kind; the numbers in an event's description are its own.
const char* WordFor(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::kRelease: return "templates";
    case Event::Kind::kCommand: return "commands";
    case Event::Kind::kScale: return "scaled";
    case Event::Kind::kCrash: return "agent killed";
    case Event::Kind::kPartition: return "agent cut off";
    case Event::Kind::kDropWatches: return "watches ended";
    case Event::Kind::kMetrics: return "metrics down";
    case Event::Kind::kSecondAgent: return "second agents";
    case Event::Kind::kUnpause: return "holds taken off";
    case Event::Kind::kTouchRoute: return "routes edited";
    case Event::Kind::kKillPod: return "pods died";
    case Event::Kind::kDelete: return "guards deleted";
  }
  return "?";
}

std::string Line(const char* what, const std::map<std::string, uint64_t>& counts) {
  std::string out = StrCat("  ", what, ":");
  const char* separator = " ";
  for (const auto& [name, count] : counts) {
    out += StrCat(separator, name, " ", count);
    separator = ", ";
  }
  return out + "\n";
}

}  // namespace

void Tally::AddFaults(const Plan& plan) {
  const sim::FaultPlan& f = plan.faults;
  auto count = [this](const char* name, bool there) { faults_[name] += there ? 1 : 0; };
  count("errors before the effect", f.error_before > 0);
  count("errors after the effect", f.error_after > 0);
  count("conflicts", f.conflict > 0);
  count("throttled", f.throttled > 0);
  count("slow calls", f.slow > 0);
  count("stale watches", f.watch_stale > 0);
  count("dropped watches", f.watch_drop > 0);
  count("watches gone", f.watch_gone > 0);
  count("nothing fails", f.error_before <= 0 && plan.crashes.empty());
  for (const WriteCrash& crash : plan.crashes)
    count(crash.after_effect ? "killed after a write" : "killed before a write", true);
}

void Tally::AddEvents(const Plan& plan) {
  for (const Event& event : plan.events) ++events_[WordFor(event.kind)];
  for (std::string_view line : Split(plan.guard_extra, '\n')) {
    const std::string_view said = Trim(line);
    if (said == "maxPerHour: 1" || said == "onTrigger: gradual" || said == "cooldown: 10m")
      ++limits_[std::string(said)];
  }
}

void Tally::AddBesides(const Besides& besides) {
  const std::string words = Describe(besides);
  for (std::string_view one : Split(words, ',')) {
    one = Trim(one);
    if (one.starts_with("frozen")) one = "frozen for a while";
    if (!one.empty()) ++besides_[std::string(one)];
  }
}

void Tally::Add(const Plan& plan, const Report& report) {
  ++seeds_;
  failed_ += report.violations.empty() ? 0 : 1;
  releases_ += report.starts;
  rejected_ += report.rollbacks;
  kills_ += report.kills;
  writes_ += report.writes + report.status_writes;
  hours_ += report.virtual_seconds / 3600;
  requests_ += report.requests;
  lost_ += report.lost;
  ++strategies_[StrategyOf(*plan.setup)];
  ++routers_[plan.setup->name];
  for (const auto& [version, quality] : plan.versions) ++versions_[ToString(quality)];
  AddFaults(plan);
  AddEvents(plan);
  AddBesides(plan.besides);
}

std::string Tally::Text() const {
  return StrCat(seeds_, " seeds, ", failed_, " failed; ", static_cast<uint64_t>(hours_),
                " virtual hours, ", releases_, " releases, ", rejected_, " revisions rejected, ",
                kills_, " agents killed, ", writes_, " writes, ",
                static_cast<uint64_t>(requests_ / 1e6), " million requests\n",
                Line("strategies", strategies_), Line("setups", routers_),
                Line("versions", versions_), Line("faults", faults_), Line("what happens", events_),
                Line("limits", limits_), Line("besides", besides_));
}

}  // namespace rollguard::simulation
