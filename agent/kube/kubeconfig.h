// SPDX-License-Identifier: Apache-2.0
// The text of kubeconfig files: parsed, merged, and looked up by name, with positions for what is
// wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/diagnostic.h"
#include "agent/base/expected.h"
#include "agent/yaml/yaml.h"

namespace rollguard::kube {

// One named entry of `clusters`, `contexts` or `users`.
struct KubeconfigEntry {
  std::string name;
  std::string file;
  const yaml::Node* body = nullptr;  // the mapping under "cluster", "context" or "user"
};

// Keeps the trees that its entries point into.
struct Kubeconfig {
  std::vector<std::string> files;  // those that exist
  std::vector<yaml::Node> trees;
  std::vector<KubeconfigEntry> clusters;
  std::vector<KubeconfigEntry> contexts;
  std::vector<KubeconfigEntry> users;
  std::string current_context;

  static const KubeconfigEntry* Find(const std::vector<KubeconfigEntry>& entries,
                                     std::string_view name);
};

// All problems in one error, one "file:line:col: message" a line.
Expected<Kubeconfig> ReadKubeconfig(const std::vector<std::string>& files);

// Typed reading of one entry's members. Problems go to `diagnostics`.
class KubeconfigReader {
 public:
  KubeconfigReader(const KubeconfigEntry& entry, const yaml::Node* node, Diagnostics& diagnostics)
      : entry_(entry), node_(node), diagnostics_(diagnostics) {}

  std::string String(std::string_view key) const;
  bool Bool(std::string_view key) const;
  std::vector<std::string> Strings(std::string_view key) const;
  const yaml::Node* Node(std::string_view key) const;
  void Problem(std::string_view key, std::string message) const;

  // The text of KEY-data (base64) when given, else what the file KEY names holds (relative to the
  // kubeconfig's folder); `*path` is set in the second case.
  std::string DataOrFile(const std::string& key, std::string* path) const;
  std::string Resolve(const std::string& path) const;

 private:
  const KubeconfigEntry& entry_;
  const yaml::Node* node_;
  Diagnostics& diagnostics_;
};

// "file:line:col: message", one a line.
Error ToError(const Diagnostics& diagnostics);

}  // namespace rollguard::kube
