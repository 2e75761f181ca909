// SPDX-License-Identifier: Apache-2.0
// Waits for what must come to pass in a town and keeps what did not, with the guard's status and
// the agents' logs of that moment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/chaos/town.h"

namespace rollguard::chaos {

inline constexpr std::chrono::seconds kPatience{120};  // what takes longer has not happened
inline constexpr std::chrono::milliseconds kOften{50};

class Witness {
 public:
  // After so many problems nothing is waited for any more.
  Witness(Town& town, size_t enough) : town_(town), enough_(enough) {}

  // What problems are told with from now on.
  void SetRound(int number) { round_ = number; }

  // `what` is the problem's text when that does not become true.
  bool Await(const char* what, const std::string& ns, const std::function<bool()>& done);
  void AwaitRest(const std::string& ns);
  void Must(const Status& done);
  void Problem(std::string text);

  // The guard's last release.
  std::string Last(const std::string& ns);
  // Whether a release has ended since `before` was the last one.
  bool Ended(const std::string& ns, const std::string& before);
  // Waits for that; another outcome is a problem too.
  bool EndsAs(const std::string& outcome, const std::string& ns, const std::string& before);
  bool Weighs(const std::string& ns, int64_t percent);

  bool SawAll() const { return problems_.empty(); }
  bool GaveUp() const { return problems_.size() >= enough_; }

 private:
  std::optional<std::string> Outcome(const std::string& ns, const std::string& before);

  Town& town_;
  const size_t enough_;
  int round_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace rollguard::chaos
