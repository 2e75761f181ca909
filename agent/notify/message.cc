// SPDX-License-Identifier: Apache-2.0
#include "agent/notify/message.h"

#include <utility>

#include "agent/analysis/template_text.h"
#include "agent/base/text.h"
#include "agent/base/tidy.h"

namespace rollguard::notify {
namespace {

constexpr size_t kMaxText = 3000;  // chats refuse much more
constexpr std::pair<std::string_view, std::string_view> kHeadlines[] = {
    {"started", "is being released"},
    {"advanced", "goes on"},
    {"waiting", "waits"},
    {"promoted", "was promoted"},
    {"paused", "is paused"},
    {"rolledBack", "is rolled back"},
    {"rollbackFailed", "CANNOT be rolled back"},
    {"verified", "is well after the rollback"},
    {"notTheCause", "was probably not the cause"},
    {"limited", "needs a rollback that a limit forbids"},
    {"blind", "cannot be judged: blind"},
    {"rejected", "was rejected"},
    {"frozen", "is frozen"},
    {"drift", "has drifted"},
    {"notReady", "has no way back now"},
    {"superseded", "gives way to a newer revision"},
    {"olderState", "is not decided on: its state is older than what was known"},
};

analysis::TemplateData DataOf(const Notice& notice) {
  analysis::TemplateData data;
  data.value = static_cast<double>(notice.weight);
  data.vars = {{"event", notice.event},
               {"headline", HeadlineOf(notice.event)},
               {"severity", spec::ToString(notice.severity)},
               {"text", TidyNumbers(notice.text)},
               {"cluster", notice.cluster},
               {"namespace", notice.ns},
               {"guard", notice.guard},
               {"workload", notice.workload},
               {"release", notice.release},
               {"revision", notice.revision},
               {"phase", notice.phase},
               {"weight", StrCat(notice.weight)},
               {"decision", notice.decision},
               {"actor", notice.actor},
               {"reason", TidyNumbers(notice.reason)},
               {"signals", Join(notice.signals, ", ")},
               {"time", FormatRfc3339(notice.at)}};
  data.labels = data.vars;
  return data;
}

Expected<std::string> Fill(const spec::ChannelConfig& channel, std::string_view what,
                           const std::string& text, const Notice& notice) {
  auto filled = analysis::RenderTemplate(text, DataOf(notice));
  if (filled) return filled;
  return Error(ErrorCode::kInvalid, StrCat("the ", what, " of channel ", channel.name,
                                           " cannot be filled in: ", filled.error().message));
}

const char* ColourOf(const Notice& notice) {
  if (notice.event == "promoted" || notice.event == "verified") return "#2e7d32";
  switch (notice.severity) {
    case spec::RuleSeverity::kCritical: return "#c62828";
    case spec::RuleSeverity::kHigh: return "#ef6c00";
    case spec::RuleSeverity::kMedium: return "#f9a825";
    case spec::RuleSeverity::kLow: return "#546e7a";
  }
  return "#546e7a";
}

const char* TeamsColourOf(const Notice& notice) {
  if (notice.event == "promoted" || notice.event == "verified") return "Good";
  switch (notice.severity) {
    case spec::RuleSeverity::kCritical: return "Attention";
    case spec::RuleSeverity::kHigh:
    case spec::RuleSeverity::kMedium: return "Warning";
    case spec::RuleSeverity::kLow: return "Default";
  }
  return "Default";
}

// What people look for first, in order; empty ones are left out.
std::vector<std::pair<std::string, std::string>> FactsOf(const Notice& notice) {
  std::vector<std::pair<std::string, std::string>> facts;
  auto add = [&](const char* name, std::string value) {
    if (!value.empty()) facts.emplace_back(name, std::move(value));
  };
  add("Cluster", notice.cluster);
  add("Namespace", notice.ns);
  add("Workload", notice.workload);
  add("Revision", notice.revision);
  add("Release", notice.release);
  if (!notice.release.empty()) add("Weight", StrCat(notice.weight, "%"));
  add("Triggered by", Join(notice.signals, ", "));
  if (notice.actor != "rollguard") add("By", notice.actor);
  add("Decision", notice.decision);
  return facts;
}

// The three characters that Slack's own markup is made of.
std::string SlackEscaped(std::string_view text) {
  std::string out = ReplaceAll(text, "&", "&amp;");
  out = ReplaceAll(out, "<", "&lt;");
  return ReplaceAll(out, ">", "&gt;");
}

// As it stands between the quotes of a JSON string.
std::string JsonEscaped(const std::string& text) {
  std::string quoted = Json(text).Dump();
  return quoted.substr(1, quoted.size() - 2);
}

const char* AlertSeverity(spec::RuleSeverity severity) {
  switch (severity) {
    case spec::RuleSeverity::kCritical: return "critical";
    case spec::RuleSeverity::kHigh:
    case spec::RuleSeverity::kMedium: return "warning";
    case spec::RuleSeverity::kLow: return "info";
  }
  return "info";
}

std::string Capitalised(std::string word) {
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z')
    word[0] = static_cast<char>(word[0] - 'a' + 'A');
  return word;
}

}  // namespace

std::string HeadlineOf(const std::string& event) {
  for (const auto& [name, headline] : kHeadlines) {
    if (name == event) return std::string(headline);
  }
  return event;
}

Expected<Message> Render(const spec::ChannelConfig& channel, const Notice& notice) {
  Message message;
  message.title = StrCat(notice.ns, "/", notice.guard, " ", HeadlineOf(notice.event));
  message.text = TidyNumbers(notice.text);
  if (!notice.reason.empty() && notice.text.find(notice.reason) == std::string::npos)
    message.text += StrCat("\n", TidyNumbers(notice.reason));
  if (!channel.title.empty()) {
    auto title = Fill(channel, "title", channel.title, notice);
    if (!title) return title.error();
    message.title = std::move(*title);
  }
  if (!channel.text.empty()) {
    auto text = Fill(channel, "text", channel.text, notice);
    if (!text) return text.error();
    message.text = std::move(*text);
  }
  message.text = Abbreviate(message.text, kMaxText);
  return message;
}

std::string SlackBody(const spec::SlackChannel& slack, const Notice& notice,
                      const Message& message) {
  Json fields = Json::Arr();
  for (const auto& [name, value] : FactsOf(notice)) {
    fields.Push(Json::Obj({{"title", name}, {"value", SlackEscaped(value)}, {"short", true}}));
  }
  Json attachment = Json::Obj({{"color", ColourOf(notice)},
                               {"fallback", SlackEscaped(message.title)},
                               {"text", SlackEscaped(message.text)},
                               {"fields", std::move(fields)},
                               {"footer", "rollguard"},
                               {"ts", ToUnixMillis(notice.at) / 1000}});
  Json body = Json::Obj({{"text", StrCat("*", SlackEscaped(message.title), "*")},
                         {"attachments", Json::Arr({std::move(attachment)})}});
  if (!slack.channel.empty()) body.Set("channel", slack.channel);
  return body.Dump();
}

// An adaptive card, as both the old connectors and the workflow webhooks take it.
std::string TeamsBody(const Notice& notice, const Message& message) {
  Json facts = Json::Arr();
  for (const auto& [name, value] : FactsOf(notice))
    facts.Push(Json::Obj({{"title", name}, {"value", value}}));
  Json title = Json::Obj({{"type", "TextBlock"},
                          {"text", message.title},
                          {"size", "Medium"},
                          {"weight", "Bolder"},
                          {"color", TeamsColourOf(notice)},
                          {"wrap", true}});
  Json text = Json::Obj({{"type", "TextBlock"}, {"text", message.text}, {"wrap", true}});
  Json card = Json::Obj(
      {{"$schema", "http://adaptivecards.io/schemas/adaptive-card.json"},
       {"type", "AdaptiveCard"},
       {"version", "1.4"},
       {"body", Json::Arr({std::move(title), std::move(text),
                           Json::Obj({{"type", "FactSet"}, {"facts", std::move(facts)}})})}});
  Json attachment = Json::Obj(
      {{"contentType", "application/vnd.microsoft.card.adaptive"}, {"content", std::move(card)}});
  return Json::Obj({{"type", "message"}, {"attachments", Json::Arr({std::move(attachment)})}})
      .Dump();
}

Expected<std::string> WebhookBody(const spec::WebhookChannel& webhook, const Notice& notice,
                                  const Message& message) {
  if (webhook.body.empty()) {
    Json json = ToJson(notice);
    json.Set("title", message.title);
    json.Set("message", message.text);
    return json.Dump();
  }
  analysis::TemplateData data = DataOf(notice);
  data.vars.emplace_back("title", message.title);
  data.vars.emplace_back("message", message.text);
  std::string_view begin = Trim(webhook.body);
  // `{{` opens an action, not an object.
  const bool json = (begin.starts_with('{') && !begin.starts_with("{{")) || begin.starts_with('[');
  if (json) {
    for (auto* list : {&data.vars, &data.labels}) {
      for (auto& [name, value] : *list) value = JsonEscaped(value);
    }
  }
  auto body = analysis::RenderTemplate(webhook.body, data);
  if (!body) {
    return Error(ErrorCode::kInvalid,
                 StrCat("the body's template cannot be filled in: ", body.error().message));
  }
  if (json) {
    if (auto parsed = ParseJson(*body); !parsed) {
      return Error(ErrorCode::kInvalid,
                   StrCat("the body's template gives no JSON: ", parsed.error().message));
    }
  }
  return body;
}

std::string AlertBody(const spec::AlertmanagerChannel& channel, const Notice& notice,
                      const Message& message) {
  Json labels = Json::Obj({{"alertname", StrCat("Rollguard", Capitalised(notice.event))},
                           {"severity", AlertSeverity(notice.severity)},
                           {"namespace", notice.ns},
                           {"guard", notice.guard},
                           {"event", notice.event},
                           {"rollguard_notice", "true"}});
  if (!notice.cluster.empty()) labels.Set("cluster", notice.cluster);
  for (const auto& [name, value] : channel.labels) labels.Set(name, value);
  Json annotations = Json::Obj({{"summary", message.title}, {"description", message.text}});
  if (!notice.release.empty()) annotations.Set("release", notice.release);
  if (!notice.decision.empty()) annotations.Set("decision", notice.decision);
  return Json::Arr({Json::Obj({{"labels", std::move(labels)},
                               {"annotations", std::move(annotations)},
                               {"startsAt", FormatRfc3339(notice.at)}})})
      .Dump();
}

}  // namespace rollguard::notify
