// SPDX-License-Identifier: Apache-2.0
// Asking a service whether it is well. Implemented by agent/probe over sockets and by agent/sim
// against simulated pods.
//
// What is asked holds nothing open: variables are filled in, named ports are numbers, secrets are
// values. What is not the network's business (pods, queries, alerts) is not asked here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "agent/base/time.h"
#include "agent/ports/http_client.h"
#include "agent/spec/health.h"

namespace rollguard {

struct HttpProbe {
  std::string method = "GET";
  std::string url;
  HttpHeaders headers;
  std::string body;
  std::vector<std::string> expect_status = {"2xx"};  // "200", "2xx", "200-299"
  std::string expect_body;                           // RE2, or empty
  bool insecure = false;                             // any certificate
};

struct TcpProbe {
  std::string host;
  int port = 0;
};

// grpc.health.v1.Health/Check; SERVING passes.
struct GrpcProbe {
  std::string host;
  int port = 0;
  std::string service;
  bool tls = false;
  bool insecure = false;
};

struct PostgresProbe {
  std::string url;  // may carry a password: never shown
  std::string query = "SELECT 1";
  double max_pool_use = 1.0;  // 1: not asked
};

// `variables` are laid over those of the journey itself.
struct JourneyProbe {
  std::shared_ptr<const spec::JourneyCheck> journey;
  spec::StringMap variables;
};

using ProbeWhat = std::variant<HttpProbe, TcpProbe, GrpcProbe, PostgresProbe, JourneyProbe>;

struct ProbeRequest {
  ProbeWhat what;
  Duration timeout = std::chrono::seconds(2);  // of the whole, however many round trips it takes
};

// Why a probe did not pass. Up to kTooLarge there was no valid answer at all.
enum class ProbeFault {
  kNone,
  kName,      // the host name cannot be resolved
  kRefused,   // nobody listens, or the host cannot be reached
  kReset,     // the connection broke
  kTimeout,   // no answer in time; `why` says what was waited for
  kTls,       // the certificate is not trusted, or no TLS could be agreed
  kProtocol,  // an answer, but not one of the protocol
  kServer,    // 5xx, a gRPC or PostgreSQL error
  kTooLarge,  // the answer is longer than what is read
  kRedirect,  // redirects are not followed
  kStatus,    // another status than expected
  kContent,   // the answer does not say what it should; an assertion failed
  kLimit,     // the server is well and too full
};
const char* ToString(ProbeFault fault);
// No valid answer: counts as an error, not only as a failure.
inline bool IsError(ProbeFault fault) {
  return fault >= ProbeFault::kName && fault <= ProbeFault::kTooLarge;
}

struct ProbeAnswer {
  enum class Verdict { kPass, kFail, kUnknown };
  Verdict verdict = Verdict::kUnknown;  // kUnknown: it could not be asked
  ProbeFault fault = ProbeFault::kNone;
  Duration latency{0};
  std::string why;  // one sentence, without secrets; also when it passed

  static ProbeAnswer Pass(Duration latency, std::string why) {
    return {Verdict::kPass, ProbeFault::kNone, latency, std::move(why)};
  }
  static ProbeAnswer Fail(ProbeFault fault, Duration latency, std::string why) {
    return {Verdict::kFail, fault, latency, std::move(why)};
  }
  static ProbeAnswer Unknown(std::string why) {
    return {Verdict::kUnknown, ProbeFault::kNone, Duration(0), std::move(why)};
  }
};

using ProbeDone = std::function<void(ProbeAnswer)>;
using ProbeId = uint64_t;  // never 0

// Nothing blocks. `done` runs exactly once, never inside Probe, on the implementation's own thread,
// and no later than a moment after the timeout; it must be short.
class Prober {
 public:
  virtual ~Prober() = default;
  virtual ProbeId Probe(ProbeRequest request, ProbeDone done) = 0;
  // After this returns `done` does not run any more. Past and unknown ids are ignored.
  virtual void Cancel(ProbeId id) = 0;
};

}  // namespace rollguard
