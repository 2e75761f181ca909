// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/blocking_cluster.h"

#include <cstdlib>
#include <future>

#include "agent/app/mirror.h"
#include "agent/base/text.h"
#include "agent/yaml/yaml.h"

namespace rollguard::testing {
namespace {

ClusterRequest RequestFor(Verb verb, const Json& object) {
  ClusterRequest request;
  request.verb = verb;
  request.type = app::TypeOf(app::IdOf(object));
  request.ns = object.At("metadata", "namespace").Str();
  request.name = object.At("metadata", "name").Str();
  return request;
}

}  // namespace

BlockingCluster::BlockingCluster(const std::string& kubeconfig) : http_(clock_) {
  kube::ConfigFlags flags;
  flags.kubeconfig = kubeconfig;
  auto config = kube::LoadConfig(flags, {}, clock_.Now());
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    std::exit(1);
  }
  client_ = std::make_unique<kube::KubeClient>(*config, http_, http_, clock_,
                                               kube::KubeOptions{.qps = 0});
}

Expected<Json> BlockingCluster::Call(ClusterRequest request) {
  auto answer = std::make_shared<std::promise<Expected<Json>>>();
  auto result = answer->get_future();
  client_->Call(std::move(request),
                [answer](Expected<Json> got) { answer->set_value(std::move(got)); });
  return result.get();
}

Json BlockingCluster::Get(const ResourceType& type, const std::string& ns,
                          const std::string& name) {
  ClusterRequest request;
  request.verb = Verb::kGet;
  request.type = type;
  request.ns = ns;
  request.name = name;
  auto object = Call(std::move(request));
  if (object) return std::move(*object);
  if (object.error().code != ErrorCode::kNotFound)
    std::fprintf(stderr, "%s\n", object.error().message.c_str());
  return {};
}

std::vector<Json> BlockingCluster::List(const ResourceType& type, const std::string& ns) {
  ClusterRequest request;
  request.verb = Verb::kList;
  request.type = type;
  request.ns = ns;
  auto list = Call(std::move(request));
  if (!list) std::fprintf(stderr, "%s\n", list.error().message.c_str());
  return list ? list->At("items").items() : std::vector<Json>();
}

Expected<Json> BlockingCluster::Create(const Json& object) {
  ClusterRequest request = RequestFor(Verb::kCreate, object);
  request.body = object;
  return Call(std::move(request));
}

Expected<Json> BlockingCluster::Apply(const Json& object) {
  auto created = Create(object);
  if (created || created.error().code != ErrorCode::kAlreadyExists) return created;
  ClusterRequest request = RequestFor(Verb::kPatch, object);
  request.patch = PatchKind::kMerge;
  request.body = object;
  return Call(std::move(request));
}

Expected<Json> BlockingCluster::Patch(const ResourceType& type, const std::string& ns,
                                      const std::string& name, const Json& merge_patch) {
  ClusterRequest request;
  request.verb = Verb::kPatch;
  request.patch = PatchKind::kMerge;
  request.type = type;
  request.ns = ns;
  request.name = name;
  request.body = merge_patch;
  return Call(std::move(request));
}

Status BlockingCluster::Delete(const ResourceType& type, const std::string& ns,
                               const std::string& name) {
  ClusterRequest request;
  request.verb = Verb::kDelete;
  request.type = type;
  request.ns = ns;
  request.name = name;
  request.propagation = "Background";
  auto done = Call(std::move(request));
  return done ? Status() : Status(done.error());
}

Status BlockingCluster::CreateAll(const std::string& yaml) {
  for (const Json& object : ObjectsOf(yaml)) {
    auto made = Create(object);
    if (!made && made.error().code != ErrorCode::kAlreadyExists) return made.error();
  }
  return {};
}

std::vector<Json> ObjectsOf(const std::string& yaml) {
  Diagnostics problems;
  std::vector<Json> objects;
  for (const yaml::Node& node : yaml::Parse("test.yaml", yaml, problems))
    objects.push_back(yaml::ToJson(node));
  if (problems.has_errors()) {
    std::fprintf(stderr, "%s", Render(problems.Sorted()[0], yaml).c_str());
    std::exit(1);
  }
  return objects;
}

}  // namespace rollguard::testing
