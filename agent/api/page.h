// SPDX-License-Identifier: Apache-2.0
// The web page: a few files that are part of the program.
#pragma once

#include <span>
#include <string_view>

#include "agent/http/router.h"

namespace rollguard::api {

struct Asset {
  std::string_view path;  // "/page/app.js"
  std::string_view type;  // "text/javascript; charset=utf-8"
  std::string_view bytes;
};

// Made from agent/api/page/ when the program is built.
std::span<const Asset> Assets();

// GET / and the files it needs. They are open: who reads them learns nothing of the cluster.
void AddPage(http::Router& router);

}  // namespace rollguard::api
