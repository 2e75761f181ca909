// SPDX-License-Identifier: Apache-2.0
// ./dev chaos agents: three agents, a real API server, and rounds of a bad release and a good one
// with something broken in each. At the end the API server's own audit log is held against what
// must never happen.
//
//   chaos_agents --seconds 60 --seed 7      as many rounds as fit
//   chaos_agents --rounds 200               so many
//
// A round: both services get a new version; the bad one is at 50 % and waits; a fault is drawn and
// happens before or after the alert; the alert goes to a replica that is drawn, whoever owns the
// guard, and is sent again, to any of them, until one has taken it, as Alertmanager does. Every bad
// version must be rolled back exactly once, every good one promoted.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/chaos/audit.h"
#include "tests/chaos/town.h"

namespace rollguard::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PollUntil;

constexpr int kServices = 3;
constexpr milliseconds kOften{50};

enum class Fault { kNone, kKill, kPause, kCut, kStall, kApiServer, kDisk, kFiles, kMemory };
constexpr const char* kFaults[] = {"none",      "SIGKILL",       "SIGSTOP beyond the lease",
                                   "wire cut",  "wire stalled",  "API server killed",
                                   "disk full", "no more files", "no more memory"};

struct Options {
  double seconds = 60;
  int rounds = 0;  // 0: as many as fit
  uint64_t seed = 0;
};

struct Figures {
  int rounds = 0;
  std::map<std::string, int> faults;
  int revived = 0;
  int bad = 0, rolled_back = 0, good = 0, promoted = 0;
  std::vector<double> takeovers;  // seconds
  std::vector<std::string> problems;
};

class Chaos {
 public:
  explicit Chaos(const Options& options) : options_(options), random_(options.seed) {}

  int Run() {
    if (Status up = town_.Start(kServices); !up) {
      std::fprintf(stderr, "chaos_agents: %s\n", up.error().message.c_str());
      return 1;
    }
    const auto began = clock_.Monotonic();
    auto more = [&] {
      if (options_.rounds > 0) return figures_.rounds < options_.rounds;
      return std::chrono::duration<double>(clock_.Monotonic() - began).count() < options_.seconds;
    };
    if (!AwaitRest()) return 1;
    while (more() && figures_.problems.size() < 3) Round();
    return Tell();
  }

 private:
  void Round() {
    const int number = ++figures_.rounds;
    const std::string bad = StrCat("bad-", number % kServices);
    const std::string good = StrCat("good-", number % kServices);
    const Json bad_before = town_.StatusOf(bad), good_before = town_.StatusOf(good);
    town_.SetImage(bad, StrCat("shop:bad-", number));
    town_.SetImage(good, StrCat("shop:good-", number));
    ++figures_.bad;
    ++figures_.good;
    if (!Await("no traffic reached the bad version", bad,
               [&] { return town_.StatusOf(bad).At("release", "weight").IntOr(0) >= 50; }))
      return;
    const Fault fault = Draw();
    ++figures_.faults[kFaults[static_cast<int>(fault)]];
    const bool before = random_.Chance(0.5);
    const Time starts = clock_.Now();
    size_t victim = Victim(bad);
    if (!before) Alert(bad, starts, true);
    Break(fault, victim);
    if (before) Alert(bad, starts, true);
    Await("the takeover", bad, [&] { return TakenOver(); });
    PollUntil([&] { return Ended(bad, bad_before) || Reverting(bad); }, seconds(60), kOften);
    Mend(fault, victim);
    Alert(bad, starts, false);
    if (Await("the bad version was not rolled back", bad, [&] { return Ended(bad, bad_before); }))
      figures_.rolled_back += Outcome(bad) == "rolledBack";
    if (Await("the good version was not promoted", good, [&] { return Ended(good, good_before); }))
      figures_.promoted += Outcome(good) == "promoted";
    std::printf("round %d: %s %s the alert: %s, %s\n", number, kFaults[static_cast<int>(fault)],
                before ? "before" : "after", Outcome(bad).c_str(), Outcome(good).c_str());
    std::fflush(stdout);
  }

  Fault Draw() {
    while (true) {
      const auto fault = static_cast<Fault>(1 + random_.Below(std::size(kFaults) - 1));
      if (fault != Fault::kDisk || town_.replicas()[0].disk) return fault;
    }
  }

  // Mostly who owns the guard.
  size_t Victim(const std::string& ns) {
    if (random_.Chance(0.25)) return random_.Below(kReplicas);
    const std::string owner = town_.StatusOf(ns).At("owner", "replica").Str();
    for (size_t i = 0; i < kReplicas; ++i) {
      if (town_.replicas()[i].name == owner) return i;
    }
    return 0;
  }

  void Break(Fault fault, size_t victim) {
    Replica& replica = town_.replicas()[victim];
    testing::Process& process = replica.agent->process();
    left_.clear();
    broken_at_ = clock_.Monotonic();
    switch (fault) {
      case Fault::kNone: break;
      case Fault::kKill:
        Expect(replica);
        process.Signal(SIGKILL);
        process.Wait();
        break;
      case Fault::kPause:
        Expect(replica);
        process.Signal(SIGSTOP);
        break;
      case Fault::kCut:
        Expect(replica);
        replica.wire->Set(testing::CutProxy::Mode::kCut);
        break;
      case Fault::kStall:
        Expect(replica);
        replica.wire->Set(testing::CutProxy::Mode::kStall);
        break;
      case Fault::kApiServer:
        if (Status back = town_.kube().RestartApiServer(); !back) Problem(back.error().message);
        break;
      case Fault::kDisk:
        (void)testing::Run({"dd", "if=/dev/zero", "of=" + town_.DataDir(replica) + "/filler",
                            "bs=64k", "count=1000"});
        break;
      case Fault::kFiles: Limit(process.pid(), RLIMIT_NOFILE, 16); break;
      case Fault::kMemory: Limit(process.pid(), RLIMIT_AS, 64U << 20); break;
    }
  }

  // What a paused or cut off replica wakes up to is decided: nothing of it may show.
  void Mend(Fault fault, size_t victim) {
    Replica& replica = town_.replicas()[victim];
    if (fault == Fault::kPause) replica.agent->process().Signal(SIGCONT);
    replica.wire->Set(testing::CutProxy::Mode::kPass);
    if (fault == Fault::kDisk) (void)::unlink((town_.DataDir(replica) + "/filler").c_str());
    if (fault == Fault::kFiles) Limit(replica.agent->process().pid(), RLIMIT_NOFILE, 1024);
    if (fault == Fault::kMemory) Limit(replica.agent->process().pid(), RLIMIT_AS, RLIM_INFINITY);
    figures_.revived += town_.Revive();
  }

  static void Limit(pid_t pid, __rlimit_resource what, rlim_t soft) {
    rlimit now{};
    ::prlimit(pid, what, nullptr, &now);
    now.rlim_cur = std::min(soft, now.rlim_max);
    ::prlimit(pid, what, &now, nullptr);
  }

  // Its shards must be somebody else's before long.
  void Expect(const Replica& replica) {
    const auto holders = town_.Holders();
    for (size_t shard = 0; shard < holders.size(); ++shard) {
      if (holders[shard].starts_with(replica.name + "_")) left_[shard] = holders[shard];
    }
  }

  bool TakenOver() {
    if (left_.empty()) return true;
    const auto holders = town_.Holders();
    for (const auto& [shard, holder] : left_) {
      if (holders[shard].empty() || holders[shard] == holder) return false;
    }
    figures_.takeovers.push_back(
        std::chrono::duration<double>(clock_.Monotonic() - broken_at_).count());
    left_.clear();
    return true;
  }

  // To any of them until one takes it.
  void Alert(const std::string& ns, Time starts, bool firing) {
    size_t to = random_.Below(kReplicas);
    const bool taken = PollUntil(
        [&] {
          Replica& replica = town_.replicas()[to++ % kReplicas];
          return Answers(replica) && town_.PostAlert(replica, ns, starts, firing);
        },
        seconds(60), kOften);
    if (!taken) Problem(StrCat(ns, ": nobody took the alert"));
  }

  // A stopped process would keep the test waiting.
  static bool Answers(Replica& replica) {
    if (!replica.agent || !replica.agent->process().Running()) return false;
    const std::string stat = testing::ReadFile(
        StrCat("/proc/", static_cast<int64_t>(replica.agent->process().pid()), "/stat"));
    return stat.find(") T ") == std::string::npos;
  }

  bool Ended(const std::string& ns, const Json& before) {
    const Json status = town_.StatusOf(ns);
    return status.At("phase").Str() == "Idle" && status.Find("release") == nullptr &&
           status.Find("last") != nullptr &&
           status.At("last", "release").Str() != before.At("last", "release").Str();
  }
  bool Reverting(const std::string& ns) {
    return town_.StatusOf(ns).At("phase").Str() == "RollingBack";
  }
  std::string Outcome(const std::string& ns) {
    return town_.StatusOf(ns).At("last", "outcome").Str();
  }

  bool AwaitRest() {
    for (int i = 0; i < kServices; ++i) {
      for (const char* kind : {"bad-", "good-"}) {
        const std::string ns = StrCat(kind, i);
        if (!Await("never came to rest", ns,
                   [&] { return town_.StatusOf(ns).At("phase").Str() == "Idle"; }))
          return Tell(), false;
      }
    }
    return true;
  }

  bool Await(const char* what, const std::string& ns, const std::function<bool()>& done) {
    if (PollUntil(done, seconds(90), kOften)) return true;
    Problem(StrCat("round ", figures_.rounds, ", ", ns, ": ", what, "\n", town_.StatusOf(ns).Dump(),
                   "\n", town_.Logs()));
    return false;
  }

  void Problem(std::string text) {
    std::printf("PROBLEM %s\n", text.c_str());
    figures_.problems.push_back(std::move(text));
  }

  int Tell() {
    const AuditReport audit = CheckAudit(testing::ReadFile(town_.kube().audit_log()));
    int duplicates = 0, seen = 0;
    for (const auto& [release, times] : audit.rollbacks) {
      ++seen;
      duplicates += times - 1;
    }
    std::string faults;
    int injected = 0;
    for (const auto& [name, count] : figures_.faults) {
      faults += StrCat("  ", name, ": ", count, "\n");
      injected += count;
    }
    std::sort(figures_.takeovers.begin(), figures_.takeovers.end());
    const auto& t = figures_.takeovers;
    std::printf("\nrounds %d, seed %llu\nfaults injected %d\n%s", figures_.rounds,
                static_cast<unsigned long long>(options_.seed), injected, faults.c_str());
    std::printf("agents that had to be started again %d\n", figures_.revived);
    std::printf("rollbacks expected %d, seen %d, duplicates %d, lost %d\n", figures_.bad, seen,
                duplicates, figures_.bad - figures_.rolled_back);
    std::printf("good versions %d, promoted %d\n", figures_.good, figures_.promoted);
    std::printf("takeovers %zu, median %.1f s, longest %.1f s (lease %lld s)\n", t.size(),
                t.empty() ? 0.0 : t[t.size() / 2], t.empty() ? 0.0 : t.back(),
                static_cast<long long>(kLease.count()));
    std::printf(
        "audit log: %zu writes held against the invariants, %zu refused by their version, "
        "%zu violations\n",
        audit.writes, audit.refused, audit.violations.size());
    for (const std::string& violation : audit.violations) std::printf("  %s\n", violation.c_str());
    const bool well = audit.violations.empty() && figures_.problems.empty() && duplicates == 0 &&
                      seen == figures_.bad && figures_.rolled_back == figures_.bad &&
                      figures_.promoted == figures_.good;
    if (!well)
      std::printf("FAILED: again with --seed %llu\n",
                  static_cast<unsigned long long>(options_.seed));
    return well ? 0 : 1;
  }

  const Options options_;
  Random random_;
  testing::RealClock clock_;
  Town town_;
  Figures figures_;
  std::map<size_t, std::string> left_;  // shard -> who must no longer hold it
  std::chrono::nanoseconds broken_at_{0};
};

int Usage() {
  std::fprintf(stderr, "usage: chaos_agents [--seconds N | --rounds N] [--seed S]\n");
  return 2;
}

}  // namespace
}  // namespace rollguard::chaos

int main(int argc, char** argv) {
  rollguard::chaos::Options options;
  options.seed =
      static_cast<uint64_t>(rollguard::testing::RealClock().Now().time_since_epoch().count());
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) {
      options.seconds = std::atof(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--rounds") == 0) {
      options.rounds = std::atoi(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--seed") == 0) {
      options.seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      return rollguard::chaos::Usage();
    }
  }
  if (argc % 2 == 0) return rollguard::chaos::Usage();
  return rollguard::chaos::Chaos(options).Run();
}
