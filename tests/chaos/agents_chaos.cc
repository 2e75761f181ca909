// SPDX-License-Identifier: Apache-2.0
// ./dev chaos agents: three agents, a real API server, Prometheus, Alertmanager and PostgreSQL, and
// rounds of a bad release and a good one with something broken in each. At the end the API server's
// own audit log is held against what must never happen.
//
//   chaos_agents --seconds 60 --seed 7      as many rounds as fit
//   chaos_agents --rounds 200               so many; with --seconds too, whichever ends first
//   chaos_agents --rounds 200 --logs DIR    keeps the agents' logs and the audit log there
//
// A round: a pair of services gets new versions; the bad one stands at 50 % and waits; a fault is
// drawn and happens before or after the trigger. The trigger is drawn too: an alert that is posted
// to a replica, whoever owns the guard, and sent again to any of them until one has taken it; or
// errors that Prometheus counts, which fire a rule there, an alert of Alertmanager's and, for half
// of the services, a rule of the agents'. Every bad version must be rolled back exactly once, every
// good one promoted. Several pairs are under way at a time, so a fault meets releases at every
// stage.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/chaos/audit.h"
#include "tests/chaos/faults.h"
#include "tests/chaos/takeovers.h"
#include "tests/chaos/witness.h"

namespace rollguard::chaos {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

constexpr int kServices = 8;
constexpr int kAhead = 3;       // rounds whose releases are begun before theirs
constexpr seconds kBroken{6};   // a fault lasts at most so long beyond the takeover
constexpr seconds kAtLeast{2};  // a server is away just so long
constexpr size_t kEnough = 3;   // problems

struct Options {
  double seconds = 0;  // 0: no limit
  int rounds = 0;      // 0: as many as fit
  uint64_t seed = 0;
  std::string logs;
};

struct Figures {
  int rounds = 0;
  std::map<std::string, int> faults, triggers;
  int revived = 0;
  int bad = 0, rolled_back = 0, good = 0, promoted = 0;
};

// A pair of services and the releases under way there.
struct Pair {
  std::string bad, good;
  int round = 0;  // 0: nothing is under way
  std::string bad_before{}, good_before{};
};

class Chaos {
 public:
  explicit Chaos(const Options& options) : options_(options), random_(options.seed) {
    for (int i = 0; i < kServices; ++i)
      pairs_.push_back({.bad = StrCat("bad-", i), .good = StrCat("good-", i)});
  }

  int Run() {
    if (Status up = town_.Start(kServices); !up) {
      std::fprintf(stderr, "chaos_agents: %s\n", up.error().message.c_str());
      return 1;
    }
    began_ = clock_.Monotonic();
    for (const Pair& pair : pairs_) {
      witness_.AwaitRest(pair.bad);
      witness_.AwaitRest(pair.good);
    }
    // What was begun ahead has its round too.
    while ((More(figures_.rounds) || figures_.rounds < launched_) && !witness_.GaveUp())
      Round(figures_.rounds + 1);
    for (Pair& pair : pairs_) Settle(pair);
    if (!options_.logs.empty()) town_.SaveLogs(options_.logs);
    return Tell();
  }

 private:
  double Seconds() const {
    return std::chrono::duration<double>(clock_.Monotonic() - began_).count();
  }
  bool More(int rounds) const {
    return (options_.rounds == 0 || rounds < options_.rounds) &&
           (options_.seconds == 0 || Seconds() < options_.seconds);
  }
  Pair& PairOf(int round) { return pairs_[static_cast<size_t>(round) % pairs_.size()]; }

  void Round(int number) {
    const double began = Seconds();
    figures_.rounds = number;
    witness_.SetRound(number);
    while (launched_ < number + kAhead && (launched_ < number || More(launched_)))
      Launch(launched_ + 1);
    const Pair& pair = PairOf(number);
    const std::string& bad = pair.bad;
    if (!witness_.Await("no traffic reached the bad version", bad,
                        [&] { return witness_.Weighs(bad, 50); }))
      return;
    const Fault fault = deck_.Draw(town_);
    ++figures_.faults[NameOf(fault)];
    const bool before = random_.Chance(0.5), counted = random_.Chance(0.5);
    ++figures_.triggers[counted ? "errors counted" : "alert posted"];
    Replica& victim = Victim(bad);
    const Time starts = clock_.Now();
    bool taken = !before && Trigger(bad, counted, starts, true, kPatience);
    if (fault == Fault::kAlertmanager) AwaitQuiet(bad);
    broken_at_ = clock_.Monotonic();
    if (TakesShards(fault)) takeovers_.Begin(victim);
    witness_.Must(Break(town_, fault, victim, random_));
    if (before) taken = Trigger(bad, counted, starts, true, kBroken);
    witness_.Await("the takeover", bad, [&] { return !takeovers_.UnderWay(); });
    PollUntil([&] { return Lasted(kAtLeast) && GoesBack(pair); },
              IsBackstage(fault) ? kAtLeast : kBroken, kOften);
    witness_.Must(Mend(town_, fault, victim));
    figures_.revived += town_.Revive();
    // Nobody may have been able to: the sender goes on.
    if (!taken && !Trigger(bad, counted, starts, true, kPatience))
      witness_.Problem(StrCat(bad, ": nobody took the alert"));
    witness_.Await("the bad version does not go back", bad, [&] { return GoesBack(pair); });
    if (counted && fault == Fault::kAlertmanager)  // else it would never tell the end
      PollUntil([&] { return town_.backstage().Fires(bad); }, seconds(10), kOften);
    if (!Trigger(bad, counted, starts, false, kPatience))
      witness_.Problem(StrCat(bad, ": nobody took the end of the alert"));
    std::printf("round %d: %s, %s %s, %.1f s\n", number, NameOf(fault),
                counted ? "errors counted" : "alert posted", before ? "then" : "before",
                Seconds() - began);
    std::fflush(stdout);
  }

  // New versions of both, once what was under way there has ended well.
  void Launch(int round) {
    launched_ = round;
    Pair& pair = PairOf(round);
    Settle(pair);
    pair.round = round;
    pair.bad_before = witness_.Last(pair.bad);
    pair.good_before = witness_.Last(pair.good);
    town_.SetImage(pair.bad, StrCat("shop:bad-", round));
    town_.SetImage(pair.good, StrCat("shop:good-", round));
    ++figures_.bad;
    ++figures_.good;
  }

  void Settle(Pair& pair) {
    if (pair.round == 0) return;
    if (witness_.EndsAs("rolledBack", pair.bad, pair.bad_before)) ++figures_.rolled_back;
    if (witness_.EndsAs("promoted", pair.good, pair.good_before)) ++figures_.promoted;
    witness_.Await("its alert does not end", pair.bad,
                   [&] { return !town_.backstage().Fires(pair.bad); });
    pair.round = 0;
  }

  // Mostly who owns the guard.
  Replica& Victim(const std::string& ns) {
    if (random_.Chance(0.25)) return town_.replicas()[random_.Below(kReplicas)];
    const std::string owner = town_.StatusOf(ns).At("owner", "replica").Str();
    for (Replica& replica : town_.replicas()) {
      if (replica.name == owner) return replica;
    }
    return town_.replicas()[0];
  }

  // A killed Alertmanager forgets what it has told, and would never tell the end of other alerts.
  // A notice that hangs in a lost connection is sent again after ten seconds.
  void AwaitQuiet(const std::string& but) {
    PollUntil(
        [&] {
          return std::none_of(pairs_.begin(), pairs_.end(), [&](const Pair& pair) {
            return pair.bad != but &&
                   (town_.backstage().Fires(pair.bad) || town_.AwaitsTheEnd(pair.bad));
          });
        },
        seconds(40), kOften);
  }

  bool Lasted(seconds limit) const { return clock_.Monotonic() - broken_at_ >= limit; }

  // True when it is on its way.
  bool Trigger(const std::string& ns, bool counted, Time starts, bool firing, seconds limit) {
    if (counted) {
      town_.backstage().SetFailing(ns, firing);
      return true;
    }
    size_t to = random_.Below(kReplicas);
    return PollUntil(
        [&] {
          Replica& replica = town_.replicas()[to++ % kReplicas];
          return town_.IsReachable(replica) && Answers(replica) &&
                 town_.PostAlert(replica, ns, starts, firing);
        },
        limit, kOften);
  }

  // A stopped process would keep the test waiting.
  static bool Answers(Replica& replica) {
    if (!replica.agent || !replica.agent->process().Running()) return false;
    const std::string stat = testing::ReadFile(
        StrCat("/proc/", static_cast<int64_t>(replica.agent->process().pid()), "/stat"));
    return stat.find(") T ") == std::string::npos;
  }

  bool GoesBack(const Pair& pair) {
    const std::string phase = town_.StatusOf(pair.bad).At("phase").Str();
    return phase == "RollingBack" || phase == "Verifying" ||
           witness_.Ended(pair.bad, pair.bad_before);
  }

  static std::string Lines(const std::map<std::string, int>& counts, int& sum) {
    std::string text;
    for (const auto& [name, count] : counts) {
      text += StrCat("  ", name, ": ", count, "\n");
      sum += count;
    }
    return text;
  }

  int Tell() {
    const AuditReport audit = CheckAudit(town_.kube().audit_log());
    int duplicates = 0, seen = 0, faults = 0, triggers = 0;
    for (const auto& [release, times] : audit.rollbacks) {
      ++seen;
      duplicates += times - 1;
    }
    const std::string by_fault = Lines(figures_.faults, faults);
    const std::string by_trigger = Lines(figures_.triggers, triggers);
    const std::vector<double> t = takeovers_.Sorted();
    std::printf("\nrounds %d in %.0f s, seed %llu\nfaults injected %d\n%striggers %d\n%s",
                figures_.rounds, Seconds(), static_cast<unsigned long long>(options_.seed), faults,
                by_fault.c_str(), triggers, by_trigger.c_str());
    std::printf("packets were lost %s\n", town_.how_packets_are_lost().c_str());
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
    const bool well = audit.violations.empty() && witness_.SawAll() && duplicates == 0 &&
                      seen == figures_.bad && figures_.rolled_back == figures_.bad &&
                      figures_.promoted == figures_.good;
    if (!well)
      std::printf("FAILED: again with --seed %llu\n",
                  static_cast<unsigned long long>(options_.seed));
    return well ? 0 : 1;
  }

  const Options options_;
  Random random_;
  Deck deck_{random_};
  testing::RealClock clock_;
  Town town_;
  Figures figures_;
  std::vector<Pair> pairs_;
  int launched_ = 0;
  // After the town: what they watch.
  Witness witness_{town_, kEnough};
  Takeovers takeovers_{town_};
  std::chrono::nanoseconds began_{0}, broken_at_{0};
};

int Usage() {
  std::fprintf(stderr,
               "usage: chaos_agents [--seconds N | --rounds N] [--seed S] [--logs FOLDER]\n");
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
    } else if (std::strcmp(argv[i], "--logs") == 0) {
      options.logs = argv[i + 1];
    } else {
      return rollguard::chaos::Usage();
    }
  }
  if (options.rounds == 0 && options.seconds == 0) options.seconds = 60;
  if (argc % 2 == 0) return rollguard::chaos::Usage();
  return rollguard::chaos::Chaos(options).Run();
}
