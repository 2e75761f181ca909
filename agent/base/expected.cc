// SPDX-License-Identifier: Apache-2.0
#include "agent/base/expected.h"

namespace rollguard {

const char* ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kAlreadyExists: return "already exists";
    case ErrorCode::kConflict: return "conflict";
    case ErrorCode::kGone: return "gone";
    case ErrorCode::kUnauthenticated: return "unauthenticated";
    case ErrorCode::kDenied: return "denied";
    case ErrorCode::kTooLarge: return "too large";
    case ErrorCode::kThrottled: return "throttled";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInternal: return "internal";
  }
  return "unknown";
}

}  // namespace rollguard
