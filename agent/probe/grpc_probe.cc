// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1.Health/Check by hand. A gRPC message on the wire is one byte "compressed", four
// bytes of length, and the protobuf: HealthCheckRequest{string service = 1} and
// HealthCheckResponse{ServingStatus status = 1}. How the call itself went stands in the trailers
// `grpc-status` and `grpc-message` (in the head, when there is no message).
#include "agent/base/text.h"
#include "agent/probe/conversation.h"

namespace rollguard::probe {
namespace {

constexpr int kOk = 0, kDeadlineExceeded = 4, kNotFound = 5, kUnimplemented = 12;

void PutVarint(std::string& out, size_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(0x80 | (value & 0x7f)));
  out.push_back(static_cast<char>(value));
}

std::string RequestMessage(const std::string& service) {
  std::string message;
  if (!service.empty()) {
    message.push_back(0x0a);  // field 1, length-delimited
    PutVarint(message, service.size());
    message += service;
  }
  std::string framed(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) {
    framed.push_back(static_cast<char>((message.size() >> shift) & 0xff));
  }
  return framed + message;
}

std::optional<uint64_t> TakeVarint(std::string_view& in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    auto byte = static_cast<unsigned char>(in[0]);
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  return std::nullopt;
}

// Steps over a field that is of no interest; false when the message is cut or odd.
bool SkipField(std::string_view& in, uint64_t wire_type) {
  size_t bytes = 0;
  if (wire_type == 0) return TakeVarint(in).has_value();
  if (wire_type == 1) bytes = 8;
  if (wire_type == 5) bytes = 4;
  if (wire_type == 2) {
    auto length = TakeVarint(in);
    if (!length || *length > in.size()) return false;
    bytes = static_cast<size_t>(*length);
  }
  if ((wire_type != 1 && wire_type != 2 && wire_type != 5) || bytes > in.size()) return false;
  in.remove_prefix(bytes);
  return true;
}

// The serving status; nothing when the body is no HealthCheckResponse.
std::optional<uint64_t> ServingStatus(std::string_view body) {
  if (body.size() < 5 || body[0] != 0) return std::nullopt;
  size_t length = 0;
  for (size_t i = 1; i < 5; ++i) length = length << 8 | static_cast<unsigned char>(body[i]);
  body.remove_prefix(5);
  if (body.size() != length) return std::nullopt;
  uint64_t status = 0;  // proto3: absent is UNKNOWN
  while (!body.empty()) {
    auto tag = TakeVarint(body);
    if (!tag) return std::nullopt;
    if (*tag == 8) {
      auto value = TakeVarint(body);
      if (!value) return std::nullopt;
      status = *value;
    } else if (!SkipField(body, *tag & 7)) {
      return std::nullopt;
    }
  }
  return status;
}

// grpc-message is percent-encoded.
std::string Decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto hex = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(text[i + 1]) != 0 &&
        std::isxdigit(text[i + 2]) != 0) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

class GrpcConversation final : public Conversation {
 public:
  GrpcConversation(GrpcProbe probe, Duration timeout)
      : probe_(std::move(probe)), timeout_(timeout) {}

  Turn Begin() override {
    std::string host = probe_.host.find(':') != std::string::npos && probe_.host[0] != '['
                           ? StrCat("[", probe_.host, "]")
                           : probe_.host;
    HttpRequest request = ProbeHttp("POST",
                                    StrCat(probe_.tls ? "https" : "http", "://", host, ":",
                                           probe_.port, "/grpc.health.v1.Health/Check"),
                                    probe_.insecure);
    request.http2 = true;
    request.headers = {{"content-type", "application/grpc"},
                       {"te", "trailers"},
                       {"grpc-timeout", StrCat(timeout_.count(), "m")}};
    request.body = RequestMessage(probe_.service);
    return request;
  }

  Turn Hear(const Expected<HttpResponse>& response, HttpFailure failure,
            Duration elapsed) override {
    if (!response) return NotGrpc(NoAnswer(response.error(), failure, elapsed));
    if (response->status != 200) return WrongStatus(*response, "200 of a gRPC server", elapsed);
    if (!response->Header("content-type").starts_with("application/grpc")) {
      return ProbeAnswer::Fail(ProbeFault::kProtocol, elapsed,
                               StrCat("the answer is no gRPC but ",
                                      Quote(Abbreviate(response->Header("content-type"), 80))));
    }
    auto code = ParseInt(response->Header("grpc-status"));
    if (!code) {
      return ProbeAnswer::Fail(ProbeFault::kProtocol, elapsed,
                               "the answer ended without a grpc-status");
    }
    return *code == kOk ? Served(*response, elapsed)
                        : Refused(static_cast<int>(*code), *response, elapsed);
  }

 private:
  std::string Subject() const {
    return probe_.service.empty() ? "the server" : StrCat("service ", Quote(probe_.service));
  }

  static ProbeAnswer NotGrpc(ProbeAnswer answer) {
    if (answer.fault == ProbeFault::kProtocol || answer.fault == ProbeFault::kReset) {
      answer.why += "; does a gRPC server listen there, and is tls set as it needs?";
    }
    return answer;
  }

  ProbeAnswer Served(const HttpResponse& response, Duration elapsed) const {
    auto status = ServingStatus(response.body);
    if (!status) {
      return ProbeAnswer::Fail(ProbeFault::kProtocol, elapsed,
                               "the answer is no HealthCheckResponse");
    }
    if (*status == 1) {
      return ProbeAnswer::Pass(elapsed,
                               StrCat(Subject(), " is SERVING, ", FormatGoDuration(elapsed)));
    }
    constexpr const char* kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    return ProbeAnswer::Fail(
        ProbeFault::kContent, elapsed,
        StrCat(Subject(), " is ", *status < 4 ? std::string(kNames[*status]) : StrCat(*status)));
  }

  ProbeAnswer Refused(int code, const HttpResponse& response, Duration elapsed) const {
    std::string said = Decoded(Abbreviate(response.Header("grpc-message"), 300));
    std::string why = StrCat("gRPC status ", code, said.empty() ? "" : ": ", said);
    if (code == kUnimplemented) {
      return ProbeAnswer::Fail(ProbeFault::kProtocol, elapsed,
                               "the server does not implement grpc.health.v1.Health");
    }
    if (code == kNotFound) {
      return ProbeAnswer::Fail(ProbeFault::kContent, elapsed,
                               StrCat("the server does not know ", Subject()));
    }
    return ProbeAnswer::Fail(code == kDeadlineExceeded ? ProbeFault::kTimeout : ProbeFault::kServer,
                             elapsed, why);
  }

  GrpcProbe probe_;
  Duration timeout_;
};

}  // namespace

std::unique_ptr<Conversation> MakeGrpcConversation(GrpcProbe probe, Duration timeout) {
  return std::make_unique<GrpcConversation>(std::move(probe), timeout);
}

}  // namespace rollguard::probe
