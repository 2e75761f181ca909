// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/packed.h"

#include <iterator>

#include "agent/base/random.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::kube {
namespace {

Json RandomJson(Random& random, int depth) {
  switch (random.Below(depth > 6 ? 6 : 9)) {
    case 0: return {};
    case 1: return Json(random.Chance(0.5));
    case 2: return Json(static_cast<int64_t>(random.Next()) >> random.Below(64));
    case 3: return Json(random.Normal() * 1e6);
    case 4: return Json(random.Chance(0.5) ? "apps/v1" : "RollingUpdate");
    case 5: return Json(std::string(random.Below(300), static_cast<char>('a' + random.Below(26))));
    case 6: {
      Json list = Json::Arr();
      for (uint64_t i = random.Below(6); i > 0; --i) list.Push(RandomJson(random, depth + 1));
      return list;
    }
    case 7: {
      static const char* const kTexts[] = {
          "14bf0269-4824-4091-a045-a5a7e60e1083", "2026-11-22T00:22:03Z",
          "2026-11-22T00:22:03.486Z", "shop/cart-candidate", "registry.example.com/shop/cart:1"};
      return Json(kTexts[random.Below(std::size(kTexts))]);
    }
    default: {
      Json object = Json::Obj();
      for (uint64_t i = random.Below(6); i > 0; --i) {
        object.Set(StrCat("k", random.Below(500)), RandomJson(random, depth + 1));
      }
      return object;
    }
  }
}

TEST_CASE("what is unpacked is what was packed") {
  Packer packer;
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    Json value = RandomJson(random, 0);
    CHECK(packer.Unpack(packer.Pack(value)).Dump() == value.Dump());
  }
  for (int64_t number : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{63}, int64_t{64}, INT64_MAX}) {
    CHECK(packer.Unpack(packer.Pack(Json(number))).IntOr(7) == number);
  }
}

TEST_CASE("texts that look like uids and times come back as they were") {
  for (const char* text : {"14bf0269-4824-4091-a045-a5a7e60e1083",
                           "14BF0269-4824-4091-a045-a5a7e60e1083",
                           "14bf0269-4824-4091-a045+a5a7e60e1083",
                           "14bf0269-4824-4091-a045-a5a7e60e108g",
                           "00000000-0000-0000-0000-000000000000",
                           "2026-11-22T00:22:03Z",
                           "2026-11-22T00:22:03.486Z",
                           "2026-11-22T00:22:03.000Z",
                           "2026-11-22T00:22:03.4861",
                           "1969-12-31T23:59:59Z",
                           "0000-01-01T00:00:00Z",
                           "9999-12-31T23:59:59Z",
                           "2026-02-30T00:00:00Z",
                           "2026-11-22t00:22:03Z",
                           "2026-11-22T24:00:00Z",
                           "2026-11-22T23:59:60Z",
                           "2026-11-22T00:22:03+00:0Z",
                           "",
                           "abc",
                           "abcd"}) {
    Packer packer;
    const Json twice = Json::Arr({text, text, Json::Obj({{text, text}})});
    CHECK(packer.Unpack(packer.Pack(twice)).Dump() == twice.Dump());
  }
}

TEST_CASE("a text counts once in an object, and hardly at all where every object has it") {
  Packer packer;
  const std::string name(40, 'n'), image(60, 'i');
  CHECK(packer.Pack(Json::Arr({name, name, name, name})).size() < 60);
  std::string last;
  for (int i = 0; i < 100; ++i) last = packer.Pack(Json::Arr({image, StrCat("object-", i)}));
  CHECK(last.size() < 20);
  CHECK(packer.Unpack(last) == Json::Arr({image, "object-99"}));
}

TEST_CASE("what single objects have is never learnt") {
  Packer packer;
  for (int i = 0; i < 20000; ++i) {
    const Json value = Json::Arr({StrCat("service-", i / 4), StrCat("pod-", i)});
    CHECK(packer.Unpack(packer.Pack(value)) == value);
  }
  CHECK(packer.dictionary_size() < 20);
}

// A soak: each revision of a few services, written again and again while it is released, was learnt
// and kept for ever.
TEST_CASE("what few objects have is forgotten with them, however often it is written") {
  Packer packer;
  packer.Holds(50);
  for (int i = 0; i < 100'000; ++i) (void)packer.Pack(Json::Arr({StrCat("revision-", i / 50)}));
  CHECK(packer.dictionary_size() < 70);
  packer.Holds(100'000);
  for (int i = 0; i < 100'000; ++i) (void)packer.Pack(Json::Arr({StrCat("image-", i / 50)}));
  CHECK(packer.dictionary_size() > 1900);
}

TEST_CASE("the dictionary does not grow without end") {
  Packer packer;
  for (int i = 0; i < 20000; ++i) {
    Json value = Json::Obj({{StrCat("key", i), i}});
    CHECK(packer.Unpack(packer.Pack(value)) == value);
  }
  CHECK(packer.dictionary_size() <= 8192);
}

TEST_CASE("bytes that were never packed do no harm") {
  Packer packer;
  Random random(3);
  std::string good = packer.Pack(*ParseJson(R"({"a":[1,"x",{"b":null}],"c":2.5,
    "d":["some text","some text","2026-11-22T00:22:03Z","14bf0269-4824-4091-a045-a5a7e60e1083"]})"));
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good.substr(0, random.Below(good.size() + 1));
    for (char& c : bad) {
      if (random.Chance(0.2)) c = static_cast<char>(random.Below(256));
    }
    (void)packer.Unpack(bad).Dump();
  }
  SUCCEED();
}

}  // namespace
}  // namespace rollguard::kube
