// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "agent/base/text.h"

extern char** environ;

namespace rollguard::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::vector<std::string> Environment(const ProcessOptions& options) {
  std::map<std::string, std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string::npos) merged[text.substr(0, equals)] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : options.env) merged[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : merged) out.push_back(StrCat(name, "=", value));
  return out;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

struct ChildFiles {
  int in = -1;
  int out = -1;
  int err = -1;
};

// Only async-signal-safe calls from here to exec.
[[noreturn]] void Become(char** argv, char** env, const char* program, const char* directory,
                         const ChildFiles& files, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (files.in >= 0) dup2(files.in, 0);
  if (files.out >= 0) dup2(files.out, 1);
  if (files.err >= 0) dup2(files.err, 2);
  if (*directory != '\0' && chdir(directory) != 0) _exit(126);
  execve(program, argv, env);
  _exit(127);
}

Expected<pid_t> Spawn(std::vector<std::string> command, const ProcessOptions& options,
                      const ChildFiles& files) {
  const std::string program = FindProgram(command.at(0));
  if (program.empty()) {
    return Error(ErrorCode::kNotFound, StrCat("there is no program ", Quote(command[0])));
  }
  std::vector<std::string> environment = Environment(options);
  std::vector<char*> argv = Pointers(command);
  std::vector<char*> env = Pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return Error(ErrorCode::kInternal, StrCat("fork: ", std::strerror(errno)));
  if (pid == 0) {
    Become(argv.data(), env.data(), program.c_str(), options.directory.c_str(), files, parent);
  }
  return pid;
}

int ExitCode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TempDir::TempDir(const std::string& name) {
  std::string pattern = (fs::temp_directory_path() / ("rollguard-" + name + "-XXXXXX")).string();
  if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

std::string TempDir::Write(const std::string& name, const std::string& text) const {
  const std::string file = path_ + "/" + name;
  std::ofstream(file, std::ios::binary) << text;
  fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
  return file;
}

Expected<std::unique_ptr<Process>> Process::Start(const std::vector<std::string>& command,
                                                  const ProcessOptions& options) {
  ChildFiles files;
  files.in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (!options.log.empty()) {
    files.out = open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    files.err = files.out;
  }
  Expected<pid_t> pid = Spawn(command, options, files);
  close(files.in);
  if (files.out >= 0) close(files.out);
  if (!pid.ok()) return pid.error();
  return std::unique_ptr<Process>(new Process(*pid));
}

Process::~Process() { Stop(); }

bool Process::Reap(int flags) {
  if (code_) return true;
  int status = 0;
  pid_t got = 0;
  do {
    got = waitpid(pid_, &status, flags);
  } while (got < 0 && errno == EINTR);
  if (got == pid_) code_ = ExitCode(status);
  return code_.has_value();
}

bool Process::Running() { return !Reap(WNOHANG); }

int Process::Wait() {
  Reap(0);
  return code_.value_or(-1);
}

std::optional<int> Process::WaitFor(milliseconds limit) {
  if (!PollUntil([this] { return Reap(WNOHANG); }, limit)) return std::nullopt;
  return code_;
}

void Process::Signal(int signal) const {
  if (!code_) kill(pid_, signal);
}

void Process::Stop(milliseconds grace) {
  if (Reap(WNOHANG)) return;
  Signal(SIGTERM);
  if (!WaitFor(grace)) Signal(SIGKILL);
  Reap(0);
}

RunResult Run(const std::vector<std::string>& command, const std::string& input,
              const ProcessOptions& options, milliseconds limit) {
  // Files rather than pipes: neither side can block the other.
  const TempDir dir("run");
  const std::string in = dir.Write("in", input);
  ChildFiles files;
  files.in = open(in.c_str(), O_RDONLY | O_CLOEXEC);
  files.out = open((dir.path() + "/out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  files.err = open((dir.path() + "/err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const Expected<pid_t> pid = Spawn(command, options, files);
  close(files.in);
  close(files.out);
  close(files.err);
  RunResult result;
  if (!pid.ok()) return {127, "", pid.error().message};
  int status = 0;
  if (PollUntil([&] { return waitpid(*pid, &status, WNOHANG) == *pid; }, limit, milliseconds(5))) {
    result.code = ExitCode(status);
  } else {
    kill(*pid, SIGKILL);
    waitpid(*pid, &status, 0);
    result.code = 124;
  }
  result.out = ReadFile(dir.path() + "/out");
  result.err = ReadFile(dir.path() + "/err");
  return result;
}

bool PollUntil(const std::function<bool()>& ready, milliseconds limit, milliseconds pause) {
  const auto end = steady_clock::now() + limit;
  while (!ready()) {
    if (steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(pause);
  }
  return true;
}

std::string FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  for (std::string_view folder : Split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    std::string full = StrCat(folder, "/", name);
    if (access(full.c_str(), X_OK) == 0) return full;
  }
  return "";
}

std::string ReadFile(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace rollguard::testing
