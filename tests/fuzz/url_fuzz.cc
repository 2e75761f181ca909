// SPDX-License-Identifier: Apache-2.0
// URLs and refusals as errors show them: whatever stands before an @, in a secret's parameter, or
// in a header that authenticates is gone.
#include <cstdlib>
#include <string>

#include "agent/net/curl_client.h"
#include "agent/net/redact.h"
#include "agent/net/url_parts.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (net::SafeUrl(text).size() > 320) std::abort();
  (void)net::SplitUrl(text);
  HttpRequest request;
  request.url = text;
  request.secret_url = size % 2 == 0;
  request.headers = {{"Authorization", "Bearer " + text.substr(size / 2)}};
  const auto secrets = net::SecretsOf(request);
  // Redacting may join what stood around a secret; it never leaves the longest one.
  if (!secrets.empty() && secrets[0].find('*') == std::string::npos &&
      net::Redact("a " + secrets[0] + " b", secrets).find(secrets[0]) != std::string::npos)
    std::abort();
  return 0;
}
