// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "agent/api/service.h"
#include "agent/api/view.h"
#include "agent/base/text.h"
#include "agent/history/reports.h"
#include "agent/http/router.h"

namespace rollguard::api {
namespace {

constexpr size_t kRound = 500;
constexpr int kMaxRounds = 20;
constexpr size_t kMaxCounted = 20'000;
constexpr std::chrono::nanoseconds kAuditKept = std::chrono::minutes(1);
constexpr Duration kStatisticsTime = std::chrono::hours(24 * 30);

Json RecordJson(const StoredRecord& stored) {
  const HistoryRecord& r = stored.record;
  Json out = Json::Obj({{"seq", stored.seq},
                        {"kind", r.kind},
                        {"id", r.id},
                        {"at", FormatRfc3339(r.at)},
                        {"guard", r.guard},
                        {"release", r.release},
                        {"actor", r.actor},
                        {"body", r.body}});
  if (!stored.hash.empty()) out.Set("hash", stored.hash);
  return out;
}

Json MeasurementJson(const MeasurementRow& row) {
  return Json::Obj({{"at", FormatRfc3339(row.at)},
                    {"guard", row.guard},
                    {"release", row.release},
                    {"metric", row.metric},
                    {"value", std::isfinite(row.value) ? Json(row.value) : Json()},
                    {"verdict", row.verdict}});
}

std::string QueryOf(const spec::Rule& rule) {
  const auto* compare = std::get_if<spec::Compare>(&rule.what);
  if (compare == nullptr) return std::string(Trim(std::get<spec::Query>(rule.what).text));
  if (const auto* p = std::get_if<spec::CompareProportion>(&compare->what))
    return StrCat(Trim(p->bad.text), " / ", Trim(p->total.text));
  if (const auto* h = std::get_if<spec::CompareHistogram>(&compare->what))
    return std::string(Trim(h->buckets.text));
  return std::string(Trim(std::get<spec::CompareMean>(compare->what).query.text));
}

Json RuleJson(const spec::RuleGroup& group, const spec::Rule& rule) {
  return Json::Obj({{"name", rule.name},
                    {"group", group.name},
                    {"namespace", group.ns},
                    {"action", spec::ToString(rule.action)},
                    {"severity", spec::ToString(rule.severity)},
                    {"query", QueryOf(rule)},
                    {"forSeconds", ToSeconds(rule.hold)}});
}

// Of everybody's releases: a rule's record is not one guard's affair.
Expected<std::map<std::string, history::Precision>> Records(History& history, Time now) {
  HistoryFilter filter;
  filter.since = now - kStatisticsTime;
  filter.limit = kMaxCounted;
  auto rows = history.Releases(filter);
  if (!rows) return rows.error();
  return history::Report(*rows, *filter.since, now).precision_by_trigger;
}

}  // namespace

Expected<Service::Page> Service::ReadPage(const Call& call, const Sight& sight,
                                          const std::string& kind) {
  HistoryFilter filter;
  filter.kind = kind;
  filter.guard = sight.only_guard;
  filter.release = call.Query("release").value_or("");
  filter.id = call.Query("id").value_or("");
  filter.since = call.QueryTime("since");
  filter.until = call.QueryTime("until");
  filter.before_seq = ParseInt(call.Query("continue").value_or("")).value_or(0);
  filter.limit = kRound;
  size_t limit = call.Limit();
  Page page;
  for (int round = 0; round < kMaxRounds; ++round) {
    auto records = parts_.history->Find(filter);
    if (!records) return records.error();
    for (StoredRecord& stored : *records) {
      if (!sight.Sees(stored.record.guard)) continue;
      if (page.records.size() == limit) {
        page.next = page.records.back().seq;
        return page;
      }
      page.records.push_back(std::move(stored));
    }
    if (records->size() < kRound) {
      page.next = 0;
      return page;
    }
    page.next = filter.before_seq = records->back().seq;
  }
  return page;  // not full, and yet there is more: what was read is not the caller's to see
}

http::Response Service::ListDecisions(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto page = ReadPage(call, *sight, "decision");
  if (!page) return Fail(page.error());
  Json items = Json::Arr();
  for (const StoredRecord& stored : page->records) {
    if (auto decision = release::DecisionFromJson(stored.record.body))
      items.Push(DecisionJson(*decision));
  }
  Json out = Json::Obj({{"items", std::move(items)}});
  if (page->next != 0) out.Set("next", std::to_string(page->next));
  return Ok(out);
}

Expected<StoredRecord> Service::FindDecision(Call& call) {
  HistoryFilter filter;
  filter.kind = "decision";
  filter.id = call.Path(0);
  filter.limit = 1;
  auto records = parts_.history->Find(filter);
  if (!records) return records.error();
  if (records->empty()) {
    return Error(ErrorCode::kNotFound, StrCat("there is no decision ", Quote(call.Path(0)),
                                              "; see GET /api/v1/decisions"));
  }
  call.guard = records->front().record.guard;
  return std::move(records->front());
}

http::Response Service::GetDecision(Call& call) {
  auto found = FindDecision(call);
  if (!found) return Fail(found.error());
  if (auto refused = Refuse(call, call.guard, call.route.verbs)) return std::move(*refused);
  auto decision = release::DecisionFromJson(found->record.body);
  if (!decision) return Fail({ErrorCode::kInternal, decision.error().message});
  return Ok(DecisionJson(*decision));
}

http::Response Service::GetDecisionGiven(Call& call) {
  auto found = FindDecision(call);
  if (!found) return Fail(found.error());
  if (auto refused = Refuse(call, call.guard, call.route.verbs)) return std::move(*refused);
  std::string hash = found->record.body.At("given").Str();
  if (hash.empty()) return NotFound("what this decision was made from was not kept");
  auto text = parts_.history->Given(hash);
  if (!text) return Fail(text.error());
  return http::Response{.body = std::move(*text)};
}

http::Response Service::ListMeasurements(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  HistoryFilter filter;
  filter.guard = sight->only_guard;
  filter.release = call.Query("release").value_or("");
  filter.since = call.QueryTime("since");
  filter.until = call.QueryTime("until");
  filter.limit = kMaxCounted;  // rows the caller may not see do not count
  auto rows = parts_.history->Measurements(filter);
  if (!rows) return Fail(rows.error());
  Json items = Json::Arr();
  size_t limit = call.Limit();
  for (const MeasurementRow& row : *rows) {
    if (items.size() == limit) break;
    if (sight->Sees(row.guard)) items.Push(MeasurementJson(row));
  }
  return Ok(Json::Obj({{"items", std::move(items)}}));
}

http::Response Service::GetAudit(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  if (!sight->all)
    return Fail({ErrorCode::kDenied,
                 StrCat(Quote(call.caller.name),
                        " may not list guards.rollguard.dev in all namespaces, and the audit is "
                        "everybody's")});
  if (!parts_.verify_audit) return NotFound("this agent's history has no hashes");
  std::lock_guard lock(audit_mutex_);
  auto now = parts_.clock->Monotonic();
  if (!audit_.is_null() && now - audit_at_ < kAuditKept) return Ok(audit_);
  auto findings = parts_.verify_audit();
  if (!findings) return Fail(findings.error());
  Json breaks = Json::Arr();
  for (const std::string& each : findings->breaks) breaks.Push(each);
  audit_ = Json::Obj({{"verifiedAt", FormatRfc3339(parts_.clock->Now())},
                      {"rows", findings->rows},
                      {"givens", findings->givens},
                      {"breaks", std::move(breaks)}});
  audit_at_ = now;
  return Ok(audit_);
}

http::Response Service::ListHistory(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto page = ReadPage(call, *sight, call.Query("kind").value_or(""));
  if (!page) return Fail(page.error());
  Json items = Json::Arr();
  for (const StoredRecord& stored : page->records) items.Push(RecordJson(stored));
  Json out = Json::Obj({{"items", std::move(items)}});
  if (page->next != 0) out.Set("next", std::to_string(page->next));
  return Ok(out);
}

http::Response Service::GetStatistics(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  Time until = call.QueryTime("until").value_or(parts_.clock->Now());
  Time since = call.QueryTime("since").value_or(until - kStatisticsTime);
  if (since >= until) return Invalid("since: must be before until");
  HistoryFilter filter;
  filter.guard = sight->only_guard;
  filter.since = since - kStatisticsTime;  // one that began before may have ended within
  filter.until = until;
  filter.limit = kMaxCounted;
  auto rows = parts_.history->Releases(filter);
  if (!rows) return Fail(rows.error());
  std::erase_if(*rows, [&](const ReleaseRow& row) { return !sight->Sees(row.guard); });
  Json guards = Json::Obj();
  for (const auto& [guard, report] : history::ReportByGuard(*rows, since, until))
    guards.Set(guard, history::ToJson(report));
  return Ok(Json::Obj({{"since", FormatRfc3339(since)},
                       {"until", FormatRfc3339(until)},
                       {"all", history::ToJson(history::Report(*rows, since, until))},
                       {"guards", std::move(guards)}}));
}

http::Response Service::ListRules(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  auto rules = parts_.loop->Ask<Json>([this] {
    Json list = Json::Arr();
    for (const spec::RuleGroup& group : parts_.controller->library().groups) {
      for (const spec::Rule& rule : group.rules) list.Push(RuleJson(group, rule));
    }
    return list;
  });
  if (!rules) return Busy();
  auto records = Records(*parts_.history, parts_.clock->Now());
  if (!records) return Fail(records.error());
  Json items = Json::Arr();
  for (Json& rule : rules->items()) {
    std::string ns = rule.At("namespace").Str();
    if (!ns.empty() && !sight->all && !sight->namespaces.contains(ns)) continue;
    const history::Precision& p = (*records)[rule.At("name").Str()];
    items.Push(rule.Set("fired", p.fired).Set("right", p.right).Set("wrong", p.wrong));
  }
  return Ok(Json::Obj({{"items", std::move(items)}}));
}

http::Response Service::ListAlerts(Call& call) {
  auto sight = SightOf(call);
  if (!sight) return Fail(sight.error());
  struct Seen {
    std::vector<app::AlertReceipt> receipts;
    size_t firing = 0;
  };
  auto seen = parts_.loop->Ask<Seen>([this] {
    return Seen{parts_.alerts->Recent(kRound), parts_.alerts->firing()};
  });
  if (!seen) return Busy();
  Json items = Json::Arr();
  size_t limit = call.Limit();
  for (app::AlertReceipt& receipt : seen->receipts) {
    std::erase_if(receipt.matches, [&](const alerts::Match& m) { return !sight->Sees(m.guard); });
    bool shown = !receipt.matches.empty() || (sight->all && sight->only_guard.empty());
    if (shown && items.size() < limit) items.Push(app::ToJson(receipt));
  }
  return Ok(Json::Obj({{"items", std::move(items)}, {"firing", seen->firing}}));
}

std::optional<http::Response> Service::IntakeClosed() const {
  if (parts_.intake == nullptr)
    return Fail({ErrorCode::kUnavailable, "alerts are not taken in by this agent"});
  std::string why = parts_.refuses_alerts ? parts_.refuses_alerts() : "";
  if (!why.empty()) return Fail({ErrorCode::kUnavailable, why});
  return std::nullopt;
}

http::Response Service::PostAlerts(Call& call) {
  if (auto closed = IntakeClosed()) return std::move(*closed);
  return parts_.intake->FromAlertmanager(call.request, call.caller.name);
}

http::Response Service::PostAlertsFrom(Call& call) {
  if (auto closed = IntakeClosed()) return std::move(*closed);
  return app::AlertsFrom(*parts_.intake, parts_.senders, call.Path(0), call.request,
                         call.caller.name);
}

http::Response Service::AskFlaggerHook(Call& call) {
  std::string why = parts_.not_ready ? parts_.not_ready() : "";
  if (!why.empty()) return Fail({ErrorCode::kUnavailable, why});
  call.guard = StrCat(call.Path(0), "/", call.Path(1));
  return app::FlaggerAnswer(*parts_.loop, *parts_.controller, call.guard, call.Path(2));
}

}  // namespace rollguard::api
