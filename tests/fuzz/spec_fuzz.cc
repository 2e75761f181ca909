// SPDX-License-Identifier: Apache-2.0
// Any bytes through every loader: no crash, and rendering every problem works.
#include <cstdint>
#include <string_view>

#include "agent/spec/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  rollguard::Diagnostics diagnostics;
  rollguard::spec::Library library;
  rollguard::spec::LoadText("f", text, library, diagnostics);
  rollguard::spec::CheckLibrary(library, size % 2 == 0, diagnostics);
  for (const auto& guard : library.guards) rollguard::spec::Resolve(guard, library, diagnostics);
  for (const auto& d : diagnostics.Sorted()) Render(d, text);
  (void)rollguard::spec::ParseAgentConfig("f", text);
  return 0;
}
