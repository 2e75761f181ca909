// SPDX-License-Identifier: Apache-2.0
#include "agent/base/boxed.h"

#include <string>

#include "tests/support/catch.h"

namespace rollguard {
namespace {

struct Large {
  std::string name;
  char room[1000] = {};
};

TEST_CASE("boxed: absent until it is given a value, and small then", "[boxed]") {
  Boxed<Large> none;
  CHECK_FALSE(none.has_value());
  CHECK_FALSE(none);
  CHECK(sizeof none == sizeof(void*));
  Boxed<Large> one = Large{.name = "cart"};
  REQUIRE(one);
  CHECK(one->name == "cart");
  one.emplace().name = "till";
  CHECK((*one).name == "till");
  one.reset();
  CHECK_FALSE(one);
  one = Large{.name = "cart"};
  one = std::nullopt;
  CHECK_FALSE(one);
}

TEST_CASE("boxed: copies are deep, a move leaves nothing behind", "[boxed]") {
  Boxed<Large> a = Large{.name = "cart"};
  Boxed<Large> b = a;
  b->name = "till";
  CHECK(a->name == "cart");
  b = a;
  CHECK(b->name == "cart");
  b = *&b;
  CHECK(b->name == "cart");
  const Boxed<Large> c = std::move(b);
  CHECK(c->name == "cart");
  CHECK_FALSE(b);  // NOLINT(bugprone-use-after-move)
  a = Boxed<Large>();
  CHECK_FALSE(a);
}

}  // namespace
}  // namespace rollguard
