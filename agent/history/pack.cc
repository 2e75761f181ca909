// SPDX-License-Identifier: Apache-2.0
#include "agent/history/pack.h"

#include <zlib.h>

#include <algorithm>

#include "agent/base/text.h"

namespace rollguard::history {
namespace {

constexpr size_t kPiece = 64U << 10;

Error Broken() { return {ErrorCode::kInvalid, "a stored text cannot be unpacked"}; }

}  // namespace

std::string Pack(std::string_view text) {
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::string out(size, '\0');
  int done =
      compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                reinterpret_cast<const Bytef*>(text.data()), static_cast<uLong>(text.size()), 6);
  if (done != Z_OK) return {};  // out of memory: nothing is better than half
  out.resize(size);
  return Base64Encode(out);
}

Expected<std::string> Unpack(std::string_view packed, size_t max_bytes) {
  auto bytes = Base64Decode(packed);
  if (!bytes || bytes->empty()) return Broken();
  z_stream stream{};
  if (inflateInit(&stream) != Z_OK) return Broken();
  stream.next_in = reinterpret_cast<Bytef*>(bytes->data());
  stream.avail_in = static_cast<uInt>(bytes->size());
  std::string out;
  int done = Z_OK;
  while (done == Z_OK && out.size() <= max_bytes) {
    size_t have = out.size();
    out.resize(have + kPiece);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + have);
    stream.avail_out = static_cast<uInt>(kPiece);
    done = inflate(&stream, Z_NO_FLUSH);
    out.resize(have + kPiece - stream.avail_out);
    if (done == Z_OK && stream.avail_in == 0 && stream.avail_out != 0) break;  // cut short
  }
  inflateEnd(&stream);
  if (done != Z_STREAM_END || out.size() > max_bytes) return Broken();
  return out;
}

}  // namespace rollguard::history
