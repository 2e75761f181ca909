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
                                  "agent cut off from everything",
                                  "open connections forgotten",
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
         fault == Fault::kApiStall || fault == Fault::kCutOff;
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
    case Fault::kApiCut: return victim.api->Set(Mode::kCut);
    case Fault::kApiStall: return victim.api->Set(Mode::kStall);
    case Fault::kMetricsCut: return victim.metrics->Set(Mode::kCut);
    case Fault::kMetricsStall: return victim.metrics->Set(Mode::kStall);
    case Fault::kHistoryCut: return victim.history->Set(Mode::kCut);
    case Fault::kHistoryStall: return victim.history->Set(Mode::kStall);
    case Fault::kCutOff: return town.SetCutOff(victim, true);
    case Fault::kForgotten:
      for (testing::CutProxy* wire : {victim.api.get(), victim.metrics.get(), victim.history.get()})
        wire->Forget();
      return {};
    case Fault::kDoorStall: return town.SetDoorLost(true);
    case Fault::kNoticesStall: return town.backstage().notices().Set(Mode::kStall);
    case Fault::kStoreStall: return town.store().Set(Mode::kStall);
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
    case Fault::kApiStall: return victim.api->Set(Mode::kPass);
    case Fault::kMetricsCut:
    case Fault::kMetricsStall: return victim.metrics->Set(Mode::kPass);
    case Fault::kHistoryCut:
    case Fault::kHistoryStall: return victim.history->Set(Mode::kPass);
    case Fault::kCutOff: return town.SetCutOff(victim, false);
    case Fault::kDoorStall: return town.SetDoorLost(false);
    case Fault::kNoticesStall: return town.backstage().notices().Set(Mode::kPass);
    case Fault::kStoreStall: return town.store().Set(Mode::kPass);
    case Fault::kPrometheus: return town.backstage().StartPrometheus();
    case Fault::kAlertmanager: return town.backstage().StartAlertmanager();
    case Fault::kPostgres: town.backstage().postgres().StartAgain(); return {};
    case Fault::kPostgresDisk: town.backstage().postgres().FreeDisk(); return {};
    case Fault::kDisk: (void)::unlink(Filler(town, victim).c_str()); return {};
    case Fault::kFiles: Limit(victim.agent->process().pid(), RLIMIT_NOFILE, kFiles); return {};
    case Fault::kMemory: Limit(victim.agent->process().pid(), RLIMIT_AS, RLIM_INFINITY); return {};
    case Fault::kClock: town.SetClock(victim, std::chrono::nanoseconds(0)); return {};
    case Fault::kKill:
    case Fault::kForgotten:
    case Fault::kApiServer: return {};
  }
  return {};
}

}  // namespace rollguard::chaos
