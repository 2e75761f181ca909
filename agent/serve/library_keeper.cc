// SPDX-License-Identifier: Apache-2.0
#include "agent/serve/library_keeper.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::serve {
namespace {

std::string FolderOf(const std::string& file) {
  size_t slash = file.rfind('/');
  return slash == std::string::npos ? std::string() : file.substr(0, slash);
}

}  // namespace

LibraryKeeper::LibraryKeeper(Ground& ground, std::function<void(spec::Library)> swap)
    : ground_(ground), swap_(std::move(swap)), base_(FolderOf(ground.options.config_file)) {
  ground.metrics.OnExpose([this] {
    const LibraryHealth health = Health();
    telemetry::Metrics& metrics = ground_.metrics;
    using enum telemetry::Metric;
    metrics.CounterOf(kConfigReloads, {"ok"}).RaiseTo(static_cast<double>(health.reloads));
    metrics.CounterOf(kConfigReloads, {"refused"}).RaiseTo(static_cast<double>(health.failures));
    metrics.GaugeOf(kConfigReloadOk).Set(health.problem.empty());
    if (health.loaded) {
      metrics.GaugeOf(kConfigReloadTime)
          .Set(static_cast<double>(ToUnixMillis(*health.loaded)) / 1000);
    }
  });
}

// References are held against the whole only when objects of the cluster are known too; from files
// alone a missing one proves nothing.
Expected<spec::Library> LibraryKeeper::Assemble(const RuleTexts& texts,
                                                const ObjectSnapshot& objects,
                                                std::string& warnings) const {
  FileLibrary files = ParseRuleTexts(texts);
  for (const Json& object : objects.objects)
    spec::LoadObject(object, files.library, files.problems);
  spec::CheckLibrary(files.library, false, files.problems);
  std::string rendered = RenderProblems(files.problems, texts.texts);
  if (files.problems.has_errors()) return Error(ErrorCode::kInvalid, rendered);
  warnings = std::move(rendered);
  return std::move(files.library);
}

void LibraryKeeper::Use(spec::Library library, const RuleTexts& texts, std::string problem) {
  {
    std::lock_guard lock(mutex_);
    health_.problem = std::move(problem);
    health_.loaded = ground_.clock.Now();
    health_.files = texts.texts.size();
    health_.groups = library.groups.size();
    health_.templates = library.templates.size();
    health_.policies = library.policies.size();
    health_.strategies = library.strategies.size();
    ++health_.reloads;
    ground_.log.Info("library in use", {{"files", health_.files},
                                        {"groups", health_.groups},
                                        {"templates", health_.templates},
                                        {"policies", health_.policies}});
  }
  swap_(std::move(library));
}

Status LibraryKeeper::LoadFirst() {
  std::lock_guard loading(loading_);
  RuleTexts texts = ReadRuleTexts(ground_.config.rules, base_);
  std::string warnings;
  auto library = Assemble(texts, {}, warnings);
  if (!library) return library.error();
  if (!warnings.empty()) ground_.log.Warn("the rule files", {{"warnings", warnings}});
  tried_ = texts.Fingerprint();
  Use(std::move(*library), texts, {});
  return {};
}

void LibraryKeeper::SetObjects(ObjectSnapshot objects) {
  std::lock_guard lock(mutex_);
  objects_ = std::move(objects);
  ++objects_version_;
}

void LibraryKeeper::Check() {
  std::lock_guard loading(loading_);
  ObjectSnapshot objects;
  uint64_t version = 0;
  {
    std::lock_guard lock(mutex_);
    objects = objects_;
    version = objects_version_;
  }
  RuleTexts texts = ReadRuleTexts(ground_.config.rules, base_);
  uint64_t fingerprint = texts.Fingerprint() + version * 0x9e3779b97f4a7c15ULL;
  if (tried_ == fingerprint) return;
  tried_ = fingerprint;
  std::string warnings;
  auto library = Assemble(texts, objects, warnings);
  if (library) {
    Use(std::move(*library), texts, Join(objects.problems, "; "));
    return;
  }
  ground_.log.Error("the library was not loaded; the old one stays in use",
                    {{"problems", library.error().message}});
  std::lock_guard lock(mutex_);
  health_.problem = library.error().message;
  ++health_.failures;
}

LibraryHealth LibraryKeeper::Health() const {
  std::lock_guard lock(mutex_);
  return health_;
}

}  // namespace rollguard::serve
