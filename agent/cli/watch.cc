// SPDX-License-Identifier: Apache-2.0
// `rollguard watch`: a release, live, until it has ended. On a terminal a screen that is drawn
// anew; in a pipe one line for each change and each decision.
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>

#include "agent/base/text.h"
#include "agent/base/tidy.h"
#include "agent/cli/command.h"
#include "agent/cli/guard_text.h"
#include "agent/cli/remote.h"
#include "agent/cli/system_clock.h"
#include "agent/cli/table.h"

namespace rollguard::cli {
namespace {

constexpr std::string_view kName = "watch";
constexpr std::chrono::milliseconds kRefresh = std::chrono::seconds(5);
constexpr std::chrono::milliseconds kSecond = std::chrono::seconds(1);
constexpr std::string_view kHelp =
    R"(usage: rollguard watch GUARD

Follows a guard's release until it has ended. On a terminal it is a live screen; in a pipe each
change and each decision is a line. Without a release it waits for the next one.

options:
  --forever           go on with the next release
  --no-wait           end at once when no release runs
  --timeout DURATION  give up after so long (the exit code is 1)
  -o json             each change as a line of JSON
  --server URL        the agent ($ROLLGUARD_SERVER; http://127.0.0.1:9442)
  --token-file FILE   bearer token ($ROLLGUARD_TOKEN_FILE, $ROLLGUARD_TOKEN)
  --ca-file FILE      trust this CA and no other ($ROLLGUARD_CA_FILE)
  -n, --namespace NS  of guards without one ($ROLLGUARD_NAMESPACE; default)

exit code: 0 the release was promoted, 1 it was not, or the agent refused, 2 wrong usage

examples:
  rollguard watch shop/checkout
  rollguard watch shop/checkout --timeout 1h    # as a gate in CI
)";

// What the event stream says while the screen waits.
class Inbox {
 public:
  void Put(const RemoteEvent& event) {
    std::lock_guard lock(mutex_);
    if (event.type == "decision") words_.push_back(TidyNumbers(event.data.At("words").Str()));
    news_ = true;
    wake_.notify_one();
  }
  // Waits for news, at most `limit`; the decisions that came meanwhile.
  std::vector<std::string> Wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, limit, [&] { return news_; });
    news_ = false;
    return std::exchange(words_, {});
  }
  // Waits whatever the news.
  void Rest(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, limit, [] { return false; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::string> words_;
  bool news_ = false;
};

enum class Show { kScreen, kLines, kJson };

// Draws over what it drew before.
class Screen {
 public:
  explicit Screen(Show show) : show_(show) {}

  void Draw(const Json& guard, const std::vector<std::string>& words) {
    const Time now = SystemClock().Now();
    if (show_ == Show::kScreen) return Redraw(StatusText(guard, {ScreenWidth(), Colours(), now}));
    for (const std::string& line : words)
      if (show_ == Show::kLines) std::puts(line.c_str());
    const Json& row = guard.At("summary");
    // The clock's part of a line does not make it news.
    std::string fresh = ProgressLine(row, Time{});
    if (fresh == last_) return;
    last_ = std::move(fresh);
    std::puts((show_ == Show::kJson ? row.Dump() : ProgressLine(row, now, said_)).c_str());
    said_ = row.At("reason").Str();
    std::fflush(stdout);
  }
  void Trouble(const std::string& problem) {
    if (problem != trouble_) std::fputs(StrCat("rollguard watch: ", problem, "\n").c_str(), stderr);
    trouble_ = problem;
    lines_ = 0;
  }

 private:
  void Redraw(const std::string& text) {
    std::string out;
    if (lines_ > 0) out += StrCat("\x1b[", lines_, "A");
    lines_ = 0;
    for (std::string_view line : Split(text, '\n')) {
      if (line.data() + line.size() == text.data() + text.size() && line.empty()) break;
      out += StrCat("\r\x1b[K", Fit(line, ScreenWidth()), "\n");
      ++lines_;
    }
    out += "\x1b[J";
    std::fputs(out.c_str(), stdout);
    std::fflush(stdout);
  }

  Show show_;
  std::string last_;
  std::string said_;  // the reason of the last line
  std::string trouble_;
  size_t lines_ = 0;
};

struct Wish {
  std::string guard;
  bool forever = false;
  bool wait = true;
  std::optional<Duration> timeout;
  Show show = Show::kLines;
};

// Whether the release that was followed has ended, and how.
class Ending {
 public:
  explicit Ending(const Wish& wish) : wish_(wish) {}
  std::optional<int> Look(const Json& row) {
    if (row.Find("release") != nullptr) {
      release_ = row.At("release").Str();
      return std::nullopt;
    }
    if (wish_.forever) return std::nullopt;
    if (release_.empty()) return wish_.wait ? std::nullopt : std::optional<int>(kOk);
    const bool ours = row.At("last", "release").Str() == release_;
    return ours && row.At("last", "outcome").Str() == "promoted" ? kOk : kFound;
  }

 private:
  const Wish& wish_;
  std::string release_;
};

int Follow(Remote& remote, const Wish& wish) {
  Inbox inbox;
  Screen screen(wish.show);
  Ending ending(wish);
  const std::string events = StrCat("/api/v1/events?guard=", wish.guard);
  std::unique_ptr<Remote::Listening> stream;
  const Time begin = SystemClock().Now();
  bool seen = false;
  std::vector<std::string> words;
  while (true) {
    if (!stream || stream->ended())
      stream = remote.Listen(events, [&inbox](const RemoteEvent& event) { inbox.Put(event); });
    auto guard = remote.Get(GuardPath(wish.guard));
    if (guard) {
      seen = true;
      screen.Draw(*guard, words);
      if (auto code = ending.Look(guard->At("summary"))) return *code;
    } else {
      screen.Trouble(guard.error().message);
      const ErrorCode code = guard.error().code;
      const bool passing = code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
      if (!seen || !passing) return kFound;
    }
    if (wish.timeout && SystemClock().Now() - begin > *wish.timeout)
      return Fail(kName, "the time is over and the release has not ended");
    // A broken stream wakes at once: it is opened again a little later.
    words = inbox.Wait(wish.show == Show::kScreen ? kSecond : kRefresh);
    if (stream->ended()) inbox.Rest(kSecond);
  }
}

int Run(std::span<const std::string_view> args) {
  std::vector<std::string_view> values = RemoteValues();
  values.push_back("--timeout");
  auto options = ParseOptions(args, {values, {"--forever", "--no-wait"}});
  if (!options) return UsageError(kName, options.error().message);
  if (options->arguments.size() != 1) return UsageError(kName, "name one guard");
  Wish wish;
  wish.guard = GuardId(*options, options->arguments[0]);
  wish.forever = options->Has("--forever");
  wish.wait = !options->Has("--no-wait");
  if (options->Has("--timeout")) {
    auto timeout = ParsePromDuration(options->Get("--timeout"));
    if (!timeout) return UsageError(kName, timeout.error().message);
    wish.timeout = *timeout;
  }
  const std::string output = options->Get("--output");
  if (!output.empty() && output != "json")
    return UsageError(kName, StrCat("-o ", output, " is not known; json"));
  wish.show = output == "json" ? Show::kJson : Colours() ? Show::kScreen : Show::kLines;
  auto remote = Remote::Open(*options);
  if (!remote) return UsageError(kName, remote.error().message);
  return Follow(**remote, wish);
}

}  // namespace

extern const Command kWatchCommand;
const Command kWatchCommand = {kName, "a release, live, until it has ended", kHelp, Run};

}  // namespace rollguard::cli
