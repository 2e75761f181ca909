// SPDX-License-Identifier: Apache-2.0
// The API server's dialect of HTTP: from a request of the port to method, path and body, and from
// an answer that is not a success to an Error. Pure.
#pragma once

#include <string>
#include <vector>

#include "agent/ports/cluster.h"
#include "agent/ports/http_client.h"

namespace rollguard::kube {

// What goes on the wire, without server, credentials and deadlines.
struct WireCall {
  std::string method;
  std::string target;  // "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=rollguard"
  std::string content_type;
  std::string body;
};

// kInvalid names what is missing (a name, a plural) or cannot stand in a path.
Expected<WireCall> ToWire(const ClusterRequest& request);
Expected<WireCall> ToWire(const WatchRequest& request);

// `patch deployments shop/web`, `list pods in "shop"`, `watch leases`: the beginning of each error.
std::string CallLabel(const ClusterRequest& request);
std::string CallLabel(const WatchRequest& request);
const char* VerbName(Verb verb);

// What must not be repeated in errors about the request: the content of a Secret that is written,
// the token that is reviewed.
std::vector<std::string> SecretTexts(const ClusterRequest& request);
// The error with each of them replaced by "***".
Error WithoutTexts(Error error, const std::vector<std::string>& texts);

// The Error for an answer whose status is not 2xx. The body is a Status object, or whatever stood
// between the agent and the server.
Error StatusError(const std::string& label, const HttpResponse& response);
// The same for the Status object of a watch's ERROR event.
Error StatusError(const std::string& label, const Json& status);
// For a 2xx answer that cannot be read: says HTML where it is, and shows the beginning.
Error UnreadableError(const std::string& label, const HttpResponse& response,
                      const std::string& why);

}  // namespace rollguard::kube
