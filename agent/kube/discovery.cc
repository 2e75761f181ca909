// SPDX-License-Identifier: Apache-2.0
// Two kinds of documents: /apis (groups with their versions and the preferred one) and
// /apis/GROUP/VERSION (the kinds of one version). Answers of 404 are remembered too.
#include "agent/kube/discovery.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(15);

using Kinds = std::vector<ServedKind>;
using KindsDone = std::function<void(Expected<Kinds>)>;

std::string GroupPath(const std::string& group, const std::string& version) {
  return group.empty() ? StrCat("/api/", version) : StrCat("/apis/", group, "/", version);
}

Kinds ParseKinds(const std::string& group, const std::string& version, const Json& list) {
  Kinds kinds;
  for (const Json& item : list.At("resources").items()) {
    std::string plural = item.At("name").Str();
    size_t slash = plural.find('/');
    if (slash != std::string::npos) {
      for (ServedKind& kind : kinds) {
        if (kind.type.plural == plural.substr(0, slash)) {
          kind.subresources.push_back(plural.substr(slash + 1));
        }
      }
      continue;
    }
    ServedKind kind;
    kind.type = {group, version, plural, item.At("kind").Str(), item.At("namespaced").BoolOr(true)};
    for (const Json& verb : item.At("verbs").items()) kind.verbs.push_back(verb.Str());
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

// The group's versions, the preferred one first; empty when the group is not served.
std::vector<std::string> ParseVersions(const std::string& group, const Json& groups) {
  std::vector<std::string> versions;
  for (const Json& item : groups.At("groups").items()) {
    if (item.At("name").Str() != group) continue;
    versions.push_back(item.At("preferredVersion", "version").Str());
    for (const Json& version : item.At("versions").items()) {
      std::string name = version.At("version").Str();
      if (name != versions[0]) versions.push_back(std::move(name));
    }
  }
  return versions;
}

const ServedKind* FindKind(const Kinds& kinds, const ResourceType& wanted) {
  for (const ServedKind& kind : kinds) {
    if (wanted.kind.empty() ? kind.type.plural == wanted.plural : kind.type.kind == wanted.kind) {
      return &kind;
    }
  }
  return nullptr;
}

Error NotServed(const ResourceType& wanted) {
  return {ErrorCode::kNotFound,
          StrCat("the server has no ", wanted.kind.empty() ? wanted.plural : wanted.kind, " in ",
                 wanted.group.empty() ? std::string("the core group") : Quote(wanted.group),
                 "; is its CustomResourceDefinition installed?")};
}

}  // namespace

struct Discovery::State : std::enable_shared_from_this<Discovery::State> {
  State(KubeClient& c, const Clock& k, Duration d) : client(c), clock(k), keep(d) {}

  struct Known {
    Json document;  // null: the server has none
    std::chrono::nanoseconds at;
  };

  void Fetch(const std::string& path, std::function<void(Expected<Json>)> done) {
    {
      std::unique_lock lock(mutex);
      auto found = known.find(path);
      if (found != known.end() && clock.Monotonic() < found->second.at + keep) {
        Json document = found->second.document;
        lock.unlock();
        done(std::move(document));
        return;
      }
    }
    auto self = shared_from_this();
    client.Raw(path, kTimeout, [self, path, done](Expected<std::string> text) {
      if (!text.ok() && text.error().code != ErrorCode::kNotFound) {
        done(text.error());
        return;
      }
      Expected<Json> document = text.ok() ? ParseJson(*text) : Expected<Json>(Json());
      if (!document.ok()) {
        done(Error(ErrorCode::kUnavailable, StrCat("get ", path, ": ", document.error().message)));
        return;
      }
      std::unique_lock lock(self->mutex);
      self->known[path] = {*document, self->clock.Monotonic()};
      lock.unlock();
      done(std::move(document));
    });
  }

  void FetchKinds(const std::string& group, const std::string& version, KindsDone done) {
    Fetch(GroupPath(group, version), [group, version, done](Expected<Json> document) {
      if (!document.ok()) {
        done(document.error());
      } else {
        done(ParseKinds(group, version, *document));
      }
    });
  }

  // Tries the versions one after the other.
  void TryVersions(ResourceType wanted, std::vector<std::string> versions, size_t at,
                   std::function<void(Expected<ServedKind>)> done) {
    if (at >= versions.size()) {
      done(NotServed(wanted));
      return;
    }
    auto self = shared_from_this();
    FetchKinds(wanted.group, versions[at], [=](Expected<Kinds> kinds) {
      if (!kinds.ok()) {
        done(kinds.error());
      } else if (const ServedKind* kind = FindKind(*kinds, wanted)) {
        done(*kind);
      } else {
        self->TryVersions(wanted, versions, at + 1, done);
      }
    });
  }

  void Resolve(ResourceType wanted, std::function<void(Expected<ServedKind>)> done) {
    if (wanted.group.empty()) {
      TryVersions(wanted, {wanted.version.empty() ? std::string("v1") : wanted.version}, 0, done);
      return;
    }
    auto self = shared_from_this();
    Fetch("/apis", [=](Expected<Json> groups) {
      if (!groups.ok()) {
        done(groups.error());
        return;
      }
      std::vector<std::string> versions = ParseVersions(wanted.group, *groups);
      auto asked = std::find(versions.begin(), versions.end(), wanted.version);
      if (asked != versions.end()) std::rotate(versions.begin(), asked, asked + 1);
      self->TryVersions(wanted, std::move(versions), 0, done);
    });
  }

  KubeClient& client;
  const Clock& clock;
  const Duration keep;
  std::mutex mutex;
  std::map<std::string, Known> known;  // by path
};

Discovery::Discovery(KubeClient& client, const Clock& clock, Duration keep)
    : state_(std::make_shared<State>(client, clock, keep)) {}

void Discovery::Resolve(ResourceType wanted, std::function<void(Expected<ServedKind>)> done) {
  state_->Resolve(std::move(wanted), std::move(done));
}

void Discovery::Forget() {
  std::lock_guard lock(state_->mutex);
  state_->known.clear();
}

}  // namespace rollguard::kube
