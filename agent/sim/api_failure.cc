// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_failure.h"

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

std::string Qualified(const TypeInfo& info) {
  return info.type.group.empty() ? info.type.plural
                                 : StrCat(info.type.plural, ".", info.type.group);
}

Json Details(const TypeInfo& info, std::string_view name) {
  Json details = Json::Obj();
  if (!name.empty()) details.Set("name", name);
  if (!info.type.group.empty()) details.Set("group", info.type.group);
  details.Set("kind", info.type.plural);
  return details;
}

ApiFailure Make(int code, std::string_view reason, std::string message, Json details = {}) {
  return {code, std::string(reason), std::move(message), std::move(details)};
}

ErrorCode CodeOf(int status, std::string_view reason) {
  switch (status) {
    case 401: return ErrorCode::kUnauthenticated;
    case 403: return ErrorCode::kDenied;
    case 404: return ErrorCode::kNotFound;
    case 408:
    case 504: return ErrorCode::kTimeout;
    case 409: return reason == "AlreadyExists" ? ErrorCode::kAlreadyExists : ErrorCode::kConflict;
    case 410: return ErrorCode::kGone;
    case 413: return ErrorCode::kTooLarge;
    case 429: return ErrorCode::kThrottled;
    default: return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
  }
}

std::string_view VerbName(Verb verb) {
  switch (verb) {
    case Verb::kGet: return "get";
    case Verb::kList: return "list";
    case Verb::kCreate: return "create";
    case Verb::kReplace: return "replace";
    case Verb::kPatch: return "patch";
    case Verb::kDelete: return "delete";
  }
  return "";
}

}  // namespace

Json ApiFailure::ToStatus() const {
  Json status = Json::Obj({{"kind", "Status"},
                           {"apiVersion", "v1"},
                           {"metadata", Json::Obj()},
                           {"status", "Failure"},
                           {"message", message}});
  if (!reason.empty()) status.Set("reason", reason);
  if (!details.is_null()) status.Set("details", details);
  status.Set("code", code);
  return status;
}

Error ApiFailure::ToError(const ClusterRequest& r) const {
  std::string object = StrCat(r.type.plural, r.ns.empty() ? "" : " ", r.ns);
  if (!r.name.empty()) object += StrCat(r.ns.empty() ? " " : "/", r.name);
  if (!r.subresource.empty()) object += StrCat("/", r.subresource);
  Error error(CodeOf(code, reason),
              StrCat(VerbName(r.verb), " ", object, ": ", message, " (", code, " ", reason, ")"));
  error.retry_after = std::chrono::seconds(details.At("retryAfterSeconds").IntOr(0));
  return error;
}

ApiReply Fail(ApiFailure failure) { return {nullptr, std::move(failure), false}; }

ApiFailure NotFound(const TypeInfo& info, std::string_view name) {
  return Make(404, "NotFound", StrCat(Qualified(info), " ", Quote(name), " not found"),
              Details(info, name));
}

ApiFailure NoSuchPath() {
  return Make(404, "NotFound", "the server could not find the requested resource", Json::Obj());
}

ApiFailure AlreadyExists(const TypeInfo& info, std::string_view name) {
  return Make(409, "AlreadyExists", StrCat(Qualified(info), " ", Quote(name), " already exists"),
              Details(info, name));
}

ApiFailure Conflict(const TypeInfo& info, std::string_view name, std::string_view why) {
  return Make(
      409, "Conflict",
      StrCat("Operation cannot be fulfilled on ", Qualified(info), " ", Quote(name), ": ", why),
      Details(info, name));
}

ApiFailure StaleVersion(const TypeInfo& info, std::string_view name) {
  return Conflict(info, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

ApiFailure Invalid(const TypeInfo& info, std::string_view name,
                   const std::vector<FieldProblem>& problems) {
  std::string list;
  Json causes = Json::Arr();
  for (const auto& p : problems) {
    list += StrCat(list.empty() ? "" : ", ", p.field, ": ", p.message);
    causes.Push(Json::Obj({{"reason", p.reason}, {"message", p.message}, {"field", p.field}}));
  }
  if (problems.size() > 1) list = StrCat("[", list, "]");
  Json details = Details(info, name);
  details.Set("kind", info.type.kind).Set("causes", std::move(causes));
  std::string kind =
      info.type.group.empty() ? info.type.kind : StrCat(info.type.kind, ".", info.type.group);
  return Make(422, "Invalid", StrCat(kind, " ", Quote(name), " is invalid: ", list),
              std::move(details));
}

ApiFailure BadRequest(std::string_view message) {
  return Make(400, "BadRequest", std::string(message));
}

ApiFailure Forbidden(const TypeInfo& info, std::string_view name, std::string_view why) {
  return Make(403, "Forbidden", StrCat(Qualified(info), " ", Quote(name), " is forbidden: ", why),
              Details(info, name));
}

ApiFailure Expired(std::string_view message) { return Make(410, "Expired", std::string(message)); }

ApiFailure MethodNotAllowed(std::string_view message) {
  return Make(405, "MethodNotAllowed", std::string(message));
}

}  // namespace rollguard::sim
