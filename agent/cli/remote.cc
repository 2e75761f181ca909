// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/remote.h"

#include <future>

#include "agent/base/text.h"
#include "agent/cli/surroundings.h"
#include "agent/cli/system_clock.h"

namespace rollguard::cli {
namespace {

std::string Said(const Options& options, std::string_view option, const char* variable,
                 std::string_view fallback = {}) {
  if (options.Has(option)) return options.Get(option);
  const std::string value = EnvironmentVariable(variable);
  return value.empty() ? std::string(fallback) : value;
}

// What the agent answered instead of what was asked for.
Error Refused(const HttpResponse& response, const std::string& url) {
  ErrorCode code = ErrorCode::kInternal;
  if (response.status == 401) code = ErrorCode::kUnauthenticated;
  if (response.status == 403) code = ErrorCode::kDenied;
  if (response.status == 404) code = ErrorCode::kNotFound;
  if (response.status == 409) code = ErrorCode::kConflict;
  if (response.status == 503) code = ErrorCode::kUnavailable;
  auto problem = ParseJson(response.body);
  if (!problem || !problem->is_object())
    return {code, StrCat(url, " answered ", response.status, "; is this a rollguard agent?")};
  std::string text = problem->At("detail").Str();
  if (text.empty()) text = problem->At("title").Str();
  // The agent speaks to machines; here the same is a command.
  text = ReplaceAll(text, "see GET /api/v1/guards", "`rollguard get guards` lists them");
  text = ReplaceAll(text, "see GET /api/v1/releases", "`rollguard get releases` lists them");
  text = ReplaceAll(text, "see GET /api/v1/decisions", "`rollguard get decisions` lists them");
  text =
      ReplaceAll(text, "see GET /api/v1/notifications", "`rollguard get dead-letters` lists them");
  for (const Json& each : problem->At("problems").items()) text += StrCat("\n  ", each.Str());
  if (response.status == 401) text += " (--token-file or $ROLLGUARD_TOKEN_FILE names your token)";
  return {code, text};
}

}  // namespace

const std::vector<std::string_view>& RemoteValues() {
  static const std::vector<std::string_view> values = {"--server", "--token-file", "--ca-file",
                                                       "--namespace", "--output"};
  return values;
}

Expected<std::unique_ptr<Remote>> Remote::Open(const Options& options) {
  std::unique_ptr<Remote> remote(new Remote);
  remote->server_ = Said(options, "--server", "ROLLGUARD_SERVER", "http://127.0.0.1:9442");
  while (remote->server_.ends_with('/')) remote->server_.pop_back();
  if (!remote->server_.starts_with("http://") && !remote->server_.starts_with("https://"))
    return Error(ErrorCode::kInvalid, StrCat("--server ", Quote(remote->server_),
                                             " is no URL; write http:// or https:// before it"));
  const std::string file = Said(options, "--token-file", "ROLLGUARD_TOKEN_FILE");
  remote->token_ = EnvironmentVariable("ROLLGUARD_TOKEN");
  if (!file.empty()) {
    auto token = ReadFile(file);
    if (!token) return token.error();
    remote->token_ = Trim(*token);
  }
  auto tls = std::make_shared<TlsOptions>();
  tls->ca_file = Said(options, "--ca-file", "ROLLGUARD_CA_FILE");
  remote->tls_ = std::move(tls);
  remote->client_ = std::make_unique<net::CurlClient>(SystemClock());
  return remote;
}

HttpRequest Remote::Request(const std::string& method, const std::string& path) const {
  HttpRequest request;
  request.method = method;
  request.url = server_ + path;
  request.tls = tls_;
  request.accept_gzip = true;
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  return request;
}

Expected<Json> Remote::Send(HttpRequest request) {
  const std::string url = request.url;
  std::promise<Expected<HttpResponse>> promise;
  auto future = promise.get_future();
  client_->Send(std::move(request), [&promise](Expected<HttpResponse> response) {
    promise.set_value(std::move(response));
  });
  auto response = future.get();
  if (!response) return response.error();
  if (response->status < 200 || response->status > 299) return Refused(*response, url);
  auto json = ParseJson(response->body);
  if (!json)
    return Error(ErrorCode::kInternal,
                 StrCat(url, " did not answer JSON; is this a rollguard agent?"));
  return *json;
}

Expected<Json> Remote::Get(const std::string& path) { return Send(Request("GET", path)); }

Expected<Json> Remote::Post(const std::string& path, const Json& body) {
  HttpRequest request = Request("POST", path);
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = body.Dump();
  return Send(std::move(request));
}

Remote::Listening::~Listening() { client_->Cancel(id_); }

std::unique_ptr<Remote::Listening> Remote::Listen(
    const std::string& path, std::function<void(const RemoteEvent&)> on_event) {
  HttpRequest request = Request("GET", path);
  request.timeout = Duration(0);
  request.accept_gzip = false;
  request.headers.emplace_back("Accept", "text/event-stream");
  auto listening = std::make_unique<Listening>();
  HttpStream stream;
  stream.idle_timeout = std::chrono::seconds(60);
  stream.data = [shared = listening->shared_, on_event](std::string_view bytes) {
    for (const RemoteEvent& event : shared->lines.Take(bytes)) on_event(event);
  };
  stream.done = [shared = listening->shared_, on_event](const Expected<HttpResponse>&) {
    shared->ended = true;
    on_event({});
  };
  listening->client_ = client_.get();
  listening->id_ = client_->Stream(std::move(request), std::move(stream));
  return listening;
}

std::string UrlEncode(std::string_view text) {
  constexpr std::string_view kPlain = "-._~/:,";
  std::string out;
  for (char c : text) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                 kPlain.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : Format("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

std::string GuardId(const Options& options, std::string_view name) {
  if (name.find('/') != std::string_view::npos) return std::string(name);
  return StrCat(Said(options, "--namespace", "ROLLGUARD_NAMESPACE", "default"), "/", name);
}

std::string GuardPath(std::string_view id) { return StrCat("/api/v1/guards/", id); }

}  // namespace rollguard::cli
