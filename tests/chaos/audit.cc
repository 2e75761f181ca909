// SPDX-License-Identifier: Apache-2.0
#include "tests/chaos/audit.h"

#include <algorithm>
#include <fstream>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rollguard::chaos {
namespace {

struct Event {
  int64_t version = 0;
  std::string resource;
  std::string ns;
  std::string user;
  Json told;  // what is looked at of the object
};

// Of a Guard where it stands, of a route its shares.
Json Extract(const std::string& resource, const Json& object) {
  if (resource != "guards") return object.At("spec", "http").At(size_t{0}).At("route");
  const Json& status = object.At("status");
  return Json::Obj({{"owner", status.At("owner")},
                    {"phase", status.At("phase")},
                    {"release", status.At("release", "id")}});
}

// One guarded service as the writes tell it, in order.
class Story {
 public:
  explicit Story(std::string ns, AuditReport& report) : ns_(std::move(ns)), report_(report) {}

  void OnGuard(const Event& event) {
    OnOwner(event.told.At("owner"), event);
    const std::string phase = event.told.At("phase").Str();
    const std::string release = event.told.At("release").Str();
    const bool back = phase == "RollingBack";
    if (release != release_) going_back_ = false;
    if (back && !(was_back_ && release == release_)) {
      const int times = ++report_.rollbacks[StrCat(ns_, " ", release)];
      if (times > 1) Broken(event, StrCat("release ", release, " went back ", times, " times"));
      if (ns_.starts_with("good"))
        Broken(event, StrCat("the good release ", release, " went back"));
    }
    if (back) going_back_ = true;
    was_back_ = back;
    release_ = release;
  }

  void OnRoute(const Event& event) {
    int64_t sum = 0, candidate = 0;
    const Json& route = event.told;
    if (event.user.starts_with("agent-") && event.user != owner_)
      Broken(event, StrCat("the route was written by ", event.user, ", the owner is ", owner_));
    for (const Json& to : route.items()) {
      const int64_t weight = to.At("weight").IntOr(route.size() == 1 ? 100 : 0);
      sum += weight;
      if (to.At("destination", "subset").Str() != "stable") candidate += weight;
    }
    if (sum != 100) Broken(event, StrCat("the shares sum to ", sum));
    if (going_back_ && candidate > share_)
      Broken(event, StrCat("traffic of ", release_, " grew from ", share_, " to ", candidate,
                           " after it had begun to go back"));
    share_ = candidate;
  }

 private:
  void OnOwner(const Json& owner, const Event& event) {
    if (owner.is_null()) return;
    const int64_t epoch = owner.At("epoch").IntOr(-1);
    if (epoch < epoch_)
      Broken(event,
             StrCat("epoch ", epoch, " of ", owner.At("replica").Str(), " after epoch ", epoch_));
    epoch_ = epoch;
    owner_ = owner.At("replica").Str();
  }

  void Broken(const Event& event, const std::string& what) {
    report_.violations.push_back(StrCat(ns_, " at version ", event.version, ": ", what));
  }

  std::string ns_;
  AuditReport& report_;
  std::string release_;
  bool was_back_ = false;
  bool going_back_ = false;
  int64_t share_ = 0;
  int64_t epoch_ = -1;
  std::string owner_;
};

}  // namespace

AuditReport CheckAudit(const std::string& file) {
  AuditReport report;
  std::vector<Event> events;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    auto event = ParseJson(line);
    if (!event || event->At("stage").Str() != "ResponseComplete") continue;
    const int64_t code = event->At("responseStatus", "code").IntOr(0);
    if (code == 409) ++report.refused;
    const Json& object = event->At("responseObject");
    if (code < 200 || code > 299 || object.At("metadata").is_null()) continue;
    auto version = ParseInt(object.At("metadata", "resourceVersion").Str());
    if (!version) continue;
    const std::string resource = event->At("objectRef", "resource").Str();
    events.push_back({*version, resource, event->At("objectRef", "namespace").Str(),
                      event->At("user", "username").Str(), Extract(resource, object)});
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.version < b.version; });
  std::map<std::string, Story> stories;
  for (const Event& event : events) {
    ++report.writes;
    Story& story = stories.try_emplace(event.ns, event.ns, report).first->second;
    if (event.resource == "guards") story.OnGuard(event);
    if (event.resource == "virtualservices") story.OnRoute(event);
  }
  return report;
}

}  // namespace rollguard::chaos
