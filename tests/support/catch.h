// SPDX-License-Identifier: Apache-2.0
// Catch2 whichever major the distribution ships (Debian 12 has 2, newer ones 3).
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
