// SPDX-License-Identifier: Apache-2.0
// What guards and templates share: which templates to run, with which arguments; approvals, hooks.
#include "agent/spec/readers.h"

namespace rollguard::spec {

void ReadTemplateRefs(Object& o, std::vector<TemplateRef>& out) {
  o.List("templates", "Which analysis templates to run.", [&](Object& t) {
    TemplateRef ref;
    ref.span = t.ValueSpan("templateName");
    t.Name("templateName", ref.name, "The template's name.");
    t.Require("templateName");
    t.Bool("clusterScope", ref.cluster_scope, "Whether it is a ClusterAnalysisTemplate (false).");
    out.push_back(std::move(ref));
  });
}

void ReadArguments(Object& o, std::vector<ArgumentValue>& out, bool declared) {
  static constexpr std::pair<std::string_view, int> kHashes[] = {{"Stable", 0}, {"Latest", 1}};
  o.List(
      "args",
      declared ? "The arguments this template knows, with defaults."
               : "Values for the templates' arguments.",
      [&](Object& a) {
        ArgumentValue arg;
        arg.span = a.ValueSpan("name");
        a.Str("name", arg.name, "The argument's name.");
        a.Require("name");
        std::string value;
        // Templates are written with bare numbers in the wild; the API server quotes them.
        bool given =
            declared ? a.Text("value", value, "Its value.") : a.Str("value", value, "Its value.");
        if (given) arg.value = std::move(value);
        a.Obj("valueFrom", "Where the value comes from.", [&](Object& from) {
          if (declared) {
            from.Obj("secretKeyRef", "A key of a Secret in the run's namespace.", [&](Object& s) {
              auto& secret = arg.secret.emplace();
              s.Name("name", secret.name, "The Secret's name.");
              s.Str("key", secret.key, "The key in it.");
              s.Require("name");
              s.Require("key");
            });
          }
          from.Obj("fieldRef", "A field of the guard.", [&](Object& f) {
            f.Str("fieldPath", arg.field_path.emplace(),
                  "Path into metadata, spec or status: metadata.labels['x'].");
            f.Require("fieldPath");
          });
          int hash = 0;
          if (from.Enum<int>("podTemplateHashValue", hash, kHashes,
                             "The pod template hash of the stable or the latest revision."))
            arg.pod_template_hash = std::string(kHashes[hash].first);
        });
        a.AtMostOne({"value", "valueFrom"});
        for (const ArgumentValue& other : out) {
          if (!arg.name.empty() && other.name == arg.name)
            a.Error("name", StrCat("the argument ", Quote(arg.name), " is there twice"));
        }
        out.push_back(std::move(arg));
      });
}

void ReadDryRun(Object& o, std::vector<std::string>& dry_run,
                std::vector<MeasurementRetention>& retention) {
  o.List("dryRun", "Metrics that are measured but never decide.", [&](Object& d) {
    std::string name;
    if (d.Regex("metricName", name, "Name, or unanchored regular expression."))
      dry_run.push_back(std::move(name));
    d.Require("metricName");
  });
  o.List("measurementRetention", "How many measurements are kept.", [&](Object& m) {
    MeasurementRetention item;
    item.span = m.ValueSpan("metricName");
    m.Regex("metricName", item.metric, "Name, or unanchored regular expression.");
    m.Require("metricName");
    m.Int("limit", item.limit, "How many; 0 means 10.", 0, 10'000);
    m.Require("limit");
    if (item.limit == 0) item.limit = 10;
    retention.push_back(std::move(item));
  });
}

void ReadAnalysisRef(Object& o, AnalysisRef& out) {
  out.span = o.span();
  ReadTemplateRefs(o, out.templates);
  o.Require("templates");
  ReadArguments(o, out.args, false);
  ReadDryRun(o, out.dry_run, out.retention);
  o.Int("startingStep", out.starting_step, "In the background: from this step on (0: the first).",
        0, 1000);
  if (!o.describing() && o.Has("templates") && out.templates.empty())
    o.Error("templates", "\"templates\" names no template");
}

void ReadApproval(Object& o, Approval& out) {
  static constexpr std::pair<std::string_view, Approval::OnTimeout> kWords[] = {
      {"hold", Approval::OnTimeout::kHold},
      {"rollback", Approval::OnTimeout::kRollback},
      {"promote", Approval::OnTimeout::kPromote}};
  o.Int("required", out.required, "How many different people must approve (1).", 1, 100);
  o.Strings("groups", out.groups, "Who may approve; absent: whoever has the verb `approve`.");
  o.OptDur("timeout", out.timeout, "Give up after this; absent: wait for ever.",
           std::chrono::seconds(1));
  o.Enum("onTimeout", out.on_timeout, kWords, "What happens then (rollback).");
}

void ReadHook(Object& o, Hook& out) {
  static constexpr std::pair<std::string_view, Hook::OnFailure> kWords[] = {
      {"fail", Hook::OnFailure::kFail}, {"ignore", Hook::OnFailure::kIgnore}};
  out.span = o.span();
  o.Name("name", out.name, "Shown to people, and part of the Job's name.");
  if (o.Any("job", out.job, "The Job's spec (batch/v1 JobSpec); it must succeed.") &&
      (!out.job.is_object() || !out.job.At("template").is_object()))
    o.Error("job", "\"job\" must be a Job's spec: it needs a \"template\"");
  o.Name("fromCronJob", out.from_cron_job, "Make the Job from this CronJob's template instead.");
  o.RequireOne("a hook", {"job", "fromCronJob"});
  o.Dur("timeout", out.timeout, "It has failed when it is not done by then (10m).",
        std::chrono::seconds(1));
  o.Enum("onFailure", out.on_failure, kWords, "Whether its failure counts (fail).");
}

void ReadHooks(Object& o, std::string_view key, std::vector<Hook>& out,
               std::string_view description) {
  std::vector<Hook> read;
  if (o.List(key, description, [&](Object& item) {
        ReadHook(item, read.emplace_back());
        item.Require("name");
      }))
    out = std::move(read);
}

}  // namespace rollguard::spec
