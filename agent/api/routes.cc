// SPDX-License-Identifier: Apache-2.0
#include "agent/api/route_tables.h"
#include "agent/api/service.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

using S = Service;

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
