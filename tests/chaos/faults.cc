// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/faults.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::chaos {
namespace {

using Mode = testing::CutProxy::Mode;

constexpr const char* kNames[] = {"SIGKILL",
                                  "SIGSTOP beyond the lease",
                                  "API server cut off",
                                  "packets to the API server lost",
                                  "Prometheus cut off",
                                  "packets to Prometheus lost",
                                  "PostgreSQL cut off",
                                  "packets to PostgreSQL lost",
                                  "packets from Alertmanager to the agents lost",
                                  "packets from Prometheus to Alertmanager lost",
                                  "packets from the API server to etcd lost",
                                  "API server killed",
                                  "Prometheus killed",
                                  "Alertmanager killed",
                                  "PostgreSQL killed",
                                  "PostgreSQL's disk full",
                                  "agent's disk full",
                                  "no more files",
                                  "no more memory",
                                  "clock jumps an hour"};
constexpr size_t kFaults = std::size(kNames);
constexpr rlim_t kFewFiles = 16, kFiles = 1024;
constexpr rlim_t kLittleMemory = 64U << 20;

void Limit(pid_t pid, __rlimit_resource what, rlim_t soft) {
  rlimit now{};
  ::prlimit(pid, what, nullptr, &now);
  now.rlim_cur = std::min(soft, now.rlim_max);
  ::prlimit(pid, what, &now, nullptr);
}

std::string Filler(const Town& town, const Replica& replica) {
  return town.DataDir(replica) + "/filler";
}

}  // namespace

const char* NameOf(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

bool TakesShards(Fault fault) {
  return fault == Fault::kKill || fault == Fault::kPause || fault == Fault::kApiCut ||
         fault == Fault::kApiStall;
}

bool IsBackstage(Fault fault) {
  return fault == Fault::kDoorStall || fault == Fault::kNoticesStall ||
         fault == Fault::kPrometheus || fault == Fault::kAlertmanager ||
         fault == Fault::kPostgres || fault == Fault::kPostgresDisk;
}

Fault Deck::Draw(const Town& town) {
  while (true) {
    if (left_.empty()) {
      for (size_t i = 0; i < kFaults; ++i) left_.push_back(static_cast<Fault>(i));
      for (size_t i = kFaults; i > 1; --i) std::swap(left_[i - 1], left_[random_.Below(i)]);
    }
    const Fault fault = left_.back();
    left_.pop_back();
    if (fault == Fault::kDisk && !town.replicas()[0].disk) continue;
    if (fault == Fault::kPostgresDisk && !town.backstage().postgres().has_disk()) continue;
    return fault;
  }
}

Status Break(Town& town, Fault fault, Replica& victim, Random& random) {
  testing::Process& process = victim.agent->process();
  switch (fault) {
    case Fault::kKill:
      town.SetReachable(victim, false);
      process.Signal(SIGKILL);
      process.Wait();
      return {};
    case Fault::kPause:
      town.SetReachable(victim, false);
      process.Signal(SIGSTOP);
      return {};
    case Fault::kApiCut: victim.api->Set(Mode::kCut); return {};
    case Fault::kApiStall: victim.api->Set(Mode::kStall); return {};
    case Fault::kMetricsCut: victim.metrics->Set(Mode::kCut); return {};
    case Fault::kMetricsStall: victim.metrics->Set(Mode::kStall); return {};
    case Fault::kHistoryCut: victim.history->Set(Mode::kCut); return {};
    case Fault::kHistoryStall: victim.history->Set(Mode::kStall); return {};
    case Fault::kDoorStall: town.door().Set(Mode::kStall); return {};
    case Fault::kNoticesStall: town.backstage().notices().Set(Mode::kStall); return {};
    case Fault::kStoreStall: town.store().Set(Mode::kStall); return {};
    case Fault::kApiServer: return town.kube().RestartApiServer();
    case Fault::kPrometheus: town.backstage().KillPrometheus(); return {};
    case Fault::kAlertmanager: town.backstage().KillAlertmanager(); return {};
    case Fault::kPostgres: town.backstage().postgres().Kill(); return {};
    case Fault::kPostgresDisk: town.backstage().postgres().FillDisk(); return {};
    case Fault::kDisk:
      (void)testing::Run(
          {"dd", "if=/dev/zero", "of=" + Filler(town, victim), "bs=64k", "count=1000"});
      return {};
    case Fault::kFiles: Limit(process.pid(), RLIMIT_NOFILE, kFewFiles); return {};
    case Fault::kMemory: Limit(process.pid(), RLIMIT_AS, kLittleMemory); return {};
    case Fault::kClock:
      town.SetClock(victim, random.Chance(0.5) ? std::chrono::hours(1) : -std::chrono::hours(1));
      return {};
  }
  return {};
}

Status Mend(Town& town, Fault fault, Replica& victim) {
  switch (fault) {
    case Fault::kPause:
      victim.agent->process().Signal(SIGCONT);
      town.SetReachable(victim, true);
      return {};
    case Fault::kApiCut:
    case Fault::kApiStall: victim.api->Set(Mode::kPass); return {};
    case Fault::kMetricsCut:
    case Fault::kMetricsStall: victim.metrics->Set(Mode::kPass); return {};
    case Fault::kHistoryCut:
    case Fault::kHistoryStall: victim.history->Set(Mode::kPass); return {};
    case Fault::kDoorStall: town.door().Set(Mode::kPass); return {};
    case Fault::kNoticesStall: town.backstage().notices().Set(Mode::kPass); return {};
    case Fault::kStoreStall: town.store().Set(Mode::kPass); return {};
    case Fault::kPrometheus: return town.backstage().StartPrometheus();
    case Fault::kAlertmanager: return town.backstage().StartAlertmanager();
    case Fault::kPostgres: town.backstage().postgres().StartAgain(); return {};
    case Fault::kPostgresDisk: town.backstage().postgres().FreeDisk(); return {};
    case Fault::kDisk: (void)::unlink(Filler(town, victim).c_str()); return {};
    case Fault::kFiles: Limit(victim.agent->process().pid(), RLIMIT_NOFILE, kFiles); return {};
    case Fault::kMemory: Limit(victim.agent->process().pid(), RLIMIT_AS, RLIM_INFINITY); return {};
    case Fault::kClock: town.SetClock(victim, std::chrono::nanoseconds(0)); return {};
    case Fault::kKill:
    case Fault::kApiServer: return {};
  }
  return {};
}

}  // namespace rollguard::chaos
