// SPDX-License-Identifier: Apache-2.0
// What a run of rule tests says: text for people, JSON and JUnit XML for machines.
#include "agent/base/text.h"
#include "agent/proof/rule_test.h"

namespace rollguard::proof {
namespace {

std::string OneLine(std::string_view text) {
  std::string out;
  bool blank = false;
  for (char c : Trim(text)) {
    bool space = c == ' ' || c == '\n' || c == '\t';
    if (!(space && blank)) out += space ? ' ' : c;
    blank = space;
  }
  return out;
}

std::string Xml(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\n': out += "&#10;"; break;
      default:
        // Control characters cannot stand in XML at all.
        out += static_cast<unsigned char>(c) < 0x20 && c != '\t' ? '?' : c;
    }
  }
  return out;
}

std::string Headline(const RuleTestFailure& failure) {
  return StrCat(failure.file, ":", failure.line, ": test ", Quote(failure.test), ": ",
                OneLine(failure.expr), " at ", failure.at, ": want ", failure.want, ", got ",
                failure.got);
}

}  // namespace

std::string RenderText(const std::vector<RuleTestReport>& reports) {
  std::string out;
  size_t passed = 0;
  size_t failed = 0;
  for (const RuleTestReport& report : reports) {
    passed += report.passed;
    failed += report.failed;
    for (const RuleTestFailure& failure : report.failures) {
      out += Headline(failure) + "\n";
      for (const std::string& line : failure.saw) out += StrCat("    ", line, "\n");
    }
  }
  return StrCat(out, passed, " passed, ", failed, " failed\n");
}

Json ToJson(const std::vector<RuleTestReport>& reports) {
  size_t passed = 0;
  size_t failed = 0;
  Json failures = Json::Arr();
  for (const RuleTestReport& report : reports) {
    passed += report.passed;
    failed += report.failed;
    for (const RuleTestFailure& failure : report.failures) {
      failures.Push(Json::Obj({{"file", failure.file},
                               {"line", failure.line},
                               {"test", failure.test},
                               {"expr", failure.expr},
                               {"at", failure.at},
                               {"want", failure.want},
                               {"got", failure.got}}));
    }
  }
  return Json::Obj({{"passed", passed}, {"failed", failed}, {"failures", std::move(failures)}});
}

std::string RenderJunit(const std::vector<RuleTestReport>& reports) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
  for (const RuleTestReport& report : reports) {
    out += StrCat("  <testsuite name=\"", Xml(report.file), "\" tests=\"", report.cases.size(),
                  "\" failures=\"", report.failed, "\">\n");
    for (const RuleTestCase& one : report.cases) {
      out += StrCat("    <testcase classname=\"", Xml(one.test), "\" name=\"",
                    Xml(OneLine(one.name)), "\"");
      if (one.passed) {
        out += "/>\n";
        continue;
      }
      const RuleTestFailure& failure = report.failures[one.failure];
      out += StrCat(">\n      <failure message=\"",
                    Xml(StrCat("want ", failure.want, ", got ", failure.got)), "\">",
                    Xml(Headline(failure)), "\n");
      for (const std::string& line : failure.saw) out += Xml(line) + "\n";
      out += "</failure>\n    </testcase>\n";
    }
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace rollguard::proof
