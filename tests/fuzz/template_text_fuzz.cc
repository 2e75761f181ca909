// SPDX-License-Identifier: Apache-2.0
// Whatever stands in an annotation: it renders or says why, within its bounds.
#include <cstdlib>
#include <string_view>

#include "agent/analysis/template_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard::analysis;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  TemplateData values{
      0.25, {{"pod", "checkout-1"}, {"zone", "eu"}}, {{"guard", "checkout"}}, {{"cluster", "eu"}}};
  auto rendered = RenderTemplate(text, values);
  if (!rendered && rendered.error().message.empty()) std::abort();
  if (rendered && rendered->size() > (64U << 10) + size) std::abort();
  return 0;
}
