// SPDX-License-Identifier: Apache-2.0
// The pieces of the route table, and the parameters that several routes take. For routes*.cc.
#pragma once

#include <vector>

#include "agent/api/route.h"

namespace rollguard::api {

inline const Param kLimit{"limit", "integer", "how many at most, 1 to 500; default 100"};
inline const Param kContinue{"continue", "string", "`next` of the page before"};
inline const Param kNamespace{"namespace", "string", "only of this namespace"};
inline const Param kGuard{"guard", "string", "only of this guard, as namespace/name"};
inline const Param kSince{"since", "time", "not older than this"};
inline const Param kUntil{"until", "time", "older than this"};

// Append to the table.
void AddHistory(std::vector<Route>& table);
void AddNotifications(std::vector<Route>& table);
void AddDeployments(std::vector<Route>& table);
void AddEvents(std::vector<Route>& table);

}  // namespace rollguard::api
