// SPDX-License-Identifier: Apache-2.0
#include "agent/app/executor.h"

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

// A repeated action finds its work done.
bool AlreadySo(Verb verb, const Error& error) {
  return (verb == Verb::kCreate && error.code == ErrorCode::kAlreadyExists) ||
         (verb == Verb::kDelete && error.code == ErrorCode::kNotFound);
}

}  // namespace

void ActionRunner::Run(std::shared_ptr<const spec::Guard> guard,
                       std::vector<release::Action> actions, std::function<void(Status)> done) {
  Next(std::make_shared<Job>(Job{std::move(guard), std::move(actions), 0, std::move(done)}));
}

void ActionRunner::Next(const JobPtr& job) {
  if (job->at == job->actions.size()) {
    Finish(job, {});
    return;
  }
  const release::Action& action = job->actions[job->at++];
  // The engine plans nothing for an observed guard; this holds even if it did.
  if (job->guard->mode == spec::Mode::kObserve && release::ChangesCluster(action)) {
    Next(job);
    return;
  }
  std::visit([&](const auto& a) { Do(job, a); }, action);
}

void ActionRunner::Finish(const JobPtr& job, Status status) {
  auto done = std::move(job->done);
  done(std::move(status));
}

void ActionRunner::Send(const JobPtr& job, ClusterRequest request) {
  Verb verb = request.verb;
  ResourceType type = request.type;
  std::string ns = request.ns, name = request.name;
  deps_.cluster->Call(std::move(request), [this, job, verb, type, ns, name](Expected<Json> answer) {
    if (!answer && !AlreadySo(verb, answer.error())) {
      Finish(job, answer.error());
      return;
    }
    if (verb == Verb::kDelete) {
      deps_.mirror->Deleted(type, ns, name);
    } else if (answer) {
      deps_.mirror->Wrote(type, *answer);
    }
    Next(job);
  });
}

void ActionRunner::Do(const JobPtr& job, const release::RecordDecision& action) {
  for (Listener* listener : deps_.listeners) listener->Decided(*job->guard, action.decision);
  Next(job);
}

void ActionRunner::Do(const JobPtr& job, const release::PatchObject& action) {
  ClusterRequest request = RequestFor(action.object, Verb::kPatch);
  request.patch =
      action.kind == release::PatchObject::Kind::kJson ? PatchKind::kJson : PatchKind::kMerge;
  request.subresource = action.subresource;
  request.body = action.patch;
  Send(job, std::move(request));
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
  for (Listener* listener : deps_.listeners) listener->Told(*job->guard, action);
  Next(job);
}

}  // namespace rollguard::app
