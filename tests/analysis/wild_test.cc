// SPDX-License-Identifier: Apache-2.0
// Templates in the shapes that people have, and those shipped with rollguard, played in virtual
// time.
#include <fstream>
#include <iterator>

#include "agent/analysis/play.h"
#include "agent/analysis/template_file.h"
#include "agent/base/text.h"
#include "tests/support/catch.h"

namespace rollguard::analysis {
namespace {

using Args = std::vector<std::pair<std::string, std::string>>;

struct Row {
  const char* file;
  Args args;
  const char* results;  // JSON lines
  const char* want;     // the run and every metric, or "error: ..."
};

std::string ReadAll(const std::string& path) {
  std::ifstream in(path);
  REQUIRE(in.good());
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string Play(const Row& row) {
  std::string path = StrCat(ROLLGUARD_SOURCE_DIR, "/", row.file);
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText(row.file, ReadAll(path), library, diagnostics);
  if (diagnostics.has_errors()) return StrCat("load: ", diagnostics.Sorted()[0].message);
  auto run = CreateRun(OfflineOptions(library, "", row.args), Time{});
  if (!run) return StrCat("error: ", run.error().message);
  auto script = ParseScript(row.results);
  REQUIRE(script.ok());
  for (size_t i = 0; i < run->spec.metrics.size(); ++i) {
    SecretValues secrets;
    for (const SecretArgument& s : run->spec.secrets) secrets.emplace_back(s.name, "xyz");
    CHECK(MakeRequest(*run, i, secrets, Time{}).ok());
  }
  Play(*run, *script, {}, nullptr);
  std::string out = ToString(run->state.phase);
  for (const MetricState& m : run->state.metrics)
    out += StrCat(" ", m.name, "=", ToString(m.phase), "/", m.count);
  return out;
}

}  // namespace

TEST_CASE("templates in the wild shapes", "[analysis][wild]") {
  for (const Row& row : std::vector<Row>{
           {"tests/analysis/wild/nested.yaml",
            {{"service", "x"}},
            R"({"metric":"own","result":[1]}
               {"metric":"errors","result":[0.01]}
               {"metric":"latency-p99","result":[0.9]})",
            "Successful own=Successful/1 errors=Successful/1 latency-p99=Failed/1"},
           {"tests/analysis/wild/nested.yaml",
            {{"service", "x"}, {"limit", "0.001"}},
            R"({"metric":"own","result":[1]}
               {"metric":"errors","result":[0.01]}
               {"metric":"latency-p99","result":[0.1]})",
            "Failed own=Successful/1 errors=Failed/1 latency-p99=Successful/1"},
           {"tests/analysis/wild/cycle.yaml",
            {},
            "",
            "error: nested templates go round in a circle at AnalysisTemplate \"a\""},
           {"tests/analysis/wild/several_arguments.yaml",
            {},
            "",
            "error: Argument `limit` specified multiple times with different values: \"1\", \"2\""},
           {"tests/analysis/wild/cluster.yaml",
            {{"service-name", "x"}},
            R"({"metric":"success-rate","result":[0.99]}
               {"metric":"success-rate","result":[0.5]}
               {"metric":"success-rate","result":["NaN"]}
               {"metric":"success-rate","result":[1]})",
            "Successful success-rate=Successful/4"},
           {"tests/analysis/wild/secrets.yaml",
            {},
            R"({"metric":"webmetric","result":"true"})",
            "Successful webmetric=Successful/1"},
           {"tests/analysis/wild/count_argument.yaml",
            {{"count", "3"}},
            R"({"metric":"counted","result":[0]}
               {"metric":"counted","result":[2]}
               {"metric":"counted","result":[0]})",
            "Successful counted=Successful/3"},
           {"tests/analysis/wild/count_argument.yaml",
            {{"count", "3"}, {"limit", "7"}},
            "",
            "error: metric \"counted\": \"count\" (3) must be at least failureLimit + "
            "consecutiveSuccessLimit (7)"},
           {"tests/analysis/wild/count_argument.yaml",
            {},
            "",
            "error: args.count was not resolved"},
           {"tests/analysis/wild/dry_run.yaml",
            {},
            R"({"metric":"test-errors","result":[0.5]}
               {"metric":"errors","result":[0.5]}
               {"metric":"errors","result":[0]}
               {"metric":"errors","result":[0]}
               {"metric":"errors","result":[0]})",
            "Successful test-errors=Failed/1 errors=Successful/4"},
           {"tests/analysis/wild/range.yaml",
            {{"service-name", "x"}},
            R"({"metric":"success-rate","result":[0.99,0.98,0.97]})",
            "Successful success-rate=Successful/1"},
           {"tests/analysis/wild/web.yaml",
            {},
            R"({"metric":"webmetric","result":{"ok":true,"successPercent":0.95}})",
            "Successful webmetric=Successful/1"},
           {"tests/analysis/wild/web.yaml",
            {},
            R"({"metric":"webmetric","result":{"ok":true,"successPercent":0.85}})",
            "Failed webmetric=Failed/1"},
           {"tests/analysis/wild/job.yaml",
            {},
            R"({"metric":"smoke","result":false})",
            "Failed smoke=Failed/1"},
           {"tests/analysis/wild/inconclusive.yaml",
            {},
            R"({"metric":"two-sided","result":[0.92]}
               {"metric":"two-sided","result":[0.97]}
               {"metric":"two-sided","result":[0.92]})",
            "Inconclusive two-sided=Inconclusive/3"},
           {"tests/analysis/wild/nil_guards.yaml",
            {},
            R"({"metric":"default","result":null}
               {"metric":"empty","result":[]}
               {"metric":"text","result":"0.75"})",
            "Running default=Successful/1 empty=Successful/1 text=Running/0"},
           {"tests/analysis/wild/consecutive_errors.yaml",
            {},
            R"({"metric":"errors","error":"down"}
               {"metric":"errors","error":"down"}
               {"metric":"errors","result":[0.01]}
               {"metric":"errors","error":"down"}
               {"metric":"errors","error":"down"}
               {"metric":"errors","error":"down"})",
            "Error errors=Error/1"},
           {"tests/analysis/wild/nan_default.yaml",
            {},
            R"({"metric":"scalar-ratio","result":"NaN"}
               {"metric":"vector-ratio","result":["NaN"]}
               {"metric":"vector-ratio","result":[0.2]})",
            "Failed scalar-ratio=Successful/1 vector-ratio=Failed/2"},
           {"tests/analysis/wild/nan_default.yaml",
            {{"threshold", "0.3"}},
            R"({"metric":"scalar-ratio","result":0.2}
               {"metric":"vector-ratio","result":[]}
               {"metric":"vector-ratio","result":[0.01, 0.2]})",
            "Successful scalar-ratio=Successful/1 vector-ratio=Successful/2"},
           {"tests/analysis/wild/hash_values.yaml",
            {{"canary-hash", "a"}, {"stable-hash", "b"}, {"region", "eu"}},
            R"({"metric":"ratio","result":[3]}
               {"metric":"ratio","result":[1]}
               {"metric":"ratio","result":[1.1]})",
            "Successful ratio=Successful/3"},
           {"rules/templates/success-rate.yaml",
            {{"service-name", "x"}, {"namespace", "y"}},
            R"({"metric":"success-rate","result":[0.5]}
               {"metric":"success-rate","result":[0.5]}
               {"metric":"success-rate","result":[0.5]})",
            "Failed success-rate=Failed/3"},
           {"rules/templates/error-rate.yaml",
            {{"service-name", "x"}, {"namespace", "y"}},
            R"({"metric":"error-rate","result":[0.0]}
               {"metric":"error-flood","result":[0.3]})",
            "Failed error-rate=Successful/1 error-flood=Failed/1"},
           {"rules/templates/latency.yaml",
            {{"service-name", "x"}, {"namespace", "y"}},
            R"({"metric":"latency-p99","result":[0.4]}
               {"metric":"latency-p95","result":["NaN"]})",
            "Running latency-p99=Running/1 latency-p95=Running/1"},
           {"rules/templates/business-metrics.yaml",
            {{"service-name", "x"}, {"namespace", "y"}},
            R"({"metric":"transactions-against-yesterday","result":[1.02]}
               {"metric":"transaction-failures","result":[0.01]})",
            "Running transactions-against-yesterday=Running/1 transaction-failures=Running/1"}}) {
    INFO(row.file);
    CHECK(Play(row) == row.want);
  }
}

TEST_CASE("results that cannot be read name their line", "[analysis]") {
  CHECK(ParseScript("{\"metric\":\"m\",\"result\":1}\n\n{\"metric\":1}").error().message ==
        "3: \"metric\" must name a metric");
  CHECK(ParseScript("{\"metric\":\"m\"}").error().message ==
        "1: either \"result\" or \"error\" must be given");
  CHECK(ParseScript("{").error().message.starts_with("1: "));
}

TEST_CASE("the report for machines", "[analysis]") {
  spec::Library library;
  Diagnostics diagnostics;
  spec::LoadText("t",
                 ReadAll(StrCat(ROLLGUARD_SOURCE_DIR, "/tests/analysis/wild/inconclusive.yaml")),
                 library, diagnostics);
  auto run = CreateRun(OfflineOptions(library, "", {}), Time{});
  REQUIRE(run.ok());
  auto script = ParseScript(
      "{\"metric\":\"two-sided\",\"error\":\"down\"}\n{\"metric\":\"two-sided\",\"result\":[0.5]}");
  Play(*run, *script, {}, nullptr);
  std::string want = R"j({"run":{"phase":"Failed",
"message":"Metric \"two-sided\" assessed Failed due to failed (1) > failureLimit (0)"},
"metrics":[{"name":"two-sided","phase":"Failed","message":"failed (1) > failureLimit (0)","count":1,
"successful":0,"failed":1,"inconclusive":0,"error":1,
"measurements":[{"phase":"Error","value":"","at":30},{"phase":"Failed","value":"[0.5]","at":40}]}]})j";
  CHECK(Report(*run).Dump() == ReplaceAll(want, "\n", ""));
}

}  // namespace rollguard::analysis
