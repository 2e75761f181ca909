// SPDX-License-Identifier: Apache-2.0
#include "agent/analysis/template_file.h"

#include <algorithm>

namespace rollguard::analysis {
namespace {

bool IsIncluded(const spec::Library& library, const spec::AnalysisTemplate& t) {
  return std::any_of(
      library.templates.begin(), library.templates.end(), [&](const spec::AnalysisTemplate& other) {
        return std::any_of(
            other.templates.begin(), other.templates.end(), [&](const spec::TemplateRef& ref) {
              return ref.name == t.metadata.name && ref.cluster_scope == t.cluster_scope;
            });
      });
}

spec::TemplateRef RefTo(const spec::AnalysisTemplate& t) {
  spec::TemplateRef ref;
  ref.name = t.metadata.name;
  ref.cluster_scope = t.cluster_scope;
  return ref;
}

}  // namespace

std::vector<spec::TemplateRef> RootTemplates(const spec::Library& library, std::string_view name) {
  std::vector<spec::TemplateRef> roots;
  for (const spec::AnalysisTemplate& t : library.templates) {
    if (name.empty() ? !IsIncluded(library, t) : t.metadata.name == name) roots.push_back(RefTo(t));
  }
  if (roots.empty() && name.empty() && !library.templates.empty())
    roots.push_back(RefTo(library.templates[0]));
  return roots;
}

RunOptions OfflineOptions(const spec::Library& library, std::string_view name,
                          const std::vector<std::pair<std::string, std::string>>& args) {
  RunOptions options;
  options.templates = RootTemplates(library, name);
  for (const auto& [key, value] : args) {
    spec::ArgumentValue arg;
    arg.name = key;
    arg.value = value;
    options.args.push_back(std::move(arg));
  }
  options.find = [&library](std::string_view wanted,
                            bool cluster_scope) -> const spec::AnalysisTemplate* {
    for (const spec::AnalysisTemplate& t : library.templates) {
      if (t.metadata.name == wanted && t.cluster_scope == cluster_scope) return &t;
    }
    return nullptr;
  };
  return options;
}

}  // namespace rollguard::analysis
