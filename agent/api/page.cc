// SPDX-License-Identifier: Apache-2.0
#include "agent/api/page.h"

#include "agent/base/hash.h"
#include "agent/base/text.h"

namespace rollguard::api {
namespace {

// Nothing from elsewhere, nothing inline, nothing framed; requests go to this server only.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for "
    "'script'; trusted-types 'none'";

http::Response Serve(const Asset& asset, const std::string& etag, const http::Request& request) {
  http::Response response{.content_type = std::string(asset.type)};
  bool known = request.Header("if-none-match") == etag;
  response.status = known ? 304 : 200;
  if (!known) response.body = asset.bytes;
  response.headers = {{"ETag", etag},
                      {"Cache-Control", "no-cache"},
                      {"Content-Security-Policy", std::string(kPolicy)},
                      {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"}};
  return response;
}

}  // namespace

void AddPage(http::Router& router) {
  for (const Asset& asset : Assets()) {
    std::string etag = StrCat("\"", ShortHash(asset.bytes, 12), "\"");
    auto handler = [&asset, etag](const http::Request& r) { return Serve(asset, etag, r); };
    router.Add("GET", asset.path, handler);
    if (asset.path == "/page/index.html") router.Add("GET", "/", handler);
  }
}

}  // namespace rollguard::api
