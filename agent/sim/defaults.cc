// SPDX-License-Identifier: Apache-2.0
#include "agent/sim/defaults.h"

#include <algorithm>
#include <string_view>

#include "agent/base/text.h"
#include "agent/sim/object.h"

namespace rollguard::sim {
namespace {

void Default(Json& object, std::string_view key, Json value) {
  Json& slot = object[key];
  if (slot.is_null()) slot = std::move(value);
}

void DefaultProbe(Json& container, std::string_view name) {
  Json* probe = container.Find(name);
  if (probe == nullptr || !probe->is_object()) return;
  Default(*probe, "timeoutSeconds", 1);
  Default(*probe, "periodSeconds", 10);
  Default(*probe, "successThreshold", 1);
  Default(*probe, "failureThreshold", 3);
  if (Json* http = probe->Find("httpGet"); http != nullptr && http->is_object()) {
    Default(*http, "path", "/");
    Default(*http, "scheme", "HTTP");
  }
}

void DefaultContainer(Json& container) {
  if (!container.is_object()) return;
  std::string_view image = Text(container.At("image"));
  size_t slash = image.rfind('/');
  std::string_view last = slash == std::string_view::npos ? image : image.substr(slash + 1);
  bool latest = last.find(':') == std::string_view::npos || last.ends_with(":latest");
  bool digest = image.find('@') != std::string_view::npos;
  Default(container, "resources", Json::Obj());
  Default(container, "terminationMessagePath", "/dev/termination-log");
  Default(container, "terminationMessagePolicy", "File");
  Default(container, "imagePullPolicy", latest && !digest ? "Always" : "IfNotPresent");
  for (auto probe : {"livenessProbe", "readinessProbe", "startupProbe"})
    DefaultProbe(container, probe);
  if (Json* ports = container.Find("ports"); ports != nullptr && ports->is_array()) {
    for (Json& port : ports->items()) {
      if (port.is_object()) Default(port, "protocol", "TCP");
    }
  }
}

void DefaultPodSpec(Json& spec, std::string_view restart_policy) {
  if (!spec.is_object()) return;
  for (auto list : {"containers", "initContainers"}) {
    if (Json* containers = spec.Find(list); containers != nullptr && containers->is_array()) {
      for (Json& c : containers->items()) DefaultContainer(c);
    }
  }
  if (!restart_policy.empty()) Default(spec, "restartPolicy", restart_policy);
  Default(spec, "terminationGracePeriodSeconds", 30);
  Default(spec, "dnsPolicy", "ClusterFirst");
  Default(spec, "securityContext", Json::Obj());
  Default(spec, "schedulerName", "default-scheduler");
  if (const Json* account = spec.Find("serviceAccountName"))
    Default(spec, "serviceAccount", *account);
  if (Json* volumes = spec.Find("volumes"); volumes != nullptr && volumes->is_array()) {
    for (Json& v : volumes->items()) {
      for (auto kind : {"configMap", "secret"}) {
        if (Json* source = v.Find(kind); source != nullptr && source->is_object())
          Default(*source, "defaultMode", 420);
      }
    }
  }
}

void DefaultTemplate(Json& spec, std::string_view restart_policy) {
  Json* tmpl = spec.Find("template");
  if (tmpl == nullptr || !tmpl->is_object()) return;
  if (Json* meta = tmpl->Find("metadata"); meta != nullptr && meta->is_object())
    meta->Erase("creationTimestamp");
  if (Json* pod = tmpl->Find("spec")) DefaultPodSpec(*pod, restart_policy);
}

void DefaultDeployment(Json& spec) {
  Default(spec, "replicas", 1);
  Json& strategy = spec["strategy"];
  if (strategy.is_null()) strategy = Json::Obj();
  if (!strategy.is_object()) return;
  Default(strategy, "type", "RollingUpdate");
  if (Text(strategy.At("type")) == "RollingUpdate") {
    Default(strategy, "rollingUpdate", Json::Obj());
    Json& rolling = strategy["rollingUpdate"];
    if (!rolling.is_object()) return;
    Default(rolling, "maxSurge", "25%");
    Default(rolling, "maxUnavailable", "25%");
  }
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "progressDeadlineSeconds", 600);
  DefaultTemplate(spec, "Always");
}

void DefaultStatefulSet(Json& spec) {
  Default(spec, "replicas", 1);
  Default(spec, "podManagementPolicy", "OrderedReady");
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "updateStrategy", Json::Obj({{"type", "RollingUpdate"}}));
  Json& strategy = spec["updateStrategy"];
  if (strategy.is_object()) {
    Default(strategy, "type", "RollingUpdate");
    if (Text(strategy.At("type")) == "RollingUpdate") {
      Default(strategy, "rollingUpdate", Json::Obj());
      if (strategy["rollingUpdate"].is_object()) Default(strategy["rollingUpdate"], "partition", 0);
    }
  }
  DefaultTemplate(spec, "Always");
}

void DefaultDaemonSet(Json& spec) {
  Default(spec, "revisionHistoryLimit", 10);
  Default(spec, "updateStrategy", Json::Obj({{"type", "RollingUpdate"}}));
  Json& strategy = spec["updateStrategy"];
  if (strategy.is_object() && Text(strategy.At("type")) == "RollingUpdate") {
    Default(strategy, "rollingUpdate", Json::Obj());
    if (strategy["rollingUpdate"].is_object())
      Default(strategy["rollingUpdate"], "maxUnavailable", 1);
  }
  DefaultTemplate(spec, "Always");
}

// Jobs get a selector of their own: the controller-uid label. (The uid exists by now.)
void DefaultJob(Json& object) {
  Json& spec = object["spec"];
  Default(spec, "parallelism", 1);
  Default(spec, "completions", 1);
  Default(spec, "backoffLimit", 6);
  DefaultTemplate(spec, "");
  std::string uid(UidOf(object));
  if (uid.empty() || spec.At("manualSelector").BoolOr(false) || !spec.At("selector").is_null())
    return;
  spec.Set("selector", Json::Obj({{"matchLabels", Json::Obj({{"controller-uid", uid}})}}));
  Json& tmpl = spec["template"];
  if (tmpl.is_null()) tmpl = Json::Obj();
  if (!tmpl.is_object()) return;
  Json& meta = tmpl["metadata"];
  if (meta.is_null()) meta = Json::Obj();
  if (!meta.is_object()) return;
  Json& labels = meta["labels"];
  if (labels.is_null()) labels = Json::Obj();
  if (labels.is_object()) labels.Set("controller-uid", uid).Set("job-name", NameOf(object));
}

void DefaultService(Json& object) {
  Json& spec = object["spec"];
  Default(spec, "type", "ClusterIP");
  Default(spec, "sessionAffinity", "None");
  Json* ports = spec.Find("ports");
  if (ports == nullptr || !ports->is_array()) return;
  for (Json& port : ports->items()) {
    if (!port.is_object()) continue;
    Default(port, "protocol", "TCP");
    Default(port, "targetPort", port.At("port"));
  }
  if (Text(spec.At("type")) == "ExternalName" || !spec.At("clusterIP").is_null()) return;
  uint64_t hash = 5381;
  for (char c : StrCat(NamespaceOf(object), "/", NameOf(object)))
    hash = hash * 33 + static_cast<unsigned char>(c);
  std::string ip = StrCat("10.96.", (hash >> 8) % 254 + 1, ".", hash % 254 + 1);
  spec.Set("clusterIP", ip).Set("clusterIPs", Json::Arr({ip}));
}

void DefaultCrd(Json& object) {
  object["status"];  // made first: references into an object do not survive a new member
  Json& spec = object["spec"];
  if (!spec.is_object()) return;
  Default(spec, "conversion", Json::Obj({{"strategy", "None"}}));
  Json& names = spec["names"];
  if (!names.is_object()) return;
  Default(names, "singular", ToLower(Text(names.At("kind"))));
  Default(names, "listKind", StrCat(Text(names.At("kind")), "List"));
  Json& status = object["status"];
  if (!status.is_object()) status = Json::Obj();
  status.Set("acceptedNames", names);
  Json conditions = Json::Arr();
  for (auto type : {"NamesAccepted", "Established"}) {
    conditions.Push(Json::Obj({{"type", type},
                               {"status", "True"},
                               {"reason", type},
                               {"message", "accepted"},
                               {"lastTransitionTime", Meta(object).At("creationTimestamp")}}));
  }
  status.Set("conditions", conditions);
  Json stored = Json::Arr();
  for (const Json& v : spec.At("versions").items()) {
    if (v.At("storage").BoolOr(false)) stored.Push(v.At("name"));
  }
  status.Set("storedVersions", stored);
}

// autoscaling/v1's one target as a metric, so that controllers read one form.
void DefaultHpa(Json& spec) {
  Default(spec, "minReplicas", 1);
  const Json& percent = spec.At("targetCPUUtilizationPercentage");
  if (percent.is_null() || !spec.At("metrics").is_null()) {
    Default(spec, "metrics", Json::Arr());
    return;
  }
  Json target = Json::Obj({{"type", "Utilization"}, {"averageUtilization", percent}});
  Json resource = Json::Obj({{"name", "cpu"}, {"target", target}});
  spec.Set("metrics", Json::Arr({Json::Obj({{"type", "Resource"}, {"resource", resource}})}));
  spec.Erase("targetCPUUtilizationPercentage");
}

void PruneAndDefault(const Json& schema, Json& value, bool root) {
  if (value.is_array()) {
    const Json* items = schema.Find("items");
    if (items == nullptr) return;
    for (Json& item : value.items()) PruneAndDefault(*items, item, false);
    return;
  }
  if (!value.is_object()) return;
  const Json& properties = schema.At("properties");
  const Json& rest = schema.At("additionalProperties");
  bool keep = schema.At("x-kubernetes-preserve-unknown-fields").BoolOr(false) || rest.is_object() ||
              rest.BoolOr(false);
  if (!keep) {
    std::erase_if(value.members(), [&](const Json::Member& m) {
      if (properties.Find(m.first) != nullptr) return false;
      return !(root && (m.first == "apiVersion" || m.first == "kind" || m.first == "metadata"));
    });
  }
  for (const auto& [key, property] : properties.members()) {
    const Json* fallback = property.Find("default");
    if (fallback != nullptr && value.Find(key) == nullptr) value.Set(key, *fallback);
  }
  for (auto& [key, member] : value.members()) {
    if (root && key == "metadata") continue;
    const Json* property = properties.Find(key);
    if (property == nullptr && rest.is_object()) property = &rest;
    if (property != nullptr) PruneAndDefault(*property, member, false);
  }
}

// `stringData` is written in plain text and kept as base64 in `data`.
void DefaultSecret(Json& object) {
  Default(object, "type", "Opaque");
  const Json plain = object.At("stringData");
  if (plain.size() == 0) return;
  Json& data = object["data"];
  for (const auto& [key, value] : plain.members()) data[key] = Base64Encode(value.Str());
  object.Erase("stringData");
}

}  // namespace

void ApplyDefaults(const TypeInfo& info, Json& object) {
  if (info.custom) {
    if (!info.schema.is_null()) ApplySchema(info.schema, object);
    return;
  }
  const std::string& kind = info.type.kind;
  if (kind == "CustomResourceDefinition") return DefaultCrd(object);
  Json* spec = object.Find("spec");
  if (kind == "Secret") DefaultSecret(object);
  if (kind == "Namespace") {
    Default(object, "spec", Json::Obj({{"finalizers", Json::Arr({"kubernetes"})}}));
    Default(object, "status", Json::Obj({{"phase", "Active"}}));
    Json& labels = object["metadata"]["labels"];
    if (labels.is_null()) labels = Json::Obj();
    if (labels.is_object()) Default(labels, "kubernetes.io/metadata.name", NameOf(object));
  }
  if (spec == nullptr || !spec->is_object()) return;
  if (kind == "Deployment")
    DefaultDeployment(*spec);
  else if (kind == "ReplicaSet")
    Default(*spec, "replicas", 1), DefaultTemplate(*spec, "Always");
  else if (kind == "StatefulSet")
    DefaultStatefulSet(*spec);
  else if (kind == "DaemonSet")
    DefaultDaemonSet(*spec);
  else if (kind == "Job")
    DefaultJob(object);
  else if (kind == "Service")
    DefaultService(object);
  else if (kind == "HorizontalPodAutoscaler")
    DefaultHpa(*spec);
  else if (kind == "Pod") {
    DefaultPodSpec(*spec, "Always");
    Default(object, "status", Json::Obj({{"phase", "Pending"}}));
  }
}

void ApplySchema(const Json& schema, Json& object) { PruneAndDefault(schema, object, true); }

}  // namespace rollguard::sim
