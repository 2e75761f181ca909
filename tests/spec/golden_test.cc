// SPDX-License-Identifier: Apache-2.0
// Every tests/golden/NAME.bad.yaml gives exactly the text of NAME.err. UPDATE_GOLDEN=1 rewrites.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "agent/spec/load.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace rollguard;

namespace {

std::string ReadFile(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string Problems(const std::string& name, const std::string& text) {
  Diagnostics diagnostics;
  spec::Library library;
  spec::LoadText(name, text, library, diagnostics);
  spec::CheckLibrary(library, name.find("complete") != std::string::npos, diagnostics);
  std::string out;
  for (const Diagnostic& d : diagnostics.Sorted()) out += Render(d, text);
  return out;
}

}  // namespace

TEST_CASE("golden: bad files give exactly these problems") {
  bool update = std::getenv("UPDATE_GOLDEN") != nullptr;
  fs::path folder = fs::path(ROLLGUARD_SOURCE_DIR) / "tests/golden";
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string name = entry.path().filename().string();
    size_t suffix = name.find(".bad.yaml");
    if (suffix == std::string::npos) continue;
    ++files;
    INFO(name);
    std::string got = Problems(name, ReadFile(entry.path()));
    fs::path expected = folder / (name.substr(0, suffix) + ".err");
    CHECK(!got.empty());
    if (update) std::ofstream(expected, std::ios::binary) << got;
    CHECK(got == ReadFile(expected));
  }
  CHECK(files >= 60);
}

TEST_CASE("golden: what is shipped has no problems") {
  Diagnostics diagnostics;
  spec::Library library;
  size_t files = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(ROLLGUARD_SOURCE_DIR) / "rules")) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    spec::LoadText(entry.path().string(), ReadFile(entry.path()), library, diagnostics);
  }
  spec::CheckLibrary(library, true, diagnostics);
  for (const Diagnostic& d : diagnostics.Sorted()) UNSCOPED_INFO(Render(d, ""));
  CHECK(diagnostics.empty());
  CHECK(files > 20);
  CHECK(library.groups.size() >= 13);
  CHECK(library.templates.size() == 4);
  CHECK(library.policies.size() == 3);
}
