#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Moves a release on by hand: past the step it waits at, or with --full to all the traffic, as far as its
# rules and alerts allow. Then follows it to its end with --watch (exit 0 promoted, 1 not).
set -euo pipefail
guard='' full=() watch=''
for argument; do
  case $argument in
    --full) full=(--full) ;;
    --watch) watch=yes ;;
    -*) echo "usage: traffic-shift.sh NAMESPACE/GUARD [--full] [--watch]" >&2; exit 2 ;;
    *) guard=$argument ;;
  esac
done
[[ $guard ]] || { echo "usage: traffic-shift.sh NAMESPACE/GUARD [--full] [--watch]" >&2; exit 2; }
rollguard promote "$guard" "${full[@]}"
[[ -z $watch ]] || exec rollguard watch "$guard"
