// SPDX-License-Identifier: Apache-2.0
// Whose a guard is, as the controller asks it. One replica alone needs none: everything is its own.
#pragma once

#include <cstdint>
#include <string>

namespace rollguard::app {

// The right to write, as it stands in a guard's status (`status.owner`) before anything is done
// with it: which lease, and which of its holders.
struct Epoch {
  std::string replica;
  int shard = 0;
  int64_t number = 0;
  friend bool operator==(const Epoch&, const Epoch&) = default;
};

// Belongs to the deciding thread.
class Ownership {
 public:
  virtual ~Ownership() = default;
  // Whether something may be begun for that guard, as it was last told: it changes only where
  // whoever keeps the shards says so, never between two questions.
  virtual bool Mine(const std::string& guard) const = 0;
  // Whether the lease still holds, by the monotonic clock of this moment: asked right before every
  // write. True a little longer than Mine, while a shard is being handed over.
  virtual bool MayWrite(const std::string& guard) const = 0;
  virtual Epoch EpochOf(const std::string& guard) const = 0;
  // The guard's status names a later epoch than ours: the lease was made anew. Ours becomes later
  // than that, soon.
  virtual void Outgrow(const std::string& guard, int64_t number) = 0;
};

}  // namespace rollguard::app
