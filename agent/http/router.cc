// SPDX-License-Identifier: Apache-2.0
// cpp-httplib's Server is used for what it does well: matching routes and rendering answers (status
// line, Content-Length, gzip). It is given a head of ours over a memory stream, with no body:
// bodies and headers reach the handlers straight from the connection guard, so nothing hostile is
// parsed by the library, and nothing it would decode (such as %0d%0a in a header) is decoded.
#include "agent/http/router.h"

#include <httplib.h>

#include <algorithm>
#include <map>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rollguard::http {
namespace {

class MemoryStream : public httplib::Stream {
 public:
  explicit MemoryStream(std::string input) : input_(std::move(input)) {}
  bool is_readable() const override { return at_ < input_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* out, size_t size) override {
    size_t n = std::min(size, input_.size() - at_);
    std::copy_n(input_.data() + at_, n, out);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* data, size_t size) override {
    output_.append(data, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  std::string TakeOutput() { return std::move(output_); }

 private:
  std::string input_, output_;
  size_t at_ = 0;
};

// One request on its way through the library; the handler finds it by thread.
struct InFlight {
  Request* request;
  std::optional<EventSubscription> subscription;
};
thread_local InFlight* in_flight = nullptr;

std::string ToRegex(std::string_view pattern) {
  std::string out;
  bool in_name = false;
  for (char c : pattern) {
    if (c == '{') {
      out += "([^/]+)";
      in_name = true;
    } else if (c == '}') {
      in_name = false;
    } else if (!in_name) {
      if (std::string_view(".+*?()[]^$|\\").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
  }
  return out;
}

// Whether a path has the shape of a pattern; tells 405 from 404.
bool Matches(std::string_view pattern, std::string_view path) {
  auto want = Split(pattern, '/'), have = Split(path, '/');
  if (want.size() != have.size()) return false;
  for (size_t i = 0; i < want.size(); ++i) {
    bool variable = !want[i].empty() && want[i][0] == '{';
    if (variable ? have[i].empty() : want[i] != have[i]) return false;
  }
  return true;
}

void Fill(const Response& from, httplib::Response& to) {
  to.status = from.status;
  for (const auto& [name, value] : from.headers) {
    if (value.find_first_of("\r\n") == std::string::npos) to.headers.emplace(name, value);
  }
  if (!from.body.empty() || from.status != 204) to.set_content(from.body, from.content_type);
}

std::string HeadFor(const Request& request, bool keep_alive) {
  return StrCat(request.method, " ", request.target,
                " HTTP/1.1\r\nHost: local\r\nAccept-Encoding: ", request.Header("accept-encoding"),
                keep_alive ? "\r\n" : "\r\nConnection: close\r\n", "\r\n");
}

}  // namespace

struct Router::Impl : httplib::Server {
  http::Handler gate;
  std::vector<std::pair<std::string, std::string>> patterns;  // method, pattern
  // Routes that are a path and no pattern, by method and path: found at once, where the library
  // would try one regular expression after another.
  std::map<std::pair<std::string, std::string>, httplib::Server::Handler> plain;

  bool Process(MemoryStream& stream, bool close) {
    bool closed = false;
    return process_request(stream, close, closed, [](httplib::Request&) {});
  }

  httplib::Server::Handler Wrap(const http::Handler& handler) {
    return [this, handler](const httplib::Request& in, httplib::Response& out) {
      Request& request = *in_flight->request;
      request.path = in.path;
      request.params.insert(in.params.begin(), in.params.end());
      for (size_t i = 1; i < in.matches.size(); ++i) request.matches.push_back(in.matches[i].str());
      Response answer = gate ? gate(request) : Response{.status = 0};
      if (answer.status == 0) answer = handler(request);
      in_flight->subscription = std::move(answer.subscription);
      Fill(answer, out);
    };
  }

  void AddRoute(std::string_view method, std::string_view pattern, Handler handler) {
    if (pattern.find('{') == std::string_view::npos) {
      plain[{std::string(method), std::string(pattern)}] = std::move(handler);
      return;
    }
    const std::string regex = ToRegex(pattern);
    if (method == "GET") Get(regex, handler);
    if (method == "POST") Post(regex, handler);
    if (method == "PUT") Put(regex, handler);
    if (method == "PATCH") Patch(regex, handler);
    if (method == "DELETE") Delete(regex, handler);
  }

  HandlerResponse AnswerPlain(const httplib::Request& in, httplib::Response& out) const {
    const auto found = plain.find({in.method == "HEAD" ? "GET" : in.method, in.path});
    if (found == plain.end()) return HandlerResponse::Unhandled;
    found->second(in, out);
    return HandlerResponse::Handled;
  }

  // Paths that no route has: which methods would they have?
  void AnswerUnrouted(const httplib::Request& in, httplib::Response& out) const {
    if (!out.body.empty() || out.status < 400) return;
    std::vector<std::string> allowed;
    for (const auto& [method, pattern] : patterns) {
      if (Matches(pattern, in.path)) allowed.push_back(method);
    }
    if (out.status == 404 && !allowed.empty()) {
      Response problem = Problem(405, StrCat("use ", Join(allowed, " or ")));
      problem.headers.emplace_back("Allow", Join(allowed, ", "));
      Fill(problem, out);
      return;
    }
    Fill(Problem(out.status, out.status == 404 ? "no such path; see /api/v1/openapi.json" : ""),
         out);
  }
};

Router::Router() : impl_(std::make_unique<Impl>()) {
  impl_->set_keep_alive_max_count(1'000'000);
  impl_->set_keep_alive_timeout(60);
  impl_->set_pre_routing_handler([this](const httplib::Request& in, httplib::Response& out) {
    return impl_->AnswerPlain(in, out);
  });
  impl_->set_exception_handler(
      [](const httplib::Request&, httplib::Response& out, std::exception_ptr) {
        Fill(Problem(500, "the request failed inside the agent; its log says why"), out);
      });
  impl_->set_error_handler(httplib::Server::HandlerWithResponse(
      [this](const httplib::Request& in, httplib::Response& out) {
        impl_->AnswerUnrouted(in, out);
        return httplib::Server::HandlerResponse::Handled;
      }));
}

Router::~Router() = default;

void Router::Add(std::string_view method, std::string_view pattern, Handler handler) {
  impl_->AddRoute(method, pattern, impl_->Wrap(handler));
  impl_->patterns.emplace_back(method, pattern);
  routes_.push_back(StrCat(method, " ", pattern));
}

void Router::SetGate(std::function<Response(const Request&)> gate) {
  impl_->gate = std::move(gate);
}

void Router::SetDefaultHeaders(Headers headers) {
  httplib::Headers all;
  for (auto& [name, value] : headers) all.emplace(name, value);
  impl_->set_default_headers(std::move(all));
}

Rendered Router::Render(Request request, bool keep_alive) const {
  InFlight flight{&request, std::nullopt};
  in_flight = &flight;
  MemoryStream stream(HeadFor(request, keep_alive));
  impl_->Process(stream, !keep_alive);
  in_flight = nullptr;
  return {stream.TakeOutput(), std::move(flight.subscription)};
}

std::string_view StatusText(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Payload Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    default: return "Error";
  }
}

Response Problem(int status, std::string_view detail) {
  Json body =
      Json::Obj({{"type", "about:blank"}, {"title", StatusText(status)}, {"status", status}});
  if (!detail.empty()) body.Set("detail", detail);
  return {.status = status, .content_type = "application/problem+json", .body = body.Dump()};
}

}  // namespace rollguard::http
