// SPDX-License-Identifier: Apache-2.0
// Preloaded into an agent: its wall clock is off by what the file $CLOCK_JUMP_FILE holds (eight
// bytes, nanoseconds), which may change at any time. Monotonic clocks are left alone, as the kernel
// does when the time is set.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kSecond = 1'000'000'000;

const volatile int64_t* Offset() {
  static const volatile int64_t* const shared = []() -> const volatile int64_t* {
    static const int64_t none = 0;
    const char* name = std::getenv("CLOCK_JUMP_FILE");
    const int fd = name != nullptr ? ::open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return &none;
    void* page = ::mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    return page != MAP_FAILED ? static_cast<const volatile int64_t*>(page) : &none;
  }
  ();
  return shared;
}

int RealGettime(clockid_t clock, timespec* now) {
  using Fn = int (*)(clockid_t, timespec*);
  static const Fn real = reinterpret_cast<Fn>(::dlsym(RTLD_NEXT, "clock_gettime"));
  return real(clock, now);
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const int result = RealGettime(clock, now);
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  const int64_t moved = now->tv_sec * kSecond + now->tv_nsec + *Offset();
  now->tv_sec = moved / kSecond;
  now->tv_nsec = moved % kSecond;
  return 0;
}

int gettimeofday(timeval* __restrict now, void* __restrict) noexcept {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* to) noexcept {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (to != nullptr) *to = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
