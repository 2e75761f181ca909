// SPDX-License-Identifier: Apache-2.0
// Whatever a metrics server answers, under any status: a value, or an error in words.
#include <cstdlib>
#include <string_view>

#include "agent/prometheus/answer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rollguard;
  if (size == 0) return 0;
  static constexpr int kStatus[] = {200, 200, 200, 400, 401, 404, 422, 429, 500, 503};
  HttpResponse response;
  response.status = kStatus[data[0] % std::size(kStatus)];
  response.body.reserve(size + 64);
  response.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto outcome = prometheus::ReadQueryAnswer(Expected<HttpResponse>(response));
  if (!outcome.answer && outcome.answer.error().message.empty()) std::abort();
  if (outcome.answer && response.status != 200) std::abort();
  (void)prometheus::ReadData(Expected<HttpResponse>(response));
  return 0;
}
