// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/config.h"

#include "tests/kube/kube_fixture.h"
#include "tests/support/certificates.h"

namespace rollguard::kube {
namespace {

const Time kNow = testing::RealClock().Now();

const char kGood[] = R"(apiVersion: v1
kind: Config
current-context: dev
contexts:
  - name: dev
    context: {cluster: local, user: jane, namespace: shop}
  - name: production
    context: {cluster: local, user: nobody}
clusters:
  - name: local
    cluster:
      server: https://127.0.0.1:6443/
      tls-server-name: kubernetes
      proxy-url: http://proxy:3128
users:
  - name: jane
    user:
      token: abc
      as: root
      as-groups: [a, b]
  - name: nobody
    user: {}
)";

// The error of loading `text` as a kubeconfig, with the file's folder cut out.
std::string Mistake(const TempDir& dir, const std::string& text, ConfigFlags flags = {}) {
  std::string file = dir.Write("config", text);
  Expected<ClusterConfig> config = LoadKubeconfig({file}, flags, kNow);
  if (config.ok()) return "no mistake";
  return ReplaceAll(config.error().message, dir.path() + "/", "");
}

TEST_CASE("a kubeconfig's current context") {
  TempDir dir;
  Expected<ClusterConfig> config = LoadKubeconfig({dir.Write("config", kGood)}, {}, kNow);
  REQUIRE(config.ok());
  CHECK(config->server == "https://127.0.0.1:6443");
  CHECK(config->tls.server_name == "kubernetes");
  CHECK(config->proxy == "http://proxy:3128");
  CHECK(config->default_namespace == "shop");
  CHECK(config->token == "abc");
  CHECK(config->impersonate_user == "root");
  CHECK(config->impersonate_groups == std::vector<std::string>{"a", "b"});
  CHECK(config->origin == StrCat("context \"dev\" of ", dir.path(), "/config"));
}

TEST_CASE("flags outweigh the kubeconfig") {
  TempDir dir;
  ConfigFlags flags;
  flags.kubeconfig = dir.Write("config", kGood);
  flags.context = "production";
  flags.server = "http://127.0.0.1:8001";
  flags.token = "mine";
  flags.ns = "other";
  flags.insecure = true;
  Expected<ClusterConfig> config = LoadConfig(flags, {}, kNow);
  REQUIRE(config.ok());
  CHECK(config->server == "http://127.0.0.1:8001");
  CHECK(config->token == "mine");
  CHECK(config->default_namespace == "other");
  CHECK(config->tls.insecure);
}

TEST_CASE("certificates inline and by file, relative to the kubeconfig") {
  TempDir dir;
  testing::KeyPair ca = testing::MakeCa("ca");
  testing::KeyPair jane = testing::IssueCertificate(ca, {"jane", {}, {}, -60, 3600});
  dir.Write("ca.crt", ca.cert_pem);
  dir.Write("jane.crt", jane.cert_pem);
  std::string text = StrCat(R"(current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters: [{name: k, cluster: {server: "https://k", certificate-authority: ca.crt}}]
users: [{name: u, user: {client-certificate: jane.crt, client-key-data: )",
                            Base64Encode(jane.key_pem), "}}]\n");
  Expected<ClusterConfig> config = LoadKubeconfig({dir.Write("config", text)}, {}, kNow);
  REQUIRE(config.ok());
  CHECK(config->tls.ca_file == dir.path() + "/ca.crt");
  CHECK(config->tls.cert_file == dir.path() + "/jane.crt");
  CHECK(config->tls.key_pem == jane.key_pem);
}

TEST_CASE("mistakes in a kubeconfig are named by file, place and key") {
  TempDir dir;
  auto with = [](const char* from, const char* to) { return ReplaceAll(kGood, from, to); };
  struct Row {
    std::string text;
    std::string want;
  };
  for (const Row& row : std::vector<Row>{
           {"", "config: this kubeconfig is empty"},
           {"just words\n", "config:1:1: a kubeconfig must be a mapping (kind: Config)"},
           {"kind: Pod\n", "config:1:7: this is a \"Pod\", not a kubeconfig (kind: Config)"},
           {"contexts: {}\n", "config:1:11: contexts must be a list"},
           {"contexts: [{}]\n", "config:1:12: an entry of contexts has no name"},
           {"kind: Config\n", "config: no current-context is set; name a context; there are none"},
           {with("current-context: dev", "current-context: produktion"),
            "config: there is no context \"produktion\" (did you mean \"production\"?); there are: "
            "dev, production"},
           {with("cluster: local, user: jane", "cluster: locla, user: jane"),
            "config: there is no cluster \"locla\" (did you mean \"local\"?); there are: local"},
           {with("user: jane,", "user: jnae,"),
            "config: there is no user \"jnae\" (did you mean \"jane\"?); there are: jane, nobody"},
           {with("https://127.0.0.1:6443/", "127.0.0.1:6443"),
            "config:12:15: server of \"local\": \"127.0.0.1:6443\" must begin with https:// or "
            "http://"},
           {with("server: https://127.0.0.1:6443/", "x: y"),
            "config:12:7: server of \"local\": no server is given"},
           {with("tls-server-name: kubernetes", "insecure-skip-tls-verify: maybe"),
            "config:13:33: insecure-skip-tls-verify of \"local\": true or false is wanted here"},
           {with("tls-server-name: kubernetes", "certificate-authority: gone.crt"),
            "config:13:30: certificate-authority of \"local\": cannot read gone.crt: No such file "
            "or directory"},
           {with("tls-server-name: kubernetes", "certificate-authority-data: '%%%'"),
            "config:13:35: certificate-authority-data of \"local\": this is not base64"},
           {with("tls-server-name: kubernetes", "certificate-authority-data: aGVsbG8="),
            "config:13:35: certificate-authority-data of \"local\": there is no PEM certificate in "
            "it"},
           {with("token: abc", "client-certificate-data: aGVsbG8="),
            "config:18:7: client-certificate of \"jane\": certificate and key must be given "
            "together"},
           {with("token: abc", "auth-provider:\n        name: gcp"),
            "config:19:9: auth-provider of \"jane\": auth-provider is no longer supported; use "
            "exec"},
           {with("token: abc", "exec:\n        args: x"),
            "config:19:9: apiVersion of \"jane\": \"\" is not known; "
            "client.authentication.k8s.io/v1 and v1beta1 are\n"
            "config:19:9: command of \"jane\": exec needs a command\n"
            "config:19:15: args of \"jane\": a list of texts is wanted here"}}) {
    CHECK(Mistake(dir, row.text) == row.want);
  }
  CHECK(Mistake(dir, "a: [\n").starts_with("config:"));
}

TEST_CASE("files that are not there, not readable, or no files") {
  TempDir dir;
  auto message = [](const std::vector<std::string>& files) {
    Expected<ClusterConfig> config = LoadKubeconfig(files, {}, kNow);
    return config.ok() ? "no mistake" : config.error().message;
  };
  CHECK(message({"/nonexistent/config"}) ==
        "kubeconfig: cannot read /nonexistent/config: No such file or directory");
  CHECK(message({dir.path()}) ==
        StrCat("kubeconfig: cannot read ", dir.path(), ": it is not a file"));
  CHECK(message({"/nonexistent/a", "/nonexistent/b"}) ==
        "kubeconfig: none of these files exists: /nonexistent/a, /nonexistent/b");
  if (getuid() != 0) {  // root reads everything
    std::string locked = dir.Write("locked", kGood, 0);
    CHECK(message({locked}) == StrCat("kubeconfig: cannot read ", locked, ": Permission denied"));
  }
}

TEST_CASE("several kubeconfigs: the first that says something wins, missing ones are passed over") {
  TempDir dir;
  std::string one = dir.Write("one", "current-context: production\n");
  std::string two = dir.Write("two", kGood);
  Surroundings around;
  around.kubeconfig_env = StrCat(one, ":/nonexistent/x:", two);
  Expected<ClusterConfig> config = LoadConfig({}, around, kNow);
  REQUIRE(config.ok());
  CHECK(config->token.empty());
  Expected<ContextList> contexts = ListContexts({one, two});
  REQUIRE(contexts.ok());
  CHECK(contexts->current == "production");
  CHECK(contexts->names == std::vector<std::string>{"dev", "production"});
}

TEST_CASE("client certificates that cannot work are found before they are used") {
  TempDir dir;
  testing::KeyPair ca = testing::MakeCa("ca");
  testing::KeyPair old = testing::IssueCertificate(ca, {"jane", {}, {}, -7200, -3600});
  testing::KeyPair good = testing::IssueCertificate(ca, {"jane", {}, {}, -60, 3600});
  testing::KeyPair early = testing::IssueCertificate(ca, {"jane", {}, {}, 3600, 7200});
  auto with = [&](const std::string& cert, const std::string& key) {
    return Mistake(dir, ReplaceAll(kGood, "token: abc",
                                   StrCat("client-certificate-data: ", Base64Encode(cert),
                                          "\n      client-key-data: ", Base64Encode(key))));
  };
  std::string prefix = "config:18:32: client-certificate-data of \"jane\": ";
  CHECK(with(good.cert_pem, good.key_pem) == "no mistake");
  CHECK(with(old.cert_pem, old.key_pem).starts_with(prefix + "the certificate expired on 20"));
  CHECK(with(early.cert_pem, early.key_pem)
            .starts_with(prefix + "the certificate is not valid before 20"));
  CHECK(with(good.cert_pem, old.key_pem) == prefix + "the key does not belong to the certificate");
  CHECK(with("x", good.key_pem) == prefix + "the certificate is not PEM");
  CHECK(with(good.cert_pem, "x") == prefix + "the key is not PEM, or is locked by a password");
  ConfigFlags flags;
  flags.server = "https://k";
  flags.client_certificate = dir.Write("old.crt", old.cert_pem);
  flags.client_key = dir.Write("old.key", old.key_pem);
  Expected<ClusterConfig> config = LoadConfig(flags, {}, kNow);
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().message.starts_with(
      StrCat("client certificate: ", flags.client_certificate, ": the certificate expired on 20")));
}

TEST_CASE("the service account of a pod") {
  TempDir dir;
  Surroundings around;
  around.service_host = "fd00::1";
  around.service_port = "443";
  around.service_account_dir = dir.path();
  Expected<ClusterConfig> missing = LoadConfig({}, around, kNow);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().message ==
        StrCat("service account: cannot read ", dir.path(),
               "/token: No such file or directory; is automountServiceAccountToken switched off?"));
  dir.Write("token", "t");
  dir.Write("ca.crt", "not a certificate");
  CHECK(LoadConfig({}, around, kNow).error().message ==
        StrCat("service account: ", dir.path(), "/ca.crt: there is no PEM certificate in it"));
  dir.Write("ca.crt", testing::MakeCa("ca").cert_pem);
  dir.Write("namespace", "rollguard\n");
  Expected<ClusterConfig> config = LoadConfig({}, around, kNow);
  REQUIRE(config.ok());
  CHECK(config->server == "https://[fd00::1]:443");
  CHECK(config->token_file == dir.path() + "/token");
  CHECK(config->default_namespace == "rollguard");
}

TEST_CASE("no cluster at all") {
  Expected<ClusterConfig> config = LoadConfig({}, {}, kNow);
  REQUIRE_FALSE(config.ok());
  CHECK(config.error().message ==
        "no Kubernetes API server is known: this is no pod (KUBERNETES_SERVICE_HOST is not set), "
        "and there is no kubeconfig; name a server or a kubeconfig");
}

}  // namespace
}  // namespace rollguard::kube
