// SPDX-License-Identifier: Apache-2.0
// Rules and templates that live in the cluster: RollbackRules, analysis templates, policies and
// strategies, each kind where its CRD is installed (asked again now and then). An object that
// cannot be used keeps its last good version and is named as a problem. Belongs to the deciding
// thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/base/random.h"
#include "agent/kube/informer.h"
#include "agent/serve/ground.h"

namespace rollguard::serve {

// One moment's content: good objects, and what is wrong with the others.
struct ObjectSnapshot {
  std::vector<Json> objects;
  std::vector<std::string> problems;
};

class ObjectLibrary {
 public:
  // `changed` runs a moment after something changed, once for however much it was; and once when
  // everything was listed for the first time.
  ObjectLibrary(Ground& ground, std::function<void(const ObjectSnapshot&)> changed);
  ~ObjectLibrary();

  void Start();
  // Each kind has been listed or is known not to be there.
  bool Complete() const;
  // What is waited for, for people; empty when complete.
  std::string Waiting() const;

 private:
  struct Kind {
    ResourceType type;
    std::unique_ptr<kube::Informer> informer;
    bool settled = false;
    std::string trouble;
  };
  struct Held {
    Json good;  // null: never was
    std::string problem;
  };

  void Discover(size_t kind);
  void Discovered(size_t kind, const Expected<kube::ServedKind>& served);
  void Watch(size_t kind, const ResourceType& type);
  void OnUpsert(const Json& object);
  void OnDeleted(const Json& object);
  void Settle(size_t kind);
  void TellSoon();
  ObjectSnapshot Snapshot() const;

  Ground& ground_;
  std::function<void(const ObjectSnapshot&)> changed_;
  std::vector<Kind> kinds_;
  std::map<std::string, Held> held_;  // "Kind ns/name"
  TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace rollguard::serve
