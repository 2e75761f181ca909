// SPDX-License-Identifier: Apache-2.0
// What is remembered of templates does not grow with the releases there were.
#include "agent/base/text.h"
#include "agent/release/observe.h"
#include "tests/support/catch.h"

namespace rollguard::release {
namespace {

Json Workload(const std::string& uid, int64_t generation, const std::string& image) {
  return Json::Obj(
      {{"metadata", Json::Obj({{"uid", uid}, {"generation", generation}})},
       {"spec", Json::Obj({{"template", Json::Obj({{"spec", Json::Obj({{"image", image}})}})}})}});
}

TEST_CASE("revisions: a generation is hashed once") {
  RevisionCache cache;
  const std::string first = cache.Of(Workload("u1", 1, "web:1"));
  CHECK(first == RevisionOf(Workload("", 0, "web:1").At("spec", "template")));
  // Nobody can change a template and keep the generation: what is given then is what was
  // remembered.
  CHECK(cache.Of(Workload("u1", 1, "web:2")) == first);
  CHECK(cache.Of(Workload("u1", 2, "web:2")) != first);
  CHECK(cache.Of(Workload("u2", 1, "web:1")) == first);
  // An older view of it.
  CHECK(cache.Of(Workload("u1", 1, "web:1")) == first);
}

TEST_CASE("revisions: one is remembered of each object, none of those that are gone") {
  RevisionCache cache;
  for (int64_t generation = 1; generation <= 1'000; ++generation) {
    (void)cache.Of(Workload("deployment", generation, StrCat("web:", generation)));
    (void)cache.Of(Workload(StrCat("replicaset-", generation), 1, StrCat("web:", generation)));
    if (generation > 10) cache.Forget(StrCat("replicaset-", generation - 10));
  }
  CHECK(cache.size() == 11);
}

TEST_CASE("revisions: what has no uid or no generation is hashed each time") {
  RevisionCache cache;
  Json revision =
      Json::Obj({{"metadata", Json::Obj({{"uid", "u1"}})}, {"data", Workload("", 0, "web:1")}});
  const std::string first = cache.Of(revision);
  revision.Set("data", Workload("", 0, "web:2"));
  CHECK(cache.Of(revision) != first);
  const std::string nameless = cache.Of(Workload("", 1, "web:1"));
  CHECK(cache.Of(Workload("", 1, "web:2")) != nameless);
  CHECK(cache.size() <= 1);
}

}  // namespace
}  // namespace rollguard::release
