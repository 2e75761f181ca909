// SPDX-License-Identifier: Apache-2.0
// The conformance cases over agent/kube's client, against the cluster that $KUBECONFIG names: the
// real one that e2e_cluster started, or the simulated one behind HTTP.
#include <cstdlib>
#include <future>

#include "agent/base/text.h"
#include "agent/kube/client.h"
#include "agent/net/curl_client.h"
#include "tests/conformance/api.h"
#include "tests/support/catch.h"
#include "tests/support/process.h"
#include "tests/support/real_clock.h"

namespace rollguard::conformance {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

kube::ClusterConfig Config(const Clock& clock) {
  kube::Surroundings around;
  around.kubeconfig_env = Variable("KUBECONFIG");
  auto config = kube::LoadConfig({}, around, clock.Now());
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    std::exit(1);
  }
  return *config;
}

class RealApi final : public Api {
 public:
  RealApi() : http_(clock_), client_(Config(clock_), http_, http_, clock_, {.qps = 0}) {}

  Cluster& cluster() override { return client_; }

  bool Until(const std::function<bool()>& done, Duration limit) override {
    return testing::PollUntil(done, limit, std::chrono::milliseconds(2));
  }

  // Compacts the store at the present version.
  bool ForgetHistory() override {
    const std::string etcd = Variable("ROLLGUARD_E2E_ETCD");
    if (etcd.empty()) return false;
    ClusterRequest list;
    list.verb = Verb::kList;
    list.type = Namespaces();
    const Expected<Json> now = Call(list);
    if (!now.ok()) return false;
    HttpRequest request;
    request.method = "POST";
    request.url = etcd + "/v3/kv/compaction";
    request.body = Json::Obj({{"revision", VersionOf(*now)}, {"physical", true}}).Dump();
    auto answer = std::make_shared<std::promise<int>>();
    std::future<int> status = answer->get_future();
    http_.Send(request, [answer](const Expected<HttpResponse>& response) {
      answer->set_value(response.ok() ? response->status : 0);
    });
    return status.get() == 200;
  }

  std::string KnownToken() override { return Variable("ROLLGUARD_E2E_TOKEN"); }
  std::string KnownUser() override { return "viewer"; }

 private:
  testing::RealClock clock_;
  net::CurlClient http_;
  kube::KubeClient client_;
};

}  // namespace

Api& TheApi() {
  static RealApi api;
  return api;
}

}  // namespace rollguard::conformance
