// SPDX-License-Identifier: Apache-2.0
#include "agent/api/openapi.h"

#include "agent/api/route.h"
#include "agent/api/schema.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

constexpr const char* kAbout =
    "rollguard guards releases on Kubernetes. Errors are application/problem+json and say what to "
    "do. GET answers carry an ETag. Send a bearer token; which verbs on guards.rollguard.dev a "
    "route needs is in x-rollguard-verbs. POST to a command may carry Idempotency-Key: the same "
    "key is carried out once.";

Json ParamJson(const Param& param, const char* in, bool required) {
  return Json::Obj({{"name", param.name},
                    {"in", in},
                    {"required", required},
                    {"description", param.about},
                    {"schema", TypeJson(param.type)}});
}

Json Parameters(const Route& route) {
  Json list = Json::Arr();
  for (const std::string& name : PathParams(route.pattern)) {
    list.Push(ParamJson({name.c_str(), "string", PathParamAbout(name)}, "path", true));
  }
  for (const Param& param : route.query) list.Push(ParamJson(param, "query", param.required));
  return list;
}

Json AnswerJson(const Answer& answer) {
  Json content = Json::Obj();
  content.Set(answer.media, answer.type[0] == 0
                                ? Json::Obj({{"schema", Json::Obj({{"type", "string"}})}})
                                : Json::Obj({{"schema", TypeJson(answer.type)}}));
  return Json::Obj({{"description", answer.about}, {"content", std::move(content)}});
}

Json Responses(const Route& route) {
  Json out = Json::Obj();
  for (const Answer& answer : route.answers)
    out.Set(std::to_string(answer.status), AnswerJson(answer));
  for (const Answer& answer : CommonAnswers(route)) {
    std::string status = std::to_string(answer.status);
    if (out.Find(status) == nullptr) out.Set(status, AnswerJson(answer));
  }
  return out;
}

Json BodyJson(const Route& route) {
  Json schema =
      route.access == Access::kWebhook ? Json::Obj({{"type", "object"}}) : TypeJson(route.body);
  return Json::Obj(
      {{"required", std::string_view(route.body) != "CommandBody"},
       {"content", Json::Obj({{"application/json", Json::Obj({{"schema", std::move(schema)}})}})}});
}

Json Security(const Route& route) {
  if (route.access == Access::kOpen) return Json::Arr();
  Json list = Json::Arr({Json::Obj({{"bearer", Json::Arr()}})});
  if (route.access == Access::kWebhook) list.Push(Json::Obj({{"basic", Json::Arr()}}));
  return list;
}

Json Operation(const Route& route) {
  Json op = Json::Obj({{"operationId", route.id},
                       {"tags", Json::Arr({route.tag})},
                       {"summary", route.summary},
                       {"security", Security(route)}});
  if (Json parameters = Parameters(route); parameters.size() > 0)
    op.Set("parameters", std::move(parameters));
  if (route.body[0] != 0 || route.access == Access::kWebhook)
    op.Set("requestBody", BodyJson(route));
  op.Set("responses", Responses(route));
  if (!route.verbs.empty()) {
    Json verbs = Json::Arr();
    for (const char* verb : route.verbs) verbs.Push(verb);
    op.Set("x-rollguard-verbs", std::move(verbs));
  }
  return op;
}

Json Scheme(const char* scheme) { return Json::Obj({{"type", "http"}, {"scheme", scheme}}); }

std::string VerbsText(const Route& route) {
  if (route.access == Access::kOpen) return "open to everybody";
  if (route.access == Access::kWebhook) return "the credentials of `auth.webhooks`";
  if (route.verbs.empty()) return "any known caller";
  std::string out = "verb";
  if (route.verbs.size() > 1) out += "s";
  for (size_t i = 0; i < route.verbs.size(); ++i)
    out += StrCat(i == 0 ? " `" : ", `", route.verbs[i], "`");
  return out;
}

void RouteText(const Route& route, std::string& out) {
  out += StrCat("### ", route.method, " ", route.pattern, "\n\n", route.summary, ". Needs ",
                VerbsText(route), ".\n\n");
  if (!route.query.empty()) {
    out += "| parameter | type | |\n| --- | --- | --- |\n";
    for (const Param& p : route.query)
      out += StrCat("| `", p.name, "` | ", ReplaceAll(p.type, "|", ", "), " | ", p.about, " |\n");
    out += "\n";
  }
  if (route.body[0] != 0)
    out += StrCat("Body: [", route.body, "](#", ToLower(route.body), ").\n\n");
  for (const Answer& a : route.answers) {
    out += StrCat("- ", a.status, ": ", a.about);
    if (FindSchema(a.type) != nullptr) out += StrCat(" ([", a.type, "](#", ToLower(a.type), "))");
    out += "\n";
  }
  out += "\n";
}

}  // namespace

Json OpenApiDocument(const std::string& version) {
  Json paths = Json::Obj();
  for (const Route& route : Routes()) {
    Json& path = paths[route.pattern];
    if (path.is_null()) path = Json::Obj();
    path.Set(ToLower(route.method), Operation(route));
  }
  return Json::Obj(
      {{"openapi", "3.0.3"},
       {"info", Json::Obj({{"title", "rollguard"}, {"version", version}, {"description", kAbout}})},
       {"servers", Json::Arr({Json::Obj({{"url", "/"}})})},
       {"paths", std::move(paths)},
       {"components", Json::Obj({{"securitySchemes", Json::Obj({{"bearer", Scheme("bearer")},
                                                                {"basic", Scheme("basic")}})},
                                 {"schemas", SchemasJson()}})}});
}

std::string ReferenceText() {
  std::string out = StrCat("# The REST interface\n\n", kAbout,
                           "\n\nThe document itself is served at `/api/v1/openapi.json`. This page "
                           "is made from it; a test fails when it is stale.\n\n## Routes\n\n");
  for (const Route& route : Routes()) RouteText(route, out);
  out += "## Shapes\n\nMembers in bold are always there; `?` may be null.\n\n";
  for (const Schema& schema : Schemas()) {
    out += StrCat("### ", schema.name, "\n\n", schema.about, ".\n\n");
    out += "| member | type | |\n| --- | --- | --- |\n";
    for (const Field& f : schema.fields) {
      const char* mark = f.required ? "**" : "";
      out += StrCat("| ", mark, "`", f.name, "`", mark, " | ", ReplaceAll(f.type, "|", ", "), " | ",
                    f.about, " |\n");
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

}  // namespace rollguard::api
