#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds kube-apiserver and kube-controller-manager from Debian's own `kubernetes` source package,
# once, into the user's cache folder, and prints the folder they are in on the last line of stdout.
# Everything else (progress, advice) goes to stderr.
#
#   tests/e2e/build-kube.sh            build what is missing
#   tests/e2e/build-kube.sh --check    only say whether both are there (exit 1 when not)
#
# Debian ships no API server as a binary, but it ships its source with all modules vendored. That
# tree builds with Debian's Go in GOPATH mode only (`-mod=vendor` is refused by Go 1.19). One of the
# vendored modules, reflect2, is older than that Go and makes the server fall when a custom object is
# written; Debian's own newer package of it takes its place.
# JOBS=N limits the compiler to N jobs; the default is one for each processor.
set -euo pipefail

version=1.20.2-2  # the source, and the count of how we build it
cache="${XDG_CACHE_HOME:-$HOME/.cache}/rollguard/kube-$version"
bin="$cache/bin"
work="$cache/work"
stamp="$bin/SHA256SUMS"

say() { printf '%s\n' "$*" >&2; }
die() { say "build-kube: $*"; exit 1; }

# Both binaries are there and are the ones that this script finished.
present() {
  [[ -s $stamp ]] && (cd "$bin" && sha256sum --check --quiet --status "$stamp")
}

need_tools() {
  local tool missing=()
  for tool in apt-get dpkg-source go make rsync jq gcc; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) || die "missing: ${missing[*]}; run ./dev setup e2e"
}

# The machine's own package sources, asked for source packages, in a folder of our own: the
# machine's lists are read and never written.
private_sources() {
  local parts=$work/apt/sources.list.d file
  mkdir -p "$parts" "$work/apt/lists/partial" "$work/apt/cache/archives/partial"
  for file in /etc/apt/sources.list.d/*.sources; do
    grep -qis debian "$file" || continue
    sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$parts/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    grep -qs '^deb .*debian' "$file" || continue
    sed -nE '/debian/s/^deb /deb-src /p' "$file" >"$parts/$(basename "$file" .list).list"
  done
  [[ -n $(ls "$parts") ]] || die "no Debian package source found under /etc/apt"
}

apt_private() {
  apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt/sources.list.d" \
    -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" \
    -o APT::Sandbox::User= -o Acquire::Languages=none "$@" >&2
}

fetch() {
  if [[ -f $work/source.complete ]]; then return; fi
  say "[1/4] fetching the source package kubernetes (34 MB)"
  private_sources
  apt_private update
  rm -rf "$work/src"
  mkdir -p "$work/src"
  (cd "$work/src" &&
    apt_private source --only-source --download-only kubernetes golang-github-modern-go-reflect2)
  say "[2/4] unpacking"
  (cd "$work/src" && dpkg-source --no-check -x kubernetes_*.dsc tree >/dev/null)
  (cd "$work/src" && dpkg-source --no-check -x golang-github-modern-go-reflect2_*.dsc reflect2 >/dev/null)
  rm -f "$work"/src/tree/vendor/github.com/modern-go/reflect2/*.go
  find "$work/src/reflect2" -maxdepth 1 -name '*.go' ! -name '*_test.go' \
    -exec cp -t "$work/src/tree/vendor/github.com/modern-go/reflect2/" {} +
  mkdir -p "$work/go/src/k8s.io"
  rm -rf "$work/go/src/k8s.io/kubernetes"
  mv "$work/src/tree" "$work/go/src/k8s.io/kubernetes"
  touch "$work/source.complete"
}

# Writes a line now and then while a long step runs, so that nobody takes it for hung.
with_progress() {
  local label=$1 log=$2 started=$SECONDS
  shift 2
  "$@" >"$log" 2>&1 &
  local child=$!
  trap 'kill "$child" 2>/dev/null || true; wait "$child" 2>/dev/null || true; exit 130' INT TERM
  while kill -0 "$child" 2>/dev/null; do
    sleep 1
    if (((SECONDS - started) % 30 == 0)); then say "      $label: $((SECONDS - started)) s"; fi
  done
  trap - INT TERM
  wait "$child" || { tail -n 30 "$log" >&2; die "$label failed; the whole output is in $log"; }
  say "      $label: done in $((SECONDS - started)) s"
}

build() {
  export GO111MODULE=off CGO_ENABLED=0 GOPATH="$work/go" GOCACHE="$work/go-cache"
  export GOFLAGS="${JOBS:+-p=$JOBS}" GOMAXPROCS="${JOBS:-$(nproc)}"
  local tree=$work/go/src/k8s.io/kubernetes
  mkdir -p "$bin"
  cd "$tree"
  say "[3/4] kube-apiserver (about 7 minutes on two cores)"
  with_progress kube-apiserver "$work/apiserver.log" \
    make WHAT=cmd/kube-apiserver
  cp "$(find "$tree/_output" -type f -name kube-apiserver -perm -u+x | head -n 1)" "$bin/"
  say "[4/4] kube-controller-manager (about 3 minutes)"
  with_progress kube-controller-manager "$work/controller-manager.log" \
    go build -o "$bin/kube-controller-manager" k8s.io/kubernetes/cmd/kube-controller-manager
  (cd "$bin" && ./kube-apiserver --version >&2 && ./kube-controller-manager --version >&2 &&
    sha256sum kube-apiserver kube-controller-manager >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS)
  say "keeping $(du -sh "$bin" | cut -f1) in $bin; removing the working tree"
  chmod -R u+w "$work" && rm -rf "$work"
}

main() {
  if present; then
    say "kube-apiserver and kube-controller-manager are in $bin already"
  elif [[ ${1:-} == --check ]]; then
    die "not built yet"
  else
    need_tools
    mkdir -p "$work"
    exec 9>"$cache/lock"
    flock 9  # a second run waits and then finds the work done
    present || { fetch; build; }
  fi
  printf '%s\n' "$bin"
}

main "$@"
