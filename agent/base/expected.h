// SPDX-License-Identifier: Apache-2.0
// Run-time failure as a value. `Expected<T>` holds either a T or an Error; nothing in rollguard's
// own code throws. What people wrote in files is reported through Diagnostics instead.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace rollguard {

enum class ErrorCode {
  kInvalid,  // the request or input is wrong; trying again cannot help
  kNotFound,
  kAlreadyExists,
  kConflict,  // resourceVersion or precondition no longer holds
  kGone,      // the history asked for was compacted away
  kUnauthenticated,
  kDenied,
  kTooLarge,
  kThrottled,  // 429 or a limit of our own; see retry_after
  kTimeout,
  kUnavailable,  // connection refused, 5xx, TLS failure, a body cut short
  kCancelled,
  kInternal,  // should not happen; a bug or a broken peer
};

const char* ToString(ErrorCode code);

// One sentence that says what failed, on which object, and what to do about it.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  bool retryable = false;
  std::chrono::milliseconds retry_after{0};  // zero: the caller's own backoff

  Error() = default;
  Error(ErrorCode c, std::string m) : code(c), message(std::move(m)), retryable(MayRetry(c)) {}

  // True for the codes that a later attempt can cure.
  static bool MayRetry(ErrorCode code) {
    return code == ErrorCode::kThrottled || code == ErrorCode::kTimeout ||
           code == ErrorCode::kUnavailable;
  }
};

// A value or the reason there is none. Accessing the missing side is a programming error (it
// throws std::bad_variant_access, which no one catches).
template <class T>
class [[nodiscard]] Expected {
 public:
  Expected(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(*-explicit-*)
  Expected(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  const T& value() const& { return std::get<0>(state_); }
  T& value() & { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }

  const Error& error() const { return std::get<1>(state_); }
  T value_or(T other) const& { return ok() ? value() : std::move(other); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Expected<void> {
 public:
  Expected() = default;
  Expected(Error error) : error_(std::move(error)) {}  // NOLINT(*-explicit-*)

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Expected<void>;

}  // namespace rollguard
