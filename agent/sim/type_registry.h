// SPDX-License-Identifier: Apache-2.0
// The kinds of objects the simulated API server serves: built in, or added by CRD objects.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/json.h"
#include "agent/ports/cluster.h"

namespace rollguard::sim {

// A column of `kubectl get`.
struct TypeColumn {
  std::string name;
  std::string path;  // dotted, e.g. "status.readyReplicas"; with a dot first as CRDs write it
  std::string type = "string";
  int priority = 0;
};

// One kind with all versions it is served in. Objects are stored once, whatever version they were
// written in, and read back in the version asked for (the apiVersion changes, nothing else).
struct TypeInfo {
  int id = 0;
  ResourceType type;                  // preferred version
  std::vector<std::string> versions;  // preferred first
  std::string singular;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;
  bool has_status = true;        // a status subresource
  bool has_generation = true;    // metadata.generation counts changes of the spec
  bool custom = false;           // from a CRD
  bool graceful_delete = false;  // pods: deletion waits for the kubelet
  // Scale subresource: dotted paths; empty: none.
  std::string scale_spec, scale_status, scale_selector;
  std::vector<TypeColumn> columns;
  Json schema;  // custom: the openAPIV3Schema of the preferred version

  bool Serves(std::string_view version) const;
};

class TypeRegistry {
 public:
  TypeRegistry();  // with the built-in kinds

  const TypeInfo* Find(std::string_view group, std::string_view plural) const;
  const TypeInfo* FindKind(std::string_view group, std::string_view kind) const;
  const TypeInfo* Get(int id) const { return &types_[static_cast<size_t>(id)]; }

  // Registers a custom type (status subresource and generation as a CRD with `status` has them).
  const TypeInfo& Add(const ResourceType& type);
  // Registers or updates the type that a CustomResourceDefinition describes.
  const TypeInfo& AddFromCrd(const Json& crd);
  void Remove(std::string_view group, std::string_view plural);

  // Registered types by group, then plural.
  std::vector<const TypeInfo*> All() const;

 private:
  TypeInfo& Insert(TypeInfo info);

  std::deque<TypeInfo> types_;  // stable addresses; ids are indexes and are never reused
  std::map<std::pair<std::string, std::string>, int, std::less<>> by_plural_;
};

}  // namespace rollguard::sim
