// SPDX-License-Identifier: Apache-2.0
// ./dev chaos older: etcd is put back to an older state under three agents, once while they run and
// once with all of them killed meanwhile. What an agent has decided since is known to it, or to the
// history: guards whose state went back are refused, in words, and nothing is done for them until a
// person accepts it; the others go on.
//
//   chaos_older --seconds 60 --seed 7      as many rounds as fit, two at least
#include <signal.h>

#include <cstdio>
#include <cstring>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/chaos/witness.h"

namespace rollguard::chaos {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::PollUntil;

constexpr seconds kWatched{6};  // how long a refused guard is looked at
constexpr const char* kAccept = "rollguard.dev/accept-older-state=";

struct Figures {
  int rounds = 0, refused = 0, rolled_back = 0, promoted = 0;
};

class Older {
 public:
  explicit Older(uint64_t seed) : random_(seed) {}

  int Run(double limit) {
    if (Status up = town_.Start(1); !up) {
      std::fprintf(stderr, "chaos_older: %s\n", up.error().message.c_str());
      return 1;
    }
    const auto began = clock_.Monotonic();
    auto spent = [&] { return std::chrono::duration<double>(clock_.Monotonic() - began).count(); };
    while (witness_.SawAll() && (figures_.rounds < 2 || spent() < limit)) {
      witness_.SetRound(++figures_.rounds);
      Round(figures_.rounds);
    }
    return Tell(spent());
  }

 private:
  // Both guards at rest is what is kept; one goes through a release that is forgotten then.
  void Round(int number) {
    witness_.AwaitRest("bad-0");
    witness_.AwaitRest("good-0");
    witness_.Must(town_.kube().KeepStore());
    const int64_t kept = Sequence("bad-0");
    RollBack("bad-0", StrCat("shop:forgotten-", number));
    const bool killed = number % 2 == 0;
    const size_t decided = static_cast<size_t>(Sequence("bad-0") - kept);
    if (killed) KillAll();
    witness_.Must(town_.PutStoreBack());
    if (killed) town_.Revive();
    const bool refused = witness_.Await("the older state is not refused", "bad-0", [&] {
      return Refusal("bad-0").find(kAccept) != std::string::npos;
    });
    std::printf("round %d: %zu decisions forgotten%s, %s\n", number, decided,
                killed ? " while no agent ran" : "", refused ? "refused" : "NOT REFUSED");
    if (!refused) return;
    ++figures_.refused;
    const std::string waits = StrCat("shop:bad-", number);
    Untouched("bad-0", waits);
    Promote("good-0", StrCat("shop:good-", number));
    Accept("bad-0");
    RollBack("bad-0", waits);
  }

  // A version asked for while its guard is refused is not begun; it is once the state is accepted.
  void Untouched(const std::string& ns, const std::string& image) {
    town_.SetImage(ns, image);
    PollUntil([&] { return town_.StatusOf(ns).Find("release") != nullptr; }, kWatched,
              milliseconds(100));
    if (town_.StatusOf(ns).Find("release") != nullptr)
      witness_.Problem(StrCat(ns, ": a release was begun from a state that is refused"));
  }

  void RollBack(const std::string& ns, const std::string& image) {
    const std::string before = witness_.Last(ns);
    town_.SetImage(ns, image);
    witness_.Await("no traffic reached the bad version", ns,
                   [&] { return witness_.Weighs(ns, 50); });
    const Time starts = clock_.Now();  // what fired before the release says nothing about it
    Post(ns, starts, true);
    if (witness_.EndsAs("rolledBack", ns, before)) ++figures_.rolled_back;
    Post(ns, starts, false);
  }

  void Promote(const std::string& ns, const std::string& image) {
    const std::string before = witness_.Last(ns);
    town_.SetImage(ns, image);
    if (witness_.EndsAs("promoted", ns, before)) ++figures_.promoted;
  }

  // What the condition's own words say.
  void Accept(const std::string& ns) {
    const std::string words = Refusal(ns);
    std::string number = words.substr(words.find(kAccept) + std::strlen(kAccept));
    number = number.substr(0, number.find_first_not_of("0123456789"));
    const Json accepted = Json::Obj({{"rollguard.dev/accept-older-state", number}});
    witness_.Must(town_.Patch(kube::resources::Guards(), ns, PatchKind::kMerge,
                              Json::Obj({{"metadata", Json::Obj({{"annotations", accepted}})}})));
    witness_.Await("the acceptance changes nothing", ns, [&] { return Refusal(ns).empty(); });
  }

  void Post(const std::string& ns, Time starts, bool firing) {
    size_t to = random_.Below(kReplicas);
    witness_.Await("nobody took the alert", ns, [&] {
      return town_.PostAlert(town_.replicas()[to++ % kReplicas], ns, starts, firing);
    });
  }

  void KillAll() {
    for (Replica& replica : town_.replicas()) {
      replica.agent->process().Signal(SIGKILL);
      replica.agent->process().Wait();
    }
  }

  // The condition's message while it holds.
  std::string Refusal(const std::string& ns) {
    const Json status = town_.StatusOf(ns);
    for (const Json& condition : status.At("conditions").items()) {
      if (condition.At("type").Str() == "OlderState" && condition.At("status").Str() == "True")
        return condition.At("message").Str();
    }
    return "";
  }
  int64_t Sequence(const std::string& ns) { return town_.StatusOf(ns).At("sequence").IntOr(0); }

  int Tell(double spent) const {
    std::printf(
        "\netcd put back %d times in %.0f s: refused %d, bad versions rolled back %d of %d, good "
        "ones of guards that lost nothing promoted %d of %d\n",
        figures_.rounds, spent, figures_.refused, figures_.rolled_back, 2 * figures_.rounds,
        figures_.promoted, figures_.rounds);
    const bool well = witness_.SawAll() && figures_.refused == figures_.rounds &&
                      figures_.rolled_back == 2 * figures_.rounds &&
                      figures_.promoted == figures_.rounds;
    if (!well) std::printf("FAILED\n");
    return well ? 0 : 1;
  }

  testing::RealClock clock_;
  Random random_;
  Town town_;
  Witness witness_{town_, 1};
  Figures figures_;
};

}  // namespace
}  // namespace rollguard::chaos

int main(int argc, char** argv) {
  double limit = 60;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) {
      limit = std::atof(argv[i + 1]);
    } else if (std::strcmp(argv[i], "--seed") == 0) {
      seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      argc = 0;
    }
  }
  if (argc % 2 == 0) {
    std::fprintf(stderr, "usage: chaos_older [--seconds N] [--seed S]\n");
    return 2;
  }
  return rollguard::chaos::Older(seed).Run(limit);
}
