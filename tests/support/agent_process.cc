// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_process.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

using std::chrono::seconds;

int ConnectTo(const Address& server) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = server.Inet();
  timeval limit{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[16384];
  for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;)
    text.append(buffer, static_cast<size_t>(n));
  return text;
}

// The port that the log says is listened on; 0 when it does not yet.
int PortIn(const std::string& log) {
  size_t at = log.rfind(" listening address=");
  if (at == std::string::npos) return 0;
  at = log.find("port=", at);
  return at == std::string::npos ? 0 : std::atoi(log.c_str() + at + 5);
}

using Headers = std::vector<std::pair<std::string, std::string>>;

bool SendRequest(int fd, const Address& server, const std::string& method, const std::string& path,
                 const std::string& body, const Headers& headers) {
  std::string request = StrCat(method, " ", path, " HTTP/1.1\r\nHost: ", server.Text(),
                               "\r\nContent-Type: application/json\r\n");
  for (const auto& [name, value] : headers) request += StrCat(name, ": ", value, "\r\n");
  request += StrCat("Content-Length: ", body.size(), "\r\n\r\n", body);
  return ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(request.size());
}

PlainAnswer Parsed(const std::string& answer) {
  const size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos || answer.size() < 12) return {};
  return {std::atoi(answer.c_str() + 9), answer.substr(head + 4)};
}

// Until as much of the body is there as its head says; "" when the connection ends before.
std::string ReadOne(int fd) {
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  std::string text;
  char buffer[16384];
  for (ssize_t n = 0; (n = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    text.append(buffer, static_cast<size_t>(n));
    const size_t head = text.find("\r\n\r\n"), length = text.find(kLength);
    if (head == std::string::npos || length > head) continue;
    const auto body = static_cast<size_t>(std::atoll(text.c_str() + length + kLength.size()));
    if (text.size() >= head + 4 + body) return text;
  }
  return {};
}

}  // namespace

PlainAnswer Ask(const Address& server, const std::string& method, const std::string& path,
                const std::string& body, const Headers& headers) {
  const int fd = ConnectTo(server);
  if (fd < 0) return {};
  Headers all = headers;
  all.emplace_back("Connection", "close");
  std::string answer;
  if (SendRequest(fd, server, method, path, body, all)) answer = ReadAll(fd);
  ::close(fd);
  return Parsed(answer);
}

KeptConnection::~KeptConnection() {
  if (fd_ >= 0) ::close(fd_);
}

PlainAnswer KeptConnection::Ask(const std::string& method, const std::string& path,
                                const std::string& body, const Headers& headers) {
  for (const bool kept : {true, false}) {
    if (kept && fd_ < 0) continue;
    if (!kept && (fd_ = ConnectTo(server_)) < 0) return {};
    std::string answer;
    if (SendRequest(fd_, server_, method, path, body, headers)) answer = ReadOne(fd_);
    if (!answer.empty()) return Parsed(answer);
    ::close(std::exchange(fd_, -1));
  }
  return {};
}

std::string TheProgram() {
  const char* program = std::getenv("ROLLGUARD_BIN");
  return program != nullptr ? program : "rollguard";
}

std::unique_ptr<AgentProcess> AgentProcess::Start(const std::vector<std::string>& flags,
                                                  const std::string& log, const Environment& env,
                                                  const AgentPlace& place) {
  std::vector<std::string> command = place.enter;
  command.insert(command.end(), {TheProgram(), "run", "--listen", place.host + ":0"});
  command.insert(command.end(), flags.begin(), flags.end());
  const size_t before = ReadFile(log).size();
  auto process = Process::Start(command, {.log = log, .directory = "", .env = env});
  if (!process.ok()) {
    std::fprintf(stderr, "%s\n", process.error().message.c_str());
    return nullptr;
  }
  auto agent = std::make_unique<AgentProcess>();
  agent->process_ = std::move(*process);
  agent->log_ = log;
  agent->address_ = {place.host, 0};
  PollUntil(
      [&] {
        bool runs = agent->process_->Running();
        std::string text = ReadFile(log);
        if (text.size() > before) agent->address_.port = PortIn(text.substr(before));
        return agent->address_.port != 0 || !runs;
      },
      seconds(30));
  if (agent->address_.port != 0) return agent;
  std::fprintf(stderr, "the agent did not start:\n%s\n", ReadFile(log).c_str());
  return nullptr;
}

bool AgentProcess::AwaitReady(std::chrono::milliseconds limit) {
  return PollUntil([&] { return Ask(address_, "GET", "/health/ready").status == 200; }, limit);
}

std::unique_ptr<SimProcess> SimProcess::Start(const TempDir& dir,
                                              const std::vector<std::string>& manifests) {
  auto sim = std::make_unique<SimProcess>();
  sim->kubeconfig_ = dir.path() + "/sim.kubeconfig";
  const std::string log = dir.path() + "/sim.log";
  std::vector<std::string> command = {TheProgram(), "sim", "--kubeconfig", sim->kubeconfig_};
  for (const std::string& path : manifests) {
    command.emplace_back("--load");
    command.push_back(path);
  }
  auto process = Process::Start(command, {.log = log, .directory = "", .env = {}});
  if (!process.ok()) return nullptr;
  sim->process_ = std::move(*process);
  bool ready = PollUntil(
      [&] {
        return ReadFile(log).find("serving") != std::string::npos || !sim->process_->Running();
      },
      seconds(30));
  if (ready && sim->process_->Running()) return sim;
  std::fprintf(stderr, "rollguard sim did not start:\n%s\n", ReadFile(log).c_str());
  return nullptr;
}

}  // namespace rollguard::testing
