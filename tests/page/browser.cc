// SPDX-License-Identifier: Apache-2.0
#include "tests/page/browser.h"

#include <httplib.h>

#include <fstream>
#include <stdexcept>

#include "agent/base/text.h"
#include "tests/support/free_port.h"

namespace rollguard::testing {
namespace {

constexpr const char* kElementKey = "element-6066-11e4-a52e-4f735466cecf";

Json Capabilities(const std::string& profile) {
  Json arguments = Json::Arr();
  for (const std::string& one :
       {std::string("--headless=new"), std::string("--no-sandbox"), std::string("--disable-gpu"),
        std::string("--disable-dev-shm-usage"), std::string("--no-first-run"),
        std::string("--disable-background-networking"), std::string("--hide-scrollbars"),
        std::string("--force-device-scale-factor=1"), StrCat("--user-data-dir=", profile)})
    arguments.Push(one);
  Json always = Json::Obj(
      {{"browserName", "chrome"},
       {"goog:loggingPrefs", Json::Obj({{"browser", "ALL"}})},
       {"goog:chromeOptions",
        Json::Obj({{"args", std::move(arguments)}, {"binary", FindProgram("chromium")}})}});
  return Json::Obj({{"capabilities", Json::Obj({{"alwaysMatch", std::move(always)}})}});
}

// What the driver refused, and whether it may do it a moment later.
class Refused : public std::runtime_error {
 public:
  Refused(std::string code, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)) {}
  bool MayPass() const {
    return code_ == "stale element reference" || code_ == "no such element" ||
           code_ == "element click intercepted" || code_ == "element not interactable";
  }

 private:
  std::string code_;
};

}  // namespace

struct Browser::Http {
  explicit Http(int port) : client("127.0.0.1", port) {
    client.set_read_timeout(60);
    client.set_keep_alive(true);
  }
  httplib::Client client;
};

bool Browser::Available() {
  return !FindProgram("chromium").empty() && !FindProgram("chromedriver").empty();
}

Browser::Browser() : folder_("browser") {
  int port = FreePort();
  ProcessOptions options;
  options.log = StrCat(folder_.path(), "/driver.log");
  auto started = Process::Start({FindProgram("chromedriver"), StrCat("--port=", port)}, options);
  if (!started.ok()) throw std::runtime_error(started.error().message);
  driver_ = std::move(*started);
  http_ = std::make_unique<Http>(port);
  bool up = PollUntil(
      [&] {
        auto answer = http_->client.Get("/status");
        return answer && answer->body.find("\"ready\":true") != std::string::npos;
      },
      std::chrono::seconds(30));
  if (!up) throw std::runtime_error("chromedriver does not answer");
  Json session = Call("POST", "/session", Capabilities(StrCat(folder_.path(), "/profile")));
  session_ = StrCat("/session/", session.At("sessionId").Str());
}

Browser::~Browser() {
  if (http_ && !session_.empty()) http_->client.Delete(session_.c_str());
  if (driver_) driver_->Stop();
}

Json Browser::Call(const std::string& method, const std::string& path, const Json& body) {
  std::string at = session_ + path;
  auto answer =
      method == "GET"
          ? http_->client.Get(at.c_str())
          : http_->client.Post(at.c_str(), body.is_null() ? "{}" : body.Dump(), "application/json");
  if (!answer) throw std::runtime_error(StrCat("chromedriver is gone at ", at));
  auto json = ParseJson(answer->body, {.allow_duplicate_keys = true});
  if (!json.ok()) throw std::runtime_error(StrCat("chromedriver says ", answer->body));
  if (answer->status >= 400)
    throw Refused(json->At("value", "error").Str(),
                  StrCat(at, ": ", json->At("value", "message").Str()));
  return json->At("value");
}

void Browser::Open(const std::string& url) { Call("POST", "/url", Json::Obj({{"url", url}})); }

void Browser::Resize(int width, int height) {
  // The window's own size has a lower bound; the emulated screen's has none.
  Json metrics = Json::Obj(
      {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
  Call("POST", "/goog/cdp/execute",
       Json::Obj({{"cmd", "Emulation.setDeviceMetricsOverride"}, {"params", std::move(metrics)}}));
}

Json Browser::Run(const std::string& body, Json arguments) {
  return Call("POST", "/execute/sync",
              Json::Obj({{"script", body}, {"args", std::move(arguments)}}));
}

bool Browser::Await(const std::string& body, int seconds) {
  return PollUntil([&] { return Run(body).BoolOr(false); }, std::chrono::seconds(seconds),
                   std::chrono::milliseconds(100));
}

// The page draws itself anew whenever something happens, so what was found may be gone when it is
// touched: then it is looked for again. A refused click or text has had no effect.
Json Browser::OnElement(const std::string& css, const std::string& method, const std::string& verb,
                        const Json& body) {
  Json answer;
  std::string refusal;
  const bool done = PollUntil(
      [&] {
        try {
          Json found =
              Call("POST", "/element", Json::Obj({{"using", "css selector"}, {"value", css}}));
          answer = Call(method, StrCat("/element/", found.At(kElementKey).Str(), verb), body);
          return true;
        } catch (const Refused& refused) {
          if (!refused.MayPass()) throw;
          refusal = refused.what();
          return false;
        }
      },
      std::chrono::seconds(10));
  if (!done) throw std::runtime_error(refusal);
  return answer;
}

void Browser::Click(const std::string& css) { OnElement(css, "POST", "/click"); }

void Browser::Type(const std::string& css, const std::string& text) {
  OnElement(css, "POST", "/value", Json::Obj({{"text", text}}));
}

std::string Browser::Text(const std::string& css) { return OnElement(css, "GET", "/text").Str(); }

void Browser::Press(const std::string& key) {
  Json strokes = Json::Arr({Json::Obj({{"type", "keyDown"}, {"value", key}}),
                            Json::Obj({{"type", "keyUp"}, {"value", key}})});
  Json keyboard = Json::Obj({{"type", "key"}, {"id", "keyboard"}, {"actions", std::move(strokes)}});
  Call("POST", "/actions", Json::Obj({{"actions", Json::Arr({std::move(keyboard)})}}));
}

void Browser::Screenshot(const std::string& file) {
  auto bytes = Base64Decode(Call("GET", "/screenshot").Str());
  std::ofstream(file, std::ios::binary) << bytes.value_or("");
}

std::vector<std::string> Browser::TakeComplaints() {
  std::vector<std::string> complaints;
  Json entries = Call("POST", "/se/log", Json::Obj({{"type", "browser"}}));
  for (const Json& entry : entries.items()) {
    std::string level = entry.At("level").Str();
    if (level == "SEVERE" || level == "WARNING") complaints.push_back(entry.At("message").Str());
  }
  return complaints;
}

}  // namespace rollguard::testing
