// SPDX-License-Identifier: Apache-2.0
// The distribution's own Prometheus, started for a test on a free loopback port with a data
// directory that is deleted afterwards. The judge of the differential tests.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/free_port.h"

namespace rollguard::testing {

using Form = std::vector<std::pair<std::string, std::string>>;

struct HttpAnswer {
  int status = 0;
  std::string body;
};

// Blocking HTTP/1.1 over one loopback connection that is kept open. Status 0 when the server cannot
// be reached.
class LoopbackHttp {
 public:
  explicit LoopbackHttp(int port) : port_(port) {}
  ~LoopbackHttp();
  LoopbackHttp(const LoopbackHttp&) = delete;
  LoopbackHttp& operator=(const LoopbackHttp&) = delete;

  HttpAnswer Get(std::string_view path);
  HttpAnswer Post(std::string_view path, const Form& form);

 private:
  HttpAnswer Exchange(const std::string& request);
  bool Connect();
  void Close();
  bool Fill();
  bool ReadHead(HttpAnswer* answer, long* length, bool* chunked, bool* close);
  bool ReadBody(HttpAnswer* answer, long length, bool chunked);

  int port_;
  int fd_ = -1;
  std::string buffer_;
};

struct PrometheusOptions {
  // OpenMetrics text with timestamps (ending in `# EOF`), turned into blocks by promtool before the
  // start. Empty: an empty database.
  std::string openmetrics;
  // An existing directory of blocks to serve instead (it is used in place and not deleted).
  std::string data_dir;
  std::string config;              // prometheus.yml; empty: nothing is scraped
  std::vector<std::string> flags;  // further command-line flags
};

class RealPrometheus {
 public:
  // nullptr when the programs are not installed or do not come up within a minute; why is on
  // stderr.
  static std::unique_ptr<RealPrometheus> Start(const PrometheusOptions& options = {});
  ~RealPrometheus();  // ends the process by its id and removes the temporary directory

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  std::string url() const;
  LoopbackHttp& http() { return *http_; }

  // Times in seconds. The body is the API's JSON, whatever the status.
  HttpAnswer Query(std::string_view expr, std::string_view time);
  HttpAnswer QueryRange(std::string_view expr, std::string_view start, std::string_view end,
                        std::string_view step);
  // Whether the server's parser takes the expression.
  bool Accepts(std::string_view expr);

 private:
  RealPrometheus() = default;

  pid_t pid_ = -1;
  int port_ = 0;
  std::string directory_;
  std::unique_ptr<LoopbackHttp> http_;
};

std::string UrlEncode(std::string_view text);

}  // namespace rollguard::testing
