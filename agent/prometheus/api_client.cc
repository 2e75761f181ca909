// SPDX-License-Identifier: Apache-2.0
#include "agent/prometheus/api_client.h"

#include <algorithm>
#include <fstream>

#include "agent/base/text.h"

namespace rollguard::prometheus {
namespace {

constexpr size_t kMaxSecretBytes = 64U << 10;

std::string EncodeForm(const FormFields& fields) {
  std::string out;
  for (const auto& [key, value] : fields) {
    if (!out.empty()) out += '&';
    out += key;
    out += '=';
    for (char c : value) {
      bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-' || c == '_' || c == '.' || c == '~';
      if (plain) {
        out += c;
      } else {
        out += Format("%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      }
    }
  }
  return out;
}

std::string Seconds(Time t) {
  int64_t ms = ToUnixMillis(t);
  const char* sign = ms < 0 ? "-" : "";
  ms = std::abs(ms);
  return Format("%s%lld.%03lld", sign, static_cast<long long>(ms / 1000),
                static_cast<long long>(ms % 1000));
}

// The file's text without the line end that editors add.
Expected<std::string> ReadSecret(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxSecretBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  text = std::string(Trim(text));
  if (text.empty()) {
    return Error(ErrorCode::kUnauthenticated,
                 StrCat("cannot read a secret from ", path, "; is it mounted?"));
  }
  return text;
}

Expected<std::string> Authorization(const ApiOptions& options) {
  if (!options.bearer_token_file.empty()) {
    auto token = ReadSecret(options.bearer_token_file);
    if (!token) return token.error();
    return StrCat("Bearer ", *token);
  }
  if (options.username.empty()) return std::string();
  std::string password;
  if (!options.password_file.empty()) {
    auto read = ReadSecret(options.password_file);
    if (!read) return read.error();
    password = *read;
  }
  return StrCat("Basic ", Base64Encode(StrCat(options.username, ":", password)));
}

// What the server is told to keep to: less than we wait, so that its own answer still arrives.
Duration ServerTimeout(Duration timeout) {
  return std::max(Duration(1), timeout - std::min<Duration>(timeout / 10, std::chrono::seconds(1)));
}

}  // namespace

// One exchange with its retries keeps itself alive through the callbacks it waits for.
struct ApiClient::State : std::enable_shared_from_this<ApiClient::State> {
  State(HttpClient& h, Timers& t, const Clock& c, uint64_t seed, ApiOptions o)
      : http(h), timers(t), clock(c), random(seed), options(std::move(o)) {
    while (!options.url.empty() && options.url.back() == '/') options.url.pop_back();
  }

  using Done = std::function<void(Expected<HttpResponse>)>;
  struct Exchange {
    std::string url;
    FormFields fields;
    bool query = false;  // takes a `timeout` and says how much it cost
    bool post = true;
    Time deadline{};
    int attempt = 0;
    Done done;
  };

  void Start(std::shared_ptr<Exchange> exchange);
  void Finish(const std::shared_ptr<Exchange>& exchange, Expected<HttpResponse> response);
  Expected<HttpRequest> Request(const Exchange& exchange);
  bool Worth(const Exchange& exchange, const Expected<HttpResponse>& response, Duration* wait);

  HttpClient& http;
  Timers& timers;
  const Clock& clock;
  Random random;
  ApiOptions options;
};

Expected<HttpRequest> ApiClient::State::Request(const Exchange& exchange) {
  HttpRequest request;
  request.method = exchange.post ? "POST" : "GET";
  request.url = exchange.url;
  request.timeout = exchange.deadline - clock.Now();
  request.max_body = options.max_body;
  request.accept_gzip = true;
  request.tls = options.tls;
  request.group = options.url;
  request.max_parallel = options.concurrency;
  FormFields fields = exchange.fields;
  if (exchange.query) {
    fields.emplace_back("timeout", FormatPromDuration(ServerTimeout(request.timeout)));
    fields.emplace_back("partial_response", "false");  // Thanos
    fields.emplace_back("stats", "true");
  }
  request.headers = options.headers;
  if (exchange.post) {
    request.body = EncodeForm(fields);
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  } else if (!fields.empty()) {
    request.url += StrCat("?", EncodeForm(fields));
  }
  if (!options.tenant.empty()) request.headers.emplace_back(options.tenant_header, options.tenant);
  auto authorization = Authorization(options);
  if (!authorization) return authorization.error();
  if (!authorization->empty()) request.headers.emplace_back("Authorization", *authorization);
  return request;
}

void ApiClient::State::Start(std::shared_ptr<Exchange> exchange) {
  ++exchange->attempt;
  auto request = Request(*exchange);
  std::weak_ptr<State> weak = weak_from_this();
  if (!request) {
    Error error = request.error();
    timers.After(Duration(0), [weak, exchange, error] {
      if (weak.lock() != nullptr) exchange->done(error);
    });
    return;
  }
  http.Send(*std::move(request), [weak, exchange](Expected<HttpResponse> response) {
    if (auto self = weak.lock()) self->Finish(exchange, std::move(response));
  });
}

// Whether to send it again, and after how long. Never for an answer about the question itself.
bool ApiClient::State::Worth(const Exchange& exchange, const Expected<HttpResponse>& response,
                             Duration* wait) {
  if (exchange.attempt >= options.attempts) return false;
  bool busy = response.ok() && (response->status == 503 || response->status == 429);
  bool gateway = response.ok() && response->status == 502;
  bool unreached = !response.ok() && response.error().code == ErrorCode::kUnavailable;
  if (!busy && !gateway && !unreached) return false;
  Duration backoff = std::min(options.max_backoff, options.backoff * (1 << (exchange.attempt - 1)));
  *wait =
      backoff / 2 +
      Duration(static_cast<int64_t>(random.Below(static_cast<uint64_t>(backoff.count() / 2 + 1))));
  if (response.ok()) {
    auto seconds = ParseInt(response->Header("retry-after"));
    if (seconds && *seconds > 0 && *seconds < 3600) {
      *wait = std::max<Duration>(*wait, std::chrono::seconds(*seconds));
    }
  }
  return clock.Now() + *wait + options.backoff < exchange.deadline;
}

void ApiClient::State::Finish(const std::shared_ptr<Exchange>& exchange,
                              Expected<HttpResponse> response) {
  Duration wait{0};
  if (!Worth(*exchange, response, &wait)) return exchange->done(std::move(response));
  std::weak_ptr<State> weak = weak_from_this();
  timers.After(wait, [weak, exchange] {
    if (auto self = weak.lock()) self->Start(exchange);
  });
}

ApiClient::ApiClient(HttpClient& http, Timers& timers, const Clock& clock, uint64_t seed,
                     ApiOptions options)
    : state_(std::make_shared<State>(http, timers, clock, seed, std::move(options))) {}

ApiClient::~ApiClient() = default;

const ApiOptions& ApiClient::options() const { return state_->options; }

void ApiClient::Instant(const std::string& query, Time at, Duration timeout, QueryDone done) {
  auto exchange = std::make_shared<State::Exchange>();
  exchange->url = state_->options.url + "/api/v1/query";
  exchange->fields = {{"query", query}, {"time", Seconds(at)}};
  exchange->query = true;
  exchange->deadline = state_->clock.Now() + timeout;
  exchange->done = [done = std::move(done)](const Expected<HttpResponse>& response) {
    done(ReadQueryAnswer(response));
  };
  state_->Start(std::move(exchange));
}

void ApiClient::Range(const std::string& query, Time start, Time end, Duration step,
                      Duration timeout, QueryDone done) {
  auto exchange = std::make_shared<State::Exchange>();
  exchange->url = state_->options.url + "/api/v1/query_range";
  exchange->fields = {{"query", query},
                      {"start", Seconds(start)},
                      {"end", Seconds(end)},
                      {"step", Seconds(FromUnixMillis(step.count()))}};
  exchange->query = true;
  exchange->deadline = state_->clock.Now() + timeout;
  exchange->done = [done = std::move(done)](const Expected<HttpResponse>& response) {
    done(ReadQueryAnswer(response));
  };
  state_->Start(std::move(exchange));
}

void ApiClient::Get(std::string_view path, const FormFields& fields, Duration timeout,
                    DataDone done) {
  auto exchange = std::make_shared<State::Exchange>();
  exchange->url = StrCat(state_->options.url, "/api/v1/", path);
  exchange->post = path == "series" || path == "labels";  // the others know GET only
  exchange->fields = fields;
  exchange->deadline = state_->clock.Now() + timeout;
  exchange->done = [done = std::move(done)](const Expected<HttpResponse>& response) {
    done(ReadData(response));
  };
  state_->Start(std::move(exchange));
}

void ApiClient::Series(const std::vector<std::string>& matches, Time start, Time end,
                       Duration timeout, DataDone done) {
  FormFields fields;
  for (const std::string& match : matches) fields.emplace_back("match[]", match);
  fields.emplace_back("start", Seconds(start));
  fields.emplace_back("end", Seconds(end));
  Get("series", fields, timeout, std::move(done));
}

void ApiClient::LabelValues(std::string_view label, Duration timeout, DataDone done) {
  Get(StrCat("label/", label, "/values"), {}, timeout, std::move(done));
}

}  // namespace rollguard::prometheus
