#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Takes the running release back, or goes back to an earlier revision, and waits until that is done.
set -euo pipefail
[[ $# -ge 1 && $# -le 2 ]] || { echo "usage: rollback.sh NAMESPACE/GUARD [REVISION]" >&2; exit 2; }
guard=$1
to=()
[[ $# -eq 1 ]] || to=(--to "$2")
rollguard rollback "$guard" --reason "rollback.sh by $(id -un)" "${to[@]}"
# A rollback ends a release, which `watch` tells by exiting 1: what matters here is how it stands then.
rollguard watch "$guard" --no-wait --timeout 15m || true
rollguard status "$guard"
