// SPDX-License-Identifier: Apache-2.0
#include "tests/support/real_prometheus.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "agent/base/text.h"

extern char** environ;

namespace rollguard::testing {
namespace {

namespace fs = std::filesystem;

// Starts a program with its output in `log`; -1 when it is not there.
pid_t Spawn(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  int failed = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

void ShowLog(const std::string& log) {
  std::ifstream in(log);
  std::string line;
  while (std::getline(in, line)) std::fprintf(stderr, "  %s\n", line.c_str());
}

// promtool's blocks from OpenMetrics text.
bool CreateBlocks(const std::string& directory, const std::string& text, const std::string& log) {
  std::string input = directory + "/input.om";
  std::ofstream(input, std::ios::binary) << text;
  pid_t pid = Spawn({"promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", input,
                     directory + "/data"},
                    log);
  int status = 0;
  if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
    std::fprintf(stderr, "promtool could not create blocks:\n");
    ShowLog(log);
    return false;
  }
  return true;
}

bool WaitReady(LoopbackHttp& http, pid_t pid) {
  for (int i = 0; i < 1200; ++i) {
    if (http.Get("/-/ready").status == 200) return true;
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) return false;
    timespec pause{0, 50'000'000};
    nanosleep(&pause, nullptr);
  }
  return false;
}

std::string MakeDirectory() {
  std::string pattern = (fs::temp_directory_path() / "rollguard-prometheus-XXXXXX").string();
  return mkdtemp(pattern.data()) != nullptr ? pattern : std::string();
}

}  // namespace

std::unique_ptr<RealPrometheus> RealPrometheus::Start(const PrometheusOptions& options) {
  std::unique_ptr<RealPrometheus> server(new RealPrometheus);
  server->directory_ = MakeDirectory();
  if (server->directory_.empty()) return nullptr;
  const std::string& dir = server->directory_;
  std::string log = dir + "/log";
  std::string data = options.data_dir.empty() ? dir + "/data" : options.data_dir;
  fs::create_directories(data);
  if (!options.openmetrics.empty() && !CreateBlocks(dir, options.openmetrics, log)) return nullptr;
  std::ofstream(dir + "/prometheus.yml")
      << (options.config.empty() ? std::string("global: {}\n") : options.config);

  server->port_ = FreePort();
  std::vector<std::string> command = {"prometheus",
                                      StrCat("--config.file=", dir, "/prometheus.yml"),
                                      StrCat("--storage.tsdb.path=", data),
                                      "--storage.tsdb.retention.time=200y",
                                      StrCat("--web.listen-address=127.0.0.1:", server->port_),
                                      "--log.level=warn"};
  command.insert(command.end(), options.flags.begin(), options.flags.end());
  server->pid_ = Spawn(command, log);
  server->http_ = std::make_unique<LoopbackHttp>(server->port_);
  if (server->pid_ < 0 || !WaitReady(*server->http_, server->pid_)) {
    std::fprintf(stderr, "prometheus did not start:\n");
    ShowLog(log);
    return nullptr;
  }
  return server;
}

RealPrometheus::~RealPrometheus() {
  http_.reset();
  if (pid_ > 0) {
    kill(pid_, SIGKILL);  // nothing of its data is kept
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
}

std::string RealPrometheus::url() const { return StrCat("http://127.0.0.1:", port_); }

HttpAnswer RealPrometheus::Query(std::string_view expr, std::string_view time) {
  return http_->Post("/api/v1/query", {{"query", std::string(expr)}, {"time", std::string(time)}});
}

HttpAnswer RealPrometheus::QueryRange(std::string_view expr, std::string_view start,
                                      std::string_view end, std::string_view step) {
  return http_->Post("/api/v1/query_range", {{"query", std::string(expr)},
                                             {"start", std::string(start)},
                                             {"end", std::string(end)},
                                             {"step", std::string(step)}});
}

bool RealPrometheus::Accepts(std::string_view expr) {
  return http_->Post("/api/v1/format_query", {{"query", std::string(expr)}}).status == 200;
}

}  // namespace rollguard::testing
