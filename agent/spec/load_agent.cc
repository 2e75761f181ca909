// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

constexpr std::array<std::string_view, 17> kEvents = {
    "started",        "advanced", "waiting",     "promoted",   "paused",    "rolledBack",
    "rollbackFailed", "verified", "notTheCause", "limited",    "blind",     "rejected",
    "frozen",         "drift",    "notReady",    "superseded", "olderState"};

void ReadTls(Object& o, TlsClientConfig& out) {
  o.Obj("tls", "How the server is trusted, and how we show ourselves.", [&](Object& t) {
    t.Str("caFile", out.ca_file, "Only these certificate authorities are trusted.");
    t.Str("certFile", out.cert_file, "Our certificate.");
    t.Str("keyFile", out.key_file, "Its key.");
    t.Str("serverName", out.server_name, "The name the certificate must have.");
    t.Bool("insecureSkipVerify", out.insecure_skip_verify, "Trust anyone (false).");
    if (!t.describing() && out.cert_file.empty() != out.key_file.empty())
      t.context().Error(t.span(), "certFile and keyFile go together");
  });
}

void ReadEndpoint(Object& o, HttpEndpoint& out) {
  o.Url("url", out.url, "The server.");
  o.Require("url");
  o.Obj("auth", "How we prove who asks.", [&](Object& a) {
    a.Str("bearerTokenFile", out.auth.bearer_token_file, "File with the token; re-read.");
    a.Str("username", out.auth.username, "For basic authentication.");
    a.Str("passwordFile", out.auth.password_file, "File with the password; re-read.");
    a.AtMostOne({"bearerTokenFile", "username"});
    for (std::string_view secret : {"bearerToken", "password"}) {
      if (!a.Has(secret)) continue;
      a.Ignore(secret);
      SecretError(a.context(), a.KeySpan(secret),
                  StrCat("secrets do not stand in the configuration; use ", secret, "File"));
    }
  });
  ReadTls(o, out.tls);
  o.Map("headers", out.headers, "Sent along.");
  o.Dur("timeout", out.timeout, "Of one request (10s).", std::chrono::milliseconds(100));
}

void ReadCluster(Object& o, ClusterConfig& out) {
  o.Str("name", out.name, "Shown in notifications and history (default).");
  o.Str("kubeconfig", out.kubeconfig, "Path; absent: in the cluster, else $KUBECONFIG.");
  o.Str("context", out.context, "Context of the kubeconfig; absent: its current one.");
  o.Strings("namespaces", out.namespaces, "Only these; absent: all.");
  o.Str("guardSelector", out.guard_selector, "Only guards with these labels.");
  o.Num("qps", out.qps, "Requests a second to the API server (50).", 1, 10'000);
  o.Int("burst", out.burst, "And so many at once (100).", 1, 100'000);
}

void ReadPrometheusSource(Object& o, PrometheusSource& out) {
  ReadEndpoint(o, out.endpoint);
  o.Url("externalUrl", out.external_url, "Where browsers find it: the page's queries lead there.");
  o.Str("tenant", out.tenant, "Tenant for Mimir, Cortex or Thanos.");
  o.Str("tenantHeader", out.tenant_header, "The header it goes into (X-Scope-OrgID).");
  o.Int("concurrency", out.concurrency, "Requests at once (16).", 1, 200);
  o.Bool("fold", out.fold, "Ask many guards' queries as one (true).");
  o.Int("foldLimit", out.fold_limit, "At most so many guards in one query (200).", 2, 1000);
  o.Dur("lookback", out.lookback, "How old a sample may be (5m).", std::chrono::seconds(1));
}

void ReadEmbeddedSource(Object& o, EmbeddedSource& out) {
  o.Dur("interval", out.interval, "Time between scrapes (15s).", std::chrono::seconds(1));
  o.Dur("timeout", out.timeout, "Of one scrape (10s).", std::chrono::milliseconds(100));
  o.Str("portName", out.port_name, "Container port that is scraped (metrics).");
  o.Str("path", out.path, "Path that is scraped (/metrics).");
  o.Int("maxBodyBytes", out.max_body_bytes, "Larger answers are refused (10 MiB).", 1024);
  o.Int("maxSeriesPerPod", out.max_series_per_pod, "More are refused (10000).", 1);
  o.Dur("retention", out.retention, "Samples are kept this long (15m).", std::chrono::minutes(1));
}

template <class T>
void ReadUniqueName(Object& o, T& item, const std::vector<T>& others) {
  item.span = o.describing() ? SourceSpan{} : o.ValueSpan("name");
  o.Str("name", item.name, "Unique.");
  o.Require("name");
  for (const T& other : others) {
    if (!item.name.empty() && other.name == item.name)
      o.Error("name", StrCat("the name ", Quote(item.name), " is there twice"));
  }
}

void ReadMetricsSources(Object& o, std::vector<MetricsSourceConfig>& out) {
  o.List("metrics", "Where queries are answered; the first is the default.", [&](Object& m) {
    MetricsSourceConfig source;
    ReadUniqueName(m, source, out);
    PrometheusSource prometheus;
    if (m.Obj("prometheus", "A Prometheus-compatible server.",
              [&](Object& p) { ReadPrometheusSource(p, prometheus); }))
      source.source = std::move(prometheus);
    EmbeddedSource embedded;
    if (m.Obj("embedded", "The agent scrapes the guarded pods itself.",
              [&](Object& e) { ReadEmbeddedSource(e, embedded); }))
      source.source = std::move(embedded);
    m.RequireOne("a metrics source", {"prometheus", "embedded"});
    out.push_back(std::move(source));
  });
}

void ReadAlertmanagers(Object& o, std::vector<AlertmanagerConfig>& out) {
  o.List("alertmanagers", "Whose API is read besides the webhook.", [&](Object& a) {
    AlertmanagerConfig item;
    ReadUniqueName(a, item, out);
    ReadEndpoint(a, item.endpoint);
    a.Dur("interval", item.interval, "Time between reads (30s).", std::chrono::seconds(1));
    a.Obj("watchdog", "An alert that must always fire; missing it means being blind.",
          [&](Object& w) {
            auto& watchdog = item.watchdog.emplace();
            w.Matchers("matchers", watchdog.matchers, "Which alert it is.");
            w.Require("matchers");
            w.Dur("within", watchdog.within, "Blind when not seen for this long (10m).",
                  std::chrono::seconds(1));
          });
    out.push_back(std::move(item));
  });
}

void ReadListen(Object& o, ListenConfig& out) {
  o.Str("address", out.address, "Address to listen on (127.0.0.1).");
  o.Int("port", out.port, "Port; 0: any free one (9442).", 0, 65535);
  o.Str("certFile", out.cert_file, "Certificate; absent: no TLS.");
  o.Str("keyFile", out.key_file, "Its key.");
  o.Str("clientCaFile", out.client_ca_file, "Ask for client certificates signed by these.");
  o.Int("maxBodyBytes", out.max_body_bytes, "Larger requests are refused (4 MiB).", 1024);
  o.Int("maxConnections", out.max_connections, "At once (2000).", 1, 1'000'000);
  o.Dur("headTimeout", out.head_timeout, "For a request's head (10s).",
        std::chrono::milliseconds(100));
  o.Dur("bodyTimeout", out.body_timeout, "For its body (20s).", std::chrono::milliseconds(100));
  o.Int("requestsPerSecond", out.requests_per_second, "Of one client (2000).", 1);
  if (o.describing()) return;
  if (out.cert_file.empty() != out.key_file.empty())
    o.context().Error(o.span(), "certFile and keyFile go together");
  if (!out.client_ca_file.empty() && out.cert_file.empty())
    o.Error("clientCaFile", "\"clientCaFile\" needs certFile and keyFile");
}

void ReadPointer(Object& o, std::string_view key, std::string& out, const char* description) {
  if (o.Str(key, out, description) && !out.empty() && out[0] != '/')
    o.Error(key, StrCat(Quote(out), " is no JSON pointer: write /", ReplaceAll(out, ".", "/")));
}

void ReadSenders(Object& o, std::vector<AlertSender>& out) {
  o.List("senders", "Other senders of alerts, at /api/v1/alerts/from/NAME.", [&](Object& s) {
    AlertSender sender;
    ReadUniqueName(s, sender, out);
    ReadPointer(s, "alerts", sender.alerts, "Where the array of alerts is; absent: one alert.");
    ReadPointer(s, "status", sender.status, "Where its status is (/status).");
    s.Strings("resolvedValues", sender.resolved_values,
              "Values of the status that mean resolved (resolved, ok, OK, closed).");
    ReadPointer(s, "startsAt", sender.starts_at,
                "When it began: RFC 3339 or Unix seconds (/startsAt); absent there: on arrival.");
    ReadPointer(s, "labels", sender.labels, "Where an object of labels is (/labels).");
    s.Map("labelPaths", sender.label_paths, "Single labels: name to JSON pointer.");
    for (const auto& [label, path] : sender.label_paths)
      if (path.empty() || path[0] != '/')
        s.Error("labelPaths",
                StrCat("the place of ", Quote(label), " is no JSON pointer like /a/b"));
    out.push_back(std::move(sender));
  });
}

void ReadAuth(Object& o, AuthConfig& out) {
  o.Bool("kubernetes", out.kubernetes, "Ask TokenReview and SubjectAccessReview (true).");
  o.Dur("cache", out.cache, "Answers are kept this long (30s).");
  o.Bool("anonymousRead", out.anonymous_read, "Reading needs no token (false).");
  o.List("tokens", "Static tokens, for use outside a cluster.", [&](Object& t) {
    StaticToken token;
    t.Str("name", token.name, "The actor in history.");
    t.Require("name");
    t.Str("tokenFile", token.token_file, "File with the token; re-read.");
    t.Require("tokenFile");
    t.Strings("groups", token.groups, "Groups, for approvals.");
    t.Strings("verbs", token.verbs, "What it may do; *: all.");
    t.Strings("namespaces", token.namespaces, "Where; absent: everywhere.");
    out.tokens.push_back(std::move(token));
  });
  o.Obj("webhooks", "How senders of alerts prove themselves; absent: they are refused.",
        [&](Object& w) {
          auto& webhooks = out.webhooks.emplace();
          w.Str("bearerTokenFile", webhooks.bearer_token_file, "File with the token; re-read.");
          w.Str("username", webhooks.username, "For basic authentication.");
          w.Str("passwordFile", webhooks.password_file, "File with the password; re-read.");
          w.Bool("clientCertificate", webhooks.client_certificate,
                 "A verified client certificate suffices (false).");
        });
}

void ReadHistory(Object& o, HistoryConfig& out) {
  o.Obj("sqlite", "In a file of the data directory; what holds when nothing is said.",
        [&](Object& s) {
          s.Str("path", out.sqlite_path, "The file; absent: history.db in the data directory.");
        });
  o.Obj("postgres", "In PostgreSQL, for several replicas.", [&](Object& p) {
    p.Str("url", out.postgres_url, "postgres://user@host/db without a password.");
    p.Str("urlFile", out.postgres_url_file, "File with the whole URL.");
    p.RequireOne("postgres", {"url", "urlFile"});
    if (!p.describing() && p.Has("url"))
      CheckNoPassword(p.context(), p.ValueSpan("url"), out.postgres_url, "urlFile");
  });
  o.AtMostOne({"sqlite", "postgres"});
  o.Obj("retention", "How long rows are kept.", [&](Object& r) {
    r.Dur("releases", out.retain_releases, "Releases and decisions (365d).", std::chrono::hours(1));
    r.Dur("measurements", out.retain_measurements, "Measurements (30d).", std::chrono::hours(1));
    r.Dur("audit", out.retain_audit, "The audit chain (7 years).", std::chrono::hours(1));
  });
}

void ReadShards(Object& o, ShardsConfig& out) {
  o.Int("count", out.count, "Shards that replicas share; 1: no leases (1).", 1, 256);
  o.Name("namespace", out.ns, "Of the leases; absent: the agent's own.");
  o.Str("identity", out.identity, "Of this replica; absent: the host name.");
  o.Dur("lease", out.lease, "A lost replica's shards move after this (15s).",
        std::chrono::seconds(3));
  o.Dur("renew", out.renew, "Time between renewals (5s).", std::chrono::milliseconds(500));
  if (!o.describing() && out.renew * 2 > out.lease)
    o.Error(o.Has("renew") ? "renew" : "lease", "\"renew\" must be at most half of \"lease\"");
}

void ReadLimits(Object& o, FleetLimits& out) {
  o.Int("maxTriggers", out.max_triggers, "More guards within the time stop rollbacks (10).", 1);
  o.Dur("within", out.within, "The time (1m).", std::chrono::seconds(1));
  o.Share("maxShare", out.max_share, "And this share of what is releasing (20%).");
  o.Int("maxRollbacksPerHour", out.max_rollbacks_per_hour, "Of all guards (60).", 1);
  o.Int("maxGroupRollbacksPerHour", out.max_group_rollbacks_per_hour, "Of one group (10).", 1);
  o.Int("maxActiveReleases", out.max_active_releases, "At once; 0: no limit (0).", 0);
}

void ReadChannel(Object& o, ChannelConfig& out) {
  SlackChannel slack;
  if (o.Obj("slack", "A Slack incoming webhook.", [&](Object& s) {
        s.Str("webhookUrlFile", slack.webhook_url_file, "File with the URL; re-read.");
        s.Require("webhookUrlFile");
        s.Str("channel", slack.channel, "Another channel than the webhook's.");
      }))
    out.kind = slack;
  TeamsChannel teams;
  if (o.Obj("teams", "A Microsoft Teams webhook.", [&](Object& t) {
        t.Str("webhookUrlFile", teams.webhook_url_file, "File with the URL; re-read.");
        t.Require("webhookUrlFile");
      }))
    out.kind = teams;
  WebhookChannel webhook;
  if (o.Obj("webhook", "Any HTTP service.", [&](Object& w) {
        ReadEndpoint(w, webhook.endpoint);
        w.Str("method", webhook.method, "The request's method (POST).");
        w.Str("body", webhook.body, "Template of the body; absent: the event as JSON.");
        if (!w.describing() && w.Has("body"))
          CheckTemplateText(w.context(), *w.node().Find("body"));
      }))
    out.kind = webhook;
  AlertmanagerChannel alertmanager;
  if (o.Obj("alertmanager", "Own alerts, posted to an Alertmanager.", [&](Object& a) {
        a.Str("name", alertmanager.alertmanager, "One of alertmanagers.");
        a.Require("name");
        a.Map("labels", alertmanager.labels, "Labels of the alerts.");
      }))
    out.kind = alertmanager;
  if (o.Obj("events", "Kubernetes Events.", [](Object&) {})) out.kind = EventsChannel{};
  o.RequireOne("a channel", {"slack", "teams", "webhook", "alertmanager", "events"});
  o.Str("title", out.title, "Template of the title.");
  o.Str("text", out.text, "Template of the text.");
  for (std::string_view key : {"title", "text"}) {
    if (!o.describing() && o.Has(key)) CheckTemplateText(o.context(), *o.node().Find(key));
  }
}

void ReadRoute(Object& o, NotificationRoute& out) {
  out.span = o.describing() ? SourceSpan{} : o.ValueSpan("channel");
  o.Str("channel", out.channel, "One of channels.");
  o.Require("channel");
  o.Strings("namespaces", out.namespaces, "Only these; absent: all.");
  o.Strings("events", out.events, "Only these; absent: every terminal outcome.");
  std::vector<std::string> severities;
  o.Strings("severities", severities, "Only these; absent: all.");
  o.Bool("continue", out.go_on, "Also look at the routes below (false).");
  if (o.describing()) return;
  auto each = [&](std::string_view key, auto check) {
    const yaml::Node* list = o.node().Find(key);
    for (size_t i = 0; list && i < list->items.size(); ++i) check(list->items[i]);
  };
  each("events", [&](const yaml::Node& item) {
    if (!IsNotificationEvent(item.text))
      o.context().Error(item.span, StrCat("unknown event ", Quote(item.text),
                                          Suggestion(item.text, NotificationEvents())));
  });
  each("severities", [&](const yaml::Node& item) {
    for (const auto& [word, value] : kSeverityWords) {
      if (item.text == word) return out.severities.push_back(value);
    }
    o.context().Error(
        item.span, StrCat("unknown severity ", Quote(item.text), " (critical, high, medium, low)"));
  });
}

void ReadNotifications(Object& o, NotificationsConfig& out) {
  o.List("channels", "Ways to tell people.", [&](Object& c) {
    ChannelConfig channel;
    ReadUniqueName(c, channel, out.channels);
    ReadChannel(c, channel);
    out.channels.push_back(std::move(channel));
  });
  o.List("routes", "Which event goes where; the first that matches holds.",
         [&](Object& r) { ReadRoute(r, out.routes.emplace_back()); });
  o.Int("maxAttempts", out.max_attempts, "Then it is a dead letter (8).", 1, 100);
  o.Dur("firstBackoff", out.first_backoff, "Before the second attempt (1s).",
        std::chrono::milliseconds(10));
  o.Dur("maxBackoff", out.max_backoff, "Between attempts at most (5m).", std::chrono::seconds(1));
  if (o.describing()) return;
  for (const NotificationRoute& route : out.routes) {
    bool known = std::any_of(out.channels.begin(), out.channels.end(),
                             [&](const ChannelConfig& c) { return c.name == route.channel; });
    if (known || route.channel.empty()) continue;
    std::vector<std::string_view> names;
    for (const ChannelConfig& c : out.channels) names.push_back(c.name);
    o.context().Error(route.span, StrCat("there is no channel ", Quote(route.channel),
                                         Suggestion(route.channel, names)));
  }
}

void ReadLog(Object& o, LogConfig& out) {
  static constexpr std::pair<std::string_view, int> kLevels[] = {
      {"debug", 0}, {"info", 1}, {"warn", 2}, {"error", 3}};
  static constexpr std::pair<std::string_view, int> kFormats[] = {{"text", 0}, {"json", 1}};
  int level = 1, format = 0;
  if (o.Enum<int>("level", level, kLevels, "Least that is written (info)."))
    out.level = std::string(kLevels[level].first);
  if (o.Enum<int>("format", format, kFormats, "text or json (text)."))
    out.format = std::string(kFormats[format].first);
}

}  // namespace

void ReadAgentConfig(Object& o, AgentConfig& out) {
  o.Obj("cluster", "The cluster that is guarded.", [&](Object& c) { ReadCluster(c, out.cluster); });
  o.List("otherClusters", "Clusters that promotion.after may name.", [&](Object& c) {
    ReadCluster(c, out.other_clusters.emplace_back());
    c.Require("name");
  });
  ReadMetricsSources(o, out.metrics);
  ReadAlertmanagers(o, out.alertmanagers);
  ReadSenders(o, out.senders);
  o.Obj("listen", "The agent's own server.", [&](Object& l) { ReadListen(l, out.listen); });
  o.Obj("auth", "Who may call.", [&](Object& a) { ReadAuth(a, out.auth); });
  o.Obj("history", "Where history is kept.", [&](Object& h) { ReadHistory(h, out.history); });
  o.Obj("shards", "How replicas share the guards.", [&](Object& s) { ReadShards(s, out.shards); });
  o.Obj("limits", "The fleet governor.", [&](Object& l) { ReadLimits(l, out.limits); });
  o.Obj("notifications", "Telling people.",
        [&](Object& n) { ReadNotifications(n, out.notifications); });
  o.Str("dataDir", out.data_dir, "Where the agent writes (/var/lib/rollguard).");
  o.Strings("rules", out.rules, "Files, folders or globs with rules, templates and policies.");
  o.Dur("reloadInterval", out.reload_interval, "How often files are looked at (15s).",
        std::chrono::seconds(1));
  o.Obj("log", "Logs.", [&](Object& l) { ReadLog(l, out.log); });
  if (o.describing()) return;
  for (const ChannelConfig& channel : out.notifications.channels) {
    const auto* wanted = std::get_if<AlertmanagerChannel>(&channel.kind);
    if (!wanted || wanted->alertmanager.empty()) continue;
    bool known = std::any_of(out.alertmanagers.begin(), out.alertmanagers.end(),
                             [&](const auto& a) { return a.name == wanted->alertmanager; });
    if (!known)
      o.context().Error(channel.span,
                        StrCat("the channel ", Quote(channel.name), " names the Alertmanager ",
                               Quote(wanted->alertmanager), ", which is not there"));
  }
}

const std::vector<std::string_view>& NotificationEvents() {
  static const std::vector<std::string_view> events(kEvents.begin(), kEvents.end());
  return events;
}

bool IsNotificationEvent(std::string_view name) {
  return std::find(kEvents.begin(), kEvents.end(), name) != kEvents.end();
}

}  // namespace rollguard::spec
