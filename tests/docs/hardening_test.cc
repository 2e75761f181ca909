// SPDX-License-Identifier: Apache-2.0
// What the compiler and the linker were asked to do against attackers, read back from the binary.
// The flags stand in agent/toolchain.cmake; an unoptimized or sanitized build has fewer of them.
#include <algorithm>

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

// What readelf says of a binary.
struct Elf {
  std::string headers, dynamic, symbols, notes;
};

// What a binary lacks, each in a few words.
std::vector<std::string> Missing(const Elf& elf) {
  std::vector<std::string> missing;
  const auto want = [&](bool there, const char* what) {
    if (!there) missing.emplace_back(what);
  };
  // Placed anywhere in memory; relocations read-only from the start, all resolved by then.
  want(Has(Line(elf.headers, "Type:"), "DYN"), "position independence");
  want(Has(Line(elf.dynamic, "FLAGS_1"), "PIE"), "the PIE flag");
  want(Has(elf.headers, "GNU_RELRO"), "RELRO");
  want(Has(elf.dynamic, "BIND_NOW"), "immediate binding");
  // No memory that can be written and run, the stack included.
  want(Has(Line(elf.headers, "GNU_STACK"), " RW "), "a stack that is not run");
  for (std::string_view line : Split(elf.headers, '\n')) {
    if (Trim(line).starts_with("LOAD"))
      want(line.find("RWE") == std::string_view::npos, "segments that are written or run");
  }
  want(!Has(elf.dynamic, "TEXTREL"), "code that is not written");
  // Nothing is loaded from where the binary happened to be built.
  want(!Has(elf.dynamic, "RPATH") && !Has(elf.dynamic, "RUNPATH"), "libraries of the system alone");
  // The stack's canary, and the library's own assertions instead of undefined behaviour.
  want(Has(elf.symbols, "__stack_chk_fail"), "the stack protector");
  want(Has(elf.symbols, "__glibcxx_assert_fail"), "library assertions");
#if defined(ROLLGUARD_RELEASE)
  // Checked variants of what copies and prints.
  want(Has(elf.symbols, "_chk@"), "fortification");
#if defined(__x86_64__)
  want(Has(elf.notes, "IBT"), "IBT");
  want(Has(elf.notes, "SHSTK"), "SHSTK");
#endif
#endif
  return missing;
}

Elf Program() { return {ReadElf("-hl"), ReadElf("-d"), ReadElf("--dyn-syms"), ReadElf("-n")}; }

TEST_CASE("the binary is hardened") {
  const Elf elf = Program();
  INFO(elf.headers << elf.dynamic << elf.notes);
  CHECK(Join(Missing(elf), ", ").empty());
}

TEST_CASE("a binary that lacks one of its defences is found") {
  const Elf good = Program();
  struct Row {
    std::string Elf::*where;
    const char* from;
    const char* to;
    const char* lacks;
  };
  for (const Row& row : std::vector<Row> {
         {&Elf::headers, "DYN", "EXEC", "position independence"},
             {&Elf::dynamic, "PIE", "", "the PIE flag"}, {&Elf::headers, "GNU_RELRO", "", "RELRO"},
             {&Elf::dynamic, "BIND_NOW", "", "immediate binding"},
             {&Elf::headers, " RW ", " RWE", "a stack that is not run"},
             {&Elf::headers, "R E", "RWE", "segments that are written or run"},
             {&Elf::dynamic, "(NEEDED)", "(TEXTREL)", "code that is not written"},
             {&Elf::dynamic, "(NEEDED)", "(RUNPATH)", "libraries of the system alone"},
             {&Elf::symbols, "__stack_chk_fail", "", "the stack protector"},
             {&Elf::symbols, "__glibcxx_assert_fail", "", "library assertions"},
#if defined(ROLLGUARD_RELEASE)
             {&Elf::symbols, "_chk@", "@", "fortification"},
#if defined(__x86_64__)
             {&Elf::notes, "IBT", "", "IBT"}, {&Elf::notes, "SHSTK", "", "SHSTK"},
#endif
#endif
       }) {
    INFO(row.lacks);
    Elf bad = good;
    bad.*row.where = ReplaceAll(bad.*row.where, row.from, row.to);
    const std::vector<std::string> missing = Missing(bad);
    CHECK(std::count(missing.begin(), missing.end(), row.lacks) >= 1);
  }
}

}  // namespace
}  // namespace rollguard::docs
