// SPDX-License-Identifier: Apache-2.0
#include "agent/base/tidy.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard {

TEST_CASE("long numbers in sentences are read at a glance; names and queries stay", "[tidy]") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row rows[] = {
      {"", ""},
      {"HighErrorRate: 0.0523412341234 > 0.01 for 5m", "HighErrorRate: 0.05234 > 0.01 for 5m"},
      {"confidence 0.8612345, at 20 %", "confidence 0.8612, at 20 %"},
      {"(1234.567891)", "(1235)"},
      {"-0.123456789", "-0.1235"},
      {"it is 0.123456.", "it is 0.1235."},
      {"p=1.23456789e-07", "p=1.235e-07"},
      {"0.1234", "0.1234"},
      {"version 1.2.34567 of v0.123456", "version 1.2.34567 of v0.123456"},
      {"10.0.123456.1:8080", "10.0.123456.1:8080"},
      {"app-0.123456-x", "app-0.123456-x"},
      {"0.123456x", "0.123456x"},
      {"1.", "1."},
      {"0.12345", "0.1235"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    CHECK(TidyNumbers(row.text) == row.want);
    CHECK(TidyNumbers(TidyNumbers(row.text)) == row.want);
  }
}

}  // namespace rollguard
