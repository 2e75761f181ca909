// SPDX-License-Identifier: Apache-2.0
// The audit chain: each row carries the hash of the row before it in its chain, so that a changed,
// removed or inserted row shows. Every writer (replica) has a chain of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/ports/history.h"

namespace rollguard::history {

struct ChainRow {
  int64_t seq = 0;
  std::string chain;
  std::string previous;  // hash of the row before, or of the anchor
  std::string hash;
  HistoryRecord record;
  std::string body_text;  // exactly as stored
};

// SHA-256 over the length-prefixed fields, in hex.
std::string HashOf(const ChainRow& row);

struct ChainBreak {
  int64_t seq = 0;
  std::string chain;
  std::string what;
};
// "row 7 of chain a: its content was changed"
std::string ToString(const ChainBreak& found);

// Holds rows (in order of seq, any number of chains mixed) against each other. Feed all of them.
class ChainVerifier {
 public:
  // The hash that the chain's first kept row must name (after retention removed older rows).
  void Anchor(const std::string& chain, const std::string& hash);
  void Feed(const ChainRow& row);
  // The chain's newest hash as remembered apart from the rows: detects rows cut off at the end.
  void ExpectEnd(const std::string& chain, const std::string& hash);

  const std::vector<ChainBreak>& breaks() const { return breaks_; }
  size_t rows() const { return rows_; }

 private:
  std::vector<std::pair<std::string, std::string>> last_;
  std::vector<ChainBreak> breaks_;
  size_t rows_ = 0;

  std::string* Last(const std::string& chain);
};

}  // namespace rollguard::history
