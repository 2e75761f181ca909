// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/history_source.h"

#include "agent/base/text.h"
#include "agent/cli/remote_history.h"
#include "agent/cli/system_clock.h"
#include "agent/history/open.h"
#include "agent/spec/load.h"

namespace rollguard::cli {
namespace {

Expected<std::string> AddressIn(const std::string& file) {
  auto text = ReadFile(file);
  if (!text) return text.error();
  auto config = spec::ParseAgentConfig(file, *text);
  if (!config) return config.error();
  const spec::HistoryConfig& history = config->history;
  if (!history.postgres_url_file.empty()) {
    auto url = ReadFile(history.postgres_url_file);
    if (!url) return url.error();
    return std::string(Trim(*url));
  }
  if (!history.postgres_url.empty()) return history.postgres_url;
  if (!history.sqlite_path.empty()) return history.sqlite_path;
  return StrCat(config->data_dir, "/history.db");
}

}  // namespace

std::vector<std::string_view> HistoryValues(std::vector<std::string_view> more) {
  std::vector<std::string_view> values = {"--server",  "--token-file", "--ca-file",
                                          "--history", "--config",     "--output"};
  values.insert(values.end(), more.begin(), more.end());
  return values;
}

bool ReadsDatabase(const Options& options) {
  return options.Has("--history") || options.Has("--config");
}

Expected<std::unique_ptr<History>> OpenHistory(const Options& options) {
  if (ReadsDatabase(options)) {
    auto database = OpenDatabase(options);
    if (!database) return database.error();
    return std::unique_ptr<History>(std::move(*database));
  }
  auto remote = Remote::Open(options);
  if (!remote) return remote.error();
  return std::unique_ptr<History>(std::make_unique<RemoteHistory>(std::move(*remote)));
}

Expected<std::unique_ptr<history::SqlHistory>> OpenDatabase(const Options& options) {
  std::string address = options.Get("--history");
  if (address.empty() && options.Has("--config")) {
    auto named = AddressIn(options.Get("--config"));
    if (!named) return named.error();
    address = *named;
  }
  auto factory = history::FactoryFor(address);
  if (!factory) return factory.error();
  return std::make_unique<history::SqlHistory>(*factory, history::SqlHistoryOptions{},
                                               SystemClock());
}

Expected<std::optional<Time>> TimeOption(const Options& options, std::string_view name) {
  if (!options.Has(name)) return std::optional<Time>();
  std::string text = options.Get(name);
  if (auto time = ParseRfc3339(text)) return std::optional<Time>(*time);
  if (auto ago = ParsePromDuration(text)) return std::optional<Time>(SystemClock().Now() - *ago);
  return Error(ErrorCode::kInvalid, StrCat(name, " ", Quote(text),
                                           " is neither a time (2026-11-02T10:00:00Z) nor a "
                                           "time ago (36h, 30d)"));
}

Expected<HistoryFilter> FilterOf(const Options& options, size_t limit) {
  HistoryFilter filter;
  filter.guard = options.Get("--guard");
  filter.release = options.Get("--release");
  filter.limit = limit;
  auto since = TimeOption(options, "--since");
  if (!since) return since.error();
  auto until = TimeOption(options, "--until");
  if (!until) return until.error();
  filter.since = *since;
  filter.until = *until;
  if (options.Has("--limit")) {
    auto count = ParseInt(options.Get("--limit"));
    if (!count || *count < 1 || *count > 1'000'000)
      return Error(ErrorCode::kInvalid, "--limit is 1 to 1000000");
    filter.limit = static_cast<size_t>(*count);
  }
  return filter;
}

Expected<StoredRecord> FindDecision(History& history, const std::string& id) {
  auto found = history.Find({.kind = "decision", .id = id, .limit = 1});
  if (!found) return found.error();
  if (found->empty()) {
    return Error(ErrorCode::kNotFound, StrCat("there is no decision ", Quote(id),
                                              "; `rollguard history decisions` lists them"));
  }
  return std::move(found->front());
}

Expected<Json> GivenOf(History& history, const HistoryRecord& decision) {
  std::string hash = decision.body.At("given").Str();
  if (hash.empty()) return Json();
  auto text = history.Given(hash);
  if (!text)
    return text.error().code == ErrorCode::kNotFound ? Expected<Json>(Json()) : text.error();
  return ParseJson(*text);
}

}  // namespace rollguard::cli
