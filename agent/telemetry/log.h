// SPDX-License-Identifier: Apache-2.0
// The agent's own log: one line per fact, as text (`key=value`) or JSON, on stderr. What is written
// may come from anywhere: values are escaped and cut, so that a line stays one line.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "agent/base/expected.h"

namespace rollguard::telemetry {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// A key and what it is; keys are plain words.
struct LogField {
  LogField(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  template <class T>
  requires(std::is_integral_v<T>) LogField(std::string_view k, T v)
      : key(k), value(std::to_string(v)), number(true) {}

  std::string_view key;
  std::string value;
  bool number = false;
};
using LogFields = std::initializer_list<LogField>;

struct LogOptions {
  std::string level = "info";   // debug info warn error
  std::string format = "text";  // text json
  std::string file;             // empty: stderr
};

// Thread-safe. Never throws; a line that cannot be written is lost.
class Log {
 public:
  explicit Log(const LogOptions& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  bool Writes(LogLevel level) const { return level >= level_; }
  void Write(LogLevel level, std::string_view message, LogFields fields);

  void Debug(std::string_view m, LogFields f = {}) { Write(LogLevel::kDebug, m, f); }
  void Info(std::string_view m, LogFields f = {}) { Write(LogLevel::kInfo, m, f); }
  void Warn(std::string_view m, LogFields f = {}) { Write(LogLevel::kWarn, m, f); }
  void Error(std::string_view m, LogFields f = {}) { Write(LogLevel::kError, m, f); }
  void Flush();

 private:
  struct Sink;
  LogLevel level_;
  bool json_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace rollguard::telemetry
