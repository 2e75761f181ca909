// SPDX-License-Identifier: Apache-2.0
// Watches: order, resume, selectors, bookmarks, compaction.
#include "agent/base/text.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"

namespace rollguard::conformance {
namespace {

using Lines = std::vector<std::string>;

std::string Now(const Space& space, const ResourceType& type) {
  const Expected<Json> list = space.List(type);
  REQUIRE(list.ok());
  return VersionOf(list.value());
}

TEST_CASE("a watch from a list's version tells every later change, in order") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("before"));
  const Recorder watch(WatchFrom(space, ConfigMaps(), Now(space, ConfigMaps())));
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  space.MustCreate(ConfigMaps(), ConfigMap("b"));
  REQUIRE(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");
  REQUIRE(watch.WaitFor(4));
  CHECK(watch.Lines() == Lines{"ADDED a", "MODIFIED a", "ADDED b", "DELETED a"});
  int64_t last = 0;
  for (const Recorder::Event& event : watch.Events()) {
    const int64_t version = ParseInt(VersionOf(event.object)).value_or(0);
    CHECK(version > last);
    last = version;
  }
  CHECK(watch.Events()[3].object.At("data", "key").Str() == "2");
}

TEST_CASE("a watch without a version begins with what is there") {
  const Space space;
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  space.MustCreate(ConfigMaps(), ConfigMap("b"));
  const Recorder watch(WatchFrom(space, ConfigMaps(), ""));
  REQUIRE(watch.WaitFor(2));
  space.MustCreate(ConfigMaps(), ConfigMap("c"));
  REQUIRE(watch.WaitFor(3));
  CHECK(watch.Lines()[2] == "ADDED c");
}

TEST_CASE("a watch resumes after the version it saw last, and misses nothing") {
  const Space space;
  const std::string start = Now(space, ConfigMaps());
  std::string middle;
  {
    const Recorder watch(WatchFrom(space, ConfigMaps(), start));
    space.MustCreate(ConfigMaps(), ConfigMap("a"));
    REQUIRE(watch.WaitFor(1));
    middle = VersionOf(watch.Events()[0].object);
  }
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  REQUIRE(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");
  const Recorder resumed(WatchFrom(space, ConfigMaps(), middle));
  REQUIRE(resumed.WaitFor(2));
  CHECK(resumed.Lines() == Lines{"MODIFIED a", "DELETED a"});
}

TEST_CASE("two watches of one thing tell the same") {
  const Space space;
  const std::string start = Now(space, ConfigMaps());
  const Recorder one(WatchFrom(space, ConfigMaps(), start));
  const Recorder two(WatchFrom(space, ConfigMaps(), start));
  for (const char* name : {"a", "b", "c"}) space.MustCreate(ConfigMaps(), ConfigMap(name));
  REQUIRE(one.WaitFor(3));
  REQUIRE(two.WaitFor(3));
  CHECK(one.Lines() == two.Lines());
}

TEST_CASE("under a selector, entering is ADDED and leaving is DELETED") {
  const Space space;
  WatchRequest request = WatchFrom(space, ConfigMaps(), Now(space, ConfigMaps()));
  request.label_selector = "in=yes";
  const Recorder watch(request);
  space.MustCreate(ConfigMaps(), ConfigMap("a"));  // not selected
  const auto label = [&](const char* value) {
    space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge,
                    J(StrCat("{'metadata': {'labels': {'in': ", value, "}}}")));
  };
  label("'yes'");
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  label("'no'");
  label("'yes'");
  label("null");
  REQUIRE(watch.WaitFor(5));
  CHECK(watch.Lines() == Lines{"ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"});
}

TEST_CASE("a watch of one name hears of no other") {
  const Space space;
  WatchRequest request = WatchFrom(space, ConfigMaps(), Now(space, ConfigMaps()));
  request.field_selector = "metadata.name=b";
  const Recorder watch(request);
  for (const char* name : {"a", "b", "c"}) space.MustCreate(ConfigMaps(), ConfigMap(name));
  space.MustPatch(ConfigMaps(), "b", PatchKind::kMerge, J("{'data': {'key': '2'}}"));
  REQUIRE(watch.WaitFor(2));
  CHECK(watch.Lines() == Lines{"ADDED b", "MODIFIED b"});
}

TEST_CASE("a watch of a namespace hears of no other, one of all hears of both") {
  const Space one;
  const Space two;
  const std::string start = Now(one, ConfigMaps());
  const Recorder narrow(WatchFrom(one, ConfigMaps(), start));
  WatchRequest all = WatchFrom(one, ConfigMaps(), start);
  all.ns.clear();
  all.label_selector = "span=" + one.name();
  const Recorder wide(all);
  Json body = ConfigMap("a");
  body["metadata"]["labels"]["span"] = one.name();
  two.MustCreate(ConfigMaps(), body);
  one.MustCreate(ConfigMaps(), body);
  REQUIRE(wide.WaitFor(2));
  REQUIRE(narrow.WaitFor(1));
  CHECK(narrow.Events()[0].object.At("metadata", "namespace").Str() == one.name());
}

TEST_CASE("a finalized deletion is MODIFIED first and DELETED at last") {
  const Space space;
  Json body = ConfigMap("a");
  body["metadata"]["finalizers"] = Json::Arr({"rollguard.test/hold"});
  space.MustCreate(ConfigMaps(), body);
  const Recorder watch(WatchFrom(space, ConfigMaps(), Now(space, ConfigMaps())));
  REQUIRE(Outcome(space.Delete(ConfigMaps(), "a")) == "ok");
  space.MustPatch(ConfigMaps(), "a", PatchKind::kMerge, J("{'metadata': {'finalizers': null}}"));
  REQUIRE(watch.WaitFor(2));
  CHECK(watch.Lines().front() == "MODIFIED a");
  CHECK(watch.Lines().back() == "DELETED a");
}

TEST_CASE("a watch ends normally at its timeout, after a bookmark") {
  const Space space;
  space.MustCreate(Secrets(), J("{'metadata': {'name': 'a'}}"));
  WatchRequest request = WatchFrom(space, Secrets(), Now(space, Secrets()));
  request.timeout = std::chrono::seconds(6);
  const Recorder watch(request);
  space.MustCreate(Secrets(), J("{'metadata': {'name': 'b'}}"));  // news to mark
  REQUIRE(watch.WaitClosed());
  CHECK(watch.Closed() == "ok");
  CHECK(watch.SawBookmark());
}

TEST_CASE("a cancelled watch says nothing more") {
  const Space space;
  std::string start = Now(space, ConfigMaps());
  { const Recorder watch(WatchFrom(space, ConfigMaps(), start)); }
  const Recorder other(WatchFrom(space, ConfigMaps(), start));
  space.MustCreate(ConfigMaps(), ConfigMap("a"));
  CHECK(other.WaitFor(1));
}

TEST_CASE("after a compaction an old version is gone; a new list and watch see what comes") {
  const Space space;
  const std::string old = Now(space, Leases());
  const auto lease = [&](const char* name) {
    space.MustCreate(Leases(), J(StrCat("{'metadata': {'name': '", name, "'}}")));
  };
  lease("a");
  lease("b");
  if (!TheApi().ForgetHistory()) {
    WARN("this server cannot be asked to compact its history");
    return;
  }
  const Recorder stale(WatchFrom(space, Leases(), old));
  REQUIRE(stale.WaitClosed());
  CHECK(stale.Closed() == "gone");
  CHECK(stale.Events().empty());
  CHECK(space.Items(Leases()).size() == 2);
  const Recorder fresh(WatchFrom(space, Leases(), Now(space, Leases())));
  lease("c");
  REQUIRE(fresh.WaitFor(1));
  CHECK(fresh.Lines() == Lines{"ADDED c"});
}

TEST_CASE("a watch that was open before a compaction goes on") {
  const Space space;
  const Recorder watch(WatchFrom(space, Leases(), Now(space, Leases())));
  space.MustCreate(Leases(), J("{'metadata': {'name': 'a'}}"));
  REQUIRE(watch.WaitFor(1));
  (void)TheApi().ForgetHistory();
  space.MustCreate(Leases(), J("{'metadata': {'name': 'b'}}"));
  REQUIRE(watch.WaitFor(2));
  CHECK(watch.Lines() == Lines{"ADDED a", "ADDED b"});
}

TEST_CASE("a watch that nobody may open is refused") {
  const Space space;
  const Recorder watch(WatchFrom(space, Type("rollguard.test", "v1", "nothings", "Nothing"), ""));
  REQUIRE(watch.WaitClosed());
  CHECK(watch.Closed() == "not found");
}

}  // namespace
}  // namespace rollguard::conformance
