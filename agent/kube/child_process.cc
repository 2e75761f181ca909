// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

constexpr size_t kKeptErrors = 4096;

struct Pipe {
  int read_end = -1;
  int write_end = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) {
      read_end = ends[0];
      write_end = ends[1];
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    Close(read_end);
    Close(write_end);
  }
  static void Close(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

std::vector<std::string> Environment(const ChildCommand& command) {
  std::vector<std::string> env;
  auto replaced = [&](std::string_view entry) {
    for (const auto& [name, value] : command.env) {
      if (entry.starts_with(name + "=")) return true;
    }
    return false;
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!replaced(*entry)) env.emplace_back(*entry);
  }
  for (const auto& [name, value] : command.env) env.push_back(StrCat(name, "=", value));
  return env;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int Spawn(const ChildCommand& command, const Pipe& out, const Pipe& err, pid_t* pid) {
  std::vector<std::string> args = {command.program};
  args.insert(args.end(), command.args.begin(), command.args.end());
  std::vector<std::string> env = Environment(command);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end, 1);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  sigset_t ignored_by_us;
  sigemptyset(&ignored_by_us);
  sigaddset(&ignored_by_us, SIGPIPE);
  posix_spawnattr_setsigdefault(&attributes, &ignored_by_us);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int failed = posix_spawnp(pid, command.program.c_str(), &actions, &attributes,
                            Pointers(args).data(), Pointers(env).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failed;
}

// Reads what is there; closes the end when the child has closed its own.
void Drain(int& fd, short events, std::string& into) {
  if (fd < 0 || events == 0) return;
  char chunk[8192];
  ssize_t got = read(fd, chunk, sizeof chunk);
  if (got > 0) {
    into.append(chunk, static_cast<size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    Pipe::Close(fd);
  }
}

// Waits for the end of a child whose output is complete; kills it when that does not come in time.
int Reap(pid_t pid, const Clock& clock, std::chrono::nanoseconds deadline) {
  int status = 0;
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (clock.Monotonic() >= deadline) kill(-pid, SIGKILL);
    poll(nullptr, 0, 5);
  }
  return status;
}

// Collects until both pipes are closed; "" or why it had to stop.
std::string Collect(const ChildCommand& command, const Clock& clock, const std::atomic<bool>* stop,
                    std::chrono::nanoseconds deadline, Pipe& out, Pipe& err, ChildResult& result) {
  while (out.read_end >= 0 || err.read_end >= 0) {
    if (stop != nullptr && *stop) return "stopped";
    if (clock.Monotonic() >= deadline) {
      return StrCat("it did not end within ", FormatGoDuration(command.timeout));
    }
    pollfd ends[2] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
    if (poll(ends, 2, 100) < 0 && errno != EINTR) return std::strerror(errno);
    Drain(out.read_end, ends[0].revents, result.out);
    Drain(err.read_end, ends[1].revents, result.err);
    if (result.out.size() > command.max_output) return "it printed too much";
    if (result.err.size() > 2 * kKeptErrors) {
      result.err.erase(0, result.err.size() - kKeptErrors);
    }
  }
  return {};
}

}  // namespace

Expected<ChildResult> RunChild(const ChildCommand& command, const Clock& clock,
                               const std::atomic<bool>* stop) {
  Pipe out;
  Pipe err;
  if (out.read_end < 0 || err.read_end < 0) {
    return Error(ErrorCode::kUnavailable, StrCat("no pipes: ", std::strerror(errno)));
  }
  pid_t pid = 0;
  if (int failed = Spawn(command, out, err, &pid); failed != 0) {
    ErrorCode code = failed == ENOENT ? ErrorCode::kNotFound : ErrorCode::kUnavailable;
    return Error(code, StrCat("cannot start ", command.program, ": ", std::strerror(failed)));
  }
  Pipe::Close(out.write_end);
  Pipe::Close(err.write_end);
  ChildResult result;
  auto deadline = clock.Monotonic() + command.timeout;
  std::string trouble = Collect(command, clock, stop, deadline, out, err, result);
  if (!trouble.empty()) kill(-pid, SIGKILL);
  int status = Reap(pid, clock, deadline);
  if (!trouble.empty()) {
    return Error(ErrorCode::kTimeout, StrCat(command.program, " was ended: ", trouble));
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace rollguard::kube
