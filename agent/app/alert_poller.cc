// SPDX-License-Identifier: Apache-2.0
#include "agent/app/alert_poller.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"
#include "agent/kube/files.h"

namespace rollguard::app {
namespace {

constexpr size_t kMaxAnswer = 64U << 20;
constexpr size_t kMaxShown = 300;

Expected<std::string> ReadFromFile(const std::string& path) {
  auto text = kube::ReadSmallFile(path, 64U << 10);
  if (!text) return text.error();
  return std::string(Trim(*text));
}

std::shared_ptr<const TlsOptions> TlsOf(const spec::TlsClientConfig& config) {
  auto tls = std::make_shared<TlsOptions>();
  tls->ca_file = config.ca_file;
  tls->cert_file = config.cert_file;
  tls->key_file = config.key_file;
  tls->server_name = config.server_name;
  tls->insecure = config.insecure_skip_verify;
  return tls;
}

std::string UrlOf(const spec::AlertmanagerConfig& config) {
  std::string url = config.endpoint.url;
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

}  // namespace

struct AlertPoller::Member {
  spec::AlertmanagerConfig config;
  std::string url;
  std::shared_ptr<const TlsOptions> tls;
  AlertmanagerStatus status;
  alerts::PolledAlerts last;  // of the last good answer
  TimerId timer = 0;
  HttpId request = 0;
};

AlertPoller::AlertPoller(HttpClient& http, Timers& timers, const Clock& clock, AlertDesk& desk,
                         History* history, AlertPollerOptions options)
    : http_(http),
      timers_(timers),
      clock_(clock),
      desk_(desk),
      history_(history),
      options_(std::move(options)),
      started_(clock.Now()) {
  if (!options_.read_secret) options_.read_secret = ReadFromFile;
  for (const spec::AlertmanagerConfig& config : options_.members) {
    auto member = std::make_shared<Member>();
    member->config = config;
    member->url = UrlOf(config);
    member->tls = TlsOf(config.endpoint.tls);
    member->status.name = config.name;
    member->status.url = member->url;
    members_.push_back(std::move(member));
  }
}

AlertPoller::~AlertPoller() {
  for (const auto& member : members_) {
    if (member->timer != 0) timers_.CancelTimer(member->timer);
    if (member->request != 0) http_.Cancel(member->request);
  }
}

void AlertPoller::Start() {
  started_ = clock_.Now();
  for (const auto& member : members_) Ask(member);
}

Expected<HttpRequest> AlertPoller::RequestFor(const Member& member) const {
  const spec::HttpEndpoint& endpoint = member.config.endpoint;
  HttpRequest request;
  request.url = StrCat(member.url, "/api/v2/alerts?active=true&silenced=true&inhibited=true");
  request.headers.assign(endpoint.headers.begin(), endpoint.headers.end());
  request.timeout = endpoint.timeout;
  request.max_body = kMaxAnswer;
  request.accept_gzip = true;
  request.tls = member.tls;
  const spec::ClientAuth& auth = endpoint.auth;
  if (!auth.bearer_token_file.empty()) {
    auto token = options_.read_secret(auth.bearer_token_file);
    if (!token) return token.error();
    request.headers.emplace_back("Authorization", StrCat("Bearer ", *token));
  } else if (!auth.username.empty()) {
    auto password = auth.password_file.empty() ? Expected<std::string>(std::string())
                                               : options_.read_secret(auth.password_file);
    if (!password) return password.error();
    request.headers.emplace_back(
        "Authorization", StrCat("Basic ", Base64Encode(StrCat(auth.username, ":", *password))));
  }
  return request;
}

void AlertPoller::Ask(const std::shared_ptr<Member>& member) {
  member->timer = timers_.After(member->config.interval, [this, member] { Ask(member); });
  if (member->request != 0) return;  // the last one is still under way
  auto request = RequestFor(*member);
  if (!request) {
    Heard(member, request.error());
    return;
  }
  std::weak_ptr<Member> weak = member;
  member->request =
      http_.Send(std::move(*request), [this, weak](const Expected<HttpResponse>& response) {
        if (auto held = weak.lock()) Heard(held, response);
      });
}

void AlertPoller::Heard(const std::shared_ptr<Member>& member,
                        const Expected<HttpResponse>& response) {
  member->request = 0;
  AlertmanagerStatus& status = member->status;
  if (!response) {
    status.problem = response.error().message;
    return;
  }
  if (response->status != 200) {
    status.problem = StrCat("Alertmanager ", status.name, " answered ", response->status, ": ",
                            Abbreviate(response->body, kMaxShown));
    return;
  }
  auto polled = alerts::ParsePolled(response->body);
  if (!polled) {
    status.problem = StrCat("Alertmanager ", status.name,
                            " answered what is no list of alerts: ", polled.error().message);
    return;
  }
  status.problem.clear();
  status.answered = clock_.Now();
  Take(*member, std::move(*polled));
  Merge();
}

void AlertPoller::Take(Member& member, alerts::PolledAlerts polled) {
  member.status.firing = polled.alerts.size();
  member.status.suppressed = polled.suppressed.size();
  if (member.config.watchdog) {
    auto is_watchdog = [&](const alerts::Alert& alert) {
      return alerts::MatchesAll(member.config.watchdog->matchers, alert.labels);
    };
    bool seen = std::any_of(polled.alerts.begin(), polled.alerts.end(), is_watchdog) ||
                std::any_of(polled.quiet.begin(), polled.quiet.end(), is_watchdog);
    if (seen) member.status.watchdog = clock_.Now();
  }
  member.last = std::move(polled);
}

// What all members say together. A member that stopped answering speaks for a while through its
// last answer: its alerts must not seem to have ended because it died.
void AlertPoller::Merge() {
  std::map<std::string, alerts::Alert> firing;
  std::vector<std::string> suppressed, unprocessed;
  for (const auto& member : members_) {
    if (!member->status.answered) continue;
    if (clock_.Now() - *member->status.answered > options_.gone_after + member->config.interval)
      continue;
    for (const alerts::Alert& alert : member->last.alerts) firing.emplace(alert.fingerprint, alert);
    const auto& quiet = member->last.suppressed;
    suppressed.insert(suppressed.end(), quiet.begin(), quiet.end());
    const auto& fresh = member->last.unprocessed;
    unprocessed.insert(unprocessed.end(), fresh.begin(), fresh.end());
  }
  for (const std::string& fingerprint : suppressed) firing.erase(fingerprint);
  std::vector<alerts::Alert> list;
  list.reserve(firing.size());
  for (auto& [fingerprint, alert] : firing) list.push_back(std::move(alert));
  auto missed = desk_.Reconcile(list, suppressed, unprocessed, options_.gone_after);
  if (history_ == nullptr) return;
  for (const alerts::Alert& alert : missed) {
    history_->Append({.kind = "alert",
                      .id = alert.EventKey(),
                      .at = clock_.Now(),
                      .guard = alert.Label("rollguard_guard"),
                      .release = {},
                      .actor = "alertmanager (asked)",
                      .body = alerts::ToJson(alert)});
  }
}

std::string AlertPoller::Blind() const {
  Duration within{0};
  std::optional<Time> seen;
  std::string problem;
  bool wanted = false;
  for (const auto& member : members_) {
    if (!member->config.watchdog) continue;
    wanted = true;
    within = std::max(within, member->config.watchdog->within);
    const auto& at = member->status.watchdog;
    if (at && (!seen || *at > *seen)) seen = at;
    if (!member->status.problem.empty()) problem = member->status.problem;
  }
  if (!wanted || clock_.Now() - seen.value_or(started_) <= within) return {};
  return StrCat("the Watchdog alert has not been seen ",
                seen ? StrCat("since ", FormatClockTime(*seen)) : std::string("at all"),
                ", alerts may not arrive", problem.empty() ? "" : ": ", problem);
}

std::vector<AlertmanagerStatus> AlertPoller::Members() const {
  std::vector<AlertmanagerStatus> out;
  for (const auto& member : members_) out.push_back(member->status);
  return out;
}

}  // namespace rollguard::app
