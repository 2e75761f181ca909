// SPDX-License-Identifier: Apache-2.0
#include "agent/app/executor.h"

#include <utility>

#include "agent/base/text.h"

namespace rollguard::app {
namespace {

ClusterRequest RequestFor(const routing::ObjectId& id, Verb verb) {
  ClusterRequest request;
  request.verb = verb;
  request.type = TypeOf(id);
  request.ns = id.ns;
  request.name = id.name;
  return request;
}

// What a fresh view may change: the next look decides again.
bool ViewWasOld(ErrorCode code) {
  return code == ErrorCode::kConflict || code == ErrorCode::kNotFound ||
         code == ErrorCode::kAlreadyExists || code == ErrorCode::kInvalid;
}

// An API server answers that an object is not found by its name. One that does not serve the kind
// (yet: it has just begun) answers 404 too, and says nothing about the object.
bool SaysGone(const Error& error, const std::string& name) {
  return error.code == ErrorCode::kNotFound && error.message.find(Quote(name)) != std::string::npos;
}

}  // namespace

void ActionRunner::Run(std::shared_ptr<const spec::Guard> guard,
                       std::vector<release::Action> actions, Manner manner,
                       std::function<void(RunOutcome)> done) {
  auto job = std::make_shared<Job>(
      Job{std::move(guard), std::move(actions), std::move(manner), 0, std::move(done), {}, {}});
  if (job->manner.news) Tell(*job, std::exchange(job->manner.news, nullptr));
  Next(job);
  job->begun = true;
  for (const auto& news : std::exchange(job->untold, {})) news();
}

void ActionRunner::Tell(Job& job, std::function<void()> news) {
  if (job.begun) {
    news();
  } else {
    job.untold.push_back(std::move(news));
  }
}

void ActionRunner::Next(const JobPtr& job) {
  if (job->at == job->actions.size()) {
    Finish(job, {job->failed ? Status(*job->failed) : Status(), false, job->read_for});
    return;
  }
  const release::Action& action = job->actions[job->at++];
  // The engine plans nothing for an observed guard; this holds even if it did.
  if (job->guard->mode == spec::Mode::kObserve && release::ChangesCluster(action)) {
    Next(job);
    return;
  }
  if (job->manner.may && !job->manner.may()) {
    Finish(job, {Error(ErrorCode::kUnavailable,
                       "this replica no longer holds the lease of the guard's shard"),
                 false});
    return;
  }
  std::visit([&](const auto& a) { Do(job, a); }, action);
}

void ActionRunner::Finish(const JobPtr& job, RunOutcome outcome) {
  auto done = std::move(job->done);
  done(std::move(outcome));
}

void ActionRunner::Send(const JobPtr& job, ClusterRequest request, bool staged) {
  ClusterRequest what;
  what.verb = request.verb;
  what.type = request.type;
  what.ns = request.ns;
  what.name = request.name;
  request.urgent = what.urgent = job->manner.urgent;
  if (job->manner.versions && !staged) Pin(request);
  deps_.cluster->Call(std::move(request), [this, job, what = std::move(what),
                                           staged](Expected<Json> answer) {
    const bool gone = what.verb == Verb::kDelete && (answer || SaysGone(answer.error(), what.name));
    if (gone) {
      deps_.mirror->Deleted(what.type, what.ns, what.name);
    } else if (answer) {
      deps_.mirror->Wrote(what.type, *answer);
    } else if (staged) {
      // Its work may be done, or its owner may have changed the object.
      const ErrorCode code = answer.error().code;
      const bool unserved = code == ErrorCode::kNotFound && !SaysGone(answer.error(), what.name);
      if (!ViewWasOld(code) || unserved) job->failed = answer.error();
    } else {
      Failed(job, what, answer.error());
      return;
    }
    Next(job);
  });
}

void ActionRunner::Pin(ClusterRequest& request) const {
  const std::string version = deps_.mirror->Version(request.type, request.ns, request.name);
  if (version.empty() || !request.subresource.empty()) return;
  if (request.verb == Verb::kDelete) {
    request.precondition_version = version;
  } else if (request.verb == Verb::kPatch && request.body.is_array()) {
    Json patch = Json::Arr(
        {Json::Obj({{"op", "test"}, {"path", "/metadata/resourceVersion"}, {"value", version}})});
    for (const Json& op : request.body.items()) patch.Push(op);
    request.body = std::move(patch);
  } else if (request.verb == Verb::kPatch && request.patch == PatchKind::kMerge) {
    request.body["metadata"].Set("resourceVersion", version);
  }
}

// What exists already is ours (then it is as good as made) or somebody else's.
void ActionRunner::Failed(const JobPtr& job, const ClusterRequest& what, const Error& error) {
  if (!ViewWasOld(error.code)) {
    Finish(job, {error, false});
    return;
  }
  ClusterRequest get = what;
  get.verb = Verb::kGet;
  deps_.cluster->Call(std::move(get), [this, job, what, error](Expected<Json> now) {
    if (!now && !SaysGone(now.error(), what.name)) {
      Finish(job, {error, true});
      return;
    }
    if (!now) {
      deps_.mirror->Deleted(what.type, what.ns, what.name);
      Finish(job, {error, false});
      return;
    }
    deps_.mirror->Wrote(what.type, *now);
    const bool made = what.verb == Verb::kCreate && error.code == ErrorCode::kAlreadyExists;
    if (!made) {
      Finish(job, {error, false});
    } else if (now->At("metadata", "labels").At(routing::kGuardLabel).Str() ==
               job->guard->metadata.name) {
      Next(job);
    } else {
      Finish(job, {Error(ErrorCode::kDenied, StrCat(what.type.kind, " ", what.ns, "/", what.name,
                                                    " exists and is not rollguard's: rename it")),
                   false});
    }
  });
}

void ActionRunner::Do(const JobPtr& job, const release::RecordDecision& action) {
  Tell(*job, [this, job, &action] {
    for (Listener* listener : deps_.listeners) listener->Decided(*job->guard, action.decision);
  });
  Next(job);
}

void ActionRunner::Do(const JobPtr& job, const release::PatchObject& action) {
  ClusterRequest request = RequestFor(action.object, Verb::kPatch);
  request.patch =
      action.kind == release::PatchObject::Kind::kJson ? PatchKind::kJson : PatchKind::kMerge;
  request.subresource = action.subresource;
  request.body = action.patch;
  Send(job, std::move(request), action.staged);
}

void ActionRunner::Do(const JobPtr& job, const release::CreateObject& action) {
  ClusterRequest request = RequestFor(action.object, Verb::kCreate);
  request.body = action.body;
  Send(job, std::move(request));
}

void ActionRunner::Do(const JobPtr& job, const release::DeleteObject& action) {
  ClusterRequest request = RequestFor(action.object, Verb::kDelete);
  request.precondition_uid = action.uid;
  request.propagation = "Background";
  Send(job, std::move(request));
}

void ActionRunner::Do(const JobPtr& job, const release::ScaleTo& action) {
  ClusterRequest request = RequestFor(action.object, Verb::kPatch);
  request.patch = PatchKind::kMerge;
  request.body = release::ScalePatch(action);
  Send(job, std::move(request));
}

void ActionRunner::Do(const JobPtr& job, const release::ReadObjects& action) {
  Read(job, action, 0);
}

// `action` is the job's own. What is not there counts as read.
void ActionRunner::Read(const JobPtr& job, const release::ReadObjects& action, size_t at) {
  if (at == action.objects.size()) {
    job->read_for = action.purpose;
    Next(job);
    return;
  }
  ClusterRequest get = RequestFor(action.objects[at], Verb::kGet);
  const ClusterRequest what = get;
  deps_.cluster->Call(std::move(get), [this, job, &action, at, what](Expected<Json> now) {
    if (!now && !SaysGone(now.error(), what.name)) {
      Finish(job, {now.error(), false});
      return;
    }
    if (now) {
      deps_.mirror->Wrote(what.type, *now);
    } else {
      deps_.mirror->Deleted(what.type, what.ns, what.name);
    }
    Read(job, action, at + 1);
  });
}

void ActionRunner::Do(const JobPtr& job, const release::StartAnalysis& action) {
  deps_.analysis->Start(*job->guard, action);
  Next(job);
}

void ActionRunner::Do(const JobPtr& job, const release::StopAnalysis& action) {
  deps_.analysis->Stop(job->guard->Id(), action.run);
  Next(job);
}

void ActionRunner::Do(const JobPtr& job, const release::AskGate& action) {
  deps_.gates->Ask(*job->guard, action);
  Next(job);
}

void ActionRunner::Do(const JobPtr& job, const release::Notify& action) {
  Tell(*job, [this, job, &action] {
    for (Listener* listener : deps_.listeners) listener->Told(*job->guard, action);
  });
  Next(job);
}

}  // namespace rollguard::app
