// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/traffic.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <utility>

#include "agent/base/text.h"
#include "agent/sim/kube_metrics.h"
#include "agent/sim/pod_load.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

constexpr size_t kMaxHistory = 256;

// Where requests go, as the data plane knew it at one time.
struct Target {
  double share = 0;
  bool mirror = false;
  std::vector<PodLoad*> pods;
};

struct Picture {
  Time when{};
  std::vector<Target> targets;
};

struct FlowState {
  Flow flow;
  std::deque<Picture> pictures;  // oldest first
  double carry = 0;              // the fraction of a request left over
  int64_t last = 0;              // requests in the last tick
  TrafficTotals totals;
};

}  // namespace

struct Traffic::Impl {
  Impl(ApiServer& a, Behaviours& b, TrafficOptions o)
      : api(a),
        behaviours(b),
        options(o),
        random(o.seed),
        kube(a),
        pods_type(a.TypeId("", "pods")) {
    api.store().OnChange([this](const Change& change) { OnPod(change); });
    behaviours.OnChange([this] { Refresh(); });
  }

  void OnPod(const Change& change);
  void Refresh();
  void Look(FlowState& state);
  void Send(FlowState& state);
  int64_t SendTo(const Target& target, int64_t n);
  void Judge(PodLoad& load);
  void Tick();
  void Scrape(MetricSink* sink);
  bool IsPictured(const PodLoad& load) const;
  std::string ServiceLabel(const Json& pod) const;

  ApiServer& api;
  Behaviours& behaviours;
  TrafficOptions options;
  Random random;
  KubeMetrics kube;
  int pods_type;
  uint64_t seen_version = 0;
  bool started = false;
  TimerId tick = 0, scrape = 0;
  std::map<ObjectKey, std::unique_ptr<PodLoad>> loads;
  std::vector<std::unique_ptr<PodLoad>> gone;  // in some picture, or with series to end
  std::vector<std::unique_ptr<FlowState>> flows;
  std::map<std::string, TrafficTotals, std::less<>> revisions;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

void Traffic::Impl::OnPod(const Change& change) {
  if (change.key.type != pods_type) return;
  auto& slot = loads[change.key];
  if (!change.after) {
    if (slot && (started || !slot->series.empty() || IsPictured(*slot))) {
      slot->ready = false;
      gone.push_back(std::move(slot));
    }
    loads.erase(change.key);
    return;
  }
  const Json& pod = *change.after;
  if (!slot) {
    slot = std::make_unique<PodLoad>();
    slot->revision = LabelOf(pod, "pod-template-hash");
    if (slot->revision.empty()) slot->revision = LabelOf(pod, "controller-revision-hash");
    slot->behaviour = behaviours.For(pod);
  }
  slot->pod = change.after;
  slot->ready = PodIsReady(pod);
  if (IsTerminating(pod) && slot->stops_answering == Time{}) {
    slot->stops_answering = api.scheduler().Now() + slot->behaviour.drain;
  }
}

// Requests so far were answered under the old behaviour.
void Traffic::Impl::Refresh() {
  for (auto& [key, load] : loads) {
    Judge(*load);
    load->behaviour = behaviours.For(*load->pod);
  }
}

std::string Traffic::Impl::ServiceLabel(const Json& pod) const {
  for (const auto& state : flows) {
    if (state->flow.ns != NamespaceOf(pod)) continue;
    ObjectPtr service = api.Get("", "services", state->flow.ns, state->flow.service);
    if (!service || service->At("spec", "selector").size() == 0) continue;
    if (LabelSelector::FromMap(service->At("spec", "selector")).Matches(Meta(pod).At("labels")))
      return state->flow.service;
  }
  return std::string(LabelOf(pod, "app"));
}

// The routes and ready endpoints of this moment; the data plane will obey them a little later.
void Traffic::Impl::Look(FlowState& state) {
  Picture picture{api.scheduler().Now(), {}};
  const Flow& flow = state.flow;
  for (Destination& d : ResolveRoute(api, flow.source, flow.ns, flow.service, flow.headers)) {
    Target target{d.share, d.mirror, {}};
    ObjectPtr endpoints = api.Get("", "endpoints", flow.ns, d.service);
    LabelSelector subset = LabelSelector::FromMap(d.subset);
    for (const Json& block : endpoints ? endpoints->At("subsets").items() : Json::Array()) {
      for (const Json& address : block.At("addresses").items()) {
        auto it = loads.find({pods_type, flow.ns, address.At("targetRef", "name").Str()});
        if (it == loads.end() || !subset.Matches(Meta(*it->second->pod).At("labels"))) continue;
        if (it->second->service.empty()) it->second->service = flow.service;
        target.pods.push_back(it->second.get());
      }
    }
    picture.targets.push_back(std::move(target));
  }
  state.pictures.push_back(std::move(picture));
  if (state.pictures.size() > kMaxHistory) state.pictures.pop_front();
}

// Evenly over the target's pods, the remainder from a random one on. Returns what was lost.
int64_t Traffic::Impl::SendTo(const Target& target, int64_t n) {
  if (n <= 0) return 0;
  if (target.pods.empty()) return n;
  Time now = api.scheduler().Now();
  auto count = static_cast<int64_t>(target.pods.size());
  auto first = static_cast<int64_t>(random.Below(static_cast<uint64_t>(count)));
  int64_t lost = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t share = n / count + ((i + count - first) % count < n % count ? 1 : 0);
    PodLoad& load = *target.pods[static_cast<size_t>(i)];
    TrafficTotals& revision = revisions[load.revision];
    if (target.mirror) {
      revision.mirrored += static_cast<double>(share);
    } else {
      revision.requests += static_cast<double>(share);
    }
    if (!load.Answers(now)) {
      lost += share;
      if (!target.mirror) revision.lost += static_cast<double>(share);
      continue;
    }
    load.pending += share;
    load.tick += share;
  }
  return lost;
}

void Traffic::Impl::Send(FlowState& state) {
  double exact = state.flow.requests_per_second * ToSeconds(options.tick) + state.carry;
  auto n = static_cast<int64_t>(exact);
  state.carry = exact - static_cast<double>(n);
  state.last = n;
  state.totals.requests += static_cast<double>(n);
  Time obeyed = api.scheduler().Now() - options.propagation;
  while (state.pictures.size() > 1 && state.pictures[1].when <= obeyed) state.pictures.pop_front();
  if (state.pictures.empty()) {
    state.totals.lost += static_cast<double>(n);
    return;
  }
  int64_t left = n, lost = 0;
  double rest = 1;
  for (const Target& target : state.pictures.front().targets) {
    double share = target.mirror ? target.share : rest > 0 ? std::min(1.0, target.share / rest) : 1;
    int64_t base = target.mirror ? n : left;
    int64_t part = options.noise
                       ? Binomial(random, base, share)
                       : static_cast<int64_t>(std::llround(share * static_cast<double>(base)));
    int64_t missed = SendTo(target, part);
    if (target.mirror) {
      state.totals.mirrored += static_cast<double>(part);
      continue;
    }
    lost += missed;
    left -= part;
    rest -= target.share;
  }
  state.totals.lost += static_cast<double>(lost + left);
}

void Traffic::Impl::Judge(PodLoad& load) {
  int64_t failed = JudgePending(load, random, options.noise);
  if (failed > 0) revisions[load.revision].failed += static_cast<double>(failed);
}

void Traffic::Impl::Tick() {
  if (api.store().version() != seen_version) {
    seen_version = api.store().version();
    for (auto& state : flows) Look(*state);
  }
  for (auto& [key, load] : loads) load->tick = 0;
  for (auto& state : flows) Send(*state);
  double seconds = ToSeconds(options.tick);
  for (auto& [key, load] : loads) {
    load->cpu = static_cast<double>(load->tick) * load->behaviour.cpu_millis_per_request / seconds;
    double limit = load->behaviour.capacity * seconds;
    if (limit > 0 && static_cast<double>(load->tick) > limit)
      load->over += load->tick - static_cast<int64_t>(limit);
  }
}

void Traffic::Impl::Scrape(MetricSink* sink) {
  Time now = api.scheduler().Now();
  for (auto& load : gone) {
    Judge(*load);
    if (sink != nullptr) EndPodMetrics(*load, *sink, now);
  }
  for (auto& [key, load] : loads) {
    Judge(*load);
    if (sink == nullptr || Text(load->pod->At("status", "podIP")).empty()) continue;
    if (load->service.empty()) load->service = ServiceLabel(*load->pod);
    WritePodMetrics(*load, *sink, now);
  }
  if (sink != nullptr) kube.Write(*sink, now);
  std::erase_if(gone, [&](const auto& load) { return !IsPictured(*load); });
}

// Whether some flow may still send to it.
bool Traffic::Impl::IsPictured(const PodLoad& load) const {
  return std::any_of(flows.begin(), flows.end(), [&](const auto& state) {
    return std::any_of(state->pictures.begin(), state->pictures.end(), [&](const Picture& p) {
      return std::any_of(p.targets.begin(), p.targets.end(), [&](const Target& t) {
        return std::find(t.pods.begin(), t.pods.end(), &load) != t.pods.end();
      });
    });
  });
}

Traffic::Traffic(ApiServer& api, Behaviours& behaviours, TrafficOptions options)
    : impl_(std::make_unique<Impl>(api, behaviours, options)) {}

Traffic::~Traffic() { *impl_->alive = false; }

size_t Traffic::Add(Flow flow) {
  auto state = std::make_unique<FlowState>();
  state->flow = std::move(flow);
  impl_->flows.push_back(std::move(state));
  impl_->seen_version = 0;
  return impl_->flows.size() - 1;
}

void Traffic::SetRate(size_t flow, double requests_per_second) {
  impl_->flows[flow]->flow.requests_per_second = requests_per_second;
}

void Traffic::Replace(size_t flow, Flow changed) {
  impl_->flows[flow]->flow = std::move(changed);
  impl_->seen_version = 0;
}

void Traffic::Start() {
  if (std::exchange(impl_->started, true)) return;
  NextTick();
  NextScrape();
}

void Traffic::Stop() {
  impl_->started = false;
  impl_->api.scheduler().CancelTimer(impl_->tick);
  impl_->api.scheduler().CancelTimer(impl_->scrape);
}

void Traffic::NextTick() {
  impl_->tick = impl_->api.scheduler().After(impl_->options.tick, [this, alive = impl_->alive] {
    if (!*alive) return;
    impl_->Tick();
    NextTick();
  });
}

void Traffic::NextScrape() {
  impl_->scrape =
      impl_->api.scheduler().After(impl_->options.scrape_interval, [this, alive = impl_->alive] {
        if (!*alive) return;
        impl_->Scrape(scrapes_down_ ? nullptr : sink_);
        NextScrape();
      });
}

const TrafficTotals& Traffic::Totals(size_t flow) const {
  FlowState& state = *impl_->flows[flow];
  return state.totals;
}

TrafficTotals Traffic::Total() const {
  TrafficTotals sum;
  for (const auto& state : impl_->flows) {
    sum.requests += state->totals.requests;
    sum.lost += state->totals.lost;
    sum.mirrored += state->totals.mirrored;
  }
  for (auto& [hash, totals] : impl_->revisions) sum.failed += totals.failed;
  return sum;
}

TrafficTotals Traffic::Revision(std::string_view hash) const {
  for (auto& [key, load] : impl_->loads) {
    if (load->revision == hash) impl_->Judge(*load);
  }
  auto it = impl_->revisions.find(hash);
  return it != impl_->revisions.end() ? it->second : TrafficTotals();
}

double Traffic::PodCpu(std::string_view ns, std::string_view pod) const {
  auto it = impl_->loads.find({impl_->pods_type, std::string(ns), std::string(pod)});
  return it != impl_->loads.end() ? it->second->cpu : 0;
}

double Traffic::Share(size_t flow, const Json& labels) const {
  const FlowState& state = *impl_->flows[flow];
  if (state.last == 0) return 0;
  LabelSelector wanted = LabelSelector::FromMap(labels);
  int64_t sum = 0;
  for (auto& [key, load] : impl_->loads) {
    if (key.ns == state.flow.ns && wanted.Matches(Meta(*load->pod).At("labels"))) sum += load->tick;
  }
  return static_cast<double>(sum) / static_cast<double>(state.last);
}

}  // namespace rollguard::sim
