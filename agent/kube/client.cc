// SPDX-License-Identifier: Apache-2.0
// The life of a call: a place in the rate limit -> a credential -> the exchange -> decoding -> the
// callback; 429 leads back to the start after the time the server asked for, 401 once after the
// credential was renewed. A watch has the same beginning and then a stream.
//
// Each step registers, under the mutex, the exchange or timer that carries the operation next, so
// that the destructor and CancelWatch find and cancel it; both wait for a step that runs. An
// operation stays registered until its last callback has returned.
#include "agent/kube/client.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "agent/base/text.h"
#include "agent/kube/call.h"
#include "agent/kube/credentials.h"
#include "agent/kube/decode.h"
#include "agent/kube/token_bucket.h"
#include "agent/kube/watch_stream.h"

namespace rollguard::kube {
namespace {

using Nanos = std::chrono::nanoseconds;

// How much longer than the server's own timeout a watch may last.
constexpr Duration kWatchGrace = std::chrono::seconds(30);
constexpr Duration kDefaultRetry = std::chrono::seconds(1);

// One call, watch or raw request under way.
struct Operation {
  uint64_t id = 0;
  std::string label;
  std::string verb;
  std::string resource;
  WireCall wire;
  Duration timeout{0};
  Nanos started{0};
  int retries = 0;
  bool renewed = false;  // the credential was renewed for it
  bool urgent = false;
  bool bulk = false;
  HttpId exchange = 0;
  TimerId timer = 0;
  bool cancelled = false;

  std::function<void(Expected<HttpResponse>)> answered;  // calls and raw requests

  WatchHandler handler;  // watches
  std::unique_ptr<WatchStream> stream;
};
using OperationPtr = std::shared_ptr<Operation>;

bool MayRetry(const HttpResponse& response) {
  return response.status == 429 ||
         (response.status == 503 && !response.Header("retry-after").empty());
}

}  // namespace

class KubeClient::Impl : public std::enable_shared_from_this<KubeClient::Impl> {
 public:
  Impl(ClusterConfig config, HttpClient& http, Timers& timers, const Clock& clock,
       KubeOptions options)
      : config_(std::move(config)),
        http_(http),
        bulk_(options.bulk != nullptr ? *options.bulk : http),
        timers_(timers),
        clock_(clock),
        options_(std::move(options)),
        credentials_(config_, clock),
        bucket_(options_.qps, options_.burst) {}

  void Close() {
    std::vector<OperationPtr> all;
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
      for (auto& [id, op] : operations_) all.push_back(op);
    }
    credentials_.Stop();
    for (const OperationPtr& op : all) CancelSteps(*op);
    std::lock_guard lock(mutex_);
    operations_.clear();
  }

  void Call(ClusterRequest request, ClusterDone done) {
    auto op = std::make_shared<Operation>();
    op->label = CallLabel(request);
    op->verb = VerbName(request.verb);
    op->resource = request.type.plural;
    op->timeout = request.timeout;
    op->urgent = request.urgent;
    op->bulk = request.verb == Verb::kList;
    auto shared = std::make_shared<ClusterRequest>(std::move(request));
    Expected<WireCall> wire = ToWire(*shared);
    std::vector<std::string> unsaid = SecretTexts(*shared);
    shared->body = Json();
    op->answered = [this, shared, label = op->label, unsaid = std::move(unsaid),
                    done = std::move(done)](Expected<HttpResponse> response) {
      Expected<Json> answer = Decode(*shared, label, std::move(response));
      if (!answer.ok() && !unsaid.empty()) {
        done(WithoutTexts(answer.error(), unsaid));
      } else {
        done(std::move(answer));
      }
    };
    Begin(op, std::move(wire));
  }

  void Raw(std::string path, Duration timeout, std::function<void(Expected<std::string>)> done) {
    auto op = std::make_shared<Operation>();
    op->label = StrCat("get ", path);
    op->verb = "get";
    op->timeout = timeout;
    op->answered = [label = op->label, done = std::move(done)](Expected<HttpResponse> response) {
      if (!response.ok()) {
        done(response.error());
      } else if (response->status / 100 != 2) {
        done(StatusError(label, *response));
      } else {
        done(std::move(response->body));
      }
    };
    WireCall wire;
    wire.method = "GET";
    wire.target = std::move(path);
    Begin(op, wire);
  }

  WatchId Watch(WatchRequest request, WatchHandler handler) {
    auto op = std::make_shared<Operation>();
    op->label = CallLabel(request);
    op->verb = "watch";
    op->bulk = true;
    op->resource = request.type.plural;
    op->timeout = request.timeout + kWatchGrace;
    op->handler = std::move(handler);
    op->stream =
        std::make_unique<WatchStream>(op->label, request.projection.get(), options_.max_event);
    return Begin(op, ToWire(request));
  }

  void CancelWatch(WatchId id) {
    OperationPtr op;
    {
      std::lock_guard lock(mutex_);
      auto found = operations_.find(id);
      if (found == operations_.end()) return;
      op = found->second;
      op->cancelled = true;
    }
    CancelSteps(*op);
    std::lock_guard lock(mutex_);
    operations_.erase(id);
  }

  std::function<void(const KubeCallRecord&)> observer_;
  const ClusterConfig config_;

 private:
  // Steps of one operation follow each other, and none begins once it is cancelled or the client is
  // closing: so what is registered now is the last.
  void CancelSteps(Operation& op) {
    HttpId exchange;
    TimerId timer;
    {
      std::lock_guard lock(mutex_);
      exchange = op.exchange;
      timer = op.timer;
    }
    if (timer != 0) timers_.CancelTimer(timer);
    if (exchange != 0) ClientOf(op).Cancel(exchange);
  }

  HttpClient& ClientOf(const Operation& op) const { return op.bulk ? bulk_ : http_; }

  bool Dead(const Operation& op) const { return closing_ || op.cancelled; }

  // Runs `fn` on the loop after `delay` as the operation's next step.
  void Later(const OperationPtr& op, Duration delay, std::function<void()> fn) {
    std::lock_guard lock(mutex_);
    if (Dead(*op)) return;
    op->timer = timers_.After(delay, std::move(fn));
  }

  uint64_t Begin(const OperationPtr& op, Expected<WireCall> wire) {
    op->started = clock_.Monotonic();
    Duration wait{0};
    uint64_t id;
    {
      std::lock_guard lock(mutex_);
      if (closing_) return 0;
      id = op->id = ++last_id_;
      operations_.emplace(id, op);
      if (op->urgent) {
        bucket_.TakeNow();
      } else if (wire.ok()) {
        wait = bucket_.Take(op->started, op->timeout);
      }
    }
    auto self = shared_from_this();
    if (!wire.ok()) {
      Later(op, Duration(0), [self, op, error = wire.error()] { self->Fail(op, error); });
    } else if (wait < Duration(0)) {
      Error error(
          ErrorCode::kThrottled,
          StrCat(op->label, ": the client's own limit of ", FormatNumber(options_.qps),
                 " calls a second is used up for longer than ", FormatGoDuration(op->timeout)));
      Later(op, Duration(0), [self, op, error] { self->Fail(op, error); });
    } else {
      op->wire = std::move(*wire);
      if (wait == Duration(0)) {
        Authenticate(op);
      } else {
        Later(op, wait, [self, op] { self->Authenticate(op); });
      }
    }
    return id;
  }

  void Authenticate(const OperationPtr& op) {
    auto self = shared_from_this();
    // A plugin's thread may call this long after the client is gone; Stop() is then the last word.
    credentials_.Get([self, op](Expected<Credential> credential) {
      if (credential.ok()) {
        self->SendOut(op, *credential);
        return;
      }
      Error error = credential.error();
      error.message = StrCat(op->label, ": ", error.message);
      self->Later(op, Duration(0), [self, op, error] { self->Fail(op, error); });
    });
  }

  HttpRequest ToHttp(const Operation& op, const Credential& credential) const {
    HttpRequest http;
    http.method = op.wire.method;
    http.url = config_.server + op.wire.target;
    http.headers = credential.headers;
    http.headers.emplace_back("Accept", "application/json");
    http.headers.emplace_back("User-Agent", options_.user_agent);
    if (!op.wire.content_type.empty()) {
      http.headers.emplace_back("Content-Type", op.wire.content_type);
    }
    http.body = op.wire.body;
    http.tls = credential.tls;
    http.proxy = config_.proxy;
    http.unix_socket = config_.unix_socket;
    http.max_body = options_.max_body;
    http.timeout = std::max(Duration(1), Remaining(op));
    if (!op.stream) {
      http.group = config_.server;
      http.max_parallel = options_.max_parallel;
      http.urgent = op.urgent;
    }
    return http;
  }

  Duration Remaining(const Operation& op) const {
    Nanos end = op.started + op.timeout;
    return std::chrono::duration_cast<Duration>(end - clock_.Monotonic());
  }

  void SendOut(const OperationPtr& op, const Credential& credential) {
    HttpRequest http = ToHttp(*op, credential);
    auto self = shared_from_this();
    std::lock_guard lock(mutex_);
    if (Dead(*op)) return;
    if (!op->stream) {
      op->exchange = ClientOf(*op).Send(
          std::move(http),
          [self, op](Expected<HttpResponse> response) { self->Answered(op, std::move(response)); });
      return;
    }
    HttpStream stream;
    stream.data = [self, op](std::string_view bytes) { self->WatchData(op, bytes); };
    stream.done = [self, op](Expected<HttpResponse> response) {
      self->WatchEnded(op, std::move(response));
    };
    op->exchange = ClientOf(*op).Stream(std::move(http), std::move(stream));
  }

  void Observe(const Operation& op, const Expected<HttpResponse>& response) {
    if (!observer_) return;
    KubeCallRecord record;
    record.verb = op.verb;
    record.resource = op.resource;
    record.code = response.ok() ? response->status : 0;
    record.elapsed = std::chrono::duration_cast<Duration>(clock_.Monotonic() - op.started);
    observer_(record);
  }

  // True when the operation goes round again.
  bool TryAgain(const OperationPtr& op, const HttpResponse& response) {
    auto self = shared_from_this();
    if (response.status == 401 && !op->renewed && credentials_.Refresh()) {
      op->renewed = true;
      Authenticate(op);
      return true;
    }
    if (!MayRetry(response) || op->retries >= options_.max_retries) return false;
    Duration wait = StatusError("", response).retry_after;
    if (wait <= Duration(0)) wait = kDefaultRetry;
    if (wait >= Remaining(*op)) return false;
    ++op->retries;
    Later(op, wait, [self, op] { self->Authenticate(op); });
    return true;
  }

  void Answered(const OperationPtr& op, Expected<HttpResponse> response) {
    Observe(*op, response);
    if (response.ok() && TryAgain(op, *response)) return;
    if (!response.ok()) response = InContext(*op, response.error());
    op->answered(std::move(response));
    Forget(*op);
  }

  // The HTTP client names method and URL; here it is said what was wanted, and for refused
  // certificates where the server's address and CA were configured.
  Error InContext(const Operation& op, Error error) const {
    bool tls = error.message.find("certificate") != std::string::npos ||
               error.message.find("cannot use the CA") != std::string::npos;
    error.message = StrCat(op.label, ": ", error.message);
    if (tls && !config_.origin.empty()) error.message += StrCat(" (from ", config_.origin, ")");
    return error;
  }

  void Fail(const OperationPtr& op, Error error) {
    if (op->stream) {
      if (op->handler.closed) op->handler.closed(Status(std::move(error)));
    } else {
      op->answered(std::move(error));
    }
    Forget(*op);
  }

  void Forget(const Operation& op) {
    OperationPtr dropped;  // released outside the lock
    std::lock_guard lock(mutex_);
    auto found = operations_.find(op.id);
    if (found == operations_.end()) return;
    dropped = std::move(found->second);
    operations_.erase(found);
  }

  // On the loop of the client that carried it, as all its callbacks are.
  Expected<Json> Decode(const ClusterRequest& request, const std::string& label,
                        Expected<HttpResponse> response) {
    if (!response.ok()) return response.error();
    if (response->status / 100 != 2) return StatusError(label, *response);
    bool list = request.verb == Verb::kList;
    ProjectionTree tree;
    if (request.projection) tree = ProjectionTree(*request.projection);
    JsonDecoder::Pad(response->body);
    JsonDecoder& decoder = list ? list_decoder_ : decoder_;
    Expected<Json> json =
        decoder.Decode(response->body, list ? Shape::kList : Shape::kObject, &tree);
    if (!json.ok()) return UnreadableError(label, *response, json.error().message);
    if (!json->is_object()) return UnreadableError(label, *response, "it is no object");
    if (list) NameItems(request.type, *json);
    return json;
  }

  // A server leaves apiVersion and kind out of the items of a list.
  static void NameItems(const ResourceType& type, Json& list) {
    Json* items = list.Find("items");
    if (items == nullptr || items->is_null()) {
      list.Set("items", Json::Arr());
      return;
    }
    if (!items->is_array()) return;
    for (Json& item : items->items()) {
      if (!item.is_object() || item.Find("kind") != nullptr) continue;
      Json::Object& members = item.members();
      members.insert(members.begin(),
                     {{"apiVersion", Json(type.ApiVersion())}, {"kind", Json(type.kind)}});
    }
  }

  bool Cancelled(const Operation& op) {
    std::lock_guard lock(mutex_);
    return Dead(op);
  }

  void WatchData(const OperationPtr& op, std::string_view bytes) {
    op->stream->Feed(bytes, [&](WatchEvent event) {
      if (Cancelled(*op)) return false;
      if (op->handler.event) op->handler.event(std::move(event));
      return true;
    });
    if (!op->stream->error() || Cancelled(*op)) return;
    // The stream is of no more use. It is ended from a step of its own, since an exchange cannot
    // be cancelled for good inside its own callback while others wait for it.
    HttpId exchange;
    {
      std::lock_guard lock(mutex_);
      exchange = op->exchange;
    }
    ClientOf(*op).Cancel(exchange);
    auto self = shared_from_this();
    Later(op, Duration(0), [self, op] { self->Fail(op, *op->stream->error()); });
  }

  void WatchEnded(const OperationPtr& op, Expected<HttpResponse> response) {
    Observe(*op, response);
    if (response.ok() && response->status / 100 != 2) {
      if (TryAgain(op, *response)) return;
      Fail(op, StatusError(op->label, *response));
      return;
    }
    if (!response.ok()) {
      Fail(op, InContext(*op, response.error()));
      return;
    }
    op->stream->Finish();
    if (op->stream->error()) {
      Fail(op, *op->stream->error());
      return;
    }
    if (op->handler.closed) op->handler.closed(Status());
    Forget(*op);
  }

  HttpClient& http_;
  HttpClient& bulk_;
  Timers& timers_;
  const Clock& clock_;
  const KubeOptions options_;
  Credentials credentials_;
  JsonDecoder decoder_, list_decoder_;  // each its loop's

  std::mutex mutex_;  // guards what follows and the steps of operations
  bool closing_ = false;
  uint64_t last_id_ = 0;
  TokenBucket bucket_;
  std::unordered_map<uint64_t, OperationPtr> operations_;
};

KubeClient::KubeClient(ClusterConfig config, HttpClient& http, Timers& timers, const Clock& clock,
                       KubeOptions options)
    : impl_(std::make_shared<Impl>(std::move(config), http, timers, clock, std::move(options))) {}

KubeClient::~KubeClient() { impl_->Close(); }

void KubeClient::Call(ClusterRequest request, ClusterDone done) {
  impl_->Call(std::move(request), std::move(done));
}

WatchId KubeClient::Watch(WatchRequest request, WatchHandler handler) {
  return impl_->Watch(std::move(request), std::move(handler));
}

void KubeClient::CancelWatch(WatchId id) { impl_->CancelWatch(id); }

void KubeClient::Raw(std::string path, Duration timeout,
                     std::function<void(Expected<std::string>)> done) {
  impl_->Raw(std::move(path), timeout, std::move(done));
}

void KubeClient::OnCall(std::function<void(const KubeCallRecord&)> observer) {
  impl_->observer_ = std::move(observer);
}

const ClusterConfig& KubeClient::config() const { return impl_->config_; }

}  // namespace rollguard::kube
