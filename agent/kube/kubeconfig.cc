// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/kubeconfig.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/files.h"

namespace rollguard::kube {
namespace {

// Entries of one list. As in kubectl the first file that names an entry wins.
void Collect(const std::string& file, const yaml::Node& root, const char* list, const char* inner,
             std::vector<KubeconfigEntry>& into, Diagnostics& diagnostics) {
  const yaml::Node* items = root.Find(list);
  if (items == nullptr || items->is_null()) return;
  if (!items->is_sequence()) {
    diagnostics.Error(file, items->span, StrCat(list, " must be a list"));
    return;
  }
  for (const yaml::Node& item : items->items) {
    const yaml::Node* name = item.Find("name");
    const yaml::Node* body = item.Find(inner);
    if (name == nullptr || !name->is_scalar()) {
      diagnostics.Error(file, item.span, StrCat("an entry of ", list, " has no name"));
    } else if (body != nullptr && !body->is_mapping() && !body->is_null()) {
      diagnostics.Error(file, body->span, StrCat(inner, " must be a mapping"));
    } else if (Kubeconfig::Find(into, name->text) == nullptr) {
      into.push_back({name->text, file, body});
    }
  }
}

void CollectFile(const std::string& file, const yaml::Node& root, Kubeconfig& config,
                 Diagnostics& diagnostics) {
  if (!root.is_mapping()) {
    diagnostics.Error(file, root.span, "a kubeconfig must be a mapping (kind: Config)");
    return;
  }
  const yaml::Node* kind = root.Find("kind");
  if (kind != nullptr && kind->is_scalar() && kind->text != "Config") {
    diagnostics.Error(file, kind->span,
                      StrCat("this is a ", Quote(kind->text), ", not a kubeconfig (kind: Config)"));
    return;
  }
  Collect(file, root, "clusters", "cluster", config.clusters, diagnostics);
  Collect(file, root, "contexts", "context", config.contexts, diagnostics);
  Collect(file, root, "users", "user", config.users, diagnostics);
  const yaml::Node* current = root.Find("current-context");
  if (current != nullptr && current->is_scalar() && config.current_context.empty()) {
    config.current_context = current->text;
  }
}

}  // namespace

const KubeconfigEntry* Kubeconfig::Find(const std::vector<KubeconfigEntry>& entries,
                                        std::string_view name) {
  auto found = std::find_if(entries.begin(), entries.end(),
                            [&](const KubeconfigEntry& entry) { return entry.name == name; });
  return found != entries.end() ? &*found : nullptr;
}

Error ToError(const Diagnostics& diagnostics) {
  std::string message;
  for (const Diagnostic& d : diagnostics.Sorted()) {
    if (d.severity != Severity::kError) continue;
    if (!message.empty()) message += '\n';
    message += d.file;
    if (d.span.line > 0) message += StrCat(":", d.span.line, ":", d.span.column);
    message += StrCat(": ", d.message);
  }
  return {ErrorCode::kInvalid, std::move(message)};
}

Expected<Kubeconfig> ReadKubeconfig(const std::vector<std::string>& files) {
  Kubeconfig config;
  Diagnostics diagnostics;
  config.trees.reserve(files.size());  // entries point into the trees
  for (const std::string& file : files) {
    Expected<std::string> text = ReadSmallFile(file);
    if (!text.ok()) {
      if (text.error().code == ErrorCode::kNotFound && files.size() > 1) continue;
      return Error(text.error().code, StrCat("kubeconfig: ", text.error().message));
    }
    std::vector<yaml::Node> documents = yaml::Parse(file, *text, diagnostics);
    if (diagnostics.has_errors()) continue;
    if (documents.size() != 1) {
      diagnostics.Error(file, {},
                        documents.empty() ? "this kubeconfig is empty"
                                          : "a kubeconfig must be one YAML document");
      continue;
    }
    config.files.push_back(file);
    config.trees.push_back(std::move(documents[0]));
    CollectFile(file, config.trees.back(), config, diagnostics);
  }
  if (diagnostics.has_errors()) return ToError(diagnostics);
  if (config.files.empty()) {
    return Error(ErrorCode::kNotFound,
                 StrCat("kubeconfig: none of these files exists: ", Join(files, ", ")));
  }
  return config;
}

const yaml::Node* KubeconfigReader::Node(std::string_view key) const {
  const yaml::Node* found = node_ != nullptr ? node_->Find(key) : nullptr;
  return found != nullptr && !found->is_null() ? found : nullptr;
}

void KubeconfigReader::Problem(std::string_view key, std::string message) const {
  SourceSpan span = node_ != nullptr ? node_->span : SourceSpan{};
  if (const yaml::Node* found = Node(key)) span = found->span;
  diagnostics_.Error(entry_.file, span, StrCat(key, " of ", Quote(entry_.name), ": ", message));
}

std::string KubeconfigReader::String(std::string_view key) const {
  const yaml::Node* found = Node(key);
  if (found == nullptr) return {};
  if (found->is_scalar()) return found->text;
  Problem(key, "a text is wanted here");
  return {};
}

bool KubeconfigReader::Bool(std::string_view key) const {
  const yaml::Node* found = Node(key);
  if (found == nullptr) return false;
  std::optional<bool> value = found->AsBool();
  if (!value) Problem(key, "true or false is wanted here");
  return value.value_or(false);
}

std::vector<std::string> KubeconfigReader::Strings(std::string_view key) const {
  std::vector<std::string> out;
  const yaml::Node* found = Node(key);
  if (found == nullptr) return out;
  for (const yaml::Node& item : found->items) {
    if (item.is_scalar()) out.push_back(item.text);
  }
  if (!found->is_sequence() || out.size() != found->items.size()) {
    Problem(key, "a list of texts is wanted here");
  }
  return out;
}

std::string KubeconfigReader::Resolve(const std::string& path) const {
  if (path.empty() || path.starts_with('/')) return path;
  size_t slash = entry_.file.rfind('/');
  return slash == std::string::npos ? path : entry_.file.substr(0, slash + 1) + path;
}

std::string KubeconfigReader::DataOrFile(const std::string& key, std::string* path) const {
  std::string data_key = StrCat(key, "-data");
  if (std::string data = String(data_key); !data.empty()) {
    std::erase_if(data, [](char c) { return c == '\n' || c == ' ' || c == '\r'; });
    if (std::optional<std::string> decoded = Base64Decode(data)) return *decoded;
    Problem(data_key, "this is not base64");
    return {};
  }
  std::string file = Resolve(String(key));
  if (file.empty()) return {};
  *path = file;
  Expected<std::string> text = ReadSmallFile(file);
  if (text.ok()) return *text;
  Problem(key, text.error().message);
  return {};
}

}  // namespace rollguard::kube
