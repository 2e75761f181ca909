// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/output.h"

#include <algorithm>
#include <cstdio>

#include "agent/base/diagnostic.h"
#include "agent/base/text.h"
#include "agent/cli/yaml_text.h"

namespace rollguard::cli {

Expected<std::string> OutputOf(const Options& options, const std::vector<std::string_view>& words) {
  std::string word = options.Get("--output", words[0]);
  if (std::find(words.begin(), words.end(), word) != words.end()) return word;
  return Error(ErrorCode::kInvalid,
               StrCat("-o ", word, " is not known", Suggestion(word, words), "; ",
                      Join(std::vector<std::string>(words.begin(), words.end()), ", ")));
}

bool PrintAs(const Json& value, std::string_view output) {
  if (output == "json") std::puts(value.Dump(2).c_str());
  if (output == "yaml") std::fputs(ToYaml(value).c_str(), stdout);
  return output == "json" || output == "yaml";
}

}  // namespace rollguard::cli
