// SPDX-License-Identifier: Apache-2.0
#include "agent/app/guard_index.h"

#include <map>
#include <set>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

std::set<std::string> Concerned(const GuardIndex& index, const std::string& key) {
  std::set<std::string> guards;
  index.ForEach(key, [&](const std::string& guard) { CHECK(guards.insert(guard).second); });
  return guards;
}

TEST_CASE("a guard is found by its keys, by no others, and once for each") {
  GuardIndex index;
  index.Put("shop/cart", {"Service shop/cart", "Deployment shop/cart", "Service shop/cart"});
  index.Put("shop/pay", {"Service shop/cart"});
  CHECK(Concerned(index, "Service shop/cart") == std::set<std::string>{"shop/cart", "shop/pay"});
  CHECK(Concerned(index, "Deployment shop/cart") == std::set<std::string>{"shop/cart"});
  CHECK(Concerned(index, "Service shop/other").empty());

  index.Put("shop/cart", {"Deployment shop/cart", "Service shop/other"});
  CHECK(Concerned(index, "Service shop/cart") == std::set<std::string>{"shop/pay"});
  CHECK(Concerned(index, "Service shop/other") == std::set<std::string>{"shop/cart"});
  index.Put("shop/pay", {});
  CHECK(Concerned(index, "Service shop/cart").empty());
  CHECK(index.guards() == 1);
}

TEST_CASE("the index says what a plain map says, whatever is put into it") {
  Random random(7);
  GuardIndex index;
  std::map<std::string, std::set<std::string>> plain;  // guard -> keys
  for (int i = 0; i < 2000; ++i) {
    const std::string guard = StrCat("g", random.Below(40));
    std::vector<std::string> keys;
    for (uint64_t n = random.Below(5); n > 0; --n) keys.push_back(StrCat("k", random.Below(30)));
    index.Put(guard, keys);
    plain[guard] = {keys.begin(), keys.end()};
    const std::string key = StrCat("k", random.Below(30));
    std::set<std::string> want;
    for (const auto& [name, its] : plain) {
      if (its.contains(key)) want.insert(name);
    }
    REQUIRE(Concerned(index, key) == want);
  }
}

}  // namespace
}  // namespace rollguard::app
