// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/credentials.h"

#include "agent/kube/child_process.h"
#include "tests/kube/kube_fixture.h"

namespace rollguard::kube {
namespace {

// A clock that can be moved.
class HandClock final : public Clock {
 public:
  Time Now() const override { return real_.Now() + offset; }
  std::chrono::nanoseconds Monotonic() const override { return real_.Monotonic() + offset; }
  Duration offset{0};

 private:
  testing::RealClock real_;
};

Expected<Credential> Ask(Credentials& credentials) {
  auto [done, answer] = Promised<Expected<Credential>>();
  credentials.Get(done);
  return Await(std::move(answer));
}

std::string Authorization(const Expected<Credential>& credential) {
  if (!credential.ok()) return credential.error().message;
  return credential->headers.empty() ? "" : credential->headers[0].second;
}

// A plugin that counts its runs in a file.
ClusterConfig WithPlugin(const TempDir& dir, const std::string& print) {
  ClusterConfig config;
  config.origin = "user \"u\"";
  config.exec.command =
      dir.Write("plugin", StrCat("#!/bin/sh\necho run >> ", dir.path(), "/runs\n", print), 0755);
  config.exec.api_version = "client.authentication.k8s.io/v1";
  return config;
}

std::string Print(const std::string& status) {
  return StrCat("cat <<'END'\n{\"kind\":\"ExecCredential\",\"status\":", status, "}\nEND\n");
}

int Runs(const TempDir& dir) {
  std::ifstream file(dir.path() + "/runs");
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

TEST_CASE("static credentials") {
  testing::RealClock clock;
  ClusterConfig config;
  config.username = "a";
  config.password = "b";
  Credentials basic(config, clock);
  CHECK(Authorization(Ask(basic)) == "Basic YTpi");
  CHECK_FALSE(basic.Refresh());
  ClusterConfig token;
  token.token = "t";
  Credentials bearer(token, clock);
  CHECK(Authorization(Ask(bearer)) == "Bearer t");
}

TEST_CASE("a token file is read again, and its last token outlives a moment without it") {
  TempDir dir;
  HandClock clock;
  ClusterConfig config;
  config.origin = "the test";
  config.token_file = dir.path() + "/token";
  Credentials credentials(config, clock);
  CHECK(Authorization(Ask(credentials)) ==
        StrCat("the test: token: cannot read ", config.token_file, ": No such file or directory"));
  dir.Write("token", "one\n");
  CHECK(Authorization(Ask(credentials)) == "Bearer one");
  dir.Write("token", "two\n");
  CHECK(Authorization(Ask(credentials)) == "Bearer one");
  clock.offset += std::chrono::seconds(11);
  CHECK(Authorization(Ask(credentials)) == "Bearer two");
  std::filesystem::remove(config.token_file);
  clock.offset += std::chrono::seconds(11);
  CHECK(Authorization(Ask(credentials)) == "Bearer two");
}

TEST_CASE("an exec plugin's token is kept until it is about to expire") {
  TempDir dir;
  HandClock clock;
  std::string until = FormatRfc3339(clock.Now() + std::chrono::hours(1));
  ClusterConfig config =
      WithPlugin(dir, Print(StrCat(R"({"token":"t","expirationTimestamp":")", until, "\"}")));
  Credentials credentials(config, clock);
  CHECK(Authorization(Ask(credentials)) == "Bearer t");
  CHECK(Authorization(Ask(credentials)) == "Bearer t");
  CHECK(Runs(dir) == 1);
  clock.offset = std::chrono::hours(1) - std::chrono::seconds(20);
  CHECK(Ask(credentials).ok());
  CHECK(Runs(dir) == 2);
}

TEST_CASE("an exec plugin is run again when the server refuses what it gave") {
  TempDir dir;
  testing::RealClock clock;
  ClusterConfig config = WithPlugin(dir, Print(R"({"token":"t"})"));
  Credentials credentials(config, clock);
  CHECK(Ask(credentials).ok());
  CHECK(credentials.Refresh());
  CHECK(Ask(credentials).ok());
  CHECK(Runs(dir) == 2);
}

TEST_CASE("an exec plugin may give a client certificate, and is told about the cluster") {
  TempDir dir;
  testing::RealClock clock;
  ClusterConfig config =
      WithPlugin(dir, StrCat("printf '%s' \"$KUBERNETES_EXEC_INFO\" > ", dir.path(), "/info\n",
                             "printf '%s' \"$EXTRA $1\" > ", dir.path(), "/extra\n",
                             Print(R"({"clientCertificateData":"C","clientKeyData":"K"})")));
  config.server = "https://k";
  config.exec.provide_cluster_info = true;
  config.exec.env = {{"EXTRA", "e"}};
  config.exec.args = {"arg"};
  config.tls.ca_pem = "CA";
  Credentials credentials(config, clock);
  Expected<Credential> credential = Ask(credentials);
  REQUIRE(credential.ok());
  CHECK(credential->tls->cert_pem == "C");
  CHECK(credential->tls->key_pem == "K");
  CHECK(credential->tls->ca_pem == "CA");
  std::ifstream info(dir.path() + "/info");
  CHECK(std::string(std::istreambuf_iterator<char>(info), {}) ==
        R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":)"
        R"({"interactive":false,"cluster":{"server":"https://k",)"
        R"("certificate-authority-data":"Q0E="}}})");
  std::ifstream extra(dir.path() + "/extra");
  CHECK(std::string(std::istreambuf_iterator<char>(extra), {}) == "e arg");
}

TEST_CASE("plugins that fail are explained") {
  TempDir dir;
  testing::RealClock clock;
  struct Row {
    std::string script;
    std::string want;
  };
  for (const Row& row : std::vector<Row>{
           {"echo first >&2; echo 'please log in' >&2; exit 3",
            ": it ended with code 3: please log in"},
           {"echo hello", ": what it printed is not JSON: "},
           {"echo '{}'", ": what it printed is no ExecCredential"},
           {Print("{}"), ": status holds neither token nor clientCertificateData"},
           {Print(R"({"clientCertificateData":"C"})"),
            ": clientCertificateData and clientKeyData must come together"},
           {Print(R"({"token":"t","expirationTimestamp":"soon"})"), ": expirationTimestamp: "}}) {
    ClusterConfig config = WithPlugin(dir, row.script);
    Credentials credentials(config, clock);
    Expected<Credential> credential = Ask(credentials);
    REQUIRE_FALSE(credential.ok());
    CHECK(credential.error().code == ErrorCode::kUnauthenticated);
    CHECK(credential.error().message.starts_with(
        StrCat("user \"u\": exec plugin ", config.exec.command, row.want)));
  }
  ClusterConfig missing;
  missing.origin = "user \"u\"";
  missing.exec.command = "rollguard-no-such-plugin";
  missing.exec.install_hint = "install it\n";
  Credentials credentials(missing, clock);
  CHECK(Authorization(Ask(credentials)) ==
        "user \"u\": exec plugin rollguard-no-such-plugin: cannot start rollguard-no-such-plugin: "
        "No such file or directory; install it");
}

TEST_CASE("a child that hangs, floods or is no longer wanted is ended") {
  testing::RealClock clock;
  ChildCommand command;
  command.program = "sh";
  command.args = {"-c", "sleep 600"};
  command.timeout = Duration(100);
  Expected<ChildResult> hung = RunChild(command, clock, nullptr);
  REQUIRE_FALSE(hung.ok());
  CHECK(hung.error().message == "sh was ended: it did not end within 100ms");
  command.args = {"-c", "exec >&- 2>&-; sleep 600"};  // closes its output and stays
  CHECK(RunChild(command, clock, nullptr)->exit_code == 128 + 9);
  command.timeout = kPatience;
  command.args = {"-c", "yes"};
  Expected<ChildResult> flood = RunChild(command, clock, nullptr);
  REQUIRE_FALSE(flood.ok());
  CHECK(flood.error().message == "sh was ended: it printed too much");
  std::atomic<bool> stop{true};
  command.args = {"-c", "sleep 600"};
  CHECK(RunChild(command, clock, &stop).error().message == "sh was ended: stopped");
  command.args = {"-c", "kill -TERM $$"};
  CHECK(RunChild(command, clock, nullptr)->exit_code == 128 + 15);
}

TEST_CASE("Stop ends a plugin that runs") {
  TempDir dir;
  testing::RealClock clock;
  ClusterConfig config = WithPlugin(dir, "sleep 600");
  Credentials credentials(config, clock);
  bool called = false;
  credentials.Get([&](Expected<Credential>) { called = true; });
  credentials.Stop();
  CHECK_FALSE(called);
}

}  // namespace
}  // namespace rollguard::kube
