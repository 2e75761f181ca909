# SPDX-License-Identifier: Apache-2.0
# How code is compiled: a cache and a fast linker where present, warnings as errors, hardening.
find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# For size: at -O2 the binary is twice as large (docs/performance.md). The folders where time is
# spent say HOT and get -O2.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
include(CheckPIESupported)
check_pie_supported()

add_library(rollguard_options INTERFACE)
target_compile_options(rollguard_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
  -fstack-protector-strong -D_GLIBCXX_ASSERTIONS)
target_include_directories(rollguard_options INTERFACE ${PROJECT_SOURCE_DIR})
target_link_options(rollguard_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
# For what is shipped; tests are compiled without optimization, which fortification needs.
# tests/docs/hardening_test.cc reads all of it back from the binary.
add_library(rollguard_hardening INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(rollguard_hardening INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection -ffunction-sections
    -fdata-sections)
  target_link_options(rollguard_options INTERFACE -Wl,--gc-sections)
  if(MOLD)
    # Functions that are the same instructions are there once; nothing compares their addresses.
    target_link_options(rollguard_hardening INTERFACE -Wl,--icf=all)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(rollguard_hardening INTERFACE -fcf-protection=full)
    target_link_options(rollguard_hardening INTERFACE -Wl,-z,ibt,-z,shstk)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    target_compile_options(rollguard_hardening INTERFACE -mbranch-protection=standard)
  endif()
endif()
if(ROLLGUARD_SANITIZE)
  # What is found ends the program: a line in a log that nobody reads fails no test.
  add_compile_options(-fsanitize=${ROLLGUARD_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${ROLLGUARD_SANITIZE})
endif()
