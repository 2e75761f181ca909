// SPDX-License-Identifier: Apache-2.0
// From what was said and found to one ClusterConfig. A kubeconfig is read in the order context ->
// cluster -> user; flags replace single values; at the end everything that can be checked without
// the server is.
#include "agent/kube/config.h"

#include <algorithm>

#include "agent/base/text.h"
#include "agent/kube/certificate.h"
#include "agent/kube/files.h"
#include "agent/kube/kubeconfig.h"

namespace rollguard::kube {
namespace {

std::string Names(const std::vector<KubeconfigEntry>& entries) {
  std::vector<std::string> names;
  for (const KubeconfigEntry& entry : entries) names.push_back(entry.name);
  if (names.size() > 20) names.resize(20);
  return names.empty() ? std::string("there are none") : StrCat("there are: ", Join(names, ", "));
}

Error Unknown(const char* what, const std::string& name, const Kubeconfig& config,
              const std::vector<KubeconfigEntry>& entries) {
  std::vector<std::string_view> names;
  for (const KubeconfigEntry& entry : entries) names.push_back(entry.name);
  return {ErrorCode::kNotFound, StrCat(Join(config.files, ", "), ": there is no ", what, " ",
                                       Quote(name), Suggestion(name, names), "; ", Names(entries))};
}

std::string TrimSlashes(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// "" when the URL can be used.
std::string ServerProblem(const std::string& server) {
  if (server.empty()) return "no server is given";
  if (server.starts_with("https://") || server.starts_with("http://")) return {};
  return StrCat(Quote(server), " must begin with https:// or http://");
}

void CheckServer(const KubeconfigReader& reader, const std::string& server) {
  if (std::string problem = ServerProblem(server); !problem.empty()) {
    reader.Problem("server", problem);
  }
}

// Files stay files, so that what is rotated under the agent is read anew for new connections.
void KeepFileOrText(std::string path, std::string text, std::string& file, std::string& pem) {
  if (path.empty()) {
    pem = std::move(text);
  } else {
    file = std::move(path);
  }
}

void ReadCluster(const KubeconfigReader& reader, const ConfigFlags& flags, ClusterConfig& out) {
  out.server = TrimSlashes(flags.server.empty() ? reader.String("server") : flags.server);
  CheckServer(reader, out.server);
  out.tls.server_name = reader.String("tls-server-name");
  out.tls.insecure = reader.Bool("insecure-skip-tls-verify");
  out.proxy = reader.String("proxy-url");
  if (!flags.ca_file.empty() || flags.insecure) return;
  std::string path;
  std::string ca = reader.DataOrFile("certificate-authority", &path);
  if (ca.empty()) return;
  if (Status ok = CheckCa(ca); !ok.ok()) {
    const char* key = path.empty() ? "certificate-authority-data" : "certificate-authority";
    reader.Problem(key, StrCat(path.empty() ? "" : path + ": ", ok.error().message));
  }
  KeepFileOrText(std::move(path), std::move(ca), out.tls.ca_file, out.tls.ca_pem);
}

void ReadClientCertificate(const KubeconfigReader& reader, Time now, ClusterConfig& out) {
  std::string cert_path;
  std::string key_path;
  std::string cert = reader.DataOrFile("client-certificate", &cert_path);
  std::string key = reader.DataOrFile("client-key", &key_path);
  if (cert.empty() && key.empty()) return;
  if (cert.empty() || key.empty()) {
    // A file that could not be read has been reported already.
    bool reported = (cert.empty() && !cert_path.empty()) || (key.empty() && !key_path.empty());
    if (!reported) {
      reader.Problem("client-certificate", "certificate and key must be given together");
    }
    return;
  }
  if (Status ok = CheckClientCertificate(cert, key, now); !ok.ok()) {
    std::string where = cert_path.empty() ? "" : cert_path + ": ";
    reader.Problem(cert_path.empty() ? "client-certificate-data" : "client-certificate",
                   where + ok.error().message);
  }
  KeepFileOrText(std::move(cert_path), std::move(cert), out.tls.cert_file, out.tls.cert_pem);
  KeepFileOrText(std::move(key_path), std::move(key), out.tls.key_file, out.tls.key_pem);
}

void ReadExecEnv(const KubeconfigReader& reader, ExecPlugin& exec) {
  const yaml::Node* env = reader.Node("env");
  if (env == nullptr) return;
  for (const yaml::Node& item : env->items) {
    const yaml::Node* name = item.Find("name");
    const yaml::Node* value = item.Find("value");
    if (name == nullptr || !name->is_scalar() || value == nullptr) {
      reader.Problem("env", "each entry needs name and value");
      return;
    }
    exec.env.emplace_back(name->text, value->text);
  }
}

void ReadExec(const KubeconfigEntry& entry, const yaml::Node* node, Diagnostics& diagnostics,
              ExecPlugin& exec) {
  KubeconfigReader reader(entry, node, diagnostics);
  exec.command = reader.String("command");
  if (exec.command.empty()) reader.Problem("command", "exec needs a command");
  if (exec.command.find('/') != std::string::npos) exec.command = reader.Resolve(exec.command);
  exec.args = reader.Strings("args");
  ReadExecEnv(reader, exec);
  exec.api_version = reader.String("apiVersion");
  if (exec.api_version != "client.authentication.k8s.io/v1" &&
      exec.api_version != "client.authentication.k8s.io/v1beta1") {
    reader.Problem("apiVersion", StrCat(Quote(exec.api_version),
                                        " is not known; client.authentication.k8s.io/v1 and "
                                        "v1beta1 are"));
  }
  exec.install_hint = reader.String("installHint");
  exec.provide_cluster_info = reader.Bool("provideClusterInfo");
  if (reader.String("interactiveMode") == "Always") {
    reader.Problem("interactiveMode", "the plugin wants a terminal, and an agent has none");
  }
}

void ReadUser(const KubeconfigEntry& entry, const ConfigFlags& flags, Time now,
              Diagnostics& diagnostics, ClusterConfig& out) {
  KubeconfigReader reader(entry, entry.body, diagnostics);
  if (flags.client_certificate.empty()) ReadClientCertificate(reader, now, out);
  out.token = reader.String("token");
  out.token_file = reader.Resolve(reader.String("tokenFile"));
  out.username = reader.String("username");
  out.password = reader.String("password");
  out.impersonate_user = reader.String("as");
  out.impersonate_groups = reader.Strings("as-groups");
  if (reader.Node("auth-provider") != nullptr) {
    reader.Problem("auth-provider", "auth-provider is no longer supported; use exec");
  }
  if (const yaml::Node* exec = reader.Node("exec")) {
    ReadExec(entry, exec, diagnostics, out.exec);
  }
}

Status ApplyCertificateFlags(const ConfigFlags& flags, Time now, ClusterConfig& out) {
  if (!flags.ca_file.empty()) {
    Expected<std::string> ca = ReadSmallFile(flags.ca_file);
    if (!ca.ok()) return Error(ErrorCode::kInvalid, StrCat("CA file: ", ca.error().message));
    if (Status ok = CheckCa(*ca); !ok.ok()) {
      return Error(ErrorCode::kInvalid,
                   StrCat("CA file: ", flags.ca_file, ": ", ok.error().message));
    }
    out.tls.ca_pem.clear();
    out.tls.ca_file = flags.ca_file;
  }
  if (flags.client_certificate.empty() && flags.client_key.empty()) return {};
  if (flags.client_certificate.empty() || flags.client_key.empty()) {
    return Error(ErrorCode::kInvalid, "client certificate and client key must be given together");
  }
  Expected<std::string> cert = ReadSmallFile(flags.client_certificate);
  Expected<std::string> key = ReadSmallFile(flags.client_key);
  if (!cert.ok() || !key.ok()) {
    return Error(ErrorCode::kInvalid,
                 StrCat("client certificate: ", (cert.ok() ? key : cert).error().message));
  }
  if (Status ok = CheckClientCertificate(*cert, *key, now); !ok.ok()) {
    return Error(ErrorCode::kInvalid, StrCat("client certificate: ", flags.client_certificate, ": ",
                                             ok.error().message));
  }
  out.tls.cert_pem.clear();
  out.tls.key_pem.clear();
  out.tls.cert_file = flags.client_certificate;
  out.tls.key_file = flags.client_key;
  return {};
}

void ApplyIdentityFlags(const ConfigFlags& flags, ClusterConfig& out) {
  if (!flags.token.empty() || !flags.token_file.empty()) {
    out.exec = {};
    out.username.clear();
    out.password.clear();
    out.token = flags.token;
    out.token_file = flags.token.empty() ? flags.token_file : std::string();
  }
  if (!flags.as.empty()) out.impersonate_user = flags.as;
  if (!flags.as_groups.empty()) out.impersonate_groups = flags.as_groups;
}

Expected<ClusterConfig> ApplyFlags(const ConfigFlags& flags, Time now, ClusterConfig out) {
  if (!flags.server.empty()) out.server = TrimSlashes(flags.server);
  if (!flags.tls_server_name.empty()) out.tls.server_name = flags.tls_server_name;
  if (!flags.proxy_url.empty()) out.proxy = flags.proxy_url;
  if (!flags.ns.empty()) out.default_namespace = flags.ns;
  ApplyIdentityFlags(flags, out);
  if (Status ok = ApplyCertificateFlags(flags, now, out); !ok.ok()) return ok.error();
  if (flags.insecure) {
    out.tls.insecure = true;
    out.tls.ca_pem.clear();
    out.tls.ca_file.clear();
  }
  if (std::string problem = ServerProblem(out.server); !problem.empty()) {
    return Error(ErrorCode::kInvalid, StrCat("server: ", problem));
  }
  return out;
}

std::vector<std::string> KubeconfigFiles(const ConfigFlags& flags, const Surroundings& around) {
  std::vector<std::string> files;
  std::string_view list =
      flags.kubeconfig.empty() ? std::string_view(around.kubeconfig_env) : flags.kubeconfig;
  for (std::string_view file : Split(list, ':')) {
    if (!file.empty()) files.emplace_back(file);
  }
  return files;
}

}  // namespace

Expected<ContextList> ListContexts(const std::vector<std::string>& files) {
  Expected<Kubeconfig> config = ReadKubeconfig(files);
  if (!config.ok()) return config.error();
  ContextList list;
  list.current = config->current_context;
  for (const KubeconfigEntry& entry : config->contexts) list.names.push_back(entry.name);
  return list;
}

Expected<ClusterConfig> LoadKubeconfig(const std::vector<std::string>& files,
                                       const ConfigFlags& flags, Time now) {
  Expected<Kubeconfig> config = ReadKubeconfig(files);
  if (!config.ok()) return config.error();
  std::string name = flags.context.empty() ? config->current_context : flags.context;
  if (name.empty()) {
    return Error(ErrorCode::kInvalid,
                 StrCat(Join(config->files, ", "), ": no current-context is set; name a context; ",
                        Names(config->contexts)));
  }
  const KubeconfigEntry* context = Kubeconfig::Find(config->contexts, name);
  if (context == nullptr) return Unknown("context", name, *config, config->contexts);

  Diagnostics diagnostics;
  ClusterConfig out;
  out.origin = StrCat("context ", Quote(name), " of ", context->file);
  KubeconfigReader reader(*context, context->body, diagnostics);
  std::string cluster_name = flags.cluster.empty() ? reader.String("cluster") : flags.cluster;
  std::string user_name = flags.user.empty() ? reader.String("user") : flags.user;
  if (std::string ns = reader.String("namespace"); !ns.empty()) out.default_namespace = ns;

  const KubeconfigEntry* cluster = Kubeconfig::Find(config->clusters, cluster_name);
  if (cluster == nullptr) return Unknown("cluster", cluster_name, *config, config->clusters);
  ReadCluster(KubeconfigReader(*cluster, cluster->body, diagnostics), flags, out);
  if (!user_name.empty()) {
    const KubeconfigEntry* user = Kubeconfig::Find(config->users, user_name);
    if (user == nullptr) return Unknown("user", user_name, *config, config->users);
    ReadUser(*user, flags, now, diagnostics, out);
  }
  if (diagnostics.has_errors()) return ToError(diagnostics);
  return ApplyFlags(flags, now, std::move(out));
}

Expected<ClusterConfig> LoadInCluster(const Surroundings& around) {
  const std::string& dir = around.service_account_dir;
  if (around.service_host.empty() || around.service_port.empty()) {
    return Error(ErrorCode::kNotFound,
                 "no Kubernetes API server is known: this is no pod (KUBERNETES_SERVICE_HOST is "
                 "not set), and there is no kubeconfig; name a server or a kubeconfig");
  }
  ClusterConfig out;
  bool v6 = around.service_host.find(':') != std::string::npos;
  out.server = StrCat("https://", v6 ? "[" : "", around.service_host, v6 ? "]" : "", ":",
                      around.service_port);
  out.origin = StrCat("the service account in ", dir);
  out.token_file = StrCat(dir, "/token");
  out.tls.ca_file = StrCat(dir, "/ca.crt");
  Expected<std::string> token = ReadSmallFile(out.token_file);
  if (!token.ok()) {
    return Error(ErrorCode::kUnauthenticated,
                 StrCat("service account: ", token.error().message,
                        "; is automountServiceAccountToken switched off?"));
  }
  Expected<std::string> ca = ReadSmallFile(out.tls.ca_file);
  if (!ca.ok()) return Error(ErrorCode::kInvalid, StrCat("service account: ", ca.error().message));
  if (Status ok = CheckCa(*ca); !ok.ok()) {
    return Error(ErrorCode::kInvalid,
                 StrCat("service account: ", out.tls.ca_file, ": ", ok.error().message));
  }
  Expected<std::string> ns = ReadSmallFile(StrCat(dir, "/namespace"));
  if (ns.ok() && !Trim(*ns).empty()) out.default_namespace = std::string(Trim(*ns));
  return out;
}

Expected<ClusterConfig> LoadConfig(const ConfigFlags& flags, const Surroundings& around, Time now) {
  std::vector<std::string> files = KubeconfigFiles(flags, around);
  if (files.empty() && !flags.server.empty()) {
    ClusterConfig out;
    out.origin = "the command line";
    return ApplyFlags(flags, now, std::move(out));
  }
  if (!files.empty()) return LoadKubeconfig(files, flags, now);
  std::string usual = StrCat(around.home, "/.kube/config");
  bool exists = !around.home.empty() && (ReadSmallFile(usual).ok() ||
                                         ReadSmallFile(usual).error().code != ErrorCode::kNotFound);
  // In a pod the service account is meant, unless a kubeconfig was named.
  if (exists && around.service_host.empty()) return LoadKubeconfig({usual}, flags, now);
  Expected<ClusterConfig> in_cluster = LoadInCluster(around);
  if (!in_cluster.ok()) return in_cluster.error();
  return ApplyFlags(flags, now, std::move(*in_cluster));
}

}  // namespace rollguard::kube
