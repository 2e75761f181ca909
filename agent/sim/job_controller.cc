// SPDX-License-Identifier: Apache-2.0
// Jobs: pods until enough of them succeeded, or backoffLimit or the deadline is reached.
#include <algorithm>

#include "agent/base/text.h"
#include "agent/sim/controller.h"

namespace rollguard::sim {
namespace {

bool Finished(const Json& job) {
  return ConditionIsTrue(job, "Complete") || ConditionIsTrue(job, "Failed");
}

class JobController final : public PodController {
 public:
  explicit JobController(const ControllerContext& context)
      : PodController(context, "batch", "jobs") {}

 private:
  struct Tally {
    int64_t active = 0, succeeded = 0, failed = 0;
    std::vector<ObjectPtr> running;
  };

  Tally Count(const Json& job) {
    Tally t;
    for (const ObjectPtr& pod : api_.Controlled(UidOf(job), pods_)) {
      std::string_view phase = Text(pod->At("status", "phase"));
      if (phase == "Succeeded")
        ++t.succeeded;
      else if (phase == "Failed")
        ++t.failed;
      else if (!IsTerminating(*pod))
        ++t.active, t.running.push_back(pod);
    }
    return t;
  }

  void Sync(const ObjectKey& key) override {
    ObjectPtr job = api_.store().Get(key);
    if (!job || IsTerminating(*job)) return;
    if (Finished(*job)) return Expire(key, *job);
    Time now = api_.scheduler().Now();
    Tally t = Count(*job);
    const Json& spec = job->At("spec");
    int64_t completions = spec.At("completions").IntOr(1);
    bool suspended = spec.At("suspend").BoolOr(false);
    if (t.succeeded >= completions) return End(key, t, "Complete", "", "", now);
    if (t.failed > spec.At("backoffLimit").IntOr(6)) {
      return End(key, t, "Failed", "BackoffLimitExceeded",
                 "Job has reached the specified backoff limit", now);
    }
    if (int64_t limit = spec.At("activeDeadlineSeconds").IntOr(0); limit > 0) {
      auto started = ParseRfc3339(Text(job->At("status", "startTime")));
      Duration left = started.ok() ? *started + std::chrono::seconds(limit) - now
                                   : Duration(std::chrono::seconds(limit));
      if (left.count() <= 0)
        return End(key, t, "Failed", "DeadlineExceeded",
                   "Job was active longer than specified deadline", now);
      if (!started.ok()) queue_.AddAfter(key, left);
    }
    int64_t wanted =
        suspended ? 0 : std::min(spec.At("parallelism").IntOr(1), completions - t.succeeded);
    for (; t.active < wanted; ++t.active) {
      api_.Create(pods_, MakePod(*job, spec.At("template"), "", StrCat(NameOf(*job), "-")));
    }
    Write(key, t, [&](Json& status) {
      if (status.Find("startTime") == nullptr) status.Set("startTime", Stamp(now));
    });
  }

  static std::string Stamp(Time now) {
    return FormatRfc3339(std::chrono::floor<std::chrono::seconds>(now));
  }

  void Write(const ObjectKey& key, const Tally& t, const std::function<void(Json&)>& more) {
    api_.Update(key, [&](Json& o) {
      Json& status = o["status"];
      std::pair<const char*, int64_t> numbers[] = {
          {"active", t.active}, {"succeeded", t.succeeded}, {"failed", t.failed}};
      for (auto [name, count] : numbers) {
        if (count > 0)
          status.Set(name, count);
        else
          status.Erase(name);
      }
      more(status);
    });
  }

  void End(const ObjectKey& key, Tally t, std::string_view type, std::string_view reason,
           std::string_view message, Time now) {
    for (const ObjectPtr& pod : t.running) api_.Delete(ApiServer::KeyOf(pods_, *pod));
    t.active = 0;
    Write(key, t, [&](Json& status) {
      SetCondition(status, type, "True", reason, message, now);
      if (type == "Complete") status.Set("completionTime", Stamp(now));
    });
  }

  void Expire(const ObjectKey& key, const Json& job) {
    const Json& ttl = job.At("spec", "ttlSecondsAfterFinished");
    if (!ttl.is_int()) return;
    std::string_view type = ConditionIsTrue(job, "Complete") ? "Complete" : "Failed";
    auto ended = ParseRfc3339(Text(ConditionOf(job, type).At("lastTransitionTime")));
    Time due = (ended.ok() ? *ended : api_.scheduler().Now()) + std::chrono::seconds(ttl.IntOr(0));
    if (due <= api_.scheduler().Now())
      api_.Delete(key);
    else
      queue_.AddAfter(key, due - api_.scheduler().Now());
  }
};

}  // namespace

std::unique_ptr<Controller> MakeJobController(const ControllerContext& context) {
  return std::make_unique<JobController>(context);
}

}  // namespace rollguard::sim
