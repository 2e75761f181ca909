// SPDX-License-Identifier: Apache-2.0
// What keeps the program from starting, and what it says then; reloading.
#include <signal.h>

#include "agent/base/text.h"
#include "tests/serve/stage.h"
#include "tests/support/catch.h"

namespace rollguard::serve {
namespace {

using std::chrono::seconds;
using testing::PollUntil;

constexpr const char* kKubeconfig =
    R"({"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c",)"
    R"("cluster":{"server":"http://127.0.0.1:9"}}],"users":[{"name":"u","user":{}}],)"
    R"("contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]})";

TEST_CASE("what cannot be used is refused at the start, with where and why") {
  const testing::TempDir dir("start");
  const std::string kubeconfig = dir.Write("kubeconfig", kKubeconfig);
  const std::string good = StrCat("kind: AgentConfig\ndataDir: ", dir.path(), "/data\n");
  auto config = [&](const std::string& name, const std::string& text) {
    return dir.Write(name, good + text);
  };
  dir.Write("broken-rules.yaml",
            "groups:\n  - name: a\n    rules:\n      - rollback: X\n"
            "        expr: sum(rat(x[5m])) > 1\n");
  struct Row {
    const char* name;
    std::vector<std::string> flags;
    int code;
    std::string want;
  };
  const std::vector<Row> rows = {
      {"unknown key",
       {"--config", config("key.yaml", "listn: {port: 1}\n")},
       1,
       StrCat(dir.path(),
              "/key.yaml:3:1: error: unknown key \"listn\" (did you mean "
              "\"listen\"?)")},
      {"wrong value",
       {"--config", config("value.yaml", "listen: {port: 70000}\n")},
       1,
       "/value.yaml:3:16: error:"},
      {"a rule file that does not parse",
       {"--config", config("rules.yaml", "rules: [broken-rules.yaml]\n")},
       1,
       "/broken-rules.yaml:5:19: error: unknown function with name \"rat\" (did you mean "
       "\"rate\"?)"},
      {"a rule file that is not there",
       {"--config", config("missing.yaml", "rules: [nowhere.yaml]\n")},
       1,
       "/nowhere.yaml"},
      {"a secret that is not there",
       {"--config", config("secret.yaml", "auth: {webhooks: {bearerTokenFile: /nowhere/token}}\n")},
       1,
       "auth.webhooks.bearerTokenFile: "},
      {"no configuration at that path", {"--config", dir.path() + "/none.yaml"}, 1, "none.yaml"},
      {"a kubeconfig that is not there", {"--kubeconfig", dir.path() + "/none"}, 1, "/none"},
      {"an unknown flag", {"--confg", "x"}, 2, "did you mean"},
      {"an address that is none", {"--listen", "here"}, 2, "--listen wants ADDRESS:PORT"},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    std::vector<std::string> command = {testing::TheProgram(), "run"};
    command.insert(command.end(), row.flags.begin(), row.flags.end());
    if (row.flags[0] == "--config") {
      command.emplace_back("--kubeconfig");
      command.push_back(kubeconfig);
    }
    testing::RunResult result = testing::Run(command);
    INFO(result.err);
    CHECK(result.code == row.code);
    CHECK(result.err.find(row.want) != std::string::npos);
  }
}

TEST_CASE("--check reads everything and runs nothing") {
  const testing::TempDir dir("check");
  const std::string kubeconfig = dir.Write("kubeconfig", kKubeconfig);
  testing::RunResult result = testing::Run({testing::TheProgram(), "run", "--check", "--kubeconfig",
                                            kubeconfig, "--data-dir", dir.path() + "/data",
                                            "--rules", StrCat(ROLLGUARD_SOURCE_DIR, "/rules")});
  INFO(result.err);
  CHECK(result.code == 0);
}

TEST_CASE("a port or a data folder that is in use is said, not shared") {
  Stage stage;
  stage.StartAgent();
  std::vector<std::string> command = {testing::TheProgram(), "run"};
  std::vector<std::string> flags = stage.AgentFlags();
  command.insert(command.end(), flags.begin(), flags.end());

  std::vector<std::string> same_folder = command;
  same_folder.insert(same_folder.end(), {"--listen", "127.0.0.1:0"});
  testing::RunResult folder = testing::Run(same_folder);
  CHECK(folder.code == 1);
  CHECK(folder.err.find("is in use by another rollguard") != std::string::npos);

  std::vector<std::string> same_port = command;
  same_port.insert(same_port.end(), {"--listen", StrCat("127.0.0.1:", stage.agent().port()),
                                     "--data-dir", stage.dir().path() + "/other"});
  testing::RunResult port = testing::Run(same_port);
  INFO(port.err);
  CHECK(port.code == 1);
  CHECK(port.err.find(StrCat(stage.agent().port())) != std::string::npos);
}

TEST_CASE("a rule file that breaks keeps the old rules and says so until it is mended") {
  Stage stage;
  const char* good =
      "groups:\n  - name: one\n    rules:\n      - rollback: A\n"
      "        expr: up == 0\n";
  std::string rules = stage.dir().Write("rules.yaml", good);
  stage.StartAgent({"--rules", rules});
  auto health = [&] {
    auto parsed = ParseJson(testing::Ask(stage.agent().port(), "GET", "/health/deep").body);
    if (!parsed) return Json();
    for (const Json& one : parsed->At("checks").items()) {
      if (one.At("name").Str() == "rules") return one;
    }
    return Json();
  };
  auto await = [&](bool ok, const std::string& text) {
    stage.agent().process().Signal(SIGHUP);
    return PollUntil(
        [&] {
          Json now = health();
          return now.At("ok").BoolOr(!ok) == ok &&
                 now.At("detail").Str().find(text) != std::string::npos;
        },
        seconds(30));
  };
  CHECK(health().At("detail").Str() == "1 files, 1 rule groups");

  stage.dir().Write("rules.yaml",
                    "groups:\n  - name: one\n    rules:\n      - rollback: A\n"
                    "        expr: rat(x[5m]) > 1\n");
  CHECK(await(false, "rules.yaml:5:15: error: unknown function"));
  CHECK(testing::Ask(stage.agent().port(), "GET", "/health/ready").status == 200);

  stage.dir().Write("rules.yaml", StrCat(good,
                                         "  - name: two\n    rules:\n"
                                         "      - rollback: B\n        expr: up == 0\n"));
  bool mended = await(true, "1 files, 2 rule groups");
  INFO(health().Dump());
  INFO(stage.Log());
  CHECK(mended);
}

TEST_CASE("rules from objects of the cluster are in use and follow them") {
  Stage stage;
  stage.StartAgent();
  REQUIRE(stage.cluster()
              .CreateAll(R"(
apiVersion: rollguard.dev/v1alpha1
kind: RollbackRules
metadata: {name: extra, namespace: shop}
spec:
  groups:
    - name: extra
      rules: [{rollback: A, expr: up == 0}]
)")
              .ok());
  bool seen =
      PollUntil([&] { return stage.Log().find("groups=1") != std::string::npos; }, seconds(30));
  INFO(stage.Log());
  CHECK(seen);
}

TEST_CASE("no secret is in the log") {
  Stage stage;
  stage.StartAgent();
  CHECK(stage.PostAlert("Any").status == 200);
  CHECK(stage.Log().find("sesame") == std::string::npos);
}

}  // namespace
}  // namespace rollguard::serve
