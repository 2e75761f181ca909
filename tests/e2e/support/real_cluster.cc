// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/real_cluster.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "agent/base/text.h"
#include "agent/net/curl_client.h"
#include "tests/support/free_port.h"
#include "tests/support/real_clock.h"

namespace rollguard::testing {
namespace {

constexpr std::chrono::seconds kStartLimit{120};

std::string Program(const std::string& name) {
  for (const char* variable : {"KUBEBUILDER_ASSETS", "ROLLGUARD_KUBE_ASSETS"}) {
    const char* folder = std::getenv(variable);
    if (folder == nullptr || *folder == '\0') continue;
    std::string path = FindProgram(StrCat(folder, "/", name));
    if (!path.empty()) return path;
  }
  return FindProgram(name);
}

// The end of a log, or from where a Go program fell.
std::string Telling(const std::string& file) {
  constexpr size_t kMax = 4000;
  const std::string text = ReadFile(file);
  for (const char* fall : {"\npanic: ", "\nfatal error: ", "\nF1"}) {
    const size_t at = text.find(fall);
    if (at != std::string::npos) return text.substr(at, kMax);
  }
  return text.size() > kMax ? text.substr(text.size() - kMax) : text;
}

// The status of one GET with the administrator's token; 0 when there was no answer.
int Get(HttpClient& http, const std::string& url, std::shared_ptr<const TlsOptions> tls) {
  HttpRequest request;
  request.url = url;
  request.tls = std::move(tls);
  request.headers = {{"Authorization", StrCat("Bearer ", kAdminToken)}};
  auto answer = std::make_shared<std::promise<int>>();
  std::future<int> status = answer->get_future();
  http.Send(request, [answer](Expected<HttpResponse> response) {
    answer->set_value(response.ok() ? response->status : 0);
  });
  return status.get();
}

}  // namespace

Expected<std::unique_ptr<RealCluster>> RealCluster::Start(const std::string& audit_policy,
                                                          std::function<Address(int)> wire) {
  std::unique_ptr<RealCluster> cluster(new RealCluster);
  cluster->audit_policy_ = audit_policy;
  cluster->wire_ = std::move(wire);
  using Step = Status (RealCluster::*)();
  for (const Step step :
       {&RealCluster::WriteFiles, &RealCluster::StartEtcd, &RealCluster::StartApiServer,
        &RealCluster::WaitReady, &RealCluster::StartControllerManager}) {
    if (Status status = (cluster.get()->*step)(); !status.ok()) return status.error();
  }
  return cluster;
}

RealCluster::~RealCluster() {
  while (!members_.empty()) members_.pop_back();
}

std::string RealCluster::etcd_url() const { return StrCat("http://127.0.0.1:", etcd_port_); }

Status RealCluster::Check() const {
  for (const Member& member : members_) {
    if (!member.process->Running()) return Failed(member.name, "ended before the tests did");
  }
  return {};
}

Error RealCluster::Failed(const std::string& program, const std::string& why) const {
  return Error(ErrorCode::kUnavailable,
               StrCat(program, ": ", why, "\n", Telling(File(program + ".log"))));
}

Status RealCluster::WriteFiles() {
  etcd_port_ = FreePort();
  api_port_ = FreePort();
  peer_port_ = FreePort();
  etcd_seen_ = wire_ ? wire_(etcd_port_) : Address(etcd_port_);
  std::string tokens =
      StrCat(kAdminToken, ",admin,1,\"system:masters\"\n", kViewerToken, ",", kViewerUser, ",2\n");
  for (int i = 0; i < kReplicaUsers; ++i)
    tokens += StrCat("agent-", i, "-token,agent-", i, ",", 10 + i, ",\"system:masters\"\n");
  dir_.Write("tokens.csv", tokens);
  if (Run({"openssl", "genrsa", "-out", File("sa.key"), "2048"}).code != 0 ||
      Run({"openssl", "rsa", "-in", File("sa.key"), "-pubout", "-out", File("sa.pub")}).code != 0) {
    return Error(ErrorCode::kUnavailable, "openssl could not make the service accounts' key");
  }
  // YAML contains JSON.
  kubeconfig_ = dir_.Write(
      "kubeconfig",
      StrCat(R"({"apiVersion": "v1", "kind": "Config", "current-context": "test",)",
             R"("clusters": [{"name": "test", "cluster": {"server": "https://127.0.0.1:)",
             api_port_, R"(", "certificate-authority": ")", File("certs/apiserver.crt"),
             R"("}}], "users": [{"name": "admin", "user": {"token": ")", kAdminToken,
             R"("}}], "contexts": [{"name": "test", "context": {"cluster": "test",)",
             R"("user": "admin"}}]})", "\n"));
  return {};
}

Status RealCluster::StartEtcd() {
  const std::string program = Program("etcd");
  if (program.empty()) return Failed("etcd", "not found; run ./dev setup e2e");
  const std::string client = etcd_url();
  const std::string peer = StrCat("http://127.0.0.1:", peer_port_);
  return Put("etcd", Process::Start({program, "--name=test", StrCat("--data-dir=", File("etcd")),
                                     "--unsafe-no-fsync", StrCat("--listen-client-urls=", client),
                                     StrCat("--advertise-client-urls=", client),
                                     StrCat("--listen-peer-urls=", peer),
                                     StrCat("--initial-advertise-peer-urls=", peer),
                                     StrCat("--initial-cluster=test=", peer), "--log-level=warn"},
                                    {.log = File("etcd.log"), .directory = "", .env = {}}));
}

// Anew, or in the place of the one that was.
Status RealCluster::Put(const std::string& name, Expected<std::unique_ptr<Process>> process) {
  if (!process.ok()) return process.error();
  for (Member& member : members_) {
    if (member.name != name) continue;
    member.process = std::move(*process);
    return {};
  }
  members_.push_back({name, std::move(*process)});
  return {};
}

Process* RealCluster::Find(const std::string& name) {
  for (Member& member : members_) {
    if (member.name == name) return member.process.get();
  }
  return nullptr;
}

Status RealCluster::KeepStore() { return CopyStore(File("etcd"), File("etcd.kept")); }
Status RealCluster::PutStoreBack() { return CopyStore(File("etcd.kept"), File("etcd")); }

Status RealCluster::CopyStore(const std::string& from, const std::string& to) {
  for (const char* name : {"kube-apiserver", "etcd"}) {
    Find(name)->Signal(SIGTERM);
    if (!Find(name)->WaitFor(std::chrono::seconds(5))) Find(name)->Signal(SIGKILL);
    Find(name)->Wait();
  }
  std::error_code failed;
  std::filesystem::remove_all(to, failed);
  std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, failed);
  if (failed) return Failed("etcd", failed.message());
  if (Status started = StartEtcd(); !started) return started;
  if (Status started = StartApiServer(); !started) return started;
  if (Status ready = WaitReady(); !ready) return ready;
  // What it remembers is of another time: it is started anew, as by whoever puts a store back.
  Find("kube-controller-manager")->Signal(SIGKILL);
  Find("kube-controller-manager")->Wait();
  return StartControllerManager();
}

Status RealCluster::StartApiServer() {
  const std::string program = Program("kube-apiserver");
  if (program.empty()) return Failed("kube-apiserver", "not found; run ./dev e2e");
  std::vector<std::string> command = {
      program, StrCat("--etcd-servers=http://", etcd_seen_.Text()), "--etcd-compaction-interval=0",
      "--bind-address=127.0.0.1", "--advertise-address=192.0.2.1",
      "--endpoint-reconciler-type=none", StrCat("--secure-port=", api_port_),
      StrCat("--cert-dir=", File("certs")), "--service-cluster-ip-range=10.96.0.0/16",
      StrCat("--token-auth-file=", File("tokens.csv")), "--authorization-mode=RBAC",
      StrCat("--service-account-key-file=", File("sa.pub")),
      StrCat("--service-account-signing-key-file=", File("sa.key")),
      "--service-account-issuer=https://kubernetes.default.svc",
      // The first wants a controller for accounts, the second taints nodes that no kubelet clears.
      "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
      // Straight from the store, so that a compaction shows.
      "--watch-cache-sizes=leases.coordination.k8s.io#0"};
  if (!audit_policy_.empty()) {
    command.push_back("--audit-policy-file=" + dir_.Write("audit.yaml", audit_policy_));
    command.push_back("--audit-log-path=" + audit_log());
    command.emplace_back("--audit-log-maxsize=100000");  // megabytes: one file
  }
  return Put(
      "kube-apiserver",
      Process::Start(command, {.log = File("kube-apiserver.log"), .directory = "", .env = {}}));
}

Status RealCluster::RestartApiServer() {
  Find("kube-apiserver")->Signal(SIGKILL);
  Find("kube-apiserver")->Wait();
  if (Status started = StartApiServer(); !started) return started;
  return WaitReady();
}

Status RealCluster::WaitReady() {
  Process* server = Find("kube-apiserver");
  RealClock clock;
  net::CurlClient http(clock);
  auto tls = std::make_shared<TlsOptions>();
  tls->ca_file = File("certs/apiserver.crt");
  const std::string base = StrCat("https://127.0.0.1:", api_port_);
  const bool ready = PollUntil(
      [&] {
        return !server->Running() ||
               (!ReadFile(tls->ca_file).empty() && Get(http, base + "/readyz", tls) == 200 &&
                Get(http, base + "/api/v1/namespaces/default", tls) == 200);
      },
      kStartLimit, std::chrono::milliseconds(100));
  if (!server->Running()) return Failed("kube-apiserver", "ended at once");
  if (!ready) return Failed("kube-apiserver", "not ready after two minutes");
  return {};
}

Status RealCluster::StartControllerManager() {
  const std::string program = Program("kube-controller-manager");
  if (program.empty()) return Failed("kube-controller-manager", "not found; run ./dev e2e");
  std::vector<std::string> command = {
      program,
      StrCat("--kubeconfig=", kubeconfig_),
      "--controllers=clusterrole-aggregation,deployment,replicaset,statefulset,daemonset,job,"
      "endpoint,endpointslice,"
      "horizontalpodautoscaling,garbagecollector,namespace,disruption",
      "--leader-elect=false",
      "--secure-port=0",
      "--kube-api-qps=200",
      "--kube-api-burst=400"};
  // Servers up to 1.23 also open a port without TLS unless they are told not to.
  const RunResult help = Run({program, "--help"});
  if (help.out.find("--port int") != std::string::npos) command.emplace_back("--port=0");
  Status put =
      Put("kube-controller-manager",
          Process::Start(command,
                         {.log = File("kube-controller-manager.log"), .directory = "", .env = {}}));
  if (!put) return put;
  if (Find("kube-controller-manager")->WaitFor(std::chrono::milliseconds(500)))
    return Failed("kube-controller-manager", "ended at once");
  return {};
}

}  // namespace rollguard::testing
