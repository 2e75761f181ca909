// SPDX-License-Identifier: Apache-2.0
// A client of the Kubernetes API against a scripted server, and files for configurations.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "agent/base/text.h"
#include "agent/kube/client.h"
#include "agent/kube/resources.h"
#include "agent/net/curl_client.h"
#include "tests/support/catch.h"
#include "tests/support/real_clock.h"
#include "tests/support/tiny_server.h"

namespace rollguard::kube {

// Generous: it only has to be longer than any healthy run.
inline constexpr std::chrono::seconds kPatience{60};

template <class T>
T Await(std::future<T> future) {
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

template <class T>
std::pair<std::function<void(T)>, std::future<T>> Promised() {
  auto promise = std::make_shared<std::promise<T>>();
  auto future = promise->get_future();
  return {[promise](T value) { promise->set_value(std::move(value)); }, std::move(future)};
}

// A folder that goes away with the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = std::filesystem::temp_directory_path() / "rollguard-kube-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string Write(const std::string& name, const std::string& text, int mode = 0644) const {
    std::string file = path_ + "/" + name;
    std::ofstream(file) << text;
    std::filesystem::permissions(file, static_cast<std::filesystem::perms>(mode));
    return file;
  }

 private:
  std::string path_;
};

struct KubeFixture {
  testing::RealClock clock;
  net::CurlClient http{clock};

  std::unique_ptr<KubeClient> Connect(ClusterConfig config, KubeOptions options = {}) {
    return std::make_unique<KubeClient>(std::move(config), http, http, clock, std::move(options));
  }
  std::unique_ptr<KubeClient> Connect(const testing::TinyServer& server, KubeOptions options = {}) {
    ClusterConfig config;
    config.server = server.Url();
    config.origin = "the test";
    return Connect(std::move(config), std::move(options));
  }

  static Expected<Json> Call(Cluster& cluster, ClusterRequest request) {
    auto [done, answer] = Promised<Expected<Json>>();
    request.timeout = kPatience;
    cluster.Call(std::move(request), done);
    return Await(std::move(answer));
  }

  static ClusterRequest GetPod() {
    ClusterRequest request;
    request.verb = Verb::kGet;
    request.type = resources::Pods();
    request.ns = "shop";
    request.name = "p";
    return request;
  }
};

}  // namespace rollguard::kube
