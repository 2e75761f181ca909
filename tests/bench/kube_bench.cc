// SPDX-License-Identifier: Apache-2.0
// The informer with 10,000 Deployments served over HTTP in pages of 500: time to sync, and what the
// agent's process keeps. The server is a child process, so that its memory is not counted.
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <deque>
#include <fstream>
#include <functional>
#include <mutex>

#include "agent/base/text.h"
#include "agent/kube/client.h"
#include "agent/kube/decode.h"
#include "agent/kube/informer.h"
#include "agent/kube/resources.h"
#include "agent/net/curl_client.h"
#include "tests/bench/report.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard::kube {
namespace {

using bench::Report;

constexpr int kObjects = 10'000;

// A Deployment as an API server sends it: 7 KB, nearly half of it managedFields and the annotation
// of kubectl apply. "@" is where the number goes.
std::string Template() {
  Json container =
      *ParseJson(R"({"name":"app","image":"registry.example.com/shop/checkout-@:1.42.0",
    "ports":[{"name":"http","containerPort":8080,"protocol":"TCP"},
             {"name":"metrics","containerPort":9090,"protocol":"TCP"}],
    "env":[{"name":"LOG_LEVEL","value":"info"},{"name":"REGION","value":"eu-central-1"},
           {"name":"DB_HOST","value":"postgres-@.shop.svc.cluster.local"},
           {"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db-@","key":"password"}}},
           {"name":"POD_NAME","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}],
    "resources":{"limits":{"cpu":"1","memory":"512Mi"},"requests":{"cpu":"100m","memory":"256Mi"}},
    "volumeMounts":[{"name":"config","mountPath":"/etc/checkout"}],
    "livenessProbe":{"httpGet":{"path":"/healthz","port":"http","scheme":"HTTP"},"timeoutSeconds":1,
                     "periodSeconds":10,"successThreshold":1,"failureThreshold":3},
    "readinessProbe":{"httpGet":{"path":"/ready","port":"http","scheme":"HTTP"},"timeoutSeconds":1,
                      "periodSeconds":5,"successThreshold":1,"failureThreshold":3},
    "terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File",
    "imagePullPolicy":"IfNotPresent"})");
  Json deployment = *ParseJson(R"({"metadata":{"name":"checkout-@","namespace":"shop",
    "uid":"7b9e3c1a-aaaa-bbbb-cccc-0000000@","resourceVersion":"1@","generation":3,
    "creationTimestamp":"2026-01-01T00:00:00Z",
    "labels":{"app":"checkout-@","app.kubernetes.io/name":"checkout","app.kubernetes.io/part-of":"shop",
              "team":"payments"},
    "annotations":{"deployment.kubernetes.io/revision":"3"}},
    "spec":{"replicas":3,"selector":{"matchLabels":{"app":"checkout-@"}},
      "template":{"metadata":{"creationTimestamp":null,"labels":{"app":"checkout-@","team":"payments"},
                              "annotations":{"prometheus.io/scrape":"true"}},
        "spec":{"containers":[],"volumes":[{"name":"config","configMap":{"name":"checkout-@","defaultMode":420}}],
          "restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst",
          "serviceAccountName":"checkout","serviceAccount":"checkout","securityContext":{},
          "schedulerName":"default-scheduler"}},
      "strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},
      "revisionHistoryLimit":10,"progressDeadlineSeconds":600},
    "status":{"observedGeneration":3,"replicas":3,"updatedReplicas":3,"readyReplicas":3,
      "availableReplicas":3,"conditions":[
       {"type":"Available","status":"True","lastUpdateTime":"2026-01-01T00:01:00Z",
        "lastTransitionTime":"2026-01-01T00:01:00Z","reason":"MinimumReplicasAvailable",
        "message":"Deployment has minimum availability."},
       {"type":"Progressing","status":"True","lastUpdateTime":"2026-01-01T00:01:00Z",
        "lastTransitionTime":"2026-01-01T00:00:00Z","reason":"NewReplicaSetAvailable",
        "message":"ReplicaSet \"checkout-@-5d4f9c7b8d\" has successfully progressed."}]}})");
  Json* pod = deployment["spec"]["template"].Find("spec");
  Json sidecar = container;
  sidecar.Set("name", "proxy").Set("image", "registry.example.com/mesh/proxy:1.20");
  (*pod)["containers"].Push(container).Push(sidecar);
  deployment["metadata"]["annotations"].Set("kubectl.kubernetes.io/last-applied-configuration",
                                            deployment.At("spec").Dump());
  std::string fields =
      R"({"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"app\"}":{)";
  for (int i = 0; i < 60; ++i) fields += StrCat(i == 0 ? "" : ",", "\"f:field", i, "\":{}");
  fields += "}}}}}}";
  Json managed = Json::Arr();
  for (const char* manager : {"kubectl-client-side-apply", "kube-controller-manager"}) {
    managed.Push(Json::Obj({{"manager", manager}, {"fieldsV1", *ParseJson(fields)}}));
  }
  deployment["metadata"].Set("managedFields", std::move(managed));
  return deployment.Dump();
}

std::string Page(const std::string& item, int from, int count) {
  int end = std::min(from + count, kObjects);
  std::string text = R"({"kind":"DeploymentList","apiVersion":"apps/v1","metadata":{)";
  text += R"("resourceVersion":"20000")";
  if (end < kObjects) text += StrCat(R"(,"continue":")", end, "\"");
  text += R"(},"items":[)";
  for (int i = from; i < end; ++i) {
    text += i > from ? "," : "";
    text += ReplaceAll(item, "@", Format("%05d", i));
  }
  return text + "]}";
}

void Answer(const std::vector<std::string>& pages, int size, const testing::TinyRequest& request,
            testing::TinyConnection& connection) {
  if (!request.Query("watch").empty()) {
    connection.StartChunked(200);
    connection.AwaitClose();
    return;
  }
  auto from = static_cast<int>(ParseInt(request.Query("continue")).value_or(0));
  connection.Respond(200, pages[static_cast<size_t>(from / size)]);
}

// Serves until it is told to end; its port comes through the pipe.
int StartServer(int size, pid_t* pid) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  *pid = fork();
  if (*pid != 0) {
    int port = 0;
    if (read(ends[0], &port, sizeof port) != sizeof port) std::abort();
    return port;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string item = Template();
  std::vector<std::string> pages;
  for (int from = 0; from < kObjects; from += size) pages.push_back(Page(item, from, size));
  testing::TinyServer server([&](const testing::TinyRequest& request, testing::TinyConnection& c) {
    Answer(pages, size, request, c);
  });
  int port = server.port();
  if (write(ends[1], &port, sizeof port) != sizeof port) _exit(1);
  for (;;) pause();
}

// "VmRSS" or "VmHWM" of this process, in MiB.
double Memory(const std::string& what) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(what)) return std::atof(line.c_str() + what.size() + 1) / 1024;
  }
  return 0;
}

// Runs what is posted on the thread that calls Run.
class Queue {
 public:
  void Post(std::function<void()> fn) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(fn));
    ready_.notify_one();
  }
  void RunUntil(const bool& done) {
    while (!done) {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [&] { return !queue_.empty(); });
      std::function<void()> fn = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      fn();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
};

// CPU time of all threads of this process; on a busy machine it says more than the clock.
double CpuMillis() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double Millis(std::chrono::nanoseconds d) { return static_cast<double>(d.count()) / 1e6; }

void MeasureSync(int port, int size, bool trimmed, Report& report) {
  testing::RealClock clock;
  net::CurlClient http(clock);
  ClusterConfig config;
  config.server = StrCat("http://127.0.0.1:", port);
  KubeClient client(config, http, http, clock);
  Queue queue;
  InformerOptions options;
  options.type = resources::Deployments();
  options.page = size;
  if (trimmed) {
    options.projection.drop.push_back(
        "metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]");
  }
  double before = Memory("VmRSS:");
  auto start = clock.Monotonic();
  double cpu = CpuMillis();
  Informer informer(
      client, http, Random(1), [&](std::function<void()> fn) { queue.Post(std::move(fn)); },
      options);
  bool synced = false;
  size_t seen = 0;
  InformerHandler handler;
  handler.upsert = [&](const Json&, const Json*) { ++seen; };
  handler.synced = [&] { synced = true; };
  informer.AddHandler(handler);
  informer.Start();
  queue.RunUntil(synced);
  double elapsed = Millis(clock.Monotonic() - start);
  cpu = CpuMillis() - cpu;
  malloc_trim(0);
  std::string name = trimmed ? "without last-applied: " : "";
  report.Add(name + "time to sync", elapsed, "ms");
  report.Add(name + "CPU to sync", cpu, "ms");
  report.Add(name + "objects", static_cast<double>(seen), "");
  report.Add(name + "packed", static_cast<double>(informer.stats().bytes) / (1 << 20), "MiB");
  report.Add(name + "RSS grew by", Memory("VmRSS:") - before, "MiB");
  report.Add(name + "RSS of the process", Memory("VmRSS:"), "MiB");
  report.Add(name + "peak RSS of the process", Memory("VmHWM:"), "MiB");
  cpu = CpuMillis();
  Json object;
  for (int i = 0; i < 1000; ++i) informer.Get("shop", Format("checkout-%05d", i), &object);
  report.Add(name + "one Get, CPU", CpuMillis() - cpu, "us");
}

void MeasureDecoding(Report& report) {
  std::string page = Page(Template(), 0, 2000);
  report.Add("page of 2,000: text", static_cast<double>(page.size()) / (1 << 20), "MiB");
  JsonDecoder::Pad(page);
  JsonDecoder decoder;
  ProjectionTree tree{Projection()};
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    double start = CpuMillis();
    Expected<Json> json = decoder.Decode(page, Shape::kList, &tree);
    best = std::min(best, CpuMillis() - start);
    if (!json.ok()) std::abort();
  }
  report.Add("page of 2,000: decoded without managedFields, CPU", best, "ms");
}

int Main(int argc, char** argv) {
  Report report("kube", argc, argv);
  constexpr int kPage = 500;
  pid_t server = 0;
  int port = StartServer(kPage, &server);
  MeasureSync(port, kPage, true, report);
  MeasureSync(port, kPage, false, report);
  MeasureDecoding(report);
  kill(server, SIGKILL);
  waitpid(server, nullptr, 0);
  return report.Finish();
}

}  // namespace
}  // namespace rollguard::kube

int main(int argc, char** argv) { return rollguard::kube::Main(argc, argv); }
