#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Layout, static checks and house rules; changes nothing and says everything that is wrong.
# Called by ./dev lint, which sets ROLLGUARD_BUILD (a configured build folder) and JOBS.
#
#   lint.sh            files changed since the main branch, or all when that cannot be told
#   lint.sh --all      every file
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
failed=0

fail() { printf 'lint: %s\n' "$*" >&2; failed=1; }

project_files() { git ls-files -z --cached --others --exclude-standard "$@"; }

changed_files() {
  git rev-parse --quiet --verify origin/main >/dev/null || return 1
  git diff -z --name-only --diff-filter=d origin/main -- '*.cc'
}

check_layout() {
  project_files '*.cc' '*.h' | xargs -0 -r clang-format --dry-run --Werror || fail "run ./dev format"
}

check_scripts() {
  command -v shellcheck >/dev/null || return 0
  project_files '*.sh' dev .ci/run | xargs -0 -r shellcheck -x || fail "shell scripts"
}

check_tidy() {
  local list
  list=$(mktemp)
  if [[ ${1:-} == --all ]] || ! changed_files >"$list"; then project_files '*.cc' >"$list"; fi
  # Only files of this build have a compile command.
  xargs -0 -r -n 1 <"$list" | grep -E '^(agent|tests)/' | while read -r file; do
    grep -qF "/$file\"" "$ROLLGUARD_BUILD/compile_commands.json" && printf '%s\0' "$file"
  done | xargs -0 -r -n 1 -P "${JOBS:-2}" clang-tidy --quiet -p "$ROLLGUARD_BUILD" || fail "clang-tidy"
  rm -f "$list"
}

# The rules that need more than one line of sight are the test `layering`.
check_house() {
  cmake --build "$ROLLGUARD_BUILD" --target test_layering >/dev/null || fail "test_layering does not build"
  "$ROLLGUARD_BUILD/tests/test_layering" || fail "house rules"
}

# Marks of unfinished work; this file is the only one that may name them.
check_unfinished() {
  if project_files '*.cc' '*.h' '*.sh' '*.cmake' '*.yaml' | grep -zv '^tests/lint/' |
    xargs -0 -r grep -nE '\b(TODO|FIXME|XXX)\b'; then
    fail "unfinished work"
  fi
}

check_layout
check_scripts
check_unfinished
check_house
check_tidy "$@"
((failed == 0)) && echo "lint: clean"
exit "$failed"
