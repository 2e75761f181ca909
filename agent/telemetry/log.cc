// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "agent/base/json.h"
#include "agent/base/text.h"

namespace rollguard::telemetry {
namespace {

constexpr size_t kMaxValue = 2048;

LogLevel LevelFrom(std::string_view word) {
  if (word == "debug") return LogLevel::kDebug;
  if (word == "warn") return LogLevel::kWarn;
  if (word == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

spdlog::level::level_enum Spd(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

bool IsPlain(std::string_view text) {
  for (char c : text) {
    bool ok = c > ' ' && c < 127 && c != '"' && c != '=' && c != '\\';
    if (!ok) return false;
  }
  return !text.empty();
}

std::string TextLine(std::string_view message, LogFields fields) {
  // The message is the project's own sentence, but it may carry an error's words.
  std::string line = message.find_first_of("\n\r\t\x1b") == std::string_view::npos
                         ? std::string(message)
                         : Quote(message);
  for (const LogField& field : fields) {
    std::string value = Abbreviate(field.value, kMaxValue);
    line += StrCat(" ", field.key, "=", IsPlain(value) ? value : Quote(value));
  }
  return line;
}

std::string JsonLine(std::string_view message, LogFields fields) {
  Json object = Json::Obj({{"message", std::string(message)}});
  for (const LogField& field : fields) {
    auto number = field.number ? ParseInt(field.value) : std::nullopt;
    object.Set(field.key, number ? Json(*number) : Json(Abbreviate(field.value, kMaxValue)));
  }
  return object.Dump().substr(1);  // the pattern opens the object with time and level
}

}  // namespace

struct Log::Sink {
  explicit Sink(spdlog::sink_ptr sink) : logger("rollguard", std::move(sink)) {}
  spdlog::logger logger;
};

Log::Log(const LogOptions& options)
    : level_(LevelFrom(options.level)), json_(options.format == "json") {
  spdlog::sink_ptr sink;
  try {
    if (!options.file.empty())
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  } catch (const spdlog::spdlog_ex&) {
    sink = nullptr;  // then stderr is better than nothing
  }
  if (sink == nullptr) sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  sink_ = std::make_unique<Sink>(std::move(sink));
  sink_->logger.set_level(spdlog::level::trace);
  sink_->logger.flush_on(spdlog::level::trace);
  const char* pattern = json_ ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%v"
                              : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v";
  sink_->logger.set_formatter(
      std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
}

Log::~Log() = default;

void Log::Write(LogLevel level, std::string_view message, LogFields fields) {
  if (!Writes(level)) return;
  std::string line = json_ ? JsonLine(message, fields) : TextLine(message, fields);
  sink_->logger.log(Spd(level), spdlog::string_view_t(line.data(), line.size()));
}

void Log::Flush() { sink_->logger.flush(); }

}  // namespace rollguard::telemetry
