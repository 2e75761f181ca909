// SPDX-License-Identifier: Apache-2.0
// Rows of a history that somebody hands in: packed texts, releases, facts. What was not packed by
// us is refused within its bounds; what is read is written as itself.
#include <cstdlib>
#include <string_view>

#include "agent/history/chain.h"
#include "agent/history/pack.h"
#include "agent/history/rows.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto unpacked = history::Unpack(text, 1U << 20);
  if (unpacked && unpacked->size() > (1U << 20)) std::abort();
  auto back = history::Unpack(history::Pack(text));
  if (!back || *back != text) std::abort();
  if (auto json = ParseJson(text)) {
    const Json row = history::ToJson(history::ReleaseFromJson(*json));
    if (!(history::ToJson(history::ReleaseFromJson(row)) == row)) std::abort();
  }
  history::ChainRow row;
  row.body_text = text;
  row.record.actor = text.substr(0, size / 2);
  history::ChainRow other = row;
  other.body_text += "x";
  if (history::HashOf(row) == history::HashOf(other)) std::abort();
  return 0;
}
