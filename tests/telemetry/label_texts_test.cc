// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/label_texts.h"

#include "tests/support/catch.h"

namespace rollguard::telemetry {
namespace {

TEST_CASE("a text of labels is kept once, as long as a series has it") {
  LabelTexts texts;
  const std::string* first = texts.Take("guard=\"cart\"");
  CHECK(texts.Take("guard=\"cart\"") == first);
  CHECK(*texts.Take("") == "");
  CHECK(texts.size() == 2);
  texts.Drop(first);
  CHECK(texts.size() == 2);
  CHECK(*first == "guard=\"cart\"");
  texts.Drop(first);
  CHECK(texts.size() == 1);
}

}  // namespace
}  // namespace rollguard::telemetry
