// SPDX-License-Identifier: Apache-2.0
#include "tests/simulation/harness/checker.h"

#include <algorithm>

#include "agent/base/json_patch.h"
#include "agent/base/text.h"
#include "agent/release/observe.h"
#include "agent/sim/selector.h"
#include "tests/simulation/harness/foreign.h"
#include "tests/simulation/harness/kinds.h"

namespace rollguard::simulation {
namespace {

using release::Phase;

constexpr double kHair = 1e-9;
constexpr size_t kMaxViolations = 20;
constexpr size_t kMaxStatus = 100 * 1024;
// Stable may take everything back with four fifths of its pods.
constexpr double kEnough = 0.8;
constexpr Duration kSettlesIn = std::chrono::seconds(20);
// An agent that does not hold the target sees a rejected revision roll out, and takes it back.
constexpr Duration kNoticedIn = std::chrono::seconds(40);
// Another controller has to be told, and takes its time.
constexpr Duration kToldIn = std::chrono::seconds(90);
constexpr Duration kSpreadsIn = std::chrono::seconds(8);

bool IsPinned(const Json& labels, const Json& wanted) {
  for (const auto& [key, value] : wanted.members()) {
    const Json* have = labels.Find(key);
    if (have == nullptr || !(*have == value)) return false;
  }
  return true;
}

std::string ImageIn(const Json& pod_template) {
  return pod_template.At("spec", "containers").At(size_t{0}).At("image").Str();
}

std::string Percent(double share) { return StrCat(static_cast<int64_t>(share * 100 + 0.5), " %"); }

}  // namespace

double Picture::Share(const std::string& image) const {
  auto found = by_image.find(image);
  return found != by_image.end() ? found->second : 0;
}

Checker::Checker(sim::World& world, const Plan& plan)
    : world_(world),
      plan_(plan),
      besides_(world, plan,
               [this](const std::string& rule, const std::string& what) { Violated(rule, what); }),
      external_(world, plan,
                [this](const std::string& rule, const std::string& what) { Violated(rule, what); }),
      observed_(plan.setup->strategy.find("admission: observe") != std::string::npos) {
  pods_type_ = world.api().TypeId("", "pods");
  guard_type_ = world.api().TypeId("rollguard.dev", "guards");
  for (const sim::TypeInfo* type : world.api().types().All()) {
    const std::string& kind = type->type.kind;
    if (!IsRouteKind(kind) && !IsWorkload(kind)) continue;
    for (const auto& object : world.api().List(type->type.group, type->type.plural, kNs)) {
      LearnRevision(*object);
      for (const Setup::Foreign& foreign : plan.setup->foreign) {
        if (foreign.object != StrCat(kind, "/", sim::NameOf(*object))) continue;
        const Json* value = ResolvePointer(*object, foreign.pointer);
        foreign_[StrCat(foreign.object, " ", foreign.pointer)] = value != nullptr ? *value : Json();
      }
    }
  }
  for (const auto& pod : world.api().List("", "pods", kNs)) {
    OnPod({.version = 0,
           .key = {pods_type_, kNs, std::string(sim::NameOf(*pod))},
           .before = nullptr,
           .after = pod,
           .last = pod});
  }
  owners_free_ = OwnersText(false);
  owners_held_ = OwnersText(true);
  asked_[ImageOf("v1")] = 0;
  world.api().store().OnChange([this](const sim::Change& change) { OnChange(change); });
}

void Checker::Violated(const std::string& rule, const std::string& what) {
  if (violations_.size() >= kMaxViolations) return;
  violations_.push_back(StrCat(FormatClockTime(Now()), " ", rule, ": ", what));
}

void Checker::Asked(const std::string& version) {
  ++asked_[ImageOf(version)];
  asked_at_[ImageOf(version)] = Now();
}

void Checker::AskedForAnything() { ++asked_any_; }

std::string Checker::ImageOfRevision(const std::string& revision) const {
  auto found = images_.find(revision);
  return found != images_.end() ? found->second : std::string();
}

std::string Checker::StableImage() const {
  return state_ ? ImageOfRevision(state_->stable) : std::string();
}

// --- What happens ---

void Checker::OnChange(const sim::Change& change) {
  if (change.key.type == pods_type_) {
    OnPod(change);
  } else if (change.key.type == guard_type_) {
    OnGuard(change);
  } else {
    OnOwners(change);
  }
}

void Checker::OnPod(const sim::Change& change) {
  if (!change.after) {
    auto found = pods_.find(change.key.name);
    if (found != pods_.end() && found->second.ready) dirty_ = true;
    pods_.erase(change.key.name);
    return;
  }
  const Json& object = *change.after;
  if (!ImageIn(object).starts_with(ImageOf(""))) return;  // of a hook
  const bool is_new = !pods_.contains(change.key.name);
  Pod& pod = pods_[change.key.name];
  const bool was = pod.ready;
  pod.terminating = sim::IsTerminating(object);
  pod.ready = sim::PodIsReady(object) && !pod.terminating;
  if (is_new || !(pod.labels == object.At("metadata", "labels"))) {
    pod.image = ImageIn(object);  // its spec.containers, as in a template
    pod.labels = object.At("metadata", "labels");
  }
  dirty_ = dirty_ || was != pod.ready;
  pod_left_ = pod_left_ || (was && pod.terminating);
  if (!is_new || first_ || around() || unheld() || !guard_there_ || guard_deleting_ || !state_)
    return;
  for (const release::Rejection& rejection : state_->quarantine) {
    if (ImageOfRevision(rejection.revision) != pod.image) continue;
    const bool its_release = state_->release && state_->release->candidate == rejection.revision;
    const bool stable = state_->stable == rejection.revision;
    if (!its_release && !stable && !OvertookWhatRolls(pod.image)) {
      Violated("quarantine", StrCat("a pod of ", pod.image, " was started although it is ",
                                    "rejected: ", rejection.reason));
    }
  }
}

void Checker::OnGuard(const sim::Change& change) {
  guard_there_ = change.after != nullptr;
  if (!guard_there_) {
    state_.reset();
    return;
  }
  guard_deleting_ = sim::IsTerminating(*change.after);
  guard_uid_ = sim::UidOf(*change.after);
  const Json& status = change.after->At("status");
  if (change.before && status == change.before->At("status")) return;
  auto state = release::StateFromJson(status);
  if (!state) {
    Violated("record", StrCat("the status cannot be read back: ", state.error().message));
    return;
  }
  if (status.Dump().size() > kMaxStatus) Violated("size", "the status has grown over 100 KiB");
  besides_.OnState(state_, *state);
  external_.OnState(state_, *state);
  state_ = std::move(*state);
  NoteDecisions();
}

void Checker::NoteDecisions() {
  const bool back = state_->phase == Phase::kRollingBack;
  if (!back) back_since_.reset();
  if (back && !back_since_) back_since_ = Now();
  for (const release::Rejection& rejection : state_->quarantine) {
    rejected_.insert(ImageOfRevision(rejection.revision));
  }
  for (const release::Decision& decision : state_->decisions) {
    if (!decisions_seen_.insert(StrCat(guard_uid_, decision.id)).second) continue;
    if (decision.verdict == release::Verdict::kComplete && !decision.release.empty() &&
        ++completed_[StrCat(guard_uid_, decision.release)] > 1) {
      Violated("once", StrCat("release ", decision.release, " was completed twice"));
    }
    if (decision.verdict != release::Verdict::kStart) continue;
    const std::string image = ImageOfRevision(decision.revision);
    begun_[decision.release] = decision.revision;
    starts_.push_back(image);
    besides_.Began(decision);
    const int64_t times = std::count(starts_.begin(), starts_.end(), image);
    if (times > asked_[image] + asked_any_) {
      Violated("once", StrCat(image, " was released ", times, " times, asked for ", asked_[image],
                              " times"));
    }
  }
}

void Checker::LearnRevision(const Json& object) {
  const Json& pod_template = object.At("spec", "template");
  if (!pod_template.is_object()) return;
  images_.try_emplace(release::RevisionOf(pod_template), ImageIn(pod_template));
  if (plan_.setup->external())
    images_.try_emplace(ForeignHash(pod_template), ImageIn(pod_template));
}

// Flagger does not notice that the template it promoted last was set again in the middle of
// another: it goes on with that, and what it promotes then has the hash of the other one in its
// status.
void Checker::LearnPromoted(const Json& before, const Json& canary) {
  const std::string promoted = canary.At("status", "lastPromotedSpec").Str();
  const sim::ObjectPtr primary =
      world_.api().Get("apps", "deployments", kNs, StrCat(kApp, "-primary"));
  if (primary && promoted != before.At("status", "lastPromotedSpec").Str())
    images_[promoted] = ImageIn(primary->At("spec", "template"));
}

// Extra routes stand before the owner's: there places in the list say nothing.
bool Checker::Moved(const std::string& pointer) const {
  return plan_.besides.headers &&
         (pointer.starts_with("/spec/http/") || pointer.starts_with("/spec/rules/"));
}

void Checker::OnOwners(const sim::Change& change) {
  const Json& object = change.after ? *change.after : *change.last;
  const std::string& kind = object.At("kind").Str();
  if (kind == "Job") return besides_.OnJob(change);
  const bool workload = IsWorkload(kind);
  external_.OnChange(change);
  if (kind == "Canary" && change.after && change.before) LearnPromoted(*change.before, object);
  if (!workload && !IsRouteKind(kind)) return;
  dirty_ = true;
  if (change.after && workload) LearnRevision(object);
  if (!change.after) return;
  if (workload && change.before != nullptr) {
    const std::string was = ImageIn(change.before->At("spec", "template"));
    if (was != ImageIn(object.At("spec", "template"))) replaced_ = was;
  }
  for (const Setup::Foreign& foreign : plan_.setup->foreign) {
    if (foreign.object != StrCat(kind, "/", change.key.name) || Moved(foreign.pointer)) continue;
    const Json* value = ResolvePointer(object, foreign.pointer);
    if (!((value != nullptr ? *value : Json()) ==
          foreign_[StrCat(foreign.object, " ", foreign.pointer)])) {
      Violated("foreign", StrCat(foreign.object, " ", foreign.pointer, " is the owner's and is ",
                                 value != nullptr ? value->Dump() : "gone"));
    }
  }
}

void Checker::Wrote(const ClusterRequest& request, const sim::ApiReply& reply, bool knows_back) {
  if (!reply.ok()) return;
  const std::string& kind = request.type.kind;
  if (kind == "Guard") {
    ++status_writes_;
    last_write_ = Now();
    return;
  }
  if (kind == "Event" || kind == "Lease") return;
  ++writes_;
  last_write_ = Now();
  dirty_ = true;
  event_writes_.push_back({request, knows_back});
  if (plan_.setup->external()) return external_.Wrote(request, state_);
  if (!OnlyHolds(request)) besides_.Wrote(StrCat(kind, " ", request.name), state_);
}

// Its owner has set it a moment ago over one that rolls: Kubernetes starts its pods before anybody
// can hold it.
bool Checker::OvertookWhatRolls(const std::string& image) const {
  const auto asked = asked_at_.find(image);
  return plan_.setup->strategy.starts_with("rolling") && state_->release &&
         asked != asked_at_.end() && Now() - asked->second < kSettlesIn;
}

// What rolls is kept from rolling further, and nothing else: that waits for nobody.
bool Checker::OnlyHolds(const ClusterRequest& request) {
  if (request.verb != Verb::kPatch || !request.body.is_array()) return false;
  const auto& patch = request.body.items();
  return std::all_of(patch.begin(), patch.end(), [](const Json& op) {
    const std::string path = op.At("path").Str();
    return path == "/metadata/resourceVersion" ||
           (path == "/spec/paused" && op.At("value").BoolOr(false));
  });
}

// --- What is seen ---

std::string Checker::NameOf(const sim::Destination& d) {
  return StrCat(d.service, d.subset.is_null() ? "" : d.subset.Dump());
}

bool Checker::HasReady(const sim::Destination& d) const {
  sim::ObjectPtr service = world_.api().Get("", "services", kNs, d.service);
  const Json& selector = service ? service->At("spec", "selector") : Json();
  return selector.size() > 0 && std::any_of(pods_.begin(), pods_.end(), [&](const auto& entry) {
           const Pod& pod = entry.second;
           return pod.ready && IsPinned(pod.labels, selector) && IsPinned(pod.labels, d.subset);
         });
}

Picture Checker::Look() {
  Picture picture;
  const Setup& setup = *plan_.setup;
  for (const sim::Destination& d : sim::ReadRoute(world_.api(), setup.source, kNs, kApp, {})) {
    if (d.share <= 0 && HasReady(d)) ready_at_[NameOf(d)] = Now();
  }
  for (const sim::Destination& d : sim::ResolveRoute(world_.api(), setup.source, kNs, kApp, {})) {
    if (d.mirror) continue;
    sim::ObjectPtr service = world_.api().Get("", "services", kNs, d.service);
    const Json& selector = service ? service->At("spec", "selector") : Json();
    std::map<std::string, int64_t> images;
    int64_t ready = 0;
    if (selector.size() > 0) {
      for (const auto& [name, pod] : pods_) {
        if (!pod.ready || !IsPinned(pod.labels, selector) || !IsPinned(pod.labels, d.subset))
          continue;
        ++ready;
        ++images[pod.image];
      }
    }
    const std::string destination = NameOf(d);
    if (ready == 0) {
      picture.nowhere += d.share;
      picture.empty.push_back(destination);
      continue;
    }
    ready_at_[destination] = Now();
    picture.ready += ready;
    for (const auto& [image, count] : images) {
      picture.by_image[image] += d.share * static_cast<double>(count) / static_cast<double>(ready);
    }
  }
  double sum = picture.nowhere;
  for (const auto& [image, share] : picture.by_image) sum += share;
  if (sum < 0.5) picture.nowhere = 1;  // no route at all
  return picture;
}

void Checker::AfterEvent() {
  external_.AfterEvent();
  if (!event_writes_.empty() && !replaced_.empty()) CheckTemplate();
  replaced_.clear();
  if (!dirty_) {
    event_writes_.clear();
    pod_left_ = false;
    state_before_.reset();
    return;
  }
  dirty_ = false;
  const Picture before = std::exchange(picture_, Look());
  const Write* write = event_writes_.empty() ? nullptr : &event_writes_.front();
  if (!first_) {
    CheckWeights();
    CheckReady(before, write, pod_left_);
    CheckCapacity(before, write);
    CheckQuarantine(before, write);
    CheckAbort(before, write);
    for (const Write& one : event_writes_) CheckRecord(before, one);
  }
  first_ = false;
  event_writes_.clear();
  pod_left_ = false;
}

void Checker::CheckWeights() {
  const Setup& setup = *plan_.setup;
  auto destinations = sim::ReadRoute(world_.api(), setup.source, kNs, kApp, {});
  std::erase_if(destinations, [](const sim::Destination& d) { return d.mirror; });
  if (destinations.size() < 2) return;
  double sum = 0;
  bool negative = false;
  for (const sim::Destination& d : destinations) {
    sum += d.share;
    negative = negative || d.share < 0;
  }
  const double want = setup.source.kind == sim::RouteSource::Kind::kNginxIngress ? 1 : 100;
  if (sum < want - kHair || sum > want + kHair || negative) {
    Violated("weights",
             StrCat("the weights sum to ", FormatNumber(sum), ", not to ", FormatNumber(want)));
  }
}

bool Checker::WasReadyLately(const std::vector<std::string>& destinations) const {
  return std::all_of(destinations.begin(), destinations.end(), [&](const std::string& name) {
    auto found = ready_at_.find(name);
    return found != ready_at_.end() && Now() - found->second <= staleness_;
  });
}

void Checker::CheckReady(const Picture& before, const Write* write, bool lost_by_deletion) {
  if (picture_.nowhere <= before.nowhere + kHair) return;
  const bool by_agent = write != nullptr && !WasReadyLately(picture_.empty);
  // Whoever takes the hold off lets Kubernetes stop pods faster than anybody can answer.
  if (!by_agent && (around() || !lost_by_deletion || write != nullptr)) return;
  Violated("ready",
           StrCat(Percent(picture_.nowhere), " of the traffic goes to ",
                  Join(picture_.empty, " and "), " without a ready pod",
                  by_agent ? " after a write of the agent" : ": its last pod was stopped"));
}

int64_t Checker::FullSize() const {
  const bool swapped = state_ && state_->swapped;
  sim::ObjectPtr target = world_.api().Get("apps", ToLower(plan_.setup->kind) + "s", kNs,
                                           swapped ? "checkout-b" : kApp);
  return target ? target->At("spec", "replicas").IntOr(3) : 0;
}

// What stable had lately, in parts of its full size: an agent decides on what it has seen.
double Checker::LatelyCarried(double now) {
  carried_.emplace_back(Now(), now);
  while (carried_.size() > 1 && carried_[1].first + staleness_ < Now()) carried_.pop_front();
  double best = 0;
  for (const auto& [at, part] : carried_) best = std::max(best, part);
  return best;
}

// At once when stable never had the pods for it; else when that lasts: pods that Kubernetes takes
// away or brings at that very moment are nobody's fault.
void Checker::CheckCapacity(const Picture& before, const Write* write) {
  const std::string stable = StableImage();
  if (stable.empty() || plan_.setup->external() || (scaled_at_ && Now() - *scaled_at_ < minutes(3)))
    return;
  int64_t ready = 0;
  for (const auto& [name, pod] : pods_) ready += pod.ready && pod.image == stable ? 1 : 0;
  const double full = static_cast<double>(FullSize());
  const double now = full > 0 ? static_cast<double>(ready) / full : 1;
  const double lately = LatelyCarried(now), share = picture_.Share(stable);
  const double slack = staleness_ > seconds(2) && plan_.Has(Event::Kind::kKillPod) ? 1 / full : 0;
  const double need = share * kEnough - slack - kHair;
  if (now >= need) {
    short_since_.reset();
    return;
  }
  const bool given = write != nullptr && IsRouteKind(write->request.type.kind) &&
                     share > before.Share(stable) + kHair;
  if (given && !short_since_) short_since_ = Now();
  const bool lasts = short_since_ && Now() - *short_since_ >= kSpreadsIn;
  if (!lasts && !(given && lately < need)) return;
  Violated("capacity", StrCat("stable was given ", Percent(share), " with ", ready, " of ",
                              FullSize(), " pods ready"));
}

// Paused where it is: people decide.
bool Checker::LeftToPeople() const {
  return plan_.setup->strategy.find("onBad: pause") != std::string::npos;
}

// Another agent's may have been when the way back became durable; its view is soon corrected.
bool Checker::OnItsWay(const Write& write) const {
  return back_since_ && !write.knows_back && Now() - *back_since_ < kSettlesIn;
}

void Checker::NoteLetRoll() {
  for (const release::Rejection& rejection : state_->quarantine) {
    const std::string image = ImageOfRevision(rejection.revision);
    if (picture_.Share(image) > kHair) let_roll_.insert(image);
  }
}

void Checker::CheckQuarantine(const Picture& before, const Write* write) {
  if (!state_ || guard_deleting_) return;
  if (around()) return NoteLetRoll();
  for (const release::Rejection& rejection : state_->quarantine) {
    const bool its_release = state_->release && state_->release->candidate == rejection.revision;
    if (state_->stable == rejection.revision) continue;
    const std::string image = ImageOfRevision(rejection.revision);
    const double now = picture_.Share(image);
    if (its_release) {
      if (write != nullptr && now > before.Share(image) + kHair && !OnItsWay(*write)) {
        Violated("quarantine", StrCat(image, " is rejected and was given ", Percent(now),
                                      " instead of ", Percent(before.Share(image))));
      }
      if (state_->phase != Phase::kVerifying) continue;
    }
    if (now <= kHair) {
      unruly_since_.erase(image);
      let_roll_.erase(image);
      continue;
    }
    const Time since = unruly_since_.try_emplace(image, Now()).first->second;
    // One that people had let roll goes as soon as somebody takes it back.
    const bool leaves = let_roll_.contains(image) && state_->phase == Phase::kRollingBack;
    if ((unheld() || leaves) && Now() - since < (plan_.setup->external() ? kToldIn : kNoticedIn))
      continue;
    if (LeftToPeople()) continue;
    Violated("quarantine", StrCat(image, " is rejected and has ", Percent(now),
                                  " of the traffic in phase ", release::ToString(state_->phase)));
  }
}

void Checker::CheckAbort(const Picture& before, const Write* write) {
  if (!state_ || !state_->release || write == nullptr || !back_since_ || around()) return;
  const std::string image = ImageOfRevision(state_->release->candidate);
  if (image == StableImage() || !IsRouteKind(write->request.type.kind)) return;
  const double now = picture_.Share(image), was = before.Share(image);
  if (now <= was + kHair) return;
  if (OnItsWay(*write)) return;
  Violated("abort", StrCat("on the way back ", image, " was given ", Percent(now), " instead of ",
                           Percent(was)));
}

// What somebody set is not lost. People who go back may say so of whatever is there.
void Checker::CheckTemplate() {
  if (!state_ || plan_.Has(Event::Kind::kCommand)) return;
  if (replaced_ == StableImage() || rejected_.contains(replaced_)) return;
  if (state_->release) {
    const Json& parked = state_->release->parked;
    if (replaced_ == ImageOfRevision(state_->release->candidate) || replaced_ == ImageIn(parked) ||
        replaced_ == ImageOfRevision(parked.At("revision").Str()))
      return;
  }
  Violated("template",
           StrCat("the template of ", replaced_, " was replaced, which nobody rejected"));
}

void Checker::CheckRecord(const Picture& before, const Write& write) {
  const std::string what = StrCat(write.request.type.kind, " ", write.request.name);
  if (!guard_there_) {
    Violated("record", StrCat(what, " was written and there is no guard"));
    return;
  }
  if (!state_ || state_->decisions.empty()) {
    Violated("record", StrCat(what, " was written before any decision was durable"));
    return;
  }
  if (!state_->release || !IsRouteKind(write.request.type.kind)) return;
  const release::ReleaseState& rel = *state_->release;
  if (!begun_.contains(rel.id)) {
    Violated("record", StrCat(what, " was written for release ", rel.id,
                              " whose beginning was never recorded"));
  }
  const std::string image = ImageOfRevision(rel.candidate);
  const double now = picture_.Share(image), was = before.Share(image);
  const double wanted = static_cast<double>(rel.wanted.candidate) / 100;
  const bool promoting = state_->phase == Phase::kPromoting || around();
  if (now > was + kHair && now > wanted + 0.005 && !promoting && image != StableImage() &&
      !OnItsWay(write)) {
    Violated("record", StrCat(what, " gives ", image, " ", Percent(now), ", the durable intent is ",
                              Percent(wanted)));
  }
}

}  // namespace rollguard::simulation
