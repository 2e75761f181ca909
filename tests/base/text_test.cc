// SPDX-License-Identifier: Apache-2.0
#include "agent/base/text.h"

#include "agent/base/diagnostic.h"
#include "agent/base/hash.h"
#include "agent/base/random.h"
#include "tests/support/catch.h"

namespace rollguard {

TEST_CASE("a diagnostic shows where, what and what to do", "[base][diagnostic]") {
  Diagnostics found;
  std::string message = "unknown function \"rat\"" + Suggestion("rat", {"rate", "sum", "delta"});
  found.Error("rules/checkout.yaml", {2, 18, 3}, message);
  found.Error("rules/checkout.yaml", {1, 1, 1}, "first");
  auto sorted = found.Sorted();
  REQUIRE(sorted.size() == 2);
  CHECK(sorted[0].message == "first");
  CHECK(Render(sorted[1], "a:\n      expr: sum(rat(http_requests_total[5m]))\n") ==
        "rules/checkout.yaml:2:18: error: unknown function \"rat\" (did you mean \"rate\"?)\n"
        "    2 |       expr: sum(rat(http_requests_total[5m]))\n"
        "      |                  ^~~\n");
}

TEST_CASE("hashes agree with published values", "[base][hash]") {
  CHECK(Sha256Hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Sha256Hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(ShortHash("abc") == ShortHash("abc"));
  CHECK(ShortHash("abc") != ShortHash("abd"));
  CHECK(ShortHash("abc", 10).size() == 10);
}

TEST_CASE("text helpers", "[base][text]") {
  CHECK(Quote("a\"b\n\x01\xff") == "\"a\\\"b\\n\\x01\\xff\"");
  CHECK(FormatNumber(0.1) == "0.1");
  CHECK(FormatNumber(1e21) == "1e+21");
  CHECK(FormatNumber(100) == "100");
  CHECK(Abbreviate("h\xC3\xA9llo", 2) == "h...");
  CHECK(DidYouMean("promtoe", std::vector<std::string_view>{"promote", "pause"}) == "promote");
  CHECK_FALSE(DidYouMean("zzz", std::vector<std::string_view>{"promote", "pause"}));
  CHECK(Base64Encode("any carnal pleas") == "YW55IGNhcm5hbCBwbGVhcw==");
  CHECK(Base64Decode("YW55IGNhcm5hbCBwbGVhcw") == "any carnal pleas");
  CHECK_FALSE(Base64Decode("%%").has_value());
  CHECK(IsValidUtf8("\xF0\x9F\x98\x80"));
  CHECK_FALSE(IsValidUtf8("\xED\xA0\x80"));
}

TEST_CASE("a seed gives the same numbers everywhere", "[base][random]") {
  Random a(7), b(7), c(8);
  CHECK(a.Next() == b.Next());
  CHECK(a.Next() != c.Next());
  double sum = 0;
  for (int i = 0; i < 1000; ++i) sum += a.Normal();
  CHECK(std::abs(sum / 1000) < 0.2);
  CHECK(a.Below(0) == 0);
}

}  // namespace rollguard
