// SPDX-License-Identifier: Apache-2.0
// One table says what is served: path, who may, what is asked, what is answered, who carries it
// out. The router, the checks before a handler, the OpenAPI document and docs/api.md are made from
// it, so none of them can say something else.
#pragma once

#include <string>
#include <vector>

#include "agent/http/message.h"

namespace rollguard::api {

class Service;
struct Call;

// How a caller is held to the route's verbs.
enum class Access {
  kOpen,        // nobody is asked who they are
  kCaller,      // known callers, no verb
  kNamespaces,  // the answer holds what the caller may see; nothing at all is a 403
  kGuard,       // {namespace}/{name} in the path
  kResolved,    // the handler finds the guard, then asks
  kWebhook,     // the credentials of webhooks
};

struct Param {
  const char* name;
  const char* type;  // "string", "integer", "time", "boolean" or words as in schema.h
  const char* about;
  bool required = false;
};

struct Answer {
  int status;
  const char* type;  // a type word of schema.h; empty: no JSON
  const char* about;
  const char* media = "application/json";
};

struct Route {
  using Handler = http::Response (Service::*)(Call&);

  const char* method;
  const char* pattern;
  const char* id;  // OpenAPI's operationId
  const char* tag;
  const char* summary;
  Access access;
  std::vector<const char*> verbs;  // on guards.rollguard.dev, all of them
  std::vector<Param> query;
  const char* body;  // a schema's name; empty: none
  std::vector<Answer> answers;
  Handler handler;

  bool Changes() const { return std::string_view(method) != "GET"; }
  // Alerts are facts of their own, with their sender, and Flagger's hooks only ask.
  bool Audited() const { return Changes() && access != Access::kWebhook; }
};

const std::vector<Route>& Routes();

// Names in {braces} of a pattern, in order.
std::vector<std::string> PathParams(std::string_view pattern);
// What the document says of one of them.
const char* PathParamAbout(std::string_view name);
// What every route of its kind may answer besides: 400, 401, 403, ...
std::vector<Answer> CommonAnswers(const Route& route);

}  // namespace rollguard::api
