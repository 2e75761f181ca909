// SPDX-License-Identifier: Apache-2.0
// Keys and signatures from a Guard and its annotations: nothing that is not a signature verifies.
#include <cstdlib>
#include <string>

#include "agent/artifact/verify.h"
#include "agent/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  static const std::string key =
      "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
      "-----END PUBLIC KEY-----\n";
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)artifact::CheckKey(text);
  if (artifact::Verifies(key, "sha256:none", text)) std::abort();
  (void)artifact::Verifies(text, "sha256:none", text);
  spec::Artifacts settings;
  settings.require_digest = true;
  settings.public_keys = {key};
  Json pod = Json::Obj();
  pod["metadata"]["annotations"].Set("rollguard.dev/signature", text);
  pod["spec"]["containers"].Push(
      Json::Obj({{"name", "a"}, {"image", StrCat("shop@sha256:", std::string(64, 'a'))}}));
  if (artifact::CheckImages(settings, pod, Json())) std::abort();
  return 0;
}
