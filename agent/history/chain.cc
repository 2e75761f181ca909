// SPDX-License-Identifier: Apache-2.0
#include "agent/history/chain.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::history {

std::string HashOf(const ChainRow& row) {
  const HistoryRecord& r = row.record;
  std::string text;
  for (const std::string& field :
       {row.chain, row.previous, r.kind, r.id, std::to_string(ToUnixMillis(r.at)), r.guard,
        r.release, r.actor, row.body_text}) {
    text += StrCat(field.size(), ":", field);
  }
  return Sha256Hex(text);
}

std::string ToString(const ChainBreak& found) {
  if (found.seq > 0) return StrCat("row ", found.seq, " of chain ", found.chain, ": ", found.what);
  return found.chain.empty() ? found.what : StrCat("chain ", found.chain, ": ", found.what);
}

std::string* ChainVerifier::Last(const std::string& chain) {
  for (auto& [name, hash] : last_) {
    if (name == chain) return &hash;
  }
  return nullptr;
}

void ChainVerifier::Anchor(const std::string& chain, const std::string& hash) {
  if (Last(chain) == nullptr) last_.emplace_back(chain, hash);
}

void ChainVerifier::Feed(const ChainRow& row) {
  ++rows_;
  std::string* last = Last(row.chain);
  if (last == nullptr) last = &last_.emplace_back(row.chain, "").second;
  if (row.previous != *last)
    breaks_.push_back({row.seq, row.chain, "a row before this one is missing or was inserted"});
  if (HashOf(row) != row.hash) breaks_.push_back({row.seq, row.chain, "this row was changed"});
  *last = row.hash;
}

void ChainVerifier::ExpectEnd(const std::string& chain, const std::string& hash) {
  std::string* last = Last(chain);
  if (last == nullptr || *last != hash)
    breaks_.push_back({0, chain, "rows at the end of the chain are missing"});
}

}  // namespace rollguard::history
