// SPDX-License-Identifier: Apache-2.0
#include "tests/support/routes.h"

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

constexpr const char* kRoutes = R"(
---
apiVersion: v1
kind: Service
metadata: {name: checkout, namespace: NS}
spec: {selector: {app: checkout}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1beta1
kind: VirtualService
metadata: {name: checkout, namespace: NS}
spec:
  hosts: [checkout]
  http:
    - name: primary
      route: [{destination: {host: checkout, subset: stable}, weight: 100}]
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: checkout, namespace: NS}
spec:
  host: checkout
  subsets:
    - {name: stable, labels: {app: checkout}}
    - {name: candidate, labels: {app: checkout}}
)";

}  // namespace

std::string RouteManifests(const std::string& ns) { return ReplaceAll(kRoutes, "NS", ns); }

}  // namespace rollguard::testing
