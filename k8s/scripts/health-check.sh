#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Is a guard well? Exit 0: it sees, it could be taken back, and nothing went wrong with it; 1: not, and
# why on stderr; 2: wrong usage. $ROLLGUARD_SERVER and $ROLLGUARD_TOKEN_FILE say where the agent is.
set -euo pipefail
[[ $# -eq 1 ]] || { echo "usage: health-check.sh NAMESPACE/GUARD" >&2; exit 2; }
status=$(rollguard status "$1" -o json)

# The value of a top-level key that is a word, a number, true or false.
value() { grep -o "\"$1\": *[^,}]*" <<<"$status" | head -1 | sed 's/.*: *"\{0,1\}\([^"]*\)"\{0,1\}/\1/'; }

problems=()
[[ $(value blind) == false ]] || problems+=("its metrics cannot be trusted")
[[ $(value rollbackReady) == true ]] || problems+=("it could not be taken back now")
case $(value state) in
  stable | releasing | baking | promoting | waiting) ;;
  *) problems+=("it is $(value state)") ;;
esac
if ((${#problems[@]} > 0)); then
  printf '%s: %s\n' "$1" "${problems[@]}" >&2
  exit 1
fi
echo "$1 is well ($(value state), $(value weight) % to the candidate)"
