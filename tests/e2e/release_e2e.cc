// SPDX-License-Identifier: Apache-2.0
// Every strategy with every router on a real API server, at once, by one agent: a good version and
// a bad one, what the routes hold on the way, what is left behind, and how it is given back.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/kube/resources.h"
#include "tests/e2e/support/fleet.h"
#include "tests/e2e/support/route_tape.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

// An autoscaler needs metrics that this cluster does not have. $ROLLGUARD_E2E_SETUPS: only those
// with this in their name.
bool Runs(const simulation::Setup& setup) {
  const char* only = std::getenv("ROLLGUARD_E2E_SETUPS");
  return setup.max_replicas == 0 && (only == nullptr || setup.name.find(only) != std::string::npos);
}

std::vector<const simulation::Setup*> Chosen() {
  std::vector<const simulation::Setup*> chosen;
  for (const auto* setups : {&simulation::Setups(), &simulation::FurtherSetups()}) {
    for (const simulation::Setup& setup : *setups) {
      if (Runs(setup)) chosen.push_back(&setup);
    }
  }
  return chosen;
}

// What the agent wrote in the member's namespace, for whoever looks for the cause.
std::string WritesOf(Fleet& fleet, const Member& member) {
  std::string text;
  for (const ApiProxy::Write& write : fleet.proxy().writes()) {
    if (write.path.find(StrCat("/", member.ns, "/")) != std::string::npos &&
        write.path.find("/guards/") == std::string::npos)
      text += StrCat(write.method, " ", write.path, " ", write.status, " ", write.body, "\n");
  }
  return text;
}

// Of these the whole way of the routes is held against a file.
const std::set<std::string> kTaped = {"canary istio subsets", "canary gateway", "canary nginx",
                                      "canary generic", "canary gateway second Deployment"};

std::vector<ResourceType> RouteTypes(const simulation::Setup& setup) {
  auto types = setup.types;
  types.push_back(kube::resources::Ingresses());
  return types;
}

// The member's objects as they are now must be what they were, for its owner wrote them, whatever
// the server added; and there is no other of their kinds.
std::string Changed(Fleet& fleet, const Member& member) {
  std::string out;
  std::vector<ResourceType> types = RouteTypes(*member.setup);
  types.push_back(kube::resources::Deployments());
  types.push_back(kube::resources::Services());
  for (const ResourceType& type : types) {
    for (const Json& object : fleet.cluster().List(type, member.ns)) {
      const std::string key = StrCat(type.kind, "/", object.At("metadata", "name").Str());
      // NGINX' second Ingress carries production while the second Deployment does.
      if (!member.before.contains(key) && !member.swaps()) out += StrCat(key, " is left\n");
    }
  }
  for (const auto& [key, before] : member.before) {
    if (before.At("kind").Str() == member.setup->kind) continue;
    Json now = fleet.Current(member, before);
    if (now.At("spec").Canonical() != before.At("spec").Canonical())
      out += StrCat(key, " spec was ", before.At("spec").Canonical(), "\n  is ",
                    now.At("spec").Canonical(), "\n");
    if (now.At("metadata", "annotations").Canonical() !=
        before.At("metadata", "annotations").Canonical())
      out += StrCat(key, " annotations are ", now.At("metadata", "annotations").Canonical(), "\n");
  }
  return out;
}

// Whatever happens on the way, what belongs to nobody but the owner stays as it was.
std::string ForeignChanged(Fleet& fleet, const Member& member) {
  std::string out;
  for (const simulation::Setup::Foreign& foreign : member.setup->foreign) {
    auto before = member.before.find(foreign.object);
    if (before == member.before.end()) continue;
    const Json now = fleet.Current(member, before->second);
    const Json* was = ResolvePointer(before->second, foreign.pointer);
    const Json* is = ResolvePointer(now, foreign.pointer);
    const std::string a = was ? was->Canonical() : "absent", b = is ? is->Canonical() : "absent";
    if (a != b) out += StrCat(foreign.object, foreign.pointer, " was ", a, " is ", b, "\n");
  }
  return out;
}

std::string TemplateImage(const Json& workload) {
  return workload.At("spec", "template", "spec", "containers").At(size_t{0}).At("image").Str();
}

bool OnlyImage(Fleet& fleet, const Member& member, const std::string& version) {
  auto images = fleet.Images(member);
  return !images.empty() && std::all_of(images.begin(), images.end(), [&](const std::string& i) {
    return i == simulation::ImageOf(version);
  });
}

bool IsStatusWrite(const ApiProxy::Write& write) {
  return write.path.find("/guards/") != std::string::npos;
}

bool Scales(const ApiProxy::Write& write) {
  return write.path.find("/deployments") != std::string::npos ||
         write.path.find("/replicasets") != std::string::npos;
}

void HoldAgainstGolden(const Member& member, const std::string& text) {
  const std::string path =
      StrCat(ROLLGUARD_SOURCE_DIR, "/tests/e2e/golden/",
             ReplaceAll(ReplaceAll(member.setup->name, " ", "-"), "/", "-"), ".txt");
  if (const char* update = std::getenv("UPDATE_GOLDEN"); update && *update == '1') {
    std::FILE* file = std::fopen(path.c_str(), "w");
    REQUIRE(file != nullptr);
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  INFO(path);
  CHECK(text == ReadFile(path));
}

TEST_CASE("every strategy and router, good and bad versions, on the real API server") {
  Fleet fleet;
  std::map<std::string, std::unique_ptr<RouteTape>> tapes;
  for (const simulation::Setup* setup : Chosen()) {
    Member& member = fleet.Add(setup->name);
    if (kTaped.contains(setup->name))
      tapes[setup->name] =
          std::make_unique<RouteTape>(fleet.cluster(), member.ns, RouteTypes(*setup));
  }
  REQUIRE(fleet.StartAgent());
  std::map<std::string, std::string> reached;  // by setup: what it came through
  std::set<std::string> lost;
  auto all = [&](const char* what, const std::function<bool(const Member&)>& holds) {
    // Who fell behind is waited for no more.
    const std::string missing = fleet.AwaitAll(
        [&](const Member& m) { return lost.contains(m.setup->name) || holds(m); }, minutes(2));
    INFO(what);
    CHECK(missing == "");
    for (const auto& member : fleet.members()) {
      const std::string& name = member->setup->name;
      if (StrCat("\n", missing).find(StrCat("\n", name, ": ")) != std::string::npos)
        lost.insert(name);
      if (!lost.contains(name)) reached[name] += StrCat(reached[name].empty() ? "" : ", ", what);
    }
  };
  auto each = [&](const std::function<void(const Member&)>& act) {
    for (const auto& member : fleet.members()) act(*member);
  };

  each([&](const Member& m) {
    Status made = fleet.PutGuard(m, false);
    INFO(m.setup->name << (made ? "" : made.error().message));
    CHECK(made.ok());
  });
  all("taken over", [&](const Member& m) { return fleet.AtRest(m, ""); });
  each([&](const Member& m) {
    INFO(m.setup->name);
    CHECK(Changed(fleet, m) == "");  // at rest everything is as its owner wrote it
  });

  each([&](const Member& m) { fleet.SetVersion(m, "v2"); });
  all("v2 promoted", [&](const Member& m) { return fleet.AtRest(m, "promoted"); });
  all("alone", [&](const Member& m) { return OnlyImage(fleet, m, "v2"); });
  each([&](const Member& m) {
    INFO(m.setup->name);
    const std::string changed = m.swaps() ? "" : Changed(fleet, m);
    INFO((changed.empty() ? "" : WritesOf(fleet, m)));
    CHECK(changed == "");
    if (!m.swaps()) CHECK(ForeignChanged(fleet, m) == "");
  });

  each([&](const Member& m) {
    CHECK(fleet.PutGuard(m, true).ok());
    fleet.SetVersion(m, "v3");
  });
  all("v3 judged", [&](const Member& m) { return fleet.Waits(m); });
  each([&](const Member& m) {
    INFO(m.setup->name);
    // A route of ours with matches of its own stands before the owner's: theirs move on by one.
    const bool moves = m.setup->strategy.find("match:") != std::string::npos;
    if (!moves) CHECK(ForeignChanged(fleet, m) == "");
  });
  const size_t writes_before = fleet.proxy().writes().size();
  each([&](const Member& m) {
    PlainAnswer answer = fleet.PostAlert(m);
    INFO(m.setup->name << ": " << answer.body);
    CHECK(answer.status == 200);
  });
  all("v3 taken back", [&](const Member& m) { return fleet.AtRest(m, "rolledBack"); });
  all("v2 alone", [&](const Member& m) { return OnlyImage(fleet, m, "v2"); });
  each([&](const Member& m) {
    INFO(m.setup->name);
    if (!m.swaps()) CHECK(Changed(fleet, m) == "");
    CHECK(ForeignChanged(fleet, m) == "");
    // The first of two Deployments is the candidate by now: both kinds keep what was rejected.
    if (m.held())
      CHECK(TemplateImage(fleet.Workload(m)) ==
            simulation::ImageOf(m.setup->rolling() ? "v2" : "v3"));
  });

  // With a router, the first thing after the decision is the one patch that takes traffic away.
  const std::vector<ApiProxy::Write> writes = fleet.proxy().writes();
  each([&](const Member& m) {
    if (m.setup->replica_ratio()) return;
    INFO(m.setup->name);
    std::string first;
    for (size_t i = writes_before; i < writes.size() && first.empty(); ++i) {
      if (writes[i].path.find(m.ns) == std::string::npos || IsStatusWrite(writes[i])) continue;
      first = StrCat(writes[i].method, " ", writes[i].path);
      CHECK_FALSE(Scales(writes[i]));
    }
    CHECK(first.starts_with("PATCH "));
  });
  each([&](const Member& m) {
    if (auto tape = tapes.find(m.setup->name); tape != tapes.end())
      HoldAgainstGolden(m, tape->second->Text());
  });

  // Applied again nothing happens, and the rejected revision still starts no pod.
  fleet.proxy().Reset();
  each([&](const Member& m) {
    if (m.held() && !m.setup->rolling()) fleet.SetVersion(m, "v3");
    (void)fleet.cluster().Patch(
        kube::resources::Guards(), m.ns, "checkout",
        Json::Obj({{"metadata", Json::Obj({{"labels", Json::Obj({{"seen", "again"}})}})}}));
  });
  // The agent has looked again when a later change of the last guard shows in its numbers.
  auto looks = [&] {
    const std::string page = Ask(fleet.agent().port(), "GET", "/metrics").body;
    const size_t at = page.find("\nrollguard_looks_total ");
    return at == std::string::npos ? -1.0 : std::atof(page.c_str() + at + 23);
  };
  const double looked = looks();
  CHECK(looked >= 0);
  PollUntil([&] { return looks() >= looked + 5; }, seconds(10));
  for (const ApiProxy::Write& write : fleet.proxy().writes())
    CHECK(StrCat(write.method, " ", write.path, " ", write.body) == "");
  all("applied again", [&](const Member& m) { return OnlyImage(fleet, m, "v2"); });

  // Two Deployments change roles once more: then the routes are as at first.
  each([&](const Member& m) {
    if (!m.swaps()) return;
    CHECK(fleet.PostAlertAbout(m.ns + "/checkout", "Broken", true).status == 200);
    CHECK(fleet.PutGuard(m, false).ok());
    fleet.SetVersion(m, "v4");
  });
  all("swapped back", [&](const Member& m) {
    return !m.swaps() || (fleet.AtRest(m, "promoted") && OnlyImage(fleet, m, "v4"));
  });

  each([&](const Member& m) {
    CHECK(fleet.cluster().Delete(kube::resources::Guards(), m.ns, "checkout").ok());
  });
  all("given back", [&](const Member& m) {
    return fleet.cluster().Get(kube::resources::Guards(), m.ns, "checkout").is_null();
  });
  each([&](const Member& m) {
    INFO(m.setup->name);
    const Json workload = fleet.Workload(m);
    CHECK_FALSE(workload.At("spec", "paused").BoolOr(false));
    for (const auto& [key, value] : workload.At("metadata", "annotations").members())
      CHECK_FALSE(key.starts_with("rollguard.dev/"));
    CHECK(ForeignChanged(fleet, m) == "");
    CHECK(Changed(fleet, m) == "");
  });
  std::printf("what ran on the real API server:\n");
  for (const auto& [name, ways] : reached) std::printf("  %-36s %s\n", name.c_str(), ways.c_str());
}

}  // namespace
}  // namespace rollguard::testing
