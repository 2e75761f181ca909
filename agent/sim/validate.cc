// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/validate.h"

#include <algorithm>
#include <cctype>

#include "agent/base/text.h"
#include "agent/sim/object.h"
#include "agent/sim/selector.h"

namespace rollguard::sim {
namespace {

using Problems = std::vector<FieldProblem>;

constexpr std::string_view kImmutable = "field is immutable";

bool IsLabelText(std::string_view text, bool dots) {
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (text.empty() || !alnum(text.front()) || !alnum(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return alnum(c) || c == '-' || (dots && c == '.'); });
}

void CheckName(const TypeInfo& info, const Json& object, Problems& problems) {
  std::string_view name = NameOf(object);
  if (name.empty()) {
    problems.push_back(RequiredField("metadata.name", "name or generateName is required"));
    return;
  }
  const std::string& kind = info.type.kind;
  bool rbac = info.type.group == "rbac.authorization.k8s.io";
  if (rbac) return;
  bool label = kind == "Service" || kind == "Namespace";
  bool ok = IsLabelText(name, !label) && name.size() <= (label ? 63U : 253U);
  if (kind == "Service" && !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])))
    ok = false;
  if (ok) return;
  problems.push_back(InvalidField(
      "metadata.name", Json(name),
      label ? "a DNS-1035 label must consist of lower case alphanumeric characters or '-'"
            : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
              "'-' or '.', and must start and end with an alphanumeric character"));
}

bool IsLabelValue(std::string_view value) {
  if (value.empty()) return true;
  auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return value.size() <= 63 && alnum(value.front()) && alnum(value.back()) &&
         std::all_of(value.begin(), value.end(),
                     [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

void CheckLabels(const Json& labels, const std::string& path, Problems& problems) {
  for (const auto& [key, value] : labels.members()) {
    std::string_view name = key;
    if (size_t slash = name.rfind('/'); slash != std::string_view::npos)
      name = name.substr(slash + 1);
    if (name.empty() || !IsLabelValue(name)) {
      problems.push_back(InvalidField(
          path, Json(key), "name part must consist of alphanumeric characters, '-', '_' or '.'"));
    }
    if (!value.is_string() || !IsLabelValue(Text(value))) {
      problems.push_back(InvalidField(
          path, value,
          "a valid label must be an empty string or consist of alphanumeric characters, "
          "'-', '_' or '.', and must start and end with an alphanumeric character"));
    }
  }
}

void CheckContainers(const Json& pod_spec, const std::string& path, Problems& problems) {
  const Json& containers = pod_spec.At("containers");
  if (containers.size() == 0) problems.push_back(RequiredField(path + ".containers"));
  std::vector<std::string_view> seen;
  for (size_t i = 0; i < containers.size(); ++i) {
    const Json& c = containers.At(i);
    std::string at = StrCat(path, ".containers[", i, "]");
    std::string_view name = Text(c.At("name"));
    if (name.empty())
      problems.push_back(RequiredField(at + ".name"));
    else if (!IsLabelText(name, false))
      problems.push_back(InvalidField(
          at + ".name", Json(name),
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"));
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      problems.push_back(
          {at + ".name", "FieldValueDuplicate", StrCat("Duplicate value: ", Quote(name))});
    }
    seen.push_back(name);
    if (Text(c.At("image")).empty()) problems.push_back(RequiredField(at + ".image"));
  }
}

void CheckNonNegative(const Json& spec, std::string_view key, Problems& problems) {
  const Json& value = spec.At(key);
  if (value.is_int() && value.IntOr(0) < 0) {
    problems.push_back(
        InvalidField(StrCat("spec.", key), value, "must be greater than or equal to 0"));
  }
}

void CheckTemplate(const Json& spec, Problems& problems) {
  const Json& tmpl = spec.At("template");
  CheckLabels(Meta(tmpl).At("labels"), "spec.template.labels", problems);
  CheckContainers(tmpl.At("spec"), "spec.template.spec", problems);
}

// Selector present, matching the template, and never changed.
void CheckWorkload(const Json& before, const Json& object, Problems& problems) {
  const Json& spec = object.At("spec");
  const Json& selector = spec.At("selector");
  CheckNonNegative(spec, "replicas", problems);
  CheckNonNegative(spec, "minReadySeconds", problems);
  CheckNonNegative(spec, "revisionHistoryLimit", problems);
  if (selector.is_null()) {
    problems.push_back(RequiredField("spec.selector"));
  } else if (selector.At("matchLabels").size() + selector.At("matchExpressions").size() == 0) {
    problems.push_back(
        InvalidField("spec.selector", selector, "empty selector is invalid for deployment"));
  }
  auto parsed = LabelSelector::FromObject(selector);
  if (!parsed) problems.push_back(InvalidField("spec.selector", selector, parsed.error().message));
  const Json& labels = Meta(spec.At("template")).At("labels");
  if (parsed && !selector.is_null() && !parsed->Matches(labels)) {
    problems.push_back(InvalidField("spec.template.metadata.labels", labels,
                                    "`selector` does not match template `labels`"));
  }
  CheckTemplate(spec, problems);
  std::string_view restart = Text(spec.At("template", "spec", "restartPolicy"));
  if (!restart.empty() && restart != "Always") {
    problems.push_back(
        {"spec.template.spec.restartPolicy", "FieldValueNotSupported",
         StrCat("Unsupported value: ", Quote(restart), ": supported values: \"Always\"")});
  }
  if (!before.is_null() && !(before.At("spec", "selector") == selector)) {
    problems.push_back(InvalidField("spec.selector", selector, kImmutable));
  }
}

bool IsZero(const Json& value) {
  return Text(value) == "0%" || (value.is_int() && value.IntOr(1) == 0);
}

void CheckDeployment(const Json& spec, Problems& problems) {
  const Json& rolling = spec.At("strategy", "rollingUpdate");
  if (rolling.is_object() && IsZero(rolling.At("maxSurge")) &&
      IsZero(rolling.At("maxUnavailable"))) {
    problems.push_back(InvalidField("spec.strategy.rollingUpdate.maxUnavailable",
                                    rolling.At("maxUnavailable"),
                                    "may not be 0 when `maxSurge` is 0"));
  }
  if (Text(spec.At("strategy", "type")) == "Recreate" && !rolling.is_null()) {
    problems.push_back(ForbiddenField("spec.strategy.rollingUpdate",
                                      "may not be specified when strategy `type` is 'Recreate'"));
  }
  int64_t deadline = spec.At("progressDeadlineSeconds").IntOr(600);
  if (deadline <= spec.At("minReadySeconds").IntOr(0)) {
    problems.push_back(InvalidField("spec.progressDeadlineSeconds", Json(deadline),
                                    "must be greater than minReadySeconds"));
  }
}

void CheckStatefulSetUpdate(const Json& before, const Json& object, Problems& problems) {
  if (before.is_null()) return;
  Json was = before.At("spec"), is = object.At("spec");
  for (auto key : {"replicas", "template", "updateStrategy", "minReadySeconds",
                   "persistentVolumeClaimRetentionPolicy"}) {
    was.Erase(key);
    is.Erase(key);
  }
  if (!(was == is)) {
    problems.push_back(
        ForbiddenField("spec",
                       "updates to statefulset spec for fields other than 'replicas', 'template', "
                       "and 'updateStrategy' are forbidden"));
  }
}

// Only images and the deadline of a pod may change.
void CheckPodUpdate(const Json& before, const Json& object, Problems& problems) {
  if (before.is_null()) return;
  Json was = before.At("spec"), is = object.At("spec");
  if (was == is) return;
  for (Json* spec : {&was, &is}) {
    spec->Erase("activeDeadlineSeconds");
    spec->Erase("tolerations");
    spec->Erase("nodeName");
    for (auto list : {"containers", "initContainers"}) {
      if (Json* containers = spec->Find(list); containers != nullptr && containers->is_array()) {
        for (Json& c : containers->items()) c.Erase("image");
      }
    }
  }
  if (!(was == is)) {
    problems.push_back(
        ForbiddenField("spec",
                       "pod updates may not change fields other than `spec.containers[*].image`, "
                       "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds` or "
                       "`spec.tolerations` (only additions to existing tolerations)"));
  }
}

void CheckService(const Json& before, const Json& object, Problems& problems) {
  const Json& spec = object.At("spec");
  const Json& ports = spec.At("ports");
  bool external = Text(spec.At("type")) == "ExternalName";
  bool headless = Text(spec.At("clusterIP")) == "None";
  if (ports.size() == 0 && !external && !headless) problems.push_back(RequiredField("spec.ports"));
  for (size_t i = 0; i < ports.size(); ++i) {
    int64_t port = ports.At(i).At("port").IntOr(0);
    std::string at = StrCat("spec.ports[", i, "]");
    if (port < 1 || port > 65535)
      problems.push_back(InvalidField(at + ".port", ports.At(i).At("port"),
                                      "must be between 1 and 65535, inclusive"));
    if (ports.size() > 1 && Text(ports.At(i).At("name")).empty())
      problems.push_back(RequiredField(at + ".name"));
  }
  CheckLabels(spec.At("selector"), "spec.selector", problems);
  const Json& was = before.At("spec", "clusterIP");
  if (!was.is_null() && !(was == spec.At("clusterIP")) && !external) {
    problems.push_back(InvalidField("spec.clusterIP", spec.At("clusterIP"), kImmutable));
  }
}

void CheckJob(const Json& before, const Json& object, Problems& problems) {
  const Json& spec = object.At("spec");
  CheckTemplate(spec, problems);
  std::string_view restart = Text(spec.At("template", "spec", "restartPolicy"));
  if (restart != "Never" && restart != "OnFailure") {
    problems.push_back({"spec.template.spec.restartPolicy", "FieldValueRequired",
                        "Required value: valid values: \"OnFailure\", \"Never\""});
  }
  if (before.is_null()) return;
  for (auto key : {"template", "selector", "completions"}) {
    if (!(before.At("spec", key) == spec.At(key))) {
      problems.push_back(InvalidField(StrCat("spec.", key), spec.At(key), kImmutable));
    }
  }
}

void CheckImmutableData(const Json& before, const Json& object, Problems& problems) {
  if (!before.At("immutable").BoolOr(false)) return;
  if (!object.At("immutable").BoolOr(false))
    problems.push_back(ForbiddenField("immutable", "field is immutable when `immutable` is set"));
  for (auto key : {"data", "binaryData"}) {
    if (!(before.At(key) == object.At(key)))
      problems.push_back(ForbiddenField(key, "field is immutable when `immutable` is set"));
  }
}

void CheckCrd(const Json& object, Problems& problems) {
  const Json& spec = object.At("spec");
  if (Text(spec.At("group")).empty()) problems.push_back(RequiredField("spec.group"));
  for (auto key : {"plural", "kind"}) {
    if (Text(spec.At("names", key)).empty())
      problems.push_back(RequiredField(StrCat("spec.names.", key)));
  }
  if (spec.At("versions").size() == 0) problems.push_back(RequiredField("spec.versions"));
  std::string wanted = StrCat(Text(spec.At("names", "plural")), ".", Text(spec.At("group")));
  if (NameOf(object) != wanted) {
    problems.push_back(InvalidField("metadata.name", Json(NameOf(object)),
                                    "must be spec.names.plural+\".\"+spec.group"));
  }
  for (size_t i = 0; i < spec.At("versions").size(); ++i) {
    const Json& v = spec.At("versions").At(i);
    if (v.At("schema", "openAPIV3Schema").is_null())
      problems.push_back(RequiredField(StrCat("spec.versions[", i, "].schema.openAPIV3Schema"),
                                       "schemas are required"));
  }
}

}  // namespace

FieldProblem RequiredField(std::string field, std::string_view what) {
  return {std::move(field), "FieldValueRequired",
          what.empty() ? "Required value" : StrCat("Required value: ", what)};
}

FieldProblem InvalidField(std::string field, const Json& value, std::string_view why) {
  return {std::move(field), "FieldValueInvalid",
          StrCat("Invalid value: ", Abbreviate(value.Dump(), 300), ": ", why)};
}

FieldProblem ForbiddenField(std::string field, std::string_view why) {
  return {std::move(field), "FieldValueForbidden", StrCat("Forbidden: ", why)};
}

std::vector<FieldProblem> Validate(const TypeInfo& info, const Json& before, const Json& object) {
  Problems problems;
  CheckName(info, object, problems);
  CheckLabels(Meta(object).At("labels"), "metadata.labels", problems);
  for (const auto& [key, value] : Meta(object).At("annotations").members()) {
    if (!value.is_string())
      problems.push_back(InvalidField("metadata.annotations", value, "must be a string"));
  }
  ValidateMeta(info, before, object, problems);
  if (info.custom) {
    if (!info.schema.is_null()) ValidateSchema(info.schema, object, "", problems);
    return problems;
  }
  const std::string& kind = info.type.kind;
  if (kind == "Deployment" || kind == "ReplicaSet" || kind == "StatefulSet" || kind == "DaemonSet")
    CheckWorkload(before, object, problems);
  if (kind == "Deployment")
    CheckDeployment(object.At("spec"), problems);
  else if (kind == "StatefulSet")
    CheckStatefulSetUpdate(before, object, problems);
  else if (kind == "Pod")
    CheckContainers(object.At("spec"), "spec", problems), CheckPodUpdate(before, object, problems);
  else if (kind == "Service")
    CheckService(before, object, problems);
  else if (kind == "Job")
    CheckJob(before, object, problems);
  else if (kind == "ConfigMap" || kind == "Secret")
    CheckImmutableData(before, object, problems);
  else if (kind == "CustomResourceDefinition")
    CheckCrd(object, problems);
  else if (kind == "HorizontalPodAutoscaler" && object.At("spec", "maxReplicas").IntOr(0) < 1) {
    problems.push_back(InvalidField("spec.maxReplicas", object.At("spec", "maxReplicas"),
                                    "must be greater than 0"));
  }
  return problems;
}

namespace {

std::string_view TypeName(const Json& value) {
  switch (value.type()) {
    case Json::Type::kNull: return "null";
    case Json::Type::kBool: return "boolean";
    case Json::Type::kInt: return "integer";
    case Json::Type::kDouble: return "number";
    case Json::Type::kString: return "string";
    case Json::Type::kArray: return "array";
    case Json::Type::kObject: return "object";
  }
  return "";
}

bool TypeFits(const Json& schema, const Json& value) {
  std::string_view wanted = Text(schema.At("type"));
  std::string_view got = TypeName(value);
  if (schema.At("x-kubernetes-int-or-string").BoolOr(false))
    return got == "integer" || got == "string";
  if (wanted.empty() || wanted == got) return true;
  if (got == "null") return schema.At("nullable").BoolOr(false);
  return wanted == "number" && got == "integer";
}

void CheckBounds(const Json& schema, const Json& value, const std::string& path,
                 Problems& problems) {
  auto limit = [&](std::string_view key, double have, bool upper, std::string_view what) {
    const Json* bound = schema.Find(key);
    if (bound == nullptr) return;
    double b = bound->DoubleOr(0);
    if (upper ? have > b : have < b) {
      problems.push_back(InvalidField(path, value,
                                      StrCat(path, what,
                                             upper ? " should be less than or equal to "
                                                   : " should be greater than or equal to ",
                                             FormatNumber(b))));
    }
  };
  if (value.is_number()) {
    limit("minimum", value.DoubleOr(0), false, " in body");
    limit("maximum", value.DoubleOr(0), true, " in body");
  } else if (value.is_string()) {
    limit("minLength", static_cast<double>(Text(value).size()), false, " length in body");
    limit("maxLength", static_cast<double>(Text(value).size()), true, " length in body");
  } else if (value.is_array()) {
    limit("minItems", static_cast<double>(value.size()), false, " item count in body");
    limit("maxItems", static_cast<double>(value.size()), true, " item count in body");
  }
}

}  // namespace

void ValidateSchema(const Json& schema, const Json& value, const std::string& path,
                    Problems& problems) {
  if (!TypeFits(schema, value)) {
    problems.push_back(
        {path.empty() ? "<nil>" : path, "FieldValueTypeInvalid",
         StrCat("Invalid value: ", Quote(TypeName(value)), ": ", path, " in body must be of type ",
                Text(schema.At("type")), ": ", Quote(TypeName(value)))});
    return;
  }
  const Json& allowed = schema.At("enum");
  if (allowed.is_array() &&
      std::find(allowed.items().begin(), allowed.items().end(), value) == allowed.items().end()) {
    std::string list;
    for (const Json& item : allowed.items()) list += StrCat(list.empty() ? "" : ", ", item.Dump());
    problems.push_back({path, "FieldValueNotSupported",
                        StrCat("Unsupported value: ", value.Dump(), ": supported values: ", list)});
  }
  CheckBounds(schema, value, path, problems);
  for (const Json& name : schema.At("required").items()) {
    std::string field = path.empty() ? name.Str() : StrCat(path, ".", Text(name));
    if (value.is_object() && value.Find(Text(name)) == nullptr)
      problems.push_back(RequiredField(field));
  }
  const Json* items = schema.Find("items");
  for (size_t i = 0; items != nullptr && value.is_array() && i < value.size(); ++i) {
    ValidateSchema(*items, value.At(i), StrCat(path, "[", i, "]"), problems);
  }
  for (const auto& [key, member] : value.members()) {
    const Json* property = schema.At("properties").Find(key);
    if (property == nullptr) property = schema.Find("additionalProperties");
    bool meta = path.empty() && key == "metadata";
    if (property != nullptr && property->is_object() && !meta)
      ValidateSchema(*property, member, path.empty() ? key : StrCat(path, ".", key), problems);
  }
}

}  // namespace rollguard::sim
