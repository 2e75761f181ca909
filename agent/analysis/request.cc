// SPDX-License-Identifier: Apache-2.0
// A typed metric and the secrets' values become the request that an edge carries out.
#include "agent/analysis/request.h"

#include "agent/analysis/assess.h"
#include "agent/base/text.h"

namespace rollguard::analysis {
namespace {

constexpr char kMarkOpen = '\x02';
constexpr char kMarkClose = '\x03';

class Maker {
 public:
  Maker(const SecretValues& secrets, Time now) : secrets_(secrets), now_(now) {}

  Expected<Request> operator()(const spec::PrometheusProvider& p) {
    PrometheusQuery query;
    query.address = Text(p.address);
    query.source = p.source;
    query.query = Text(p.query.text);
    query.at = now_;
    query.timeout = p.timeout;
    query.headers = Headers(p.headers);
    query.authentication = Proof(p.authentication);
    query.insecure = p.insecure;
    if (p.range) {
      auto start = Moment("start", p.range->start);
      if (!start) return start.error();
      auto end = Moment("end", p.range->end);
      if (!end) return end.error();
      if (*end < *start)
        return Error(ErrorCode::kInvalid, "rangeQuery: the end lies before the start");
      query.range = PrometheusQuery::Range{*start, *end, p.range->step};
    }
    return Request(std::move(query));
  }

  Expected<Request> operator()(const spec::WebProvider& p) {
    WebRequest request;
    request.method = p.method;
    request.url = Text(p.url);
    request.headers = Headers(p.headers);
    request.body = Text(p.body);
    if (p.json_body) {
      request.body = Text(p.json_body->Dump());
      request.headers.emplace_back("Content-Type", "application/json");
    }
    request.timeout = p.timeout;
    request.json_path = p.json_path;
    request.authentication = Proof(p.authentication);
    request.insecure = p.insecure;
    return Request(std::move(request));
  }

  Expected<Request> operator()(const spec::JobProvider& p) {
    return Request(JobRequest{Tree(p.metadata), Tree(p.spec)});
  }

 private:
  std::string Text(std::string_view text) const { return FillSecrets(text, secrets_); }

  std::vector<std::pair<std::string, std::string>> Headers(
      const std::vector<spec::Header>& headers) const {
    std::vector<std::pair<std::string, std::string>> out;
    out.reserve(headers.size());
    for (const spec::Header& h : headers) out.emplace_back(h.key, Text(h.value));
    return out;
  }

  spec::Authentication Proof(spec::Authentication auth) const {
    if (auth.basic) {
      auth.basic->username = Text(auth.basic->username);
      auth.basic->password = Text(auth.basic->password);
    }
    if (auth.oauth2) {
      auth.oauth2->token_url = Text(auth.oauth2->token_url);
      auth.oauth2->client_id = Text(auth.oauth2->client_id);
      auth.oauth2->client_secret = Text(auth.oauth2->client_secret);
    }
    return auth;
  }

  // Depth is bounded by the loader of the tree this came from.
  Json Tree(const Json& json) const {
    if (json.is_string()) return Json(Text(json.Str()));
    if (json.is_array()) {
      Json::Array out;
      for (const Json& item : json.items()) out.push_back(Tree(item));
      return Json(std::move(out));
    }
    if (!json.is_object()) return json;
    Json::Object out;
    for (const auto& [key, value] : json.members()) out.emplace_back(key, Tree(value));
    return Json(std::move(out));
  }

  Expected<Time> Moment(std::string_view what, const std::string& text) const {
    auto fail = [&](std::string_view why) {
      return Error(ErrorCode::kInvalid, StrCat("rangeQuery.", what, ": ", why));
    };
    expr::Compiled compiled = expr::Compile(text);
    if (!compiled.ok()) return fail(Describe(compiled.problems));
    expr::Environment env;
    env.result = expr::Value(0.0);
    env.now = now_;
    auto value = Evaluate(compiled.program, env);
    if (!value) return fail(value.error().message);
    if (!value->is_time()) return fail(StrCat("expected time.Time, but got ", value->TypeName()));
    return value->AsTime();
  }

  const SecretValues& secrets_;
  Time now_;
};

}  // namespace

std::string SecretMark(std::string_view name) { return StrCat(kMarkOpen, name, kMarkClose); }

std::string FillSecrets(std::string_view text, const SecretValues& secrets) {
  std::string out;
  while (!text.empty()) {
    size_t open = text.find(kMarkOpen);
    out += text.substr(0, open);
    if (open == std::string_view::npos) break;
    text.remove_prefix(open + 1);
    size_t close = text.find(kMarkClose);
    if (close == std::string_view::npos) break;
    for (const auto& secret : secrets) {
      if (secret.first == text.substr(0, close)) out += secret.second;
    }
    text.remove_prefix(close + 1);
  }
  return out;
}

Expected<Request> MakeRequest(const Run& run, size_t metric, const SecretValues& secrets,
                              Time now) {
  for (const SecretArgument& wanted : run.spec.secrets) {
    bool known = false;
    for (const auto& secret : secrets) known = known || secret.first == wanted.name;
    if (known) continue;
    return Error(ErrorCode::kNotFound,
                 StrCat("args.", wanted.name, " was not resolved: secret ", Quote(wanted.ref.name),
                        " has no key ", Quote(wanted.ref.key)));
  }
  return std::visit(Maker(secrets, now), run.spec.metrics[metric].metric.provider);
}

}  // namespace rollguard::analysis
