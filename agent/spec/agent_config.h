// SPDX-License-Identifier: Apache-2.0
// The agent's own configuration file. Secrets are named by file and re-read when they change; an
// inline secret is refused.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/spec/guard.h"
#include "agent/spec/values.h"

namespace rollguard::spec {

struct ClusterConfig {
  std::string name = "default";  // shown in notifications and history
  std::string kubeconfig;        // empty: in-cluster, else $KUBECONFIG or ~/.kube/config
  std::string context;
  std::vector<std::string> namespaces;  // empty: all
  std::string guard_selector;           // label selector
  double qps = 50;
  int64_t burst = 100;
};

struct TlsClientConfig {
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string server_name;
  bool insecure_skip_verify = false;
};

// How the agent proves itself to a server. At most one of bearer and basic.
struct ClientAuth {
  std::string bearer_token_file;
  std::string username;
  std::string password_file;
};

struct HttpEndpoint {
  std::string url;
  ClientAuth auth;
  TlsClientConfig tls;
  StringMap headers;
  Duration timeout = std::chrono::seconds(10);
};

struct PrometheusSource {
  HttpEndpoint endpoint;
  std::string external_url;  // where people's browsers find it; empty: nowhere
  std::string tenant;  // X-Scope-OrgID
  std::string tenant_header = "X-Scope-OrgID";
  int64_t concurrency = 16;
  bool fold = true;
  int64_t fold_limit = 200;  // values per alternation
  Duration lookback = std::chrono::minutes(5);
};

struct EmbeddedSource {
  Duration interval = std::chrono::seconds(15);
  Duration timeout = std::chrono::seconds(10);
  std::string port_name = "metrics";
  std::string path = "/metrics";
  int64_t max_body_bytes = 10 << 20;
  int64_t max_series_per_pod = 10'000;
  Duration retention = std::chrono::minutes(15);
};

struct MetricsSourceConfig {
  std::string name;
  std::variant<PrometheusSource, EmbeddedSource> source;
  SourceSpan span;
};

struct WatchdogConfig {
  std::vector<Matcher> matchers;
  Duration within = std::chrono::minutes(10);
};

struct AlertmanagerConfig {
  std::string name;
  HttpEndpoint endpoint;
  Duration interval = std::chrono::seconds(30);
  std::optional<WatchdogConfig> watchdog;
  SourceSpan span;
};

// Another sender's JSON, read by a mapping: POST /api/v1/alerts/from/NAME. Places are JSON
// pointers; those of an alert are relative to it. Empty: as the sender "generic" has it.
struct AlertSender {
  std::string name;
  std::string alerts;  // the array of alerts; empty: the document is one alert
  std::string status;
  std::vector<std::string> resolved_values;
  std::string starts_at;
  std::string labels;     // an object of strings
  StringMap label_paths;  // label <- place
  SourceSpan span;
};

struct ListenConfig {
  std::string address = "127.0.0.1";
  int64_t port = 9442;
  std::string cert_file;
  std::string key_file;
  std::string client_ca_file;  // asks for client certificates
  int64_t max_body_bytes = 4 << 20;
  int64_t max_connections = 2'000;
  Duration head_timeout = std::chrono::seconds(10);
  Duration body_timeout = std::chrono::seconds(20);
  int64_t requests_per_second = 2'000;
};

struct StaticToken {
  std::string name;  // the actor
  std::string token_file;
  std::vector<std::string> groups;
  std::vector<std::string> verbs;       // "*" for all
  std::vector<std::string> namespaces;  // empty: all
};

struct WebhookAuth {
  std::string bearer_token_file;
  std::string username;
  std::string password_file;
  bool client_certificate = false;
};

struct AuthConfig {
  bool kubernetes = true;  // TokenReview and SubjectAccessReview
  Duration cache = std::chrono::seconds(30);
  std::vector<StaticToken> tokens;
  std::optional<WebhookAuth> webhooks;  // absent: webhooks are refused
  bool anonymous_read = false;
};

struct HistoryConfig {
  std::string sqlite_path;        // empty: history.db in the data directory
  std::string postgres_url;       // without a password
  std::string postgres_url_file;  // the whole URL
  Duration retain_releases = std::chrono::hours(24 * 365);
  Duration retain_measurements = std::chrono::hours(24 * 30);
  Duration retain_audit = std::chrono::hours(24 * 365 * 7);
};

struct ShardsConfig {
  int64_t count = 1;
  std::string ns;        // of the leases; empty: the agent's own
  std::string identity;  // empty: the host name
  Duration lease = std::chrono::seconds(15);
  Duration renew = std::chrono::seconds(5);
};

// The fleet governor: when many guards trigger at once it is the platform, not the releases.
struct FleetLimits {
  int64_t max_triggers = 10;  // guards within `within`
  Duration within = std::chrono::minutes(1);
  double max_share = 0.2;  // of the guards that are releasing, when there are at least five
  int64_t max_rollbacks_per_hour = 60;
  int64_t max_active_releases = 0;  // 0: no limit
  int64_t max_group_rollbacks_per_hour = 10;
};

struct SlackChannel {
  std::string webhook_url_file;
  std::string channel;
};
struct TeamsChannel {
  std::string webhook_url_file;
};
struct WebhookChannel {
  HttpEndpoint endpoint;
  std::string method = "POST";
  std::string body;  // template; empty: the event as JSON
};
struct AlertmanagerChannel {
  std::string alertmanager;  // by name
  StringMap labels;
};
struct EventsChannel {};  // Kubernetes Events

struct ChannelConfig {
  std::string name;
  std::variant<SlackChannel, TeamsChannel, WebhookChannel, AlertmanagerChannel, EventsChannel> kind;
  std::string title;  // template; empty: the built-in one
  std::string text;   // template
  SourceSpan span;
};

// The first route that matches holds, unless it says `continue`.
struct NotificationRoute {
  std::string channel;
  std::vector<std::string> namespaces;
  std::vector<std::string> events;
  std::vector<RuleSeverity> severities;
  bool go_on = false;  // `continue`
  SourceSpan span;
};

struct NotificationsConfig {
  std::vector<ChannelConfig> channels;
  std::vector<NotificationRoute> routes;
  int64_t max_attempts = 8;
  Duration first_backoff = std::chrono::seconds(1);
  Duration max_backoff = std::chrono::minutes(5);
};

struct LogConfig {
  std::string level = "info";   // debug info warn error
  std::string format = "text";  // text json
};

struct AgentConfig {
  ClusterConfig cluster;
  std::vector<ClusterConfig> other_clusters;  // for promotion.after
  std::vector<MetricsSourceConfig> metrics;   // the first is the default
  std::vector<AlertmanagerConfig> alertmanagers;
  std::vector<AlertSender> senders;
  ListenConfig listen;
  AuthConfig auth;
  HistoryConfig history;
  ShardsConfig shards;
  FleetLimits limits;
  NotificationsConfig notifications;
  std::string data_dir = "/var/lib/rollguard";
  std::vector<std::string> rules;  // files, folders or globs, relative to the configuration file
  Duration reload_interval = std::chrono::seconds(15);
  LogConfig log;
  Origin origin;
};

// Names of the events that can be told: started, advanced, waiting, promoted, paused, rolledBack,
// rollbackFailed, verified, notTheCause, limited, blind, rejected, frozen, drift, notReady.
bool IsNotificationEvent(std::string_view name);
const std::vector<std::string_view>& NotificationEvents();

}  // namespace rollguard::spec
