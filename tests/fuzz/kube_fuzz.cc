// SPDX-License-Identifier: Apache-2.0
// What an API server sends: documents, refusals, watches cut anywhere, reviews. The reader agrees
// with our own parser, and a watch gives the same events however its bytes were cut.
#include <cstdlib>
#include <string_view>

#include "agent/kube/call.h"
#include "agent/kube/decode.h"
#include "agent/kube/packed.h"
#include "agent/kube/reviews.h"
#include "agent/kube/watch_stream.h"

namespace {

using namespace rollguard;

// Answers every call with one document.
class OneAnswer final : public Cluster {
 public:
  explicit OneAnswer(Json answer) : answer_(std::move(answer)) {}
  void Call(ClusterRequest, ClusterDone done) override { done(answer_); }
  WatchId Watch(WatchRequest, WatchHandler) override { return 1; }
  void CancelWatch(WatchId) override {}

 private:
  Json answer_;
};

std::string Events(std::string_view bytes, size_t cut) {
  kube::WatchStream stream("watch pods", nullptr, 4096);
  std::string seen;
  auto take = [&](const WatchEvent& event) {
    seen += std::to_string(static_cast<int>(event.type)) + event.object.Dump() + "\n";
    return true;
  };
  stream.Feed(bytes.substr(0, cut), take);
  stream.Feed(bytes.substr(cut), take);
  stream.Finish();
  return seen + (stream.error() ? stream.error()->message : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  kube::JsonDecoder::Pad(text);
  static kube::JsonDecoder decoder;
  auto read = decoder.Decode(text, kube::Shape::kObject, nullptr);
  auto ours = ParseJson(text);
  if (read && ours && !(*read == *ours)) std::abort();
  if (size == 0) return 0;
  if (size > 1 && Events(text, size / 2) != Events(text, data[0] % size)) std::abort();
  HttpResponse response;
  response.status = 400 + data[0] % 200;
  response.body = text;
  if (kube::StatusError("get pods", response).message.empty()) std::abort();
  if (!ours) return 0;
  kube::Packer packer;
  if (!(packer.Unpack(packer.Pack(*ours)) == *ours)) std::abort();
  OneAnswer cluster(*ours);
  kube::Identity who;
  kube::ReviewToken(cluster, "token", {}, [&](Expected<kube::Identity> identity) {
    if (identity && identity->username.empty()) std::abort();
    if (identity) who = *identity;
  });
  kube::ReviewAccess(cluster, who, {}, [&](const Status& allowed) {
    const Json& status = ours->At("status");
    if (allowed && (!status.At("allowed").BoolOr(false) || status.At("denied").BoolOr(false)))
      std::abort();
  });
  return 0;
}
