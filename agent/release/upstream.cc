// SPDX-License-Identifier: Apache-2.0
#include "agent/release/upstream.h"

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::release {

StartView::Upstream JudgeUpstream(const std::string& guard, const GuardState& there,
                                  const std::vector<std::string>& images, Duration bake, Time now) {
  StartView::Upstream out{guard, false, "these images have not succeeded there", {}};
  if (images.empty()) {
    out.reason = "the images to be released are not known";
    return out;
  }
  Time end = now;
  bool newest = true;
  for (auto at = there.history.rbegin(); at != there.history.rend(); ++at) {
    const auto& ran = at->images;
    const bool same = std::all_of(images.begin(), images.end(), [&](const std::string& image) {
      return std::find(ran.begin(), ran.end(), image) != ran.end();
    });
    const Duration stood = end - at->at;
    if (same && there.Quarantined(at->revision, now) != nullptr) {
      out.reason = StrCat("revision ", at->revision, " was rejected there");
      return out;
    }
    if (same && stood >= bake) {
      out.satisfied = true;
      out.reason.clear();
      return out;
    }
    if (same && newest) {
      out.until = at->at + bake;
      out.reason = StrCat("they bake there until ", FormatRfc3339(*out.until));
      return out;
    }
    if (same) {
      out.reason = StrCat("they were replaced there after ", FormatShortDuration(stood), " of ",
                          FormatShortDuration(bake));
    }
    end = at->at;
    newest = false;
  }
  return out;
}

}  // namespace rollguard::release
