// SPDX-License-Identifier: Apache-2.0
// Debian's Chromium without a screen, driven by its own driver over WebDriver.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/json.h"
#include "tests/support/process.h"

namespace rollguard::testing {

class Browser {
 public:
  // Whether Chromium and its driver are installed.
  static bool Available();

  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  void Open(const std::string& url);
  void Resize(int width, int height);
  // Runs a function body in the page and gives what it returns.
  Json Run(const std::string& body, Json arguments = Json::Arr());
  // Asks until the body returns something true; false when `seconds` are over.
  bool Await(const std::string& body, int seconds = 20);

  // Of the first element that fits the CSS selector, as soon as there is one.
  void Click(const std::string& css);
  void Type(const std::string& css, const std::string& text);
  std::string Text(const std::string& css);
  // Presses keys one after another, as "\uE004" (Tab), "\uE007" (Enter), "\uE00C" (Escape).
  void Press(const std::string& key);

  // A PNG of what is seen.
  void Screenshot(const std::string& file);
  // What the browser complained about since the last time.
  std::vector<std::string> TakeComplaints();

 private:
  struct Http;
  Json Call(const std::string& method, const std::string& path, const Json& body = {});
  Json OnElement(const std::string& css, const std::string& method, const std::string& verb,
                 const Json& body = {});

  TempDir folder_;
  std::unique_ptr<Process> driver_;
  std::unique_ptr<Http> http_;
  std::string session_;
};

}  // namespace rollguard::testing
