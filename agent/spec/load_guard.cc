// SPDX-License-Identifier: Apache-2.0
#include "agent/spec/cron.h"
#include "agent/spec/public_key.h"
#include "agent/spec/readers.h"

namespace rollguard::spec {
namespace {

void ReadRollback(Object& o, RollbackSpec& out) {
  using OnTrigger = RollbackSpec::OnTrigger;
  static constexpr std::pair<std::string_view, OnTrigger> kTriggers[] = {
      {"immediate", OnTrigger::kImmediate},
      {"gradual", OnTrigger::kGradual},
      {"approval", OnTrigger::kApproval}};
  std::vector<RuleRef> rules;
  if (o.MixedList(
          "rules", "Rule groups by name, or by labels of the group.",
          [&](const yaml::Node& name) {
            rules.push_back({name.text, {}, name.span});
          },
          [&](Object& r) {
            RuleRef ref;
            ref.span = r.span();
            r.Str("name", ref.name, "The group's name.");
            r.Obj("selector", "Every group with these labels.", [&](Object& s) {
              s.Map("matchLabels", ref.selector.match_labels, "Labels the group must carry.");
              s.Require("matchLabels");
            });
            r.RequireOne("a rule reference", {"name", "selector"});
            rules.push_back(std::move(ref));
          }))
    out.rules = std::move(rules);
  std::vector<AlertTrigger> alerts;
  if (o.List("alerts", "Alertmanager alerts that decide.", [&](Object& a) {
        AlertTrigger alert;
        alert.span = a.span();
        a.Matchers("matchers", alert.matchers, "As in Alertmanager: severity=\"critical\".");
        a.Require("matchers");
        if (!a.describing() && a.Has("matchers") && alert.matchers.empty() &&
            a.node().Find("matchers")->items.empty())
          a.Error("matchers", "\"matchers\" is empty: every alert would match");
        a.Enum("action", alert.action, kActionWords, "What the alert does (rollback).");
        a.Enum("severity", alert.severity, kSeverityWords, "Weight in the confidence (critical).");
        alerts.push_back(std::move(alert));
      }))
    out.alerts = std::move(alerts);
  o.Enum("onTrigger", out.on_trigger, kTriggers, "How the way back goes (immediate).");
  o.Obj("gradual", "With onTrigger gradual.", [&](Object& g) {
    g.Int("step", out.gradual.step, "Weight taken away per interval (20).", 1, 100);
    g.Dur("interval", out.gradual.interval, "Time between (30s).", std::chrono::seconds(1));
  });
  o.Obj("approval", "With onTrigger approval: who is asked.",
        [&](Object& a) { ReadApproval(a, out.approval); });
  o.Int("maxPerHour", out.max_per_hour, "Further rollbacks hold and page instead (3).", 0, 1000);
  o.Dur("cooldown", out.cooldown, "No second rollback within this time (10m).");
  o.Obj("verify", "What is looked at after a rollback.", [&](Object& v) {
    v.Dur("for", out.verify_for,
          "Stable must be healthy and the trigger gone within this time (5m).");
  });
  o.Dur("quarantine", out.quarantine_for,
        "A rejected revision may be tried again after this; 0: when someone says retry (0s).");
}

void ReadConfidence(Object& o, Confidence& out) {
  o.Num("threshold", out.threshold, "Roll back at or above (0.7).", 0.01, 1);
  o.Int("consecutive", out.consecutive, "For so many looks (2).", 1, 100);
  o.Obj("weights", "Parts of the confidence; normalised.", [&](Object& w) {
    w.Num("health", out.health, "1 - health score (0.4).", 0, 1000);
    w.Num("trend", out.trend, "How fast the score falls (0.3).", 0, 1000);
    w.Num("severity", out.severity, "Severity of what is firing (0.3).", 0, 1000);
    if (!w.describing() && out.health + out.trend + out.severity <= 0)
      w.context().Error(w.span(), "all three weights are 0");
  });
}

void ReadBlind(Object& o, Blind& out) {
  static constexpr std::pair<std::string_view, Blind::Then> kThen[] = {
      {"hold", Blind::Then::kHold},
      {"pause", Blind::Then::kPause},
      {"rollback", Blind::Then::kRollback}};
  o.Dur("after", out.after, "Without sight for this long (2m).", std::chrono::seconds(1));
  o.Enum("then", out.then, kThen, "What happens (hold).");
  o.Share("minCoverage", out.min_coverage, "Share of the pods that must be scraped (50%).");
}

void ReadVars(Object& o, StringMap& out) {
  StringMap vars;
  if (!o.Map("vars", vars, "Values for $name in rules.")) return;
  const yaml::Node* node = o.node().Find("vars");
  for (const yaml::Entry& entry : node->entries) {
    bool good = !entry.key.empty() && !(entry.key[0] >= '0' && entry.key[0] <= '9');
    for (char c : entry.key)
      good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                      (c >= '0' && c <= '9'));
    if (!good)
      o.context().Error(entry.key_span, StrCat("a variable's name has letters, digits and _ only, "
                                               "not ",
                                               Quote(Abbreviate(entry.key, 60))));
    if (IsBuiltInVariable(entry.key))
      o.context().Error(entry.key_span,
                        StrCat("$", entry.key, " is given by rollguard and cannot be set"));
  }
  out = std::move(vars);
}

void ReadFreeze(Object& o, std::vector<Freeze>& out) {
  std::vector<Freeze> read;
  if (!o.List("freeze", "Windows in which nothing new starts.", [&](Object& f) {
        Freeze freeze;
        freeze.span = f.span();
        if (f.Str("cron", freeze.cron, "When it begins: minute hour day month weekday.")) {
          auto cron = ParseCron(freeze.cron);
          if (!cron) f.Error("cron", cron.error().message);
        }
        f.Require("cron");
        f.Dur("duration", freeze.duration, "How long it lasts.", std::chrono::minutes(1));
        f.Require("duration");
        if (f.Str("timezone", freeze.timezone, "UTC or a fixed offset like +01:00 (UTC).") &&
            !ParseOffset(freeze.timezone))
          f.Error("timezone", StrCat("\"timezone\" must be UTC or an offset like +01:00, not ",
                                     Quote(Abbreviate(freeze.timezone, 60))));
        f.Str("reason", freeze.reason, "Shown to people.");
        read.push_back(std::move(freeze));
      }))
    return;
  out = std::move(read);
}

void ReadGroup(Object& o, Guard& out) {
  o.Name("group", out.group, "Guards of one group roll back together.");
  std::vector<std::string> names;
  if (o.Strings("dependsOn", names, "Guards (name or namespace/name) this one needs.")) {
    out.depends_on.clear();
    for (const std::string& name : names) {
      size_t slash = name.find('/');
      out.depends_on.push_back(slash == std::string::npos
                                   ? ObjectRef{"", name}
                                   : ObjectRef{name.substr(0, slash), name.substr(slash + 1)});
    }
  }
  o.Obj("promotion", "What must have happened elsewhere before.", [&](Object& p) {
    p.List("after", "The same image digests succeeded there.", [&](Object& a) {
      PromotionAfter after;
      a.Ref("guard", after.guard, "The guard: name or namespace/name.");
      a.Require("guard");
      a.Dur("bake", after.bake, "And stayed this long (0s).");
      a.Str("context", after.context, "In another cluster of the agent's configuration.");
      out.promotion_after.push_back(std::move(after));
    });
  });
  static constexpr std::pair<std::string_view, Concurrency::Policy> kPolicies[] = {
      {"queue", Concurrency::Policy::kQueue},
      {"supersede", Concurrency::Policy::kSupersede},
      {"reject", Concurrency::Policy::kReject}};
  o.Obj("concurrency", "Releases that must not run at once.", [&](Object& c) {
    auto& concurrency = out.concurrency.emplace();
    c.Str("key", concurrency.key, "Releases with the same key collide.");
    c.Require("key");
    c.Enum("policy", concurrency.policy, kPolicies, "What the later one does (queue).");
  });
}

void ReadArtifacts(Object& o, Artifacts& out) {
  o.Bool("requireDigest", out.require_digest, "Images must be pinned by digest (false).");
  o.Strings("publicKeys", out.public_keys,
            "PEM public keys (Ed25519 or ECDSA P-256); one must fit.");
  o.Str("annotation", out.annotation, "Annotation with the signature (rollguard.dev/signature).");
  if (o.describing()) return;
  const yaml::Node* keys = o.node().Find("publicKeys");
  for (size_t i = 0; keys && i < keys->items.size(); ++i) {
    const std::string wrong = WrongWithKey(keys->items[i].text);
    if (!wrong.empty()) o.context().Error(keys->items[i].span, wrong);
  }
}

void ReadNotifications(Object& o, std::vector<NotificationRef>& out) {
  std::vector<NotificationRef> read;
  if (!o.List("notifications", "Who is told, besides the agent's own routes.", [&](Object& n) {
        NotificationRef ref;
        n.Str("channel", ref.channel, "A channel of the agent's configuration.");
        n.Require("channel");
        n.Strings("events", ref.events, "Which events; absent: every terminal outcome.");
        const yaml::Node* events = n.describing() ? nullptr : n.node().Find("events");
        for (size_t i = 0; events && i < events->items.size(); ++i) {
          if (!IsNotificationEvent(events->items[i].text))
            n.context().Error(events->items[i].span,
                              StrCat("unknown event ", Quote(events->items[i].text),
                                     Suggestion(events->items[i].text, NotificationEvents())));
        }
        read.push_back(std::move(ref));
      }))
    return;
  out = std::move(read);
}

}  // namespace

void ReadPolicyKeys(Object& o, Guard& out) {
  o.Dur("bake", out.bake,
        "The watch goes on this long after promotion, the way back kept warm (0s).");
  o.Obj("rollback", "What takes a bad revision back, and how.",
        [&](Object& r) { ReadRollback(r, out.rollback); });
  o.Obj("confidence", "How soft signals add up.",
        [&](Object& c) { ReadConfidence(c, out.confidence); });
  o.Enum("noData", out.no_data, kNoDataWords, "What an empty answer means (hold).");
  o.Obj("blind", "When nothing can be seen.", [&](Object& b) { ReadBlind(b, out.blind); });
  ReadHealth(o, out.health);
  o.Dur("progressDeadline", out.progress_deadline, "New pods must be ready within this time (10m).",
        std::chrono::seconds(1));
  o.Obj("rollbackWindow", "A recent revision is taken back without steps.", [&](Object& w) {
    w.Int("revisions", out.rollback_window.revisions, "How many revisions back; 0: off (0).", 0,
          100);
    w.Dur("within", out.rollback_window.within, "And not older than this; 0: any age (0s).");
  });
  ReadVars(o, out.vars);
}

void ReadGuardSpec(Object& o, Guard& out) {
  static constexpr std::pair<std::string_view, Mode> kModes[] = {{"enforce", Mode::kEnforce},
                                                                 {"observe", Mode::kObserve}};
  o.Obj("target", "The workload that is released.", [&](Object& t) {
    t.Str("apiVersion", out.target.api_version, "Its apiVersion (apps/v1).");
    t.Str("kind", out.target.kind,
          "Deployment, StatefulSet, DaemonSet, Rollout or Canary "
          "(Deployment).");
    t.Name("name", out.target.name, "Its name.");
    t.Require("name");
  });
  o.Require("target");
  o.Enum("mode", out.mode, kModes,
         "observe: decide and record everything, change nothing (enforce).");
  o.Bool("suspend", out.suspend, "Watch nothing and decide nothing (false).");
  o.Name("service", out.service, "$service in rules; absent: the stable or active Service.");
  o.Name("policy", out.policy, "A RollbackPolicy to build on.");
  o.Str("environment", out.environment, "Which of the policy's environments holds.");
  o.Obj("strategy", "How a release runs; exactly one kind.",
        [&](Object& s) { ReadStrategy(s, out.strategy, out.strategy_ref); });
  o.Require("strategy");
  ReadPolicyKeys(o, out);
  ReadNotifications(o, out.notifications);
  o.Obj("hooks", "Jobs around a release.", [&](Object& h) {
    ReadHooks(h, "preRelease", out.hooks.pre_release, "Before any candidate pod starts.");
    ReadHooks(h, "postPromote", out.hooks.post_promote, "After promotion.");
    ReadHooks(h, "rollback", out.hooks.rollback, "While the revision is taken back.");
    ReadHooks(h, "verify", out.hooks.verify, "After a rollback: is everything as before?");
  });
  o.Obj("configs", "ConfigMaps and Secrets that the pod template uses.", [&](Object& c) {
    c.Bool("restore", out.configs.restore, "Restore their content with the revision (true).");
    c.Bool("reconcile", out.configs.reconcile, "Put drift back while nothing runs (false).");
    c.Strings("exclude", out.configs.exclude, "Names that are left alone.");
  });
  o.Obj("artifacts", "What images must show before any pod starts.",
        [&](Object& a) { ReadArtifacts(a, out.artifacts); });
  ReadGroup(o, out);
  ReadFreeze(o, out.freeze);
  o.Bool("irreversible", out.irreversible, "No way back: freeze and page instead (false).");
}

const char* ToString(Mode mode) { return mode == Mode::kEnforce ? "enforce" : "observe"; }

const char* ToString(RollbackSpec::OnTrigger value) {
  constexpr const char* kNames[] = {"immediate", "gradual", "approval"};
  return kNames[static_cast<size_t>(value)];
}

}  // namespace rollguard::spec
