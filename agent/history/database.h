// SPDX-License-Identifier: Apache-2.0
// The little SQL that history needs, in the dialect both databases share. Placeholders are written
// $1, $2, ...; every value travels as text or NULL. One connection, used by one thread at a time.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/expected.h"
#include "agent/base/time.h"

namespace rollguard::history {

using Value = std::optional<std::string>;
using Row = std::vector<Value>;

class Database {
 public:
  virtual ~Database() = default;
  // Connects when there is no live connection.
  virtual Status Open() = 0;
  virtual Status Execute(const std::string& sql, const Row& values = {}) = 0;
  virtual Expected<std::vector<Row>> Query(const std::string& sql, const Row& values = {}) = 0;
  // The column type of an automatically growing 64-bit key.
  virtual std::string_view SerialKey() const = 0;
  virtual bool IsOpen() const = 0;
  // What is to be done now and then, beside what another connection writes.
  virtual void Tidy() {}
  // From any thread, for good: the end is near. A server that says nothing is given up after two
  // seconds from now on, and what is not connected stays so.
  virtual void Hurry() {}
};

// A file in WAL mode with synchronous=FULL: what is committed survives kill -9 and power loss.
std::unique_ptr<Database> OpenSqlite(std::string path);
// A libpq connection string or URL. Errors never show the password. A server that says nothing for
// `silence`, though its machine still acknowledges what it is sent (it was stopped, or its disk
// hangs), is given up; that is longer than what the server itself allows a statement (10 s).
std::unique_ptr<Database> OpenPostgres(std::string url,
                                       Duration silence = std::chrono::seconds(12));

}  // namespace rollguard::history
