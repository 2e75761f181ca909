// SPDX-License-Identifier: Apache-2.0
// The web page in a real browser, over a real server, over an agent in a simulated cluster. What is
// seen of each state is kept as a picture, wide and narrow.
#include <filesystem>
#include <set>

#include "agent/base/text.h"
#include "agent/http/server.h"
#include "tests/api/api_world.h"
#include "tests/page/browser.h"
#include "tests/support/catch.h"

namespace rollguard::testing {
namespace {

constexpr const char* kTab = "\uE004";
constexpr const char* kEnter = "\uE007";
constexpr const char* kEscape = "\uE00C";

std::string PictureFolder() {
  const char* named = std::getenv("ROLLGUARD_PICTURES");
  std::string folder = named != nullptr ? named : "page-pictures";
  std::filesystem::create_directories(folder);
  return folder;
}

struct Scene {
  RealClock clock;
  ApiWorld world;
  std::unique_ptr<http::Server> server;
  Browser browser;
  std::string pictures = PictureFolder();

  explicit Scene(std::vector<std::string> guards) : world(Options(std::move(guards))) {
    StartServer(0);
    world.api().SetPublisher([this](std::string type, std::string topic, std::string data) {
      http::Server* to = server.get();
      return to != nullptr ? to->Publish(std::move(type), std::move(topic), std::move(data)) : 0;
    });
    browser.Resize(1280, 900);
    browser.Open(Url());
  }
  ~Scene() {
    world.Do([this] { world.api().SetPublisher({}); });
    server.reset();
  }

  static ApiWorldOptions Options(std::vector<std::string> guards) {
    ApiWorldOptions options;
    options.guards = std::move(guards);
    options.behaviours = {{"bad", R"({"errorRatio": 0.3})"}};
    options.pace = 4;
    return options;
  }

  void StartServer(uint16_t port) {
    http::ServerOptions options;
    options.port = port;
    auto fresh = std::make_unique<http::Server>(options, world.router(), clock);
    Status started = fresh->Start();
    REQUIRE(started.ok());
    world.Do([&] { server = std::move(fresh); });
  }
  std::string Url() const { return StrCat("http://127.0.0.1:", server->port(), "/"); }

  bool Sees(const std::string& text, int seconds = 20) {
    bool there = browser.Await(StrCat("return document.body.innerText.includes(", Quote(text), ")"),
                               seconds);
    if (!there)
      UNSCOPED_INFO("not seen: " << text << "\nseen: " << Abbreviate(browser.Text("body"), 3000));
    return there;
  }
  void LogIn(const std::string& token = "sre-token") {
    REQUIRE(browser.Await("return document.getElementById('login').open"));
    browser.Type("#login-token", token + kEnter);
  }

  // A picture of either width, held to the rules of check.js.
  void Show(const std::string& name) {
    static const std::string check = ReadFile(StrCat(ROLLGUARD_SOURCE_DIR, "/tests/page/check.js"));
    for (int width : {1280, 360}) {
      browser.Resize(width, width == 360 ? 780 : 900);
      browser.Run(
          "return new Promise(done => requestAnimationFrame(() => "
          "requestAnimationFrame(() => done(true))))");
      browser.Screenshot(StrCat(pictures, "/", name, "-", width, ".png"));
      INFO(name << " at " << width);
      Json problems = browser.Run(check);
      CHECK(problems.Dump(1) == "[]");
    }
    browser.Resize(1280, 900);
  }

  void CheckComplaints() {
    for (const std::string& complaint : browser.TakeComplaints()) {
      // A refused login and a server that is away are shown by the browser as failures to load.
      if (complaint.find("Failed to load resource") != std::string::npos) continue;
      INFO(complaint);
      CHECK(complaint.empty());
    }
  }
};

std::string Gate() {
  return "[{setWeight: 20}, {pause: {duration: 2m}}, {setWeight: 50}, "
         "{approval: {required: 1, groups: [sre]}}]";
}

}  // namespace

TEST_CASE("the page logs in with a token and keeps it in memory only", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene({CanaryManifest("shop", "checkout", Gate())});
  scene.LogIn("wrong-token");
  CHECK(scene.Sees("This token is not accepted."));
  scene.Show("login-refused");
  scene.LogIn();
  CHECK(scene.Sees("checkout"));
  CHECK(scene.Sees("sre@example"));
  CHECK(scene.browser.Text("#live") == "live");
  Json kept = scene.browser.Run(
      "return [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), "
      "location.href].join(' ')");
  CHECK(kept.Str().find("sre-token") == std::string::npos);
  scene.browser.Run("location.reload()");
  CHECK(scene.browser.Await("return document.getElementById('login').open"));
  scene.LogIn("nobody-token");
  CHECK(scene.Sees("may not list guards"));
  scene.Show("forbidden");
  scene.CheckComplaints();
}

TEST_CASE("a canary is watched live, its gate approved, and rolled back by hand", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene({CanaryManifest("shop", "checkout", Gate()), CanaryManifest("shop", "cart", Gate()),
               CanaryManifest("pay", "ledger", Gate())});
  ApiWorld& world = scene.world;
  Browser& browser = scene.browser;
  scene.LogIn();
  REQUIRE(scene.Sees("ready to roll back 3/3"));
  scene.Show("fleet-at-rest");

  // Nothing is reloaded from here on: what changes, changes by events.
  browser.Run("window.notReloaded = true");
  world.Release("shop/checkout", "v2");
  CHECK(scene.Sees("releasing"));
  browser.Click("a[data-key='shop/checkout']");
  REQUIRE(browser.Await("return document.getElementById('s-track') !== null"));
  std::set<std::string> weights;
  bool waits = world.AdvanceUntil(
      [&] {
        weights.insert(browser.Text("a[data-key='shop/checkout'] .progress .num"));
        return world.StateOf("shop/checkout") == "waiting";
      },
      std::chrono::minutes(20));
  REQUIRE(waits);
  CHECK(scene.Sees("waiting for people"));
  weights.insert(browser.Text("a[data-key='shop/checkout'] .progress .num"));
  CHECK(weights.contains("20 %"));
  CHECK(weights.contains("50 %"));
  CHECK(scene.Sees("Waits for approval: 0 of 1 by members of sre"));
  REQUIRE(browser.Await("return document.querySelectorAll('.chart svg').length > 0"));
  CHECK(scene.Sees("HighErrorRate"));
  CHECK(scene.Sees("Candidate against stable"));
  scene.Show("waiting-for-approval");
  browser.Run("document.getElementById('s-evidence').scrollIntoView()");
  scene.Show("evidence");
  browser.Run("scrollTo(0, 0)");

  browser.Click("button[data-key='act-Approve']");
  REQUIRE(browser.Await("return document.getElementById('ask').open"));
  CHECK(browser.Text("#ask-what").find("Counts as your yes, 1 of 1") == 0);
  scene.Show("confirm");
  browser.Type("#ask-reason", "looks well");
  browser.Click("#ask-yes");
  CHECK(scene.Sees("Approve: approved"));
  CHECK(world.AdvanceUntil([&] { return world.StateOf("shop/checkout") == "baking"; },
                           std::chrono::minutes(5)));
  CHECK(scene.Sees("baking"));
  CHECK(scene.Sees("let go on by sre@example: approved: looks well"));

  // Another one, taken back by a person.
  world.Release("shop/cart", "v2");
  CHECK(world.AdvanceUntil(
      [&] {
        return world.Look("shop/cart").state.release &&
               world.Look("shop/cart").state.release->weight == 20;
      },
      std::chrono::minutes(5)));
  browser.Run("location.hash = '#/g/shop/cart'");
  REQUIRE(browser.Await("return document.querySelector('[data-key=\"act-Roll back\"]') !== null"));
  browser.Click("button[data-key='act-Roll back']");
  REQUIRE(browser.Await("return document.getElementById('ask').open"));
  CHECK(browser.Text("#ask-what").find("All traffic returns to") == 0);
  browser.Type("#ask-reason", std::string("wrong price") + kEnter);
  CHECK(scene.Sees("Roll back: rolling back"));
  CHECK(world.AdvanceUntil([&] { return world.StateOf("shop/cart") == "rolledBack"; },
                           std::chrono::minutes(20)));
  CHECK(scene.Sees("rolled back by sre@example"));
  CHECK(scene.Sees("wrong price"));
  CHECK(scene.Sees("Quarantine"));
  scene.Show("rolled-back-by-hand");
  CHECK(browser.Run("return window.notReloaded === true").BoolOr(false));
  scene.CheckComplaints();
}

TEST_CASE("a bad version's reason is seen, and history, alerts and rules can be read", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene(
      {CanaryManifest("shop", "checkout", Gate()), CanaryManifest("pay", "ledger", Gate())});
  ApiWorld& world = scene.world;
  Browser& browser = scene.browser;
  scene.LogIn();
  REQUIRE(scene.Sees("ledger"));
  world.Release("shop/checkout", "bad");
  CHECK(world.AdvanceUntil([&] { return world.StateOf("shop/checkout") == "rolledBack"; },
                           std::chrono::minutes(20)));
  CHECK(scene.Sees("rolled back"));
  CHECK(scene.Sees("1 rolled back today"));
  browser.Click("a[data-key='shop/checkout']");
  REQUIRE(scene.Sees("Decisions"));
  std::string why = browser.Text("#detail .why");
  INFO(why);
  CHECK(why.find("Error") != std::string::npos);
  browser.Click("#detail .decisions li.rollback summary");
  CHECK(browser.Await("return document.querySelector('.decisions li.rollback .signals') !== null"));
  scene.Show("rolled-back-by-rule");
  world.SendAlert("CheckoutBurning", "shop/checkout");
  std::string letter = world.LoseNotice("shop/checkout", "checkout was rolled back");
  for (const char* view : {"alerts", "rules", "notices", "history"}) {
    browser.Run(StrCat("location.hash = '#/", view, "'"));
    std::string words = view == std::string("rules") ? "HighErrorRate" : "checkout";
    REQUIRE(scene.Sees(words));
    REQUIRE(browser.Await("return document.querySelector('main table') !== null"));
    scene.Show(view);
  }
  // What was measured is kept with the release, long after it has ended.
  browser.Click("main tbody th a");
  REQUIRE(scene.Sees("Taken back for Error"));
  REQUIRE(browser.Await("return document.querySelectorAll('.chart svg').length >= 1"));
  CHECK(browser.Await("return document.querySelectorAll('.chart .line.candidate').length >= 1"));
  scene.Show("release-of-the-past");
  // What could not be told is tried once more, in vain, and forgotten.
  browser.Run("location.hash = '#/notices'");
  REQUIRE(scene.Sees("no such webhook"));
  browser.Click(StrCat("[data-key='retry-", letter, "']"));
  CHECK(scene.Sees("told again to oncall"));
  REQUIRE(browser.Await(
      StrCat("const b = document.querySelector('[data-key^=discard-]'); return b !== null && "
             "b.dataset.key !== 'discard-",
             letter, "'")));
  browser.Click("[data-key^='discard-']");
  REQUIRE(browser.Await("return document.getElementById('ask').open"));
  browser.Click("#ask-yes");
  CHECK(scene.Sees("Everything was told."));
  browser.Run("location.hash = '#/'");
  REQUIRE(browser.Await("return document.getElementById('f-text') !== null"));
  browser.Type("#f-text", "nothing like this");
  CHECK(scene.Sees("Nothing matches"));
  scene.Show("nothing-matches");
  // Not every browser takes the focus out of the field when a button is clicked.
  browser.Run(
      "document.getElementById('f-text').focus(); "
      "document.querySelector('#fleet button').click()");
  CHECK(browser.Await("return document.getElementById('f-text').value === ''"));
  browser.Run(
      "document.documentElement.dataset.theme = 'dark'; location.hash = '#/g/shop/checkout'");
  REQUIRE(browser.Await("return document.getElementById('s-decisions') !== null"));
  scene.Show("dark");
  browser.Run("location.hash = '#/history'");
  REQUIRE(scene.Sees("change failure rate"));
  scene.Show("dark-history");
  scene.CheckComplaints();
}

TEST_CASE("a page whose answer comes late does not draw over the one that is open", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene({CanaryManifest("shop", "checkout", Gate())});
  Browser& browser = scene.browser;
  scene.LogIn();
  REQUIRE(scene.Sees("checkout"));
  // The answer is held back, and it is known when the page has got it.
  browser.Run(
      "const ask = window.fetch; window.fetch = (url, options) => !String(url).includes('/rules') "
      "? ask(url, options) : new Promise((go) => { window.late = go; })"
      ".then(() => ask(url, options)).then((answer) => { const read = answer.json.bind(answer); "
      "answer.json = () => read().finally(() => setTimeout(() => { window.answered = true; })); "
      "return answer; }); location.hash = '#/rules'");
  REQUIRE(browser.Await("return window.late !== undefined"));
  browser.Run("location.hash = '#/alerts'");
  REQUIRE(scene.Sees("What became of each"));
  browser.Run("window.late()");
  REQUIRE(browser.Await("return window.answered === true"));
  CHECK(browser.Text("h1") == "Alerts");
  browser.Run("location.hash = '#/'");
  REQUIRE(browser.Await("return document.getElementById('f-text') !== null"));
  scene.CheckComplaints();
}

TEST_CASE("who may not roll back sees what is lacking", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene(
      {CanaryManifest("shop", "checkout", Gate()), CanaryManifest("pay", "ledger", Gate())});
  ApiWorld& world = scene.world;
  Browser& browser = scene.browser;
  scene.LogIn("dev-token");  // reads, pauses and approves in "shop"
  REQUIRE(scene.Sees("checkout"));
  CHECK_FALSE(browser.Run("return document.body.innerText.includes('ledger')").BoolOr(true));
  world.Release("shop/checkout", "v2");
  REQUIRE(world.AdvanceUntil([&] { return world.StateOf("shop/checkout") == "waiting"; },
                             std::chrono::minutes(20)));
  browser.Click("a[data-key='shop/checkout']");
  REQUIRE(browser.Await("return document.querySelector('[data-key=\"act-Roll back\"]') !== null"));
  Json buttons = browser.Run(
      "return [...document.querySelectorAll('.actions button')].map(b => [b.textContent, "
      "b.disabled, "
      "b.disabled ? b.title : ''])");
  CHECK(buttons.Dump() == R"([["Approve",false,""],["Reject",true,"you lack: rollback"],)"
                          R"(["Promote",true,"you lack: promote"],["Pause",false,""],)"
                          R"(["Roll back",true,"you lack: rollback"]])");
  // The gate asks for a group besides the verb; the refusal is shown where it was asked.
  browser.Click("button[data-key='act-Approve']");
  REQUIRE(browser.Await("return document.getElementById('ask').open"));
  browser.Click("#ask-yes");
  CHECK(scene.Sees("you are in none of the groups that may approve"));
  scene.Show("refused");
  browser.Click("#ask-no");
  // A button that the browser was talked into does not help: the agent decides.
  // In one go: the page draws its buttons anew whenever the guard moves.
  REQUIRE(
      browser.Await("const button = document.querySelector('[data-key=\"act-Roll back\"]');"
                    "const ask = document.getElementById('ask');"
                    "if (!ask.open) { button.disabled = false; button.click(); }"
                    "return ask.open"));
  browser.Click("#ask-yes");
  CHECK(scene.Sees("may not rollback guards.rollguard.dev"));
  browser.Click("#ask-no");
  CHECK(world.StateOf("shop/checkout") == "waiting");
  scene.CheckComplaints();
}

TEST_CASE("the page is used with the keyboard alone", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene(
      {CanaryManifest("shop", "checkout", Gate()), CanaryManifest("pay", "ledger", Gate())});
  Browser& browser = scene.browser;
  scene.LogIn();
  REQUIRE(scene.Sees("ledger"));
  std::vector<std::string> order;
  browser.Run("document.activeElement.blur(); scrollTo(0, 0)");
  for (int i = 0; i < 16; ++i) {
    browser.Press(kTab);
    order.push_back(browser
                        .Run("const n = document.activeElement; return n.dataset.key || "
                             "n.dataset.view || n.id || n.className || n.tagName")
                        .Str());
    if (order.back() == "shop/checkout") break;
  }
  std::vector<std::string> want = {"skip",   "brand",   "fleet",  "history",    "alerts",
                                   "rules",  "notices", "leave",  "theme",      "f-ns",
                                   "f-team", "f-state", "f-text", "pay/ledger", "shop/checkout"};
  CHECK(order == want);
  browser.Press(kEnter);
  REQUIRE(browser.Await("return document.activeElement.id === 'detail-title'"));
  browser.Press(kEscape);
  CHECK(browser.Await("return document.activeElement.dataset.key === 'shop/checkout'"));
  scene.CheckComplaints();
}

TEST_CASE("empty, disconnected and again", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene({});
  Browser& browser = scene.browser;
  scene.LogIn();
  CHECK(scene.Sees("No guards yet"));
  CHECK(scene.Sees("kubectl apply"));
  scene.Show("empty");
  uint16_t port = scene.server->port();
  std::unique_ptr<http::Server> gone;
  scene.world.Do([&] { gone = std::move(scene.server); });
  gone->Stop(Duration(0));
  gone.reset();
  CHECK(scene.Sees("Disconnected"));
  CHECK(browser.Text("#live") == "disconnected");
  scene.Show("disconnected");
  scene.StartServer(port);
  CHECK(browser.Await("return document.getElementById('live').textContent === 'live'", 40));
  CHECK(browser.Run("return document.getElementById('stale').hidden").BoolOr(false));
  scene.CheckComplaints();
}

TEST_CASE("the policy against foreign and inline script holds", "[page]") {
  REQUIRE(Browser::Available());
  Scene scene({CanaryManifest("shop", "checkout", Gate())});
  Browser& browser = scene.browser;
  scene.LogIn();
  REQUIRE(scene.Sees("checkout"));
  scene.CheckComplaints();
  // The page keeps to the policy; a script that came in would not run.
  Json stopped = browser.Run(R"(return new Promise(done => {
    let blocked = 0;
    document.addEventListener("securitypolicyviolation", () => { blocked += 1; });
    const inline = document.createElement("script");
    try { inline.textContent = "window.ran = true"; document.body.append(inline); } catch { blocked += 1; }
    const image = document.createElement("img");
    image.src = "http://127.0.0.1:9/pixel";
    document.body.append(image);
    fetch("http://127.0.0.1:9/").catch(() => {});
    setTimeout(() => done([blocked >= 3, window.ran === undefined]), 500);
  }))");
  CHECK(stopped.Dump() == "[true,true]");
  browser.TakeComplaints();
}

}  // namespace rollguard::testing
