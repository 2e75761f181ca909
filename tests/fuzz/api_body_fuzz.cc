// SPDX-License-Identifier: Apache-2.0
// Bodies of every route of the API: held against their schema without a crash, every problem says
// where it is; a deployment that passes becomes a Guard that the loader takes, or says why not.
#include <cstdlib>
#include <string_view>

#include "agent/api/guard_writer.h"
#include "agent/api/image.h"
#include "agent/api/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto body = ParseJson(text);
  if (!body) return 0;
  for (const char* type : {"CommandBody", "DeploymentBody", "ReleaseBody"}) {
    if (api::FindSchema(type) == nullptr) continue;
    for (const std::string& problem : api::CheckType(*body, type, "body")) {
      if (!problem.starts_with("body")) std::abort();
    }
  }
  if (api::CheckType(*body, "DeploymentBody", "body").empty()) {
    auto guard = api::WriteGuard(*body, Json());
    if (guard && !api::WriteGuard(*body, *guard)) std::abort();
    if (!guard && guard.error().message.empty()) std::abort();
  }
  (void)api::FindContainer(*body, body->At("name").Str());
  (void)api::ResolveImage(body->At("version").Str(), "shop/cart:v1");
  return 0;
}
