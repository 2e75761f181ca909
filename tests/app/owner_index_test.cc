// SPDX-License-Identifier: Apache-2.0
#include "agent/app/owner_index.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::app {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("owner index: names by their owner, and by what made their owner", "[owners]") {
  OwnerIndex index;
  index.Put("shop", "cart", "cart-7f9c");
  index.Put("shop", "cart-7f9c", "cart-7f9c-b");
  index.Put("shop", "cart-7f9c", "cart-7f9c-a");
  index.Put("shop", "cart-7f9c", "cart-7f9c-a");  // told again
  index.Put("shop", "cart-888", "cart-888-x");
  index.Put("shop", "cart-db-999", "cart-db-999-y");  // of the workload cart-db
  index.Put("shop", "cart2-111", "cart2-111-z");
  index.Put("shop2", "cart-7f9c", "cart-7f9c-c");
  CHECK(index.OwnedBy("shop", "cart") == Names{"cart-7f9c"});
  CHECK(index.OwnedBy("shop", "cart-7f9c") == Names{"cart-7f9c-a", "cart-7f9c-b"});
  CHECK(index.OwnedBy("shop", "cart-7").empty());
  CHECK(index.OwnedBelow("shop", "cart") == Names{"cart-7f9c-a", "cart-7f9c-b", "cart-888-x"});
  CHECK(index.OwnedBelow("shop", "cart-db") == Names{"cart-db-999-y"});
  CHECK(index.OwnedBelow("shop2", "cart") == Names{"cart-7f9c-c"});
  CHECK(index.OwnedBelow("shop", "car").empty());
  index.Remove("shop", "cart-7f9c", "cart-7f9c-a");
  index.Remove("shop", "cart-7f9c", "never there");
  CHECK(index.OwnedBelow("shop", "cart") == Names{"cart-7f9c-b", "cart-888-x"});
}

}  // namespace
}  // namespace rollguard::app
