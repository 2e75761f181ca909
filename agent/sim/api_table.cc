// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/api_table.h"

#include <algorithm>
#include <map>

#include "agent/base/text.h"

namespace rollguard::sim {
namespace {

struct Column {
  const char* name;
  int priority;
  Json (*cell)(const Json&, Time);
};

std::string Age(const Json& stamp, Time now) {
  auto at = ParseRfc3339(Text(stamp));
  if (!at.ok()) return "<unknown>";
  Duration age = std::chrono::floor<std::chrono::seconds>(now - *at);
  return age.count() <= 0 ? "0s" : FormatShortDuration(age);
}

Json Name(const Json& o, Time) { return NameOf(o); }
Json AgeOf(const Json& o, Time now) { return Age(Meta(o).At("creationTimestamp"), now); }

template <size_t N>
struct Path {
  constexpr Path(const char (&t)[N]) { std::copy_n(t, N, text); }  // NOLINT(*-explicit-*)
  char text[N];
};

const Json& Walk(const Json& o, std::string_view path) {
  const Json* at = &o;
  for (auto part : Split(path, '.')) at = &at->At(part);
  return *at;
}

template <Path P>
Json Count(const Json& o, Time) {
  return Walk(o, P.text).IntOr(0);
}
template <Path P>
Json Field(const Json& o, Time) {
  const Json& v = Walk(o, P.text);
  return v.is_null() ? Json("<none>") : v;
}
template <Path Part, Path Whole>
Json Ratio(const Json& o, Time) {
  return StrCat(Walk(o, Part.text).IntOr(0), "/", Walk(o, Whole.text).IntOr(0));
}

std::string JoinEach(const Json& list, std::string_view key) {
  std::string out;
  for (const Json& item : list.items()) out += StrCat(out.empty() ? "" : ",", Text(item.At(key)));
  return out.empty() ? "<none>" : out;
}

std::string MapText(const Json& labels) {
  std::string out;
  for (const auto& [k, v] : labels.members())
    out += StrCat(out.empty() ? "" : ",", k, "=", Text(v));
  return out.empty() ? "<none>" : out;
}

Json Containers(const Json& o, Time) {
  return JoinEach(o.At("spec", "template", "spec", "containers"), "name");
}
Json Images(const Json& o, Time) {
  return JoinEach(o.At("spec", "template", "spec", "containers"), "image");
}
Json SelectorOf(const Json& o, Time) { return MapText(o.At("spec", "selector", "matchLabels")); }
Json ServiceSelector(const Json& o, Time) { return MapText(o.At("spec", "selector")); }

Json PodReady(const Json& o, Time) {
  int64_t ready = 0;
  for (const Json& c : o.At("status", "containerStatuses").items())
    ready += c.At("ready").BoolOr(false) ? 1 : 0;
  return StrCat(ready, "/", o.At("spec", "containers").size());
}

Json PodStatus(const Json& o, Time) {
  if (IsTerminating(o)) return "Terminating";
  for (const Json& c : o.At("status", "containerStatuses").items()) {
    for (auto state : {"waiting", "terminated"}) {
      const Json& reason = c.At("state", state, "reason");
      if (!reason.is_null()) return reason;
    }
  }
  return o.At("status", "phase");
}

Json PodRestarts(const Json& o, Time) {
  int64_t n = 0;
  for (const Json& c : o.At("status", "containerStatuses").items())
    n += c.At("restartCount").IntOr(0);
  return std::to_string(n);
}

Json ServicePorts(const Json& o, Time) {
  std::string out;
  for (const Json& p : o.At("spec", "ports").items())
    out += StrCat(out.empty() ? "" : ",", p.At("port").IntOr(0), "/", Text(p.At("protocol")));
  return out.empty() ? "<none>" : out;
}

Json NoIp(const Json&, Time) { return "<none>"; }

Json Addresses(const Json& o, Time) {
  std::string out;
  int64_t more = 0;
  for (const Json& s : o.At("subsets").items()) {
    int64_t port = s.At("ports").At(size_t{0}).At("port").IntOr(0);
    for (const Json& a : s.At("addresses").items()) {
      if (std::count(out.begin(), out.end(), ',') >= 2)
        ++more;
      else
        out += StrCat(out.empty() ? "" : ",", Text(a.At("ip")), ":", port);
    }
  }
  if (more > 0) out += StrCat(" + ", more, " more...");
  return out.empty() ? "<none>" : out;
}

Json JobStatus(const Json& o, Time) {
  if (ConditionIsTrue(o, "Complete")) return "Complete";
  return ConditionIsTrue(o, "Failed") ? "Failed" : "Running";
}

Json Reference(const Json& o, Time) {
  const Json& ref = o.At("spec", "scaleTargetRef");
  return StrCat(Text(ref.At("kind")), "/", Text(ref.At("name")));
}

Json HpaTargets(const Json& o, Time) {
  const Json& now = o.At("status", "currentMetrics")
                        .At(size_t{0})
                        .At("resource", "current", "averageUtilization");
  const Json& want =
      o.At("spec", "metrics").At(size_t{0}).At("resource", "target", "averageUtilization");
  return StrCat("cpu: ", now.is_null() ? "<unknown>" : StrCat(now.IntOr(0), "%"), "/",
                want.IntOr(0), "%");
}

Json DataSize(const Json& o, Time) { return o.At("data").size() + o.At("binaryData").size(); }
Json NodeReady(const Json& o, Time) { return ConditionIsTrue(o, "Ready") ? "Ready" : "NotReady"; }
Json LastSeen(const Json& o, Time now) { return Age(o.At("lastTimestamp"), now); }
Json EventObject(const Json& o, Time) {
  return StrCat(ToLower(Text(o.At("involvedObject", "kind"))), "/",
                Text(o.At("involvedObject", "name")));
}
Json IngressHosts(const Json& o, Time) { return JoinEach(o.At("spec", "rules"), "host"); }
Json CreatedAt(const Json& o, Time) { return Meta(o).At("creationTimestamp"); }

using Columns = std::vector<Column>;

const Columns& ColumnsOf(const std::string& kind) {
  static const std::map<std::string, Columns> table = {
      {"Pod",
       {{"Name", 0, Name},
        {"Ready", 0, PodReady},
        {"Status", 0, PodStatus},
        {"Restarts", 0, PodRestarts},
        {"Age", 0, AgeOf},
        {"IP", 1, Field<"status.podIP">},
        {"Node", 1, Field<"spec.nodeName">}}},
      {"Deployment",
       {{"Name", 0, Name},
        {"Ready", 0, Ratio<"status.readyReplicas", "spec.replicas">},
        {"Up-to-date", 0, Count<"status.updatedReplicas">},
        {"Available", 0, Count<"status.availableReplicas">},
        {"Age", 0, AgeOf},
        {"Containers", 1, Containers},
        {"Images", 1, Images},
        {"Selector", 1, SelectorOf}}},
      {"ReplicaSet",
       {{"Name", 0, Name},
        {"Desired", 0, Count<"spec.replicas">},
        {"Current", 0, Count<"status.replicas">},
        {"Ready", 0, Count<"status.readyReplicas">},
        {"Age", 0, AgeOf},
        {"Containers", 1, Containers},
        {"Images", 1, Images},
        {"Selector", 1, SelectorOf}}},
      {"StatefulSet",
       {{"Name", 0, Name},
        {"Ready", 0, Ratio<"status.readyReplicas", "spec.replicas">},
        {"Age", 0, AgeOf},
        {"Containers", 1, Containers},
        {"Images", 1, Images}}},
      {"DaemonSet",
       {{"Name", 0, Name},
        {"Desired", 0, Count<"status.desiredNumberScheduled">},
        {"Current", 0, Count<"status.currentNumberScheduled">},
        {"Ready", 0, Count<"status.numberReady">},
        {"Up-to-date", 0, Count<"status.updatedNumberScheduled">},
        {"Available", 0, Count<"status.numberAvailable">},
        {"Age", 0, AgeOf}}},
      {"Service",
       {{"Name", 0, Name},
        {"Type", 0, Field<"spec.type">},
        {"Cluster-IP", 0, Field<"spec.clusterIP">},
        {"External-IP", 0, NoIp},
        {"Port(s)", 0, ServicePorts},
        {"Age", 0, AgeOf},
        {"Selector", 1, ServiceSelector}}},
      {"Endpoints", {{"Name", 0, Name}, {"Endpoints", 0, Addresses}, {"Age", 0, AgeOf}}},
      {"Job",
       {{"Name", 0, Name},
        {"Status", 0, JobStatus},
        {"Completions", 0, Ratio<"status.succeeded", "spec.completions">},
        {"Age", 0, AgeOf}}},
      {"HorizontalPodAutoscaler",
       {{"Name", 0, Name},
        {"Reference", 0, Reference},
        {"Targets", 0, HpaTargets},
        {"MinPods", 0, Count<"spec.minReplicas">},
        {"MaxPods", 0, Count<"spec.maxReplicas">},
        {"Replicas", 0, Count<"status.currentReplicas">},
        {"Age", 0, AgeOf}}},
      {"Namespace", {{"Name", 0, Name}, {"Status", 0, Field<"status.phase">}, {"Age", 0, AgeOf}}},
      {"Node", {{"Name", 0, Name}, {"Status", 0, NodeReady}, {"Age", 0, AgeOf}}},
      {"ConfigMap", {{"Name", 0, Name}, {"Data", 0, DataSize}, {"Age", 0, AgeOf}}},
      {"Secret",
       {{"Name", 0, Name}, {"Type", 0, Field<"type">}, {"Data", 0, DataSize}, {"Age", 0, AgeOf}}},
      {"Lease",
       {{"Name", 0, Name}, {"Holder", 0, Field<"spec.holderIdentity">}, {"Age", 0, AgeOf}}},
      {"Event",
       {{"Last Seen", 0, LastSeen},
        {"Type", 0, Field<"type">},
        {"Reason", 0, Field<"reason">},
        {"Object", 0, EventObject},
        {"Message", 0, Field<"message">}}},
      {"Ingress",
       {{"Name", 0, Name},
        {"Class", 0, Field<"spec.ingressClassName">},
        {"Hosts", 0, IngressHosts},
        {"Age", 0, AgeOf}}},
      {"CustomResourceDefinition", {{"Name", 0, Name}, {"Created At", 0, CreatedAt}}},
      {"", {{"Name", 0, Name}, {"Age", 0, AgeOf}}},
  };
  auto it = table.find(kind);
  return it != table.end() ? it->second : table.at("");
}

Json Definition(std::string_view name, std::string_view type, int priority) {
  return Json::Obj({{"name", name},
                    {"type", type},
                    {"format", name == "Name" ? "name" : ""},
                    {"description", ""},
                    {"priority", priority}});
}

Json CustomCell(const TypeColumn& column, const Json& object, Time now) {
  Json value = EvaluateColumn(object, column.path);
  if (column.type == "date") return value.is_null() ? Json("<none>") : Json(Age(value, now));
  if (column.type == "string" && !value.is_null() && !value.is_string()) return value.Dump();
  return value.is_null() ? Json("") : value;
}

bool HasAge(const TypeInfo& info) {
  return std::any_of(info.columns.begin(), info.columns.end(),
                     [](const TypeColumn& c) { return EqualsIgnoreCase(c.name, "age"); });
}

Json Definitions(const TypeInfo& info) {
  Json out = Json::Arr();
  if (info.custom && !info.columns.empty()) {
    out.Push(Definition("Name", "string", 0));
    for (const TypeColumn& c : info.columns) out.Push(Definition(c.name, c.type, c.priority));
    if (!HasAge(info)) out.Push(Definition("Age", "string", 0));
    return out;
  }
  for (const Column& c : ColumnsOf(info.custom ? "" : info.type.kind))
    out.Push(Definition(c.name, "string", c.priority));
  return out;
}

Json Cells(const TypeInfo& info, const Json& object, Time now) {
  Json out = Json::Arr();
  if (info.custom && !info.columns.empty()) {
    out.Push(NameOf(object));
    for (const TypeColumn& c : info.columns) out.Push(CustomCell(c, object, now));
    if (!HasAge(info)) out.Push(AgeOf(object, now));
    return out;
  }
  for (const Column& c : ColumnsOf(info.custom ? "" : info.type.kind))
    out.Push(c.cell(object, now));
  return out;
}

}  // namespace

Json EvaluateColumn(const Json& object, std::string_view path) {
  const Json* at = &object;
  while (!path.empty()) {
    if (path[0] == '.') {
      size_t end = path.find_first_of(".[", 1);
      at = &at->At(path.substr(1, end == std::string_view::npos ? end : end - 1));
      path = end == std::string_view::npos ? "" : path.substr(end);
      continue;
    }
    size_t close = path.find(']');
    if (path[0] != '[' || close == std::string_view::npos) return {};
    std::string_view inner = path.substr(1, close - 1);
    path = path.substr(close + 1);
    if (inner.starts_with("?(@.")) {  // ?(@.type=="Ready")
      size_t equal = inner.find("==");
      if (equal == std::string_view::npos || inner.size() < equal + 5) return {};
      std::string_view key = inner.substr(4, equal - 4);
      std::string_view value = inner.substr(equal + 3, inner.size() - equal - 5);
      const auto& items = at->items();
      auto it = std::find_if(items.begin(), items.end(),
                             [&](const Json& i) { return Text(i.At(key)) == value; });
      if (it == items.end()) return {};
      at = &*it;
    } else {
      at = &at->At(static_cast<size_t>(std::max<int64_t>(0, ParseInt(inner).value_or(0))));
    }
  }
  return *at;
}

Json MakeTable(const TypeInfo& info, const std::vector<const Json*>& objects, const Json& list_meta,
               std::string_view include, bool with_columns, Time now) {
  Json rows = Json::Arr();
  for (const Json* object : objects) {
    Json row = Json::Obj({{"cells", Cells(info, *object, now)}});
    if (include == "Object") {
      row.Set("object", *object);
    } else if (include != "None") {
      row.Set("object", Json::Obj({{"kind", "PartialObjectMetadata"},
                                   {"apiVersion", "meta.k8s.io/v1"},
                                   {"metadata", Meta(*object)}}));
    }
    rows.Push(std::move(row));
  }
  Json table = Json::Obj({{"kind", "Table"},
                          {"apiVersion", "meta.k8s.io/v1"},
                          {"metadata", list_meta.is_object() ? list_meta : Json::Obj()}});
  table.Set("columnDefinitions", with_columns ? Definitions(info) : Json());
  return table.Set("rows", std::move(rows));
}

}  // namespace rollguard::sim
