// SPDX-License-Identifier: Apache-2.0
// What a request proves itself with must not come back in what is said about it: error pages like
// to show the request they are about. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/ports/http_client.h"

namespace rollguard::net {

// "token", "X-Api-Key", "client_secret", "sig": a query parameter or header whose value is secret.
bool NamesSecret(std::string_view name);

// Every text of the request that must stay unsaid, longest first: values of headers that
// authenticate (with the parts of Basic), user and password of the URL, values of its secret
// parameters, a secret path with its parts. Texts of fewer than four bytes are left out: hiding
// them would only make answers unreadable.
std::vector<std::string> SecretsOf(const HttpRequest& request);

// `text` with each of them replaced by "***".
std::string Redact(std::string text, const std::vector<std::string>& secrets);

// The headers and body of an answer that people may be shown: every status but 2xx, and whatever
// says that it is not JSON. What an API answers well is left as it is, for it may be about secrets.
void RedactAnswer(const HttpRequest& request, HttpResponse& response);

}  // namespace rollguard::net
