// SPDX-License-Identifier: Apache-2.0
// Kubernetes Events (events.k8s.io/v1) about the objects the agent works on.
#pragma once

#include <functional>
#include <string>

#include "agent/ports/cluster.h"

namespace rollguard::kube {

struct EventNote {
  Json regarding;               // apiVersion, kind, namespace, name, uid; see ReferenceTo
  std::string type = "Normal";  // or "Warning"
  std::string reason;           // "RolledBack": CamelCase, at most 128 bytes
  std::string action;           // "Rollback"
  std::string note;             // for people; cut at 1024 bytes
  std::string controller = "rollguard.dev/agent";
  std::string instance;  // the pod's name
  Time time;
};

// {apiVersion, kind, namespace, name, uid} of a whole object.
Json ReferenceTo(const Json& object);

// The Event object. Its name is made of the object's name, the reason and a hash of the note and
// time, so that sending one twice is an "already exists", not a second event.
Json MakeEvent(const EventNote& note);

void SendEvent(Cluster& cluster, const EventNote& note, std::function<void(Status)> done);

}  // namespace rollguard::kube
