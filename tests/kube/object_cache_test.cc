// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/object_cache.h"

#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

using Seen = ObjectCache::Seen;

Json Object(const std::string& ns, const std::string& name, const std::string& version) {
  return Json::Obj(
      {{"metadata", Json::Obj({{"namespace", ns}, {"name", name}, {"resourceVersion", version}})},
       {"spec", Json::Obj({{"version", version}})}});
}

std::string Names(const ObjectCache& cache, std::string_view ns) {
  std::string names;
  cache.ForEach(ns, [&](const Json& object) {
    names += StrCat(object.At("metadata", "namespace").Str(), "/",
                    object.At("metadata", "name").Str(), " ");
  });
  return names;
}

TEST_CASE("object cache: what is put is new, changed or the same") {
  ObjectCache cache;
  Json before;
  CHECK(cache.Put(Object("shop", "a", "1"), 1, &before) == Seen::kNew);
  CHECK(before.is_null());
  CHECK(cache.Put(Object("shop", "a", "1"), 2, &before) == Seen::kSame);
  CHECK(before.is_null());
  CHECK(cache.Put(Object("shop", "a", "2"), 2, &before) == Seen::kChanged);
  CHECK(before.At("spec", "version").Str() == "1");
  CHECK(cache.VersionOf("shop", "a") == "2");
  CHECK(cache.VersionOf("shop", "b").empty());
  // Without a version nobody can say that it is the same.
  CHECK(cache.Put(Object("shop", "c", ""), 2, nullptr) == Seen::kNew);
  CHECK(cache.Put(Object("shop", "c", ""), 2, nullptr) == Seen::kChanged);
  CHECK(cache.Put(Object("shop", "", "1"), 2, nullptr) == Seen::kSame);
  CHECK(cache.size() == 2);
}

TEST_CASE("object cache: a list tells what it has not seen") {
  ObjectCache cache;
  cache.Put(Object("shop", "a", "1"), 1, nullptr);
  cache.Put(Object("shop", "b", "1"), 1, nullptr);
  cache.Put(Object("shop", "a", "1"), 2, nullptr);
  const auto unseen = cache.NotSeenBy(2);
  REQUIRE(unseen.size() == 1);
  CHECK(unseen[0].name == "b");
}

TEST_CASE("object cache: objects are visited in order, of one namespace or of all") {
  ObjectCache cache;
  for (const char* name : {"b", "a"}) {
    cache.Put(Object("shop", name, "1"), 1, nullptr);
    cache.Put(Object("shop-2", name, "1"), 1, nullptr);
    cache.Put(Object("", name, "1"), 1, nullptr);
  }
  CHECK(Names(cache, "") == "/a /b shop/a shop/b shop-2/a shop-2/b ");
  CHECK(Names(cache, "shop") == "shop/a shop/b ");
  CHECK(cache.Keys().size() == 6);
}

TEST_CASE("object cache: what is removed is handed over, and its memory is given back") {
  ObjectCache cache;
  Json last;
  CHECK_FALSE(cache.Remove("shop", "a", &last));
  cache.Put(Object("shop", "a", "1"), 1, nullptr);
  CHECK(cache.bytes() > 0);
  CHECK(cache.Remove("shop", "a", &last));
  CHECK(last == Object("shop", "a", "1"));
  CHECK(cache.bytes() == 0);
  CHECK_FALSE(cache.Get("shop", "a", &last));
}

}  // namespace
}  // namespace rollguard::kube
