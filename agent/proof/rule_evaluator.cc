// SPDX-License-Identifier: Apache-2.0
#include "agent/proof/rule_evaluator.h"

#include <algorithm>
#include <set>

#include "agent/analysis/template_text.h"
#include "agent/base/text.h"

namespace rollguard::proof {
namespace {

using promql::Labels;
using promql::Millis;
using promql::Vector;

spec::StringMap MapOf(const Labels& labels) {
  spec::StringMap map;
  for (const promql::Label& label : labels) {
    map.emplace_back(std::string(label.name), std::string(label.value));
  }
  return map;
}

// As Prometheus shows a template that does not work.
std::string Render(const std::string& text, const analysis::TemplateData& data) {
  auto rendered = analysis::RenderTemplate(text, data);
  return rendered ? *rendered
                  : StrCat("<error expanding template: ", rendered.error().message, ">");
}

bool HasDuplicates(const Vector& samples) {
  std::set<std::string_view> seen;
  return std::any_of(samples.begin(), samples.end(), [&](const promql::Sample& sample) {
    return !seen.insert(sample.labels.packed()).second;
  });
}

}  // namespace

RuleEvaluator::RuleEvaluator(const std::vector<PromRuleGroup>& groups, promql::MemoryStore& store,
                             promql::EngineOptions options, spec::StringMap external_labels)
    : store_(store), options_(std::move(options)), external_labels_(std::move(external_labels)) {
  for (const PromRuleGroup& group : groups) {
    for (const PromRule& rule : group.rules) {
      Running& running = running_.emplace_back();
      running.group = &group;
      running.rule = &rule;
    }
  }
}

void RuleEvaluator::Evaluate(Time t) {
  for (Running& running : running_) EvaluateRule(running, ToUnixMillis(t));
}

void RuleEvaluator::EvaluateRule(Running& running, Millis t) {
  const PromRule& rule = *running.rule;
  auto value = promql::Engine(store_, options_).Instant(rule.query, FromUnixMillis(t));
  if (!value) return Fail(running, value.error().message);
  Vector result;
  if (auto* scalar = std::get_if<promql::Scalar>(&*value)) {
    result.push_back({Labels(), t, scalar->v});
  } else if (auto* vector = std::get_if<Vector>(&*value)) {
    result = std::move(*vector);
  }
  Vector written = rule.alert ? StepAlerts(running, result, t) : Record(rule, result);
  if (HasDuplicates(written)) {
    return Fail(running,
                rule.alert ? "vector contains metrics with the same labelset after applying alert "
                             "labels"
                           : "vector contains metrics with the same labelset after applying rule "
                             "labels");
  }
  Write(running, written, t);
}

Vector RuleEvaluator::Record(const PromRule& rule, const Vector& result) {
  Vector out;
  out.reserve(result.size());
  for (const promql::Sample& sample : result) {
    Labels labels = sample.labels.With(promql::kMetricName, rule.name);
    for (const auto& [name, value] : rule.labels) labels = labels.With(name, value);
    out.push_back({std::move(labels), sample.t, sample.v});
  }
  return out;
}

FiringAlert RuleEvaluator::MakeAlert(const PromRule& rule, const promql::Sample& sample) const {
  analysis::TemplateData data;
  data.value = sample.v;
  data.labels = MapOf(sample.labels);
  data.external_labels = external_labels_;
  FiringAlert alert;
  alert.value = sample.v;
  alert.labels = sample.labels.WithoutName();
  for (const auto& [name, text] : rule.labels) {
    alert.labels = alert.labels.With(name, Render(text, data));
  }
  alert.labels = alert.labels.With("alertname", rule.name);
  for (const auto& [name, text] : rule.annotations) {
    alert.annotations.emplace_back(name, Render(text, data));
  }
  return alert;
}

bool RuleEvaluator::KeepsFiring(const PromRule& rule, Active& active, Millis t) {
  if (!active.firing || rule.keep_firing_for.count() == 0) return false;
  if (!active.keep_since) active.keep_since = t;
  return t - *active.keep_since < rule.keep_firing_for.count();
}

Vector RuleEvaluator::StepAlerts(Running& running, const Vector& result, Millis t) {
  const PromRule& rule = *running.rule;
  std::set<Labels> now;
  for (const promql::Sample& sample : result) {
    FiringAlert alert = MakeAlert(rule, sample);
    if (!now.insert(alert.labels).second) {
      Fail(running, "vector contains metrics with the same labelset after applying alert labels");
      continue;
    }
    auto [it, fresh] = running.active.try_emplace(alert.labels);
    Active& active = it->second;
    if (fresh) active.since = t;
    active.alert = std::move(alert);
  }
  Vector out;
  for (auto it = running.active.begin(); it != running.active.end();) {
    Active& active = it->second;
    if (!now.contains(it->first) && !KeepsFiring(rule, active, t)) {
      it = running.active.erase(it);
      continue;
    }
    if (now.contains(it->first)) active.keep_since.reset();
    if (!active.firing && t - active.since >= rule.hold.count()) active.firing = true;
    Labels labels = active.alert.labels.With(promql::kMetricName, "ALERTS");
    out.push_back({labels.With("alertstate", active.firing ? "firing" : "pending"), t, 1});
    out.push_back({labels.With(promql::kMetricName, "ALERTS_FOR_STATE"), t,
                   static_cast<double>(active.since / 1000)});
    ++it;
  }
  return out;
}

void RuleEvaluator::Write(Running& running, const Vector& samples, Millis t) {
  for (auto& [labels, seen] : running.written) seen = false;
  for (const promql::Sample& sample : samples) {
    running.written[sample.labels] = true;
    // A sample that an input series has at the same time stands; Prometheus would drop ours too.
    (void)store_.Append(sample.labels, t, sample.v).ok();
  }
  std::erase_if(running.written, [&](const auto& entry) {
    if (entry.second) return false;
    (void)store_.Append(entry.first, t, promql::StaleMarker()).ok();
    return true;
  });
}

void RuleEvaluator::Fail(const Running& running, const std::string& message) {
  std::string text = StrCat(running.group->file, ":", running.rule->span.line, ": rule ",
                            Quote(running.rule->name), ": ", message);
  if (std::find(errors_.begin(), errors_.end(), text) == errors_.end()) {
    errors_.push_back(std::move(text));
  }
}

std::vector<FiringAlert> RuleEvaluator::Firing(std::string_view alert,
                                               std::string_view group) const {
  std::vector<FiringAlert> out;
  for (const Running& running : running_) {
    if (!running.rule->alert || running.rule->name != alert) continue;
    if (!group.empty() && running.group->name != group) continue;
    for (const auto& [labels, active] : running.active) {
      if (active.firing) out.push_back(active.alert);
    }
  }
  return out;
}

std::vector<const PromRule*> RuleEvaluator::Find(std::string_view alert) const {
  std::vector<const PromRule*> out;
  for (const Running& running : running_) {
    if (running.rule->alert && running.rule->name == alert) out.push_back(running.rule);
  }
  return out;
}

}  // namespace rollguard::proof
