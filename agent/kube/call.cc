// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/call.h"

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

std::string Encode(std::string_view text) {
  static constexpr std::string_view kPlain = "-._~";
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                 kPlain.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : Format("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

class Query {
 public:
  void Add(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    text_ += text_.empty() ? '?' : '&';
    text_ += StrCat(name, "=", Encode(value));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Status CheckSegment(const std::string& label, const char* what, const std::string& text) {
  if (text != "." && text != ".." && text.find('/') == std::string::npos) return {};
  return Error(ErrorCode::kInvalid, StrCat(label, ": ", Quote(text), " cannot be a ", what));
}

Expected<std::string> Collection(const std::string& label, const ResourceType& type,
                                 const std::string& ns) {
  if (type.plural.empty() || type.version.empty()) {
    return Error(ErrorCode::kInvalid, StrCat(label, ": the kind of object is not known"));
  }
  if (Status ok = CheckSegment(label, "namespace", ns); !ok.ok()) return ok.error();
  std::string path = type.group.empty()
                         ? StrCat("/api/", Encode(type.version))
                         : StrCat("/apis/", Encode(type.group), "/", Encode(type.version));
  if (type.namespaced && !ns.empty()) path += StrCat("/namespaces/", Encode(ns));
  return StrCat(path, "/", Encode(type.plural));
}

std::string Where(const ResourceType& type, const std::string& ns, const std::string& name) {
  std::string_view shown_ns = type.namespaced ? std::string_view(ns) : std::string_view();
  if (name.empty()) return shown_ns.empty() ? "" : StrCat(" in ", Quote(shown_ns));
  return shown_ns.empty() ? StrCat(" ", name) : StrCat(" ", shown_ns, "/", name);
}

const char* ContentType(PatchKind kind) {
  switch (kind) {
    case PatchKind::kJson: return "application/json-patch+json";
    case PatchKind::kMerge: return "application/merge-patch+json";
    case PatchKind::kStrategic: return "application/strategic-merge-patch+json";
    case PatchKind::kApply: return "application/apply-patch+yaml";
  }
  return "";
}

const char* Method(Verb verb) {
  switch (verb) {
    case Verb::kGet:
    case Verb::kList: return "GET";
    case Verb::kCreate: return "POST";
    case Verb::kReplace: return "PUT";
    case Verb::kPatch: return "PATCH";
    case Verb::kDelete: return "DELETE";
  }
  return "";
}

// A delete may bring further DeleteOptions (gracePeriodSeconds) in its body.
Json DeleteOptions(const ClusterRequest& r) {
  Json options = r.body.is_object() ? r.body : Json::Obj();
  options.Set("kind", "DeleteOptions").Set("apiVersion", "v1");
  if (!r.propagation.empty()) options.Set("propagationPolicy", r.propagation);
  if (!r.precondition_uid.empty()) options["preconditions"].Set("uid", r.precondition_uid);
  if (!r.precondition_version.empty()) {
    options["preconditions"].Set("resourceVersion", r.precondition_version);
  }
  if (r.dry_run) options.Set("dryRun", Json::Arr({"All"}));
  return options;
}

void AddBody(const ClusterRequest& r, Query& query, WireCall& wire) {
  if (r.verb == Verb::kDelete) {
    wire.body = DeleteOptions(r).Dump();
    wire.content_type = "application/json";
    return;
  }
  bool patch = r.verb == Verb::kPatch;
  wire.body = r.body.Dump();
  wire.content_type = patch ? ContentType(r.patch) : "application/json";
  query.Add("fieldManager", r.field_manager.empty() ? "rollguard" : r.field_manager);
  if (patch && r.patch == PatchKind::kApply && r.force) query.Add("force", "true");
  if (r.dry_run) query.Add("dryRun", "All");
}

void AddSelection(const ClusterRequest& r, Query& query) {
  query.Add("resourceVersion", r.resource_version);
  if (r.verb != Verb::kList) return;
  query.Add("labelSelector", r.label_selector);
  query.Add("fieldSelector", r.field_selector);
  if (r.limit > 0) query.Add("limit", std::to_string(r.limit));
  query.Add("continue", r.continue_token);
}

struct CodeRow {
  int http;
  ErrorCode code;
};

ErrorCode FromHttp(int status) {
  static constexpr CodeRow kRows[] = {
      {400, ErrorCode::kInvalid},  {401, ErrorCode::kUnauthenticated}, {403, ErrorCode::kDenied},
      {404, ErrorCode::kNotFound}, {408, ErrorCode::kTimeout},         {409, ErrorCode::kConflict},
      {410, ErrorCode::kGone},     {413, ErrorCode::kTooLarge},        {429, ErrorCode::kThrottled},
      {501, ErrorCode::kInvalid},  {504, ErrorCode::kTimeout},
  };
  for (const CodeRow& row : kRows) {
    if (row.http == status) return row.code;
  }
  return status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kInvalid;
}

// A reason says more than the number: AlreadyExists and Conflict share 409, Expired may be 410 or
// come in a watch with another number.
ErrorCode FromStatus(int http, std::string_view reason) {
  if (reason == "AlreadyExists") return ErrorCode::kAlreadyExists;
  if (reason == "Expired" || reason == "Gone") return ErrorCode::kGone;
  if (reason == "Timeout" || reason == "ServerTimeout") return ErrorCode::kTimeout;
  return FromHttp(http);
}

Error FromStatusObject(const std::string& label, int http, const Json& status) {
  std::string reason = status.At("reason").Str();
  std::string message = Abbreviate(status.At("message").Str(), 1000);
  if (message.empty()) message = "the server gave no message";
  std::string tail = reason.empty() ? "" : StrCat(", ", reason);
  Error error(FromStatus(http, reason), StrCat(label, ": ", message, " (HTTP ", http, tail, ")"));
  int64_t seconds = status.At("details", "retryAfterSeconds").IntOr(0);
  if (seconds > 0) error.retry_after = std::chrono::seconds(std::min<int64_t>(seconds, 3600));
  return error;
}

bool LooksLikeHtml(const HttpResponse& response) {
  return response.Header("content-type").find("html") != std::string_view::npos ||
         Trim(response.body).starts_with("<");
}

std::string Describe(const HttpResponse& response) {
  std::string_view type = response.Header("content-type");
  return StrCat("HTTP ", response.status, type.empty() ? "" : ", ", type, ": ",
                Quote(Abbreviate(response.body, 120)));
}

}  // namespace

const char* VerbName(Verb verb) {
  switch (verb) {
    case Verb::kGet: return "get";
    case Verb::kList: return "list";
    case Verb::kCreate: return "create";
    case Verb::kReplace: return "update";
    case Verb::kPatch: return "patch";
    case Verb::kDelete: return "delete";
  }
  return "";
}

std::string CallLabel(const ClusterRequest& r) {
  std::string name = r.name;
  if (name.empty() && r.verb == Verb::kCreate) name = r.body.At("metadata", "name").Str();
  return StrCat(VerbName(r.verb), " ", r.type.plural, r.subresource.empty() ? "" : "/",
                r.subresource, Where(r.type, r.ns, name));
}

std::string CallLabel(const WatchRequest& r) {
  return StrCat("watch ", r.type.plural, Where(r.type, r.ns, ""));
}

std::vector<std::string> SecretTexts(const ClusterRequest& r) {
  std::vector<std::string> out;
  auto add = [&out](const Json& value) {
    std::string text = value.Str();
    if (text.size() < 4) return;
    if (auto plain = Base64Decode(text); plain && plain->size() >= 4) out.push_back(*plain);
    out.push_back(std::move(text));
  };
  if (r.type.plural == "tokenreviews") add(r.body.At("spec", "token"));
  if (r.type.plural != "secrets" || !r.type.group.empty()) return out;
  for (const char* field : {"data", "stringData"}) {
    for (const auto& [key, value] : r.body.At(field).members()) add(value);
  }
  for (const Json& change : r.body.items()) {  // a JSON patch
    const Json& value = change.At("value");
    add(value);
    for (const auto& [key, one] : value.members()) add(one);
  }
  return out;
}

Error WithoutTexts(Error error, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    if (error.message.find(text) != std::string::npos)
      error.message = ReplaceAll(error.message, text, "***");
  }
  return error;
}

Expected<WireCall> ToWire(const ClusterRequest& r) {
  std::string label = CallLabel(r);
  Expected<std::string> path = Collection(label, r.type, r.ns);
  if (!path.ok()) return path.error();
  bool on_collection = r.verb == Verb::kList || (r.verb == Verb::kCreate && r.subresource.empty());
  if (!on_collection) {
    if (r.name.empty()) return Error(ErrorCode::kInvalid, StrCat(label, ": no name is given"));
    if (r.type.namespaced && r.ns.empty()) {
      return Error(ErrorCode::kInvalid, StrCat(label, ": no namespace is given"));
    }
    if (Status ok = CheckSegment(label, "name", r.name); !ok.ok()) return ok.error();
    *path += StrCat("/", Encode(r.name));
    if (!r.subresource.empty()) *path += StrCat("/", Encode(r.subresource));
  }
  WireCall wire;
  Query query;
  if (r.verb == Verb::kGet || r.verb == Verb::kList) {
    AddSelection(r, query);
  } else {
    AddBody(r, query, wire);
  }
  wire.method = Method(r.verb);
  wire.target = *path + query.text();
  return wire;
}

Expected<WireCall> ToWire(const WatchRequest& r) {
  Expected<std::string> path = Collection(CallLabel(r), r.type, r.ns);
  if (!path.ok()) return path.error();
  Query query;
  query.Add("watch", "true");
  if (r.bookmarks) query.Add("allowWatchBookmarks", "true");
  query.Add("resourceVersion", r.resource_version);
  query.Add("labelSelector", r.label_selector);
  query.Add("fieldSelector", r.field_selector);
  auto seconds = std::chrono::ceil<std::chrono::seconds>(r.timeout).count();
  if (seconds > 0) query.Add("timeoutSeconds", std::to_string(seconds));
  WireCall wire;
  wire.method = "GET";
  wire.target = *path + query.text();
  return wire;
}

Error StatusError(const std::string& label, const HttpResponse& response) {
  JsonLimits limits;
  limits.allow_duplicate_keys = true;
  Expected<Json> status = ParseJson(response.body, limits);
  Error error;
  if (status.ok() && status->At("kind").Str() == "Status") {
    error = FromStatusObject(label, response.status, *status);
  } else if (response.status / 100 == 3) {
    error = Error(ErrorCode::kInvalid,
                  StrCat(label,
                         ": the server redirects, which is not followed; give the URL it "
                         "points to (",
                         Describe(response), ")"));
  } else {
    const char* what = LooksLikeHtml(response) ? "an HTML page" : "no Status object";
    error = Error(FromHttp(response.status), StrCat(label, ": the server answered with ", what,
                                                    " (", Describe(response), ")"));
  }
  auto seconds = ParseInt(response.Header("retry-after"));
  if (seconds && *seconds > 0) {
    error.retry_after = std::chrono::seconds(std::min<int64_t>(*seconds, 3600));
  }
  return error;
}

Error StatusError(const std::string& label, const Json& status) {
  auto http = static_cast<int>(status.At("code").IntOr(500));
  return FromStatusObject(label, http, status);
}

Error UnreadableError(const std::string& label, const HttpResponse& response,
                      const std::string& why) {
  std::string what = LooksLikeHtml(response)
                         ? "an HTML page came where JSON was expected; is this the URL of a "
                           "Kubernetes API server?"
                         : StrCat("the answer cannot be read: ", why);
  return {ErrorCode::kUnavailable, StrCat(label, ": ", what, " (", Describe(response), ")")};
}

}  // namespace rollguard::kube
