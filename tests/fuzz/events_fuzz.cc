// SPDX-License-Identifier: Apache-2.0
// An event stream as the command line reads it: the same events however its bytes were cut.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/cli/event_lines.h"

namespace {

std::string Read(std::string_view bytes, size_t cut) {
  rollguard::cli::EventLines lines;
  std::string seen;
  for (std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    for (const auto& event : lines.Take(part))
      seen += event.id + " " + event.type + " " + event.data.Dump() + "\n";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 1 && Read(text, size) != Read(text, data[0] % size)) std::abort();
  return 0;
}
