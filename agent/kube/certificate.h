// SPDX-License-Identifier: Apache-2.0
// What can be wrong with certificates before they are used.
#pragma once

#include <string>

#include "agent/base/expected.h"
#include "agent/base/time.h"

namespace rollguard::kube {

// The first certificate of `cert_pem` is valid at `now`, and `key_pem` is its key. The error says
// "expired on ...", "is not PEM", "does not belong to ...", without naming files.
Status CheckClientCertificate(const std::string& cert_pem, const std::string& key_pem, Time now);

// There is at least one certificate.
Status CheckCa(const std::string& pem);

}  // namespace rollguard::kube
