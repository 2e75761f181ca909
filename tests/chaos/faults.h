// SPDX-License-Identifier: Apache-2.0
// What can be broken in a town, and mended again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "tests/chaos/town.h"

namespace rollguard::chaos {

enum class Fault {
  kKill,
  kPause,
  kApiCut,
  kApiStall,
  kMetricsCut,
  kMetricsStall,
  kHistoryCut,
  kHistoryStall,
  kCutOff,
  kForgotten,
  kDoorStall,
  kNoticesStall,
  kStoreStall,
  kApiServer,
  kPrometheus,
  kAlertmanager,
  kPostgres,
  kPostgresDisk,
  kDisk,
  kFiles,
  kMemory,
  kClock,
};

const char* NameOf(Fault fault);
// The victim can renew no lease: its shards must be somebody else's before long.
bool TakesShards(Fault fault);
// A server of the backstage is away: nobody waits for what it is needed for.
bool IsBackstage(Fault fault);

// Every fault once, in an order that is drawn, then again.
class Deck {
 public:
  explicit Deck(Random& random) : random_(random) {}
  Fault Draw(const Town& town);

 private:
  Random& random_;
  std::vector<Fault> left_;
};

// An error says what could not be broken or mended.
Status Break(Town& town, Fault fault, Replica& victim, Random& random);
Status Mend(Town& town, Fault fault, Replica& victim);

}  // namespace rollguard::chaos
