// SPDX-License-Identifier: Apache-2.0
#include "tests/e2e/support/api_proxy.h"

#include <condition_variable>
#include <cstdlib>
#include <future>

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

bool IsWrite(const TinyRequest& request) {
  return request.method != "GET" && request.method != "HEAD";
}

bool IsCounted(const TinyRequest& request) {
  const std::string path = request.Path();
  return IsWrite(request) && path.find("/events") == std::string::npos &&
         path.find("/leases") == std::string::npos && path.find("reviews") == std::string::npos;
}

// Bytes of a watch on their way from one thread to the other.
struct Pipe {
  std::mutex mutex;
  std::condition_variable ready;
  std::string bytes;
  bool over = false;
};

}  // namespace

ApiProxy::ApiProxy(const std::string& kubeconfig) : http_(clock_) {
  kube::ConfigFlags flags;
  flags.kubeconfig = kubeconfig;
  auto config = kube::LoadConfig(flags, {}, clock_.Now());
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().message.c_str());
    std::exit(1);
  }
  config_ = std::move(*config);
  credentials_ = std::make_unique<kube::Credentials>(config_, clock_);
  server_ =
      std::make_unique<TinyServer>([this](const TinyRequest& request, TinyConnection& connection) {
        Handle(request, connection);
      });
  agent_kubeconfig_ = dir_.Write(
      "kubeconfig",
      StrCat(R"({"apiVersion":"v1","kind":"Config","current-context":"p","clusters":[{"name":"p",)",
             R"("cluster":{"server":")", server_->Url(),
             R"("}}],"users":[{"name":"p","user":{}}],"contexts":[{"name":"p","context":)",
             R"({"cluster":"p","user":"p"}}]})"));
}

ApiProxy::~ApiProxy() {
  stopping_ = true;
  server_.reset();
}

std::vector<ApiProxy::Write> ApiProxy::writes() const {
  std::lock_guard lock(mutex_);
  return writes_;
}

void ApiProxy::SetHook(Hook hook) {
  std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void ApiProxy::Reset() {
  std::lock_guard lock(mutex_);
  writes_.clear();
}

int ApiProxy::Count(const TinyRequest& request) {
  if (!IsCounted(request)) return 0;
  std::lock_guard lock(mutex_);
  writes_.push_back({request.method, request.target, request.body, 0, clock_.Now()});
  return static_cast<int>(writes_.size());
}

bool ApiProxy::Ask(int number, bool after) {
  Hook hook;
  {
    std::lock_guard lock(mutex_);
    hook = hook_;
  }
  return number == 0 || !hook || hook(number, after);
}

Expected<HttpRequest> ApiProxy::Translate(const TinyRequest& request) {
  auto promise = std::make_shared<std::promise<Expected<kube::Credential>>>();
  auto future = promise->get_future();
  credentials_->Get(
      [promise](Expected<kube::Credential> got) { promise->set_value(std::move(got)); });
  Expected<kube::Credential> credential = future.get();
  if (!credential) return credential.error();
  HttpRequest out;
  out.method = request.method;
  out.url = config_.server + request.target;
  out.body = request.body;
  out.headers = credential->headers;
  out.tls = credential->tls;
  out.timeout = std::chrono::seconds(60);
  out.max_body = 256U << 20;
  for (const char* name : {"accept", "content-type", "user-agent"}) {
    const std::string value = request.Header(name);
    if (!value.empty()) out.headers.emplace_back(name, value);
  }
  return out;
}

void ApiProxy::Handle(const TinyRequest& request, TinyConnection& connection) {
  const int number = Count(request);
  auto translated = Translate(request);
  if (!translated || !Ask(number, false)) {
    connection.Close();
    return;
  }
  const std::string watch = request.Query("watch");
  if (watch == "true" || watch == "1") {
    translated->timeout = Duration(0);
    ForwardStream(std::move(*translated), connection);
  } else {
    Forward(std::move(*translated), connection, number);
  }
}

void ApiProxy::Forward(HttpRequest request, TinyConnection& connection, int number) {
  auto promise = std::make_shared<std::promise<Expected<HttpResponse>>>();
  auto future = promise->get_future();
  http_.Send(std::move(request),
             [promise](Expected<HttpResponse> got) { promise->set_value(std::move(got)); });
  Expected<HttpResponse> response = future.get();
  if (response && number != 0) {
    std::lock_guard lock(mutex_);
    if (static_cast<size_t>(number) <= writes_.size())
      writes_[static_cast<size_t>(number) - 1].status = response->status;
  }
  if (!response || !Ask(number, true)) {
    connection.Close();
    return;
  }
  TinyConnection::Headers headers;
  for (const char* name : {"content-type", "retry-after", "warning"}) {
    const std::string_view value = response->Header(name);
    if (!value.empty()) headers.emplace_back(name, std::string(value));
  }
  connection.Respond(response->status, response->body, headers);
}

void ApiProxy::ForwardStream(HttpRequest request, TinyConnection& connection) {
  auto pipe = std::make_shared<Pipe>();
  HttpStream stream;
  stream.data = [pipe](std::string_view bytes) {
    std::lock_guard lock(pipe->mutex);
    pipe->bytes += bytes;
    pipe->ready.notify_all();
  };
  auto failure = std::make_shared<HttpResponse>();
  stream.done = [pipe, failure](Expected<HttpResponse> end) {
    std::lock_guard lock(pipe->mutex);
    if (end && end->status >= 300) *failure = std::move(*end);
    pipe->over = true;
    pipe->ready.notify_all();
  };
  const HttpId id = http_.Stream(std::move(request), std::move(stream));
  std::unique_lock lock(pipe->mutex);
  bool begun = false, open = true;
  while (open && !stopping_) {
    pipe->ready.wait_for(lock, std::chrono::milliseconds(500),
                         [&] { return !pipe->bytes.empty() || pipe->over; });
    if (pipe->over && failure->status != 0) {
      connection.Respond(failure->status, failure->body, {{"content-type", "application/json"}});
      break;
    }
    const bool over = pipe->over;
    const std::string bytes = std::exchange(pipe->bytes, {});
    lock.unlock();
    if (!begun) open = connection.StartChunked(200, {{"content-type", "application/json"}});
    begun = true;
    if (open && !bytes.empty()) open = connection.Chunk(bytes);
    lock.lock();
    if (over && pipe->bytes.empty()) {
      connection.EndChunks();
      break;
    }
  }
  lock.unlock();
  http_.Cancel(id);
  if (!open || stopping_) connection.Close();
}

}  // namespace rollguard::testing
