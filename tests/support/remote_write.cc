// SPDX-License-Identifier: Apache-2.0
// The request is a small protobuf message (written by hand below) in snappy's block format, of
// which only uncompressed literals are used.
#include "tests/support/remote_write.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include "agent/base/text.h"

namespace rollguard::testing {
namespace {

void Varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void Bytes(std::string& out, int field, const std::string& bytes) {
  Varint(out, static_cast<uint64_t>(field) << 3 | 2);
  Varint(out, bytes.size());
  out += bytes;
}

std::string Encode(const WrittenSeries& series) {
  std::string out;
  for (const auto& [name, value] : series.labels) {
    std::string label;
    Bytes(label, 1, name);
    Bytes(label, 2, value);
    Bytes(out, 1, label);
  }
  for (const WrittenSample& sample : series.samples) {
    std::string encoded;
    encoded += static_cast<char>(1 << 3 | 1);
    auto bits = std::bit_cast<uint64_t>(sample.value);
    encoded.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
    encoded += static_cast<char>(2 << 3);
    Varint(encoded, static_cast<uint64_t>(sample.t_ms));
    Bytes(out, 2, encoded);
  }
  return out;
}

std::string Snappy(const std::string& text) {
  std::string out;
  Varint(out, text.size());
  for (size_t at = 0; at < text.size(); at += 65536) {
    size_t length = std::min<size_t>(65536, text.size() - at) - 1;
    out += static_cast<char>(61 << 2);
    out += static_cast<char>(length & 0xff);
    out += static_cast<char>(length >> 8);
    out.append(text, at, length + 1);
  }
  return out;
}

// Sends the whole request and returns everything that comes back until the server closes.
std::string Exchange(int port, const std::string& request) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    size_t sent = 0;
    while (sent < request.size()) {
      ssize_t n = send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<size_t>(n);
    }
    char chunk[4096];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
      answer.append(chunk, static_cast<size_t>(n));
    }
  }
  close(fd);
  return answer;
}

}  // namespace

bool RemoteWrite(int port, const std::vector<WrittenSeries>& series) {
  std::string message;
  for (const WrittenSeries& one : series) {
    if (!one.samples.empty()) Bytes(message, 1, Encode(one));
  }
  std::string body = Snappy(message);
  std::string answer = Exchange(
      port, StrCat("POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:", port,
                   "\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                   "X-Prometheus-Remote-Write-Version: 0.1.0\r\nConnection: close\r\n"
                   "Content-Length: ",
                   body.size(), "\r\n\r\n", body));
  if (answer.starts_with("HTTP/1.1 20")) return true;
  std::fprintf(stderr, "remote write was refused: %s\n", answer.substr(0, 600).c_str());
  return false;
}

bool RemoteWriteAll(int port, const std::vector<WrittenSeries>& series, int64_t slice_ms) {
  int64_t first = INT64_MAX;
  int64_t last = INT64_MIN;
  for (const WrittenSeries& one : series) {
    for (const WrittenSample& sample : one.samples) {
      first = std::min(first, sample.t_ms);
      last = std::max(last, sample.t_ms);
    }
  }
  first -= first % slice_ms;
  for (int64_t from = first; from <= last; from += slice_ms) {
    std::vector<WrittenSeries> slice;
    for (const WrittenSeries& one : series) {
      WrittenSeries part{one.labels, {}};
      for (const WrittenSample& sample : one.samples) {
        if (sample.t_ms >= from && sample.t_ms < from + slice_ms) part.samples.push_back(sample);
      }
      if (!part.samples.empty()) slice.push_back(std::move(part));
    }
    if (!slice.empty() && !RemoteWrite(port, slice)) return false;
  }
  return true;
}

}  // namespace rollguard::testing
