// SPDX-License-Identifier: Apache-2.0
// A journey walks its steps in order: fill ${names} in, send, take cookies, hold the assertions,
// extract what later steps need. The first step that fails ends it.
#include <re2/re2.h>

#include <algorithm>

#include "agent/analysis/json_path.h"
#include "agent/base/text.h"
#include "agent/probe/conversation.h"
#include "agent/probe/cookies.h"

namespace rollguard::probe {
namespace {

using spec::JourneyCheck;
using From = JourneyCheck::Extract::From;
using Kind = JourneyCheck::Assertion::Kind;

// How a value may stand in the text around it.
enum class Place { kPlain, kUrl, kJson };

// Where the value would break the URL or the JSON string it stands in.
std::string Escaped(const std::string& value, Place place) {
  if (place == Place::kJson) {
    std::string quoted = Json(value).Dump();
    return quoted.substr(1, quoted.size() - 2);
  }
  if (place == Place::kPlain) return value;
  std::string out;
  for (char c : value) {
    auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '"' || c == '<' || c == '>') {
      out += Format("%%%02X", u);
    } else {
      out += c;
    }
  }
  return out;
}

std::string TextOf(const Json& value) {
  if (value.is_string()) return value.Str();
  return value.Dump();
}

class JourneyConversation final : public Conversation {
 public:
  explicit JourneyConversation(JourneyProbe probe)
      : journey_(std::move(probe.journey)), variables_(std::move(probe.variables)) {
    for (const auto& [name, value] : journey_->variables) {
      if (spec::FindIn(variables_, name) == nullptr) Set(name, Fill(value, Place::kPlain).text);
    }
  }

  Turn Begin() override {
    if (journey_->steps.empty()) return ProbeAnswer::Unknown("the journey has no step");
    return Next();
  }

  Turn Hear(const Expected<HttpResponse>& response, HttpFailure failure,
            Duration elapsed) override {
    if (!response) return Stumble(NoAnswer(response.error(), failure, elapsed));
    elapsed_ = elapsed;
    jar_.Take(url_, *response);
    body_.reset();
    if (auto broken = CheckAll(*response)) return Stumble(std::move(*broken));
    for (const JourneyCheck::Extract& extract : Step().extract) {
      auto value = Extract(extract, *response);
      if (!value) {
        return Stumble(
            Failed(StrCat("cannot extract ", extract.name, ": ", value.error().message)));
      }
      Set(extract.name, std::move(*value));
    }
    if (++at_ < journey_->steps.size()) return Next();
    return ProbeAnswer::Pass(
        elapsed, StrCat(at_, at_ == 1 ? " step in " : " steps in ", FormatGoDuration(elapsed)));
  }

 private:
  struct Filled {
    std::string text;
    std::string unknown;  // the first name that is not known
  };

  const JourneyCheck::Step& Step() const { return journey_->steps[at_]; }

  void Set(const std::string& name, std::string value) {
    for (auto& [known, old] : variables_) {
      if (known != name) continue;
      old = std::move(value);
      return;
    }
    variables_.emplace_back(name, std::move(value));
  }

  Filled Fill(std::string_view text, Place place) const {
    Filled filled;
    for (;;) {
      size_t open = text.find("${");
      size_t close = open == std::string_view::npos ? open : text.find('}', open);
      filled.text += text.substr(0, close == std::string_view::npos ? close : open);
      if (close == std::string_view::npos) return filled;
      std::string_view name = text.substr(open + 2, close - open - 2);
      const std::string* value = spec::FindIn(variables_, name);
      if (value != nullptr) filled.text += Escaped(*value, place);
      if (value == nullptr) {
        filled.text += text.substr(open, close + 1 - open);
        if (filled.unknown.empty()) filled.unknown = std::string(name);
      }
      text.remove_prefix(close + 1);
    }
  }

  Turn Next() {
    const JourneyCheck::Step& step = Step();
    std::string unknown;
    auto fill = [&](std::string_view text, Place place) {
      Filled filled = Fill(text, place);
      if (unknown.empty()) unknown = filled.unknown;
      return std::move(filled.text);
    };
    url_ = fill(step.url, Place::kUrl);
    HttpRequest request = ProbeHttp(step.method, url_, false);
    for (const auto& [name, value] : step.headers)
      request.headers.emplace_back(name, fill(value, Place::kPlain));
    std::string_view trimmed = Trim(step.body);
    bool json = trimmed.starts_with('{') || trimmed.starts_with('[');
    request.body = fill(step.body, json ? Place::kJson : Place::kPlain);
    if (!unknown.empty()) {
      return Stumble(ProbeAnswer::Unknown(
          StrCat("${", unknown, "} is not known: neither a variable nor extracted before")));
    }
    if (std::string cookies = jar_.For(url_); !cookies.empty())
      request.headers.emplace_back("Cookie", std::move(cookies));
    return request;
  }

  ProbeAnswer Stumble(ProbeAnswer answer) const {
    const std::string& name = Step().name;
    answer.why =
        StrCat("step ", at_ + 1, name.empty() ? "" : StrCat(" (", name, ")"), ": ", answer.why);
    return answer;
  }

  ProbeAnswer Failed(std::string why) const {
    return ProbeAnswer::Fail(ProbeFault::kContent, elapsed_, std::move(why));
  }

  // Nothing when all hold.
  std::optional<ProbeAnswer> CheckAll(const HttpResponse& response) {
    if (Step().assertions.empty()) return CheckStatus("2xx", response);
    for (const JourneyCheck::Assertion& assertion : Step().assertions) {
      if (auto broken = Check(assertion, response)) return broken;
    }
    return std::nullopt;
  }

  std::optional<ProbeAnswer> CheckStatus(std::string_view pattern, const HttpResponse& response) {
    auto matches = MatchesStatus(pattern, response.status);
    if (!matches) return ProbeAnswer::Unknown(matches.error().message);
    if (*matches) return std::nullopt;
    return WrongStatus(response, pattern, elapsed_);
  }

  std::optional<ProbeAnswer> Check(const JourneyCheck::Assertion& assertion,
                                   const HttpResponse& response) {
    switch (assertion.kind) {
      case Kind::kStatus: return CheckStatus(assertion.equals, response);
      case Kind::kLatency:
        if (response.elapsed < assertion.below) return std::nullopt;
        return Failed(StrCat("answered in ", FormatGoDuration(response.elapsed), ", must be below ",
                             FormatGoDuration(assertion.below)));
      case Kind::kBody: return CheckValue("the body", response.body, assertion);
      case Kind::kHeader: {
        std::string name = ToLower(assertion.subject);
        bool present = std::any_of(response.headers.begin(), response.headers.end(),
                                   [&](const auto& h) { return h.first == name; });
        if (!present) return Failed(StrCat("there is no header ", assertion.subject));
        return CheckValue(StrCat("header ", assertion.subject), response.Header(name), assertion);
      }
      case Kind::kJsonPath: {
        auto value = JsonAt(assertion.subject, response);
        if (!value) return Failed(value.error().message);
        return CheckValue(assertion.subject, *value, assertion);
      }
    }
    return std::nullopt;
  }

  std::optional<ProbeAnswer> CheckValue(std::string_view what, std::string_view value,
                                        const JourneyCheck::Assertion& assertion) {
    if (!assertion.equals.empty()) {
      std::string wanted = Fill(assertion.equals, Place::kPlain).text;
      if (value == wanted) return std::nullopt;
      return Failed(StrCat(what, " is ", Quote(Abbreviate(value, 120)), ", expected ",
                           Quote(Abbreviate(wanted, 120))));
    }
    if (assertion.matches.empty()) return std::nullopt;  // being there is enough
    RE2 wanted(assertion.matches, RE2::Quiet);
    if (wanted.ok() && RE2::PartialMatch(value, wanted)) return std::nullopt;
    return Failed(StrCat(what, " does not match ", Quote(assertion.matches), ": ",
                         value.empty() ? "it is empty" : Excerpt(value)));
  }

  // The value as text, as it would stand in a later request.
  Expected<std::string> JsonAt(std::string_view path, const HttpResponse& response) {
    if (!body_) {
      body_ = ParseJson(response.body,
                        {.max_depth = 64, .max_bytes = kMaxBody, .allow_duplicate_keys = true});
    }
    if (!*body_) {
      return Error(ErrorCode::kInvalid, StrCat("the body is not JSON: ", body_->error().message));
    }
    auto found = analysis::FindJsonPath(**body_, path);
    if (!found) return found.error();
    return TextOf(**found);
  }

  Expected<std::string> Extract(const JourneyCheck::Extract& extract,
                                const HttpResponse& response) {
    switch (extract.from) {
      case From::kJsonPath: return JsonAt(extract.expression, response);
      case From::kHeader: {
        std::string_view value = response.Header(ToLower(extract.expression));
        if (!value.empty()) return std::string(value);
        return Error(ErrorCode::kNotFound, StrCat("there is no header ", extract.expression));
      }
      case From::kCookie: {
        if (const std::string* value = jar_.Find(extract.expression)) return *value;
        return Error(ErrorCode::kNotFound, StrCat("there is no cookie ", extract.expression));
      }
      case From::kRegex: {
        RE2 wanted(extract.expression, RE2::Quiet);
        std::string value;
        bool grouped = wanted.ok() && wanted.NumberOfCapturingGroups() > 0;
        bool found = grouped ? RE2::PartialMatch(response.body, wanted, &value)
                             : wanted.ok() && Whole(wanted, response.body, value);
        if (found) return value;
        return Error(ErrorCode::kNotFound,
                     StrCat("the body does not match ", Quote(extract.expression)));
      }
    }
    return Error(ErrorCode::kInternal, "an extraction of no kind");
  }

  static bool Whole(const RE2& wanted, std::string_view body, std::string& value) {
    re2::StringPiece match;
    if (!wanted.Match(body, 0, body.size(), RE2::UNANCHORED, &match, 1)) return false;
    value = std::string(match);
    return true;
  }

  std::shared_ptr<const JourneyCheck> journey_;
  spec::StringMap variables_;
  CookieJar jar_;
  size_t at_ = 0;
  std::string url_;
  Duration elapsed_{0};
  std::optional<Expected<Json>> body_;  // of the last answer, parsed when first needed
};

}  // namespace

std::unique_ptr<Conversation> MakeJourneyConversation(JourneyProbe probe) {
  return std::make_unique<JourneyConversation>(std::move(probe));
}

}  // namespace rollguard::probe
