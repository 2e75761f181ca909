// SPDX-License-Identifier: Apache-2.0
#include "agent/api/route.h"
#include "agent/api/service.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

using S = Service;

const Param kLimit{"limit", "integer", "how many at most, 1 to 500; default 100"};
const Param kContinue{"continue", "string", "`next` of the page before"};
const Param kNamespace{"namespace", "string", "only of this namespace"};
const Param kGuard{"guard", "string", "only of this guard, as namespace/name"};
const Param kSince{"since", "time", "not older than this"};
const Param kUntil{"until", "time", "older than this"};

struct CommandRoute {
  const char* word;
  const char* guard_pattern;
  const char* guard_id;
  const char* release_pattern;
  const char* release_id;
  const char* summary;
  std::vector<const char*> verbs;
};

// What takes traffic from a candidate at a person's word needs `rollback`, whatever it is called.
const std::vector<CommandRoute>& CommandRoutes() {
  static const std::vector<CommandRoute> table = {
      {"promote",
       "/api/v1/guards/{namespace}/{name}/promote",
       "promoteGuard",
       "/api/v1/releases/{id}/promote",
       "promoteRelease",
       "Go on past this step, or all the way with `full`",
       {"promote"}},
      {"pause",
       "/api/v1/guards/{namespace}/{name}/pause",
       "pauseGuard",
       "/api/v1/releases/{id}/pause",
       "pauseRelease",
       "Stay where it is",
       {"pause"}},
      {"resume",
       "/api/v1/guards/{namespace}/{name}/resume",
       "resumeGuard",
       "/api/v1/releases/{id}/resume",
       "resumeRelease",
       "Go on after a pause; going on with a held rollback needs `rollback` too",
       {"resume"}},
      {"abort",
       "/api/v1/guards/{namespace}/{name}/abort",
       "abortGuard",
       "/api/v1/releases/{id}/abort",
       "abortRelease",
       "Give the release up: traffic goes back to stable",
       {"abort", "rollback"}},
      {"rollback",
       "/api/v1/guards/{namespace}/{name}/rollback",
       "rollbackGuard",
       "/api/v1/releases/{id}/rollback",
       "rollbackRelease",
       "Take the release back, or with none running go back to an earlier revision",
       {"rollback"}},
      {"approve",
       "/api/v1/guards/{namespace}/{name}/approve",
       "approveGuard",
       "/api/v1/releases/{id}/approve",
       "approveRelease",
       "Say yes to what waits for approval; the step may ask for members of groups",
       {"approve"}},
      {"reject",
       "/api/v1/guards/{namespace}/{name}/reject",
       "rejectGuard",
       "/api/v1/releases/{id}/reject",
       "rejectRelease",
       "Say no: a waiting release is taken back, a waiting rollback is held",
       {"approve", "rollback"}},
      {"skip",
       "/api/v1/guards/{namespace}/{name}/skip",
       "skipGuard",
       "/api/v1/releases/{id}/skip",
       "skipRelease",
       "Leave the present step out",
       {"promote"}},
      {"retry",
       "/api/v1/guards/{namespace}/{name}/retry",
       "retryGuard",
       "/api/v1/releases/{id}/retry",
       "retryRelease",
       "Let a revision out of quarantine, to be released again",
       {"retry"}},
  };
  return table;
}

const std::vector<Answer> kCommandAnswers = {
    {200, "CommandAnswer", "it was looked at and follows"},
    {202, "CommandAnswer", "it is asked for and was not looked at yet"},
    {409, "Problem", "it does not fit the present state", "application/problem+json"}};

void AddHealth(std::vector<Route>& t) {
  t.push_back({"GET",
               "/health",
               "getHealth",
               "health",
               "The process answers",
               Access::kOpen,
               {},
               {},
               "",
               {{200, "Health", "it does"}},
               &S::GetHealth});
  t.push_back({"GET",
               "/health/ready",
               "getReady",
               "health",
               "The agent watches its guards and can act",
               Access::kOpen,
               {},
               {},
               "",
               {{200, "Health", "it can"},
                {503, "Problem", "not yet, and why", "application/problem+json"}},
               &S::GetReady});
  t.push_back({"GET",
               "/health/deep",
               "getDeepHealth",
               "health",
               "Every dependency with its latency",
               Access::kOpen,
               {},
               {},
               "",
               {{200, "HealthDeep", "all required ones answer"},
                {503, "HealthDeep", "a required one does not"}},
               &S::GetDeepHealth});
  t.push_back({"GET",
               "/metrics",
               "getMetrics",
               "health",
               "The agent's own metrics",
               Access::kOpen,
               {},
               {},
               "",
               {{200, "", "Prometheus' text format", "text/plain"}},
               &S::GetMetrics});
  t.push_back({"GET",
               "/api/v1/health",
               "getFleet",
               "health",
               "The whole at a glance",
               Access::kNamespaces,
               {"list"},
               {kNamespace},
               "",
               {{200, "Fleet", "counts"}},
               &S::GetFleet});
  t.push_back({"GET",
               "/api/v1/openapi.json",
               "getOpenApi",
               "meta",
               "This document",
               Access::kOpen,
               {},
               {},
               "",
               {{200, "object", "OpenAPI 3"}},
               &S::GetOpenApi});
  t.push_back({"GET",
               "/api/v1/whoami",
               "getWhoami",
               "meta",
               "Who the agent takes you for",
               Access::kCaller,
               {},
               {kNamespace},
               "",
               {{200, "Whoami", "you"}},
               &S::GetWhoami});
}

void AddGuards(std::vector<Route>& t) {
  t.push_back({"GET",
               "/api/v1/guards",
               "listGuards",
               "guards",
               "Guards by name",
               Access::kNamespaces,
               {"list"},
               {kNamespace,
                {"state", "string", "only in these states, separated by commas"},
                {"team", "string", "only of this team"},
                {"q", "string", "only with this in their name"},
                kLimit,
                kContinue},
               "",
               {{200, "GuardList", "a page of them"}},
               &S::ListGuards});
  t.push_back({"GET",
               "/api/v1/guards/{namespace}/{name}",
               "getGuard",
               "guards",
               "A guard with steps, evidence, decisions and what can be asked for",
               Access::kGuard,
               {"get"},
               {},
               "",
               {{200, "Guard", "the guard"}},
               &S::GetGuard});
  t.push_back({"GET",
               "/api/v1/guards/{namespace}/{name}/series",
               "getSeries",
               "guards",
               "Weight, score and measurements of the release",
               Access::kGuard,
               {"get"},
               {},
               "",
               {{200, "SeriesSet", "lines for charts"}},
               &S::GetSeries});
  for (const CommandRoute& c : CommandRoutes()) {
    t.push_back({"POST",
                 c.guard_pattern,
                 c.guard_id,
                 "commands",
                 c.summary,
                 Access::kGuard,
                 c.verbs,
                 {},
                 "CommandBody",
                 kCommandAnswers,
                 &S::PostCommand});
  }
  t.push_back({"POST",
               "/api/v1/guards/{namespace}/{name}/release-hold",
               "releaseHold",
               "commands",
               "Take the hold off the target; `resume` holds it again",
               Access::kGuard,
               {"release-hold"},
               {},
               "CommandBody",
               kCommandAnswers,
               &S::PostCommand});
}

void AddReleases(std::vector<Route>& t) {
  t.push_back({"GET",
               "/api/v1/releases",
               "listReleases",
               "releases",
               "Releases, newest first",
               Access::kNamespaces,
               {"list"},
               {kNamespace,
                kGuard,
                {"outcome", "string", "only with this outcome; `running` for those under way"},
                kSince,
                kUntil,
                kLimit,
                kContinue},
               "",
               {{200, "ReleaseList", "a page of them"}},
               &S::ListReleases});
  t.push_back({"POST",
               "/api/v1/releases",
               "createRelease",
               "releases",
               "Set the target's image; the guard releases the new revision",
               Access::kResolved,
               {"release"},
               {},
               "ReleaseBody",
               {{200, "ReleaseStarted", "the image was so already"},
                {202, "ReleaseStarted", "the image was set"},
                {409, "Problem", "the target changed meanwhile", "application/problem+json"}},
               &S::CreateRelease});
  t.push_back({"GET",
               "/api/v1/releases/{id}",
               "getRelease",
               "releases",
               "A release with its decisions",
               Access::kResolved,
               {"get"},
               {},
               "",
               {{200, "ReleaseDetail", "the release"}},
               &S::GetRelease});
  for (const CommandRoute& c : CommandRoutes()) {
    t.push_back({"POST",
                 c.release_pattern,
                 c.release_id,
                 "commands",
                 c.summary,
                 Access::kResolved,
                 c.verbs,
                 {},
                 "CommandBody",
                 kCommandAnswers,
                 &S::PostCommand});
  }
}

void AddHistory(std::vector<Route>& t) {
  t.push_back({"GET",
               "/api/v1/decisions",
               "listDecisions",
               "history",
               "Decisions, newest first",
               Access::kNamespaces,
               {"list"},
               {kNamespace,
                kGuard,
                {"release", "string", "only of this release"},
                kSince,
                kUntil,
                kLimit,
                kContinue},
               "",
               {{200, "DecisionList", "a page of them"}},
               &S::ListDecisions});
  t.push_back({"GET",
               "/api/v1/decisions/{id}",
               "getDecision",
               "history",
               "A decision in words, with all it was taken on",
               Access::kResolved,
               {"get"},
               {},
               "",
               {{200, "Decision", "the record"}},
               &S::GetDecision});
  t.push_back({"GET",
               "/api/v1/decisions/{id}/given",
               "getDecisionGiven",
               "history",
               "All that a decision was made from: guard, state and observation, to replay it",
               Access::kResolved,
               {"get"},
               {},
               "",
               {{200, "object", "as recorded; 404 once its time is over"}},
               &S::GetDecisionGiven});
  t.push_back({"GET",
               "/api/v1/history",
               "listHistory",
               "history",
               "Everything that was kept",
               Access::kNamespaces,
               {"list"},
               {{"kind", "decision|alert|approval|call|release", "only of this kind"},
                {"id", "string", "only this one"},
                kNamespace,
                kGuard,
                {"release", "string", "only of this release"},
                kSince,
                kUntil,
                kLimit,
                kContinue},
               "",
               {{200, "HistoryList", "a page of it"}},
               &S::ListHistory});
  t.push_back(
      {"GET",
       "/api/v1/measurements",
       "listMeasurements",
       "history",
       "What releases measured, newest first",
       Access::kNamespaces,
       {"list"},
       {kNamespace, kGuard, {"release", "string", "only of this release"}, kSince, kUntil, kLimit},
       "",
       {{200, "MeasurementList", "the newest of them"}},
       &S::ListMeasurements});
  t.push_back({"GET",
               "/api/v1/audit",
               "getAudit",
               "history",
               "Whether the history is as it was written: every row against the hash before it",
               Access::kNamespaces,
               {"list"},
               {},
               "",
               {{200, "Audit", "what was found, at most a minute ago"}},
               &S::GetAudit});
  t.push_back({"GET",
               "/api/v1/statistics",
               "getStatistics",
               "history",
               "Deployment frequency, change failure rate, time to restore",
               Access::kNamespaces,
               {"list"},
               {kNamespace, kGuard, kSince, kUntil},
               "",
               {{200, "Statistics", "of the last 30 days by default"}},
               &S::GetStatistics});
  t.push_back({"GET",
               "/api/v1/rules",
               "listRules",
               "history",
               "Rules with their record",
               Access::kNamespaces,
               {"list"},
               {},
               "",
               {{200, "RuleList", "every rule"}},
               &S::ListRules});
  t.push_back({"GET",
               "/api/v1/alerts",
               "listAlerts",
               "alerts",
               "The last alerts, newest first",
               Access::kNamespaces,
               {"list"},
               {kNamespace, kGuard, kLimit},
               "",
               {{200, "AlertList", "with what became of each"}},
               &S::ListAlerts});
  t.push_back({"POST",
               "/api/v1/alerts",
               "postAlerts",
               "alerts",
               "Alertmanager's webhook, version 4",
               Access::kWebhook,
               {},
               {},
               "",
               {{200, "AlertsTaken", "they are kept; what became of each"},
                {413, "Problem", "too many at once", "application/problem+json"}},
               &S::PostAlerts});
  t.push_back({"POST",
               "/api/v1/alerts/from/{sender}",
               "postAlertsFrom",
               "alerts",
               "Another sender's JSON, read as `senders` in the agent's configuration says",
               Access::kWebhook,
               {},
               {},
               "",
               {{200, "AlertsTaken", "they are kept; what became of each"},
                {413, "Problem", "too many at once", "application/problem+json"}},
               &S::PostAlertsFrom});
  t.push_back({"POST",
               "/api/v1/flagger/{namespace}/{guard}/{hook}",
               "askFlaggerHook",
               "alerts",
               "Flagger's webhooks: may it go on, must it go back",
               Access::kWebhook,
               {},
               {},
               "",
               {{200, "GateAnswer", "yes"},
                {403, "Problem", "not now, and why", "application/problem+json"}},
               &S::AskFlaggerHook});
}

void AddNotifications(std::vector<Route>& t) {
  t.push_back({"GET",
               "/api/v1/notifications",
               "getNotifications",
               "notifications",
               "Who is told, and what could not be told",
               Access::kNamespaces,
               {"list"},
               {kNamespace, kGuard},
               "",
               {{200, "Notifications", "channels, and dead letters newest first"}},
               &S::GetNotifications});
  t.push_back({"POST",
               "/api/v1/notifications/dead-letters/{id}/retry",
               "retryDeadLetter",
               "notifications",
               "Try to tell it once more",
               Access::kResolved,
               {"update"},
               {},
               "CommandBody",
               {{200, "DeadLetterAnswer", "it waits for its channel"},
                {409, "Problem", "the channel is no longer there", "application/problem+json"}},
               &S::RetryDeadLetter});
  t.push_back({"POST",
               "/api/v1/notifications/dead-letters/{id}/discard",
               "discardDeadLetter",
               "notifications",
               "Forget it",
               Access::kResolved,
               {"update"},
               {},
               "CommandBody",
               {{200, "DeadLetterAnswer", "it is gone"}},
               &S::DiscardDeadLetter});
}

void AddDeployments(std::vector<Route>& t) {
  t.push_back({"GET",
               "/api/v1/deployments",
               "listDeployments",
               "deployments",
               "Deployments that are under way or ended lately",
               Access::kNamespaces,
               {"list"},
               {kNamespace},
               "",
               {{200, "DeploymentList", "all of them"}},
               &S::ListDeployments});
  t.push_back({"POST",
               "/api/v1/deployments",
               "createDeployment",
               "deployments",
               "Create or update the guard of a Deployment and release a version of it",
               Access::kResolved,
               {"create", "update", "release"},
               {},
               "DeploymentBody",
               {{200, "Deployment", "the version was deployed already"},
                {202, "Deployment", "under way"},
                {409, "Problem", "the objects changed meanwhile", "application/problem+json"}},
               &S::CreateDeployment});
  t.push_back({"GET",
               "/api/v1/deployments/{id}",
               "getDeployment",
               "deployments",
               "How a deployment stands",
               Access::kResolved,
               {"get"},
               {},
               "",
               {{200, "Deployment", "its status"}},
               &S::GetDeployment});
}

void AddEvents(std::vector<Route>& t) {
  const std::vector<Param> query = {
      kNamespace,
      kGuard,
      {"types", "string",
       "only of these types, separated by commas: guard, decision, notice, "
       "alert, removed"},
      {"after", "integer", "resume after this event; as the header Last-Event-ID"}};
  const Answer stream{200, "", "server-sent events with ids; `gap` says that some were missed",
                      "text/event-stream"};
  t.push_back({"GET",
               "/events",
               "streamEvents",
               "events",
               "What happens, as it happens",
               Access::kNamespaces,
               {"watch"},
               query,
               "",
               {stream},
               &S::StreamEvents});
  t.push_back({"GET",
               "/api/v1/events",
               "streamEventsV1",
               "events",
               "The same as /events",
               Access::kNamespaces,
               {"watch"},
               query,
               "",
               {stream},
               &S::StreamEvents});
}

std::vector<Route> MakeTable() {
  std::vector<Route> table;
  AddHealth(table);
  AddGuards(table);
  AddReleases(table);
  AddDeployments(table);
  AddHistory(table);
  AddNotifications(table);
  AddEvents(table);
  return table;
}

}  // namespace

const std::vector<Route>& Routes() {
  static const std::vector<Route> table = MakeTable();
  return table;
}

std::vector<std::string> PathParams(std::string_view pattern) {
  std::vector<std::string> names;
  for (std::string_view part : Split(pattern, '/')) {
    if (part.starts_with('{')) names.emplace_back(part.substr(1, part.size() - 2));
  }
  return names;
}

const char* PathParamAbout(std::string_view name) {
  if (name == "id") return "the id";
  if (name == "sender") return "a name under `senders` in the agent's configuration, or generic";
  if (name == "hook")
    return "confirm-rollout, confirm-traffic-increase, confirm-promotion or rollback";
  return name == "namespace" ? "of the guard" : "the guard's name";
}

std::vector<Answer> CommonAnswers(const Route& route) {
  constexpr const char* kProblem = "application/problem+json";
  std::vector<Answer> answers;
  if (!route.query.empty() || route.body[0] != 0 || route.access == Access::kWebhook)
    answers.push_back({400, "Problem", "malformed; every place is named", kProblem});
  if (route.access != Access::kOpen) {
    answers.push_back({401, "Problem", "no credentials, or wrong ones", kProblem});
    answers.push_back({429, "Problem", "too many requests; see Retry-After", kProblem});
    answers.push_back({503, "Problem", "busy or away; see Retry-After", kProblem});
  }
  if (!route.verbs.empty())
    answers.push_back({403, "Problem", "the verb is missing; the detail says which", kProblem});
  if (std::string_view(route.pattern).find('{') != std::string_view::npos ||
      (route.access == Access::kResolved && route.Changes()))
    answers.push_back({404, "Problem", "there is none of that name", kProblem});
  if (route.body[0] != 0) answers.push_back({415, "Problem", "send application/json", kProblem});
  return answers;
}

}  // namespace rollguard::api
