// SPDX-License-Identifier: Apache-2.0
#include "agent/api/image.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::api {
namespace {

constexpr size_t kMaxImage = 512;

bool IsImageText(std::string_view text) {
  return !text.empty() && text.size() <= kMaxImage &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("._-/:@").find(c) != std::string_view::npos;
         });
}

// Without tag and digest.
std::string_view Repository(std::string_view image) {
  image = image.substr(0, image.find('@'));
  size_t colon = image.rfind(':');
  size_t slash = image.rfind('/');
  bool port = slash != std::string_view::npos && colon != std::string_view::npos && colon < slash;
  return colon == std::string_view::npos || port ? image : image.substr(0, colon);
}

}  // namespace

Expected<std::string> ResolveImage(std::string_view version, std::string_view present) {
  if (!IsImageText(version)) {
    return Error(ErrorCode::kInvalid,
                 StrCat(Quote(Abbreviate(version, 80)),
                        " is neither an image nor a tag: letters, digits and ._-/:@ only"));
  }
  if (version.find_first_of("/:@") != std::string_view::npos) return std::string(version);
  if (present.empty())
    return Error(ErrorCode::kInvalid, "the container has no image yet: give a whole image");
  return StrCat(Repository(present), ":", version);
}

Expected<size_t> FindContainer(const Json& workload, const std::string& wanted) {
  const auto& containers = workload.At("spec", "template", "spec", "containers").items();
  if (containers.empty())
    return Error(ErrorCode::kInvalid, "the workload's pod template has no containers");
  std::string name = wanted.empty() ? workload.At("metadata", "name").Str() : wanted;
  std::vector<std::string> names;
  for (size_t i = 0; i < containers.size(); ++i) {
    names.push_back(containers[i].At("name").Str());
    if (names.back() == name) return i;
  }
  if (wanted.empty()) return size_t{0};
  return Error(ErrorCode::kInvalid,
               StrCat("there is no container ", Quote(wanted), "; there are: ", Join(names, ", ")));
}

}  // namespace rollguard::api
