// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/behaviour.h"

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

constexpr std::string_view kAnnotation = "sim.rollguard.dev/behaviour";

using Setter = Status (*)(RevisionBehaviour&, const Json&);

template <auto Member>
Status SetBool(RevisionBehaviour& b, const Json& v) {
  if (!v.is_bool()) return Error(ErrorCode::kInvalid, "true or false is expected");
  b.*Member = v.BoolOr(false);
  return {};
}

template <auto Member>
Status SetNumber(RevisionBehaviour& b, const Json& v) {
  if (!v.is_number() || v.DoubleOr(0) < 0)
    return Error(ErrorCode::kInvalid, "a number of at least 0 is expected");
  b.*Member = v.DoubleOr(0);
  return {};
}

template <auto Member>
Status SetDuration(RevisionBehaviour& b, const Json& v) {
  auto d = ParseGoDuration(Text(v));
  if (!d) return d.error();
  b.*Member = *d;
  return {};
}

using B = RevisionBehaviour;
constexpr std::pair<std::string_view, Setter> kSetters[] = {
    {"readyAfter", SetDuration<&B::ready_after>},
    {"readyJitter", SetDuration<&B::ready_jitter>},
    {"neverReady", SetBool<&B::never_ready>},
    {"imagePullFails", SetBool<&B::image_pull_fails>},
    {"crashAfter", SetDuration<&B::crash_after>},
    {"drain", SetDuration<&B::drain>},
    {"terminateAfter", SetDuration<&B::terminate_after>},
    {"errorRatio", SetNumber<&B::error_ratio>},
    {"latency", SetDuration<&B::latency>},
    {"latencySpread", SetNumber<&B::latency_spread>},
    {"capacity", SetNumber<&B::capacity>},
    {"cpuMillisPerRequest", SetNumber<&B::cpu_millis_per_request>},
    {"jobRuns", SetDuration<&B::job_runs>},
    {"jobFails", SetBool<&B::job_fails>},
};

}  // namespace

Expected<RevisionBehaviour> RevisionBehaviour::FromJson(const Json& json,
                                                        const RevisionBehaviour& base) {
  if (!json.is_object()) return Error(ErrorCode::kInvalid, "a behaviour is an object");
  RevisionBehaviour out = base;
  for (const auto& [key, value] : json.members()) {
    Setter setter = nullptr;
    std::vector<std::string_view> known;
    for (const auto& [name, set] : kSetters) {
      known.push_back(name);
      if (name == key) setter = set;
    }
    if (setter == nullptr) {
      auto near = DidYouMean(key, known);
      return Error(ErrorCode::kInvalid,
                   StrCat("unknown behaviour ", Quote(key),
                          near ? StrCat(" (did you mean ", Quote(*near), "?)") : ""));
    }
    if (Status s = setter(out, value); !s)
      return Error(ErrorCode::kInvalid, StrCat(key, ": ", s.error().message));
  }
  return out;
}

void Behaviours::SetDefault(const RevisionBehaviour& behaviour) {
  default_ = behaviour;
  Changed();
}

void Behaviours::SetImage(std::string_view image_part, const RevisionBehaviour& behaviour) {
  by_image_[std::string(image_part)] = behaviour;
  Changed();
}

void Behaviours::ClearImage(std::string_view image_part) {
  auto it = by_image_.find(image_part);
  if (it == by_image_.end()) return;
  by_image_.erase(it);
  Changed();
}

void Behaviours::SetPod(std::string_view ns, std::string_view name,
                        const RevisionBehaviour& behaviour) {
  by_pod_[StrCat(ns, "/", name)] = behaviour;
  Changed();
}

RevisionBehaviour Behaviours::For(const Json& pod) const {
  if (!by_pod_.empty()) {
    auto it = by_pod_.find(StrCat(NamespaceOf(pod), "/", NameOf(pod)));
    if (it != by_pod_.end()) return it->second;
  }
  std::string_view inline_text = AnnotationOf(pod, kAnnotation);
  if (!inline_text.empty()) {
    auto json = ParseJson(inline_text);
    auto behaviour = json.ok() ? RevisionBehaviour::FromJson(*json, default_)
                               : Expected<RevisionBehaviour>(json.error());
    if (behaviour.ok()) return *behaviour;
  }
  const RevisionBehaviour* best = &default_;
  size_t length = 0;
  for (const Json& c : pod.At("spec", "containers").items()) {
    std::string_view image = Text(c.At("image"));
    for (const auto& [part, behaviour] : by_image_) {
      if (part.size() <= length || image.find(part) == std::string_view::npos) continue;
      best = &behaviour;
      length = part.size();
    }
  }
  return *best;
}

void Behaviours::OnChange(std::function<void()> listener) {
  listeners_.push_back(std::move(listener));
}

void Behaviours::Changed() {
  ++version_;
  for (const auto& listener : listeners_) listener();
}

}  // namespace rollguard::sim
