// SPDX-License-Identifier: Apache-2.0
#include "agent/kube/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/base/text.h"

namespace rollguard::kube {
namespace {

Error Because(const std::string& path, int number) {
  ErrorCode code = number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalid;
  return {code, StrCat("cannot read ", path, ": ", std::strerror(number))};
}

Expected<std::string> ReadAll(int fd, const std::string& path, size_t max_bytes) {
  std::string text;
  char chunk[16384];
  for (;;) {
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Because(path, errno);
    text.append(chunk, static_cast<size_t>(got));
    if (text.size() > max_bytes) {
      return Error(ErrorCode::kTooLarge,
                   StrCat("cannot read ", path, ": it is larger than ", max_bytes, " bytes"));
    }
  }
}

}  // namespace

Expected<std::string> ReadSmallFile(const std::string& path, size_t max_bytes) {
  // Not blocking, so that a FIFO cannot hold us.
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Because(path, errno);
  struct stat info {};
  fstat(fd, &info);
  Expected<std::string> text =
      S_ISREG(info.st_mode)
          ? ReadAll(fd, path, max_bytes)
          : Expected<std::string>(
                Error(ErrorCode::kInvalid, StrCat("cannot read ", path, ": it is not a file")));
  close(fd);
  return text;
}

}  // namespace rollguard::kube
