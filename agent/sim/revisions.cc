// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/revisions.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

int Type(const ApiServer& api) { return api.TypeId("apps", "controllerrevisions"); }

std::vector<ObjectPtr> Revisions(const ApiServer& api, const Json& owner) {
  std::vector<ObjectPtr> all = api.Controlled(UidOf(owner), Type(api));
  std::sort(all.begin(), all.end(), [](const ObjectPtr& a, const ObjectPtr& b) {
    return a->At("revision").IntOr(0) < b->At("revision").IntOr(0);
  });
  return all;
}

}  // namespace

TemplateRevision SyncRevision(ApiServer& api, const Json& owner) {
  const Json& tmpl = owner.At("spec", "template");
  std::vector<ObjectPtr> all = Revisions(api, owner);
  int64_t next = all.empty() ? 1 : all.back()->At("revision").IntOr(0) + 1;
  std::string hash = TemplateHash(tmpl, owner.At("status", "collisionCount").IntOr(0));
  std::string name = StrCat(NameOf(owner), "-", hash);
  for (const ObjectPtr& known : all) {
    if (NameOf(*known) != name) continue;
    if (known != all.back())
      api.Update(ApiServer::KeyOf(Type(api), *known), [&](Json& o) { o.Set("revision", next); });
    return {name, hash};
  }
  Json data = tmpl;
  data.Set("$patch", "replace");
  Json labels = Meta(tmpl).At("labels");
  labels.Set("controller-revision-hash", hash);
  Json revision =
      Json::Obj({{"metadata", Json::Obj({{"name", name},
                                         {"namespace", NamespaceOf(owner)},
                                         {"labels", std::move(labels)},
                                         {"ownerReferences", Json::Arr({ControllerRef(owner)})}})},
                 {"data", Json::Obj({{"spec", Json::Obj({{"template", std::move(data)}})}})},
                 {"revision", next}});
  api.Create(Type(api), std::move(revision));
  return {name, hash};
}

Json RevisionTemplate(const ApiServer& api, std::string_view ns, std::string_view name) {
  ObjectPtr revision = api.Get("apps", "controllerrevisions", ns, name);
  if (!revision) return {};
  Json tmpl = revision->At("data", "spec", "template");
  tmpl.Erase("$patch");
  return tmpl;
}

void TrimRevisions(ApiServer& api, const Json& owner, const std::vector<std::string>& used) {
  std::vector<ObjectPtr> all = Revisions(api, owner);
  std::erase_if(all, [&](const ObjectPtr& r) {
    return std::find(used.begin(), used.end(), NameOf(*r)) != used.end();
  });
  int64_t excess =
      static_cast<int64_t>(all.size()) - owner.At("spec", "revisionHistoryLimit").IntOr(10);
  for (size_t i = 0; static_cast<int64_t>(i) < excess; ++i)
    api.Delete(ApiServer::KeyOf(Type(api), *all[i]));
}

}  // namespace rollguard::sim
