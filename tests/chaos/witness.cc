// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/witness.h"

#include <cstdio>

#include "agent/base/text.h"

namespace rollguard::chaos {

bool Witness::Await(const char* what, const std::string& ns, const std::function<bool()>& done) {
  if (GaveUp()) return false;
  if (testing::PollUntil(done, kPatience, kOften)) return true;
  Problem(StrCat("round ", round_, ", ", ns, ": ", what, "\n", town_.StatusOf(ns).Dump(), "\n",
                 town_.Logs()));
  return false;
}

void Witness::AwaitRest(const std::string& ns) {
  Await("never came to rest", ns, [&] { return town_.StatusOf(ns).At("phase").Str() == "Idle"; });
}

void Witness::Must(const Status& done) {
  if (!done) Problem(done.error().message);
}

void Witness::Problem(std::string text) {
  std::printf("PROBLEM %s\n", text.c_str());
  problems_.push_back(std::move(text));
}

std::string Witness::Last(const std::string& ns) {
  return town_.StatusOf(ns).At("last", "release").Str();
}

// Of the very answer that says it has ended: another may not come.
std::optional<std::string> Witness::Outcome(const std::string& ns, const std::string& before) {
  const Json status = town_.StatusOf(ns);
  if (status.At("phase").Str() != "Idle" || status.Find("release") != nullptr ||
      status.Find("last") == nullptr || status.At("last", "release").Str() == before)
    return std::nullopt;
  return status.At("last", "outcome").Str();
}

bool Witness::Ended(const std::string& ns, const std::string& before) {
  return Outcome(ns, before).has_value();
}

bool Witness::EndsAs(const std::string& outcome, const std::string& ns, const std::string& before) {
  std::optional<std::string> seen;
  if (!Await(StrCat("not ", outcome).c_str(), ns, [&] {
        seen = Outcome(ns, before);
        return seen.has_value();
      }))
    return false;
  if (*seen != outcome)
    Problem(StrCat("round ", round_, ", ", ns, " ended as ", *seen, ", not ", outcome));
  return *seen == outcome;
}

bool Witness::Weighs(const std::string& ns, int64_t percent) {
  return town_.StatusOf(ns).At("release", "weight").IntOr(0) >= percent;
}

}  // namespace rollguard::chaos
