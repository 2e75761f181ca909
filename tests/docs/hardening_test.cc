// SPDX-License-Identifier: Apache-2.0
// What the compiler and the linker were asked to do against attackers, read back from the binary.
// The flags stand in agent/toolchain.cmake; an unoptimized or sanitized build has fewer of them.
#include "agent/base/text.h"
#include "tests/support/agent_process.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"

namespace rollguard::docs {
namespace {

std::string ReadElf(const std::string& what) {
  const testing::RunResult result =
      testing::Run({"readelf", "-W", what, testing::TheProgram()}, "", {}, std::chrono::minutes(1));
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The line of a table that holds `part`.
std::string Line(const std::string& text, const std::string& part) {
  for (std::string_view line : Split(text, '\n')) {
    if (line.find(part) != std::string_view::npos) return std::string(line);
  }
  return {};
}

TEST_CASE("the binary is hardened") {
  const std::string headers = ReadElf("-hl");
  const std::string dynamic = ReadElf("-d");
  const std::string symbols = ReadElf("--dyn-syms");

  INFO(headers << dynamic);
  // Placed anywhere in memory; relocations read-only from the start, all resolved by then.
  CHECK(Has(Line(headers, "Type:"), "DYN"));
  CHECK(Has(headers, "GNU_RELRO"));
  CHECK(Has(dynamic, "BIND_NOW"));
  CHECK(Has(Line(dynamic, "FLAGS_1"), "PIE"));
  // No memory that can be written and run, the stack included.
  CHECK(Has(Line(headers, "GNU_STACK"), " RW "));
  for (std::string_view line : Split(headers, '\n')) {
    if (Trim(line).starts_with("LOAD")) CHECK(line.find("RWE") == std::string_view::npos);
  }
  CHECK_FALSE(Has(dynamic, "TEXTREL"));
  // Nothing is loaded from where the binary happened to be built.
  CHECK_FALSE(Has(dynamic, "RPATH"));
  CHECK_FALSE(Has(dynamic, "RUNPATH"));
  // The stack's canary, and the library's own assertions instead of undefined behaviour.
  CHECK(Has(symbols, "__stack_chk_fail"));
  CHECK(Has(symbols, "__glibcxx_assert_fail"));

#if defined(ROLLGUARD_RELEASE)
  // Checked variants of what copies and prints.
  CHECK(Has(symbols, "_chk@"));
#if defined(__x86_64__)
  const std::string notes = ReadElf("-n");
  INFO(notes);
  CHECK(Has(notes, "IBT"));
  CHECK(Has(notes, "SHSTK"));
#endif
#endif
}

}  // namespace
}  // namespace rollguard::docs
