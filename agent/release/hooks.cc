// SPDX-License-Identifier: Apache-2.0
// Hooks: Kubernetes Jobs that must succeed, one after another, each made once per release. What has
// succeeded is remembered: a Job may be deleted when it is done. What was seen is remembered, too:
// a Job that went before anybody read what came of it has run, well or not, and runs no second
// time.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/release/context.h"
#include "agent/routing/edit.h"

namespace rollguard::release {
namespace {

constexpr size_t kMaxHooks = 100;
constexpr int64_t kKept = 24 * 3600;  // seconds

Json JobObject(const Context& c, const ObjectId& id, const spec::Hook& hook) {
  Json metadata = routing::NewMetadata(id, c.tracks);
  metadata["labels"].Set(routing::kGuardLabel, c.guard.metadata.name);
  metadata["labels"].Set("rollguard.dev/hook", hook.name);
  metadata["annotations"].Set("rollguard.dev/release", c.rel().id);
  OwnByGuard(c, metadata);
  Json spec = hook.job;
  if (!hook.from_cron_job.empty()) {
    const Json* cron = c.obs.FindObject({"batch/v1", "CronJob", id.ns, hook.from_cron_job});
    spec = cron != nullptr ? cron->At("spec", "jobTemplate", "spec") : Json();
  }
  if (!spec.is_object()) return {};
  if (spec.Find("activeDeadlineSeconds") == nullptr) {
    spec.Set("activeDeadlineSeconds", hook.timeout.count() / 1000);
  }
  if (spec.Find("backoffLimit") == nullptr) spec.Set("backoffLimit", 2);
  // An agent that was away must still find what came of it, or it would run once more.
  if (const Json* ttl = spec.Find("ttlSecondsAfterFinished");
      ttl != nullptr && ttl->IntOr(0) < kKept)
    spec.Set("ttlSecondsAfterFinished", kKept);
  return Json::Obj({{"apiVersion", "batch/v1"},
                    {"kind", "Job"},
                    {"metadata", std::move(metadata)},
                    {"spec", std::move(spec)}});
}

bool Has(const std::vector<std::string>& jobs, const std::string& job) {
  return std::find(jobs.begin(), jobs.end(), job) != jobs.end();
}

bool IsDone(const Context& c, const std::string& job) { return Has(c.rel().hooks_done, job); }

void NoteDone(Context& c, const std::string& job) {
  if (c.rel().hooks_done.size() < kMaxHooks) c.EditRelease().hooks_done.push_back(job);
}

void NoteMade(Context& c, const std::string& job) {
  const auto& made = c.rel().hooks_made;
  if (made.size() < kMaxHooks && !Has(made, job)) c.EditRelease().hooks_made.push_back(job);
}

// Made, and deleted by somebody before it was read.
bool IsLost(const Context& c, const std::string& job) {
  return c.obs.FindJob(job) == nullptr && Has(c.rel().hooks_made, job);
}

bool MustSucceed(const spec::Hook& hook) { return hook.on_failure == spec::Hook::OnFailure::kFail; }

}  // namespace

Progress RunHooks(Context& c, const std::vector<spec::Hook>& hooks, std::string& failure) {
  for (const spec::Hook& hook : hooks) {
    const std::string name = HookJobName(c.guard, c.rel().id, hook.name);
    if (IsDone(c, name)) continue;
    const JobView* job = c.obs.FindJob(name);
    if (IsLost(c, name)) {
      if (!MustSucceed(hook)) continue;
      failure = StrCat("hook ", hook.name, ": Job ", name,
                       " was deleted before it was read; it does not run again");
      return Progress::kFailed;
    }
    if (job == nullptr) {
      if (c.observing()) continue;
      const ObjectId id{"batch/v1", "Job", c.guard.metadata.ns, name};
      Json body = JobObject(c, id, hook);
      if (!body.is_object()) {
        failure = StrCat("hook ", hook.name, ": CronJob ", hook.from_cron_job, " is not there");
        return Progress::kFailed;
      }
      c.Do(CreateObject{id, std::move(body), StrCat("run hook ", hook.name)});
      c.Wait(StrCat("hook ", hook.name, " is starting"));
      return Progress::kWaiting;
    }
    if (job->state != JobView::State::kSucceeded) NoteMade(c, name);
    if (job->state == JobView::State::kRunning) {
      c.Wait(StrCat("hook ", hook.name, " is running"));
      return Progress::kWaiting;
    }
    if (job->state == JobView::State::kFailed && MustSucceed(hook)) {
      failure = StrCat("hook ", hook.name, " failed: ", job->message);
      return Progress::kFailed;
    }
    NoteDone(c, name);
  }
  return Progress::kDone;
}

bool AnyHookMade(const Context& c, const std::vector<spec::Hook>& hooks) {
  return std::any_of(hooks.begin(), hooks.end(), [&](const spec::Hook& hook) {
    const std::string name = HookJobName(c.guard, c.rel().id, hook.name);
    return IsDone(c, name) || Has(c.rel().hooks_made, name);
  });
}

std::string FailedHook(const Context& c) {
  const Phase phase = c.state().phase;
  const spec::Hooks& all = c.guard.hooks;
  const std::vector<spec::Hook>* hooks = phase == Phase::kRollingBack ? &all.rollback
                                         : phase == Phase::kVerifying ? &all.verify
                                         : phase == Phase::kPromoting ? &all.post_promote
                                                                      : nullptr;
  if (hooks == nullptr || !c.rel().paged) return {};
  for (const spec::Hook& hook : *hooks) {
    const std::string name = HookJobName(c.guard, c.rel().id, hook.name);
    if (IsDone(c, name)) continue;
    const JobView* job = c.obs.FindJob(name);
    const bool failed = job != nullptr
                            ? job->state == JobView::State::kFailed && MustSucceed(hook)
                            : !hook.from_cron_job.empty() || (IsLost(c, name) && MustSucceed(hook));
    if (failed) return hook.name;
  }
  return {};
}

}  // namespace rollguard::release
