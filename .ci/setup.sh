# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154  # root comes from ./dev
# Sourced by ./dev: what each command needs from Debian, and how it is installed.
#
# A row is `what|package|why`. `what` is how presence is told:
#   cmd:NAME   a program on PATH (from wherever it came; it is never installed a second time)
#   file:GLOB  a file
#   pkg        the package itself, asked of dpkg
# Only main packages are taken, without their recommendations.

needs_build() {
  cat <<'ROWS'
cmd:g++|g++|the C++ compiler
cmd:cmake|cmake|the build system
cmd:ninja|ninja-build|the build runner
cmd:pkg-config|pkg-config|finds libraries
cmd:ccache|ccache|makes the second build fast
cmd:mold|mold|a fast linker
pkg|libcpp-httplib-dev|HTTP routing
pkg|libyaml-cpp-dev|YAML
pkg|libre2-dev|regular expressions
pkg|libspdlog-dev|logging
pkg|catch2|unit tests
pkg|libsimdjson-dev|reading large JSON answers
pkg|libssl-dev|TLS and signatures
pkg|libcurl4-openssl-dev|outbound HTTP
pkg|libsqlite3-dev|history in a file
pkg|libpq-dev|history in PostgreSQL
pkg|libjemalloc-dev|the allocator
pkg|zlib1g-dev|what decisions were made from is kept compressed
ROWS
}

needs_test() {
  needs_build
  cat <<'ROWS'
cmd:git|git|lists the project's files
pkg|prometheus-cpp-dev|the metrics page is held against this client library
cmd:openssl|openssl|makes certificates for the TLS tests
cmd:python3|python3|small helpers of the tests
cmd:prometheus|prometheus|answers are compared with the real server
cmd:promtool|prometheus|checks rule files
cmd:prometheus-alertmanager|prometheus-alertmanager|sends real webhooks
cmd:amtool|prometheus-alertmanager|checks routes
cmd:psql|postgresql|history is tested on the real server
file:/usr/lib/postgresql/*/bin/postgres|postgresql|history is tested on the real server
pkg|python3-grpcio|gRPC health checks are tested on a real server
cmd:kubectl|kubernetes-client|talks to the simulated cluster
cmd:curl|curl|the documentation's commands use it
cmd:zsh|zsh|takes its completion
cmd:fish|fish|takes its completion
cmd:chromium|chromium|the web page is tested in a real browser
cmd:chromedriver|chromium-driver|drives the browser
ROWS
}

needs_e2e() {
  needs_test
  cat <<'ROWS'
cmd:etcd|etcd-server|the API server's store
cmd:ip|iproute2|agents in network namespaces of their own
file:/usr/sbin/iptables-restore|iptables|loses packets between them
ROWS
  [[ -n ${KUBECONFIG:-}${KUBEBUILDER_ASSETS:-} ]] || "$root/tests/e2e/build-kube.sh" --check >/dev/null 2>&1 || cat <<'ROWS'
cmd:go|golang-go|builds the API server from Debian's source
cmd:gcc|gcc|builds the API server
cmd:make|make|builds the API server
cmd:rsync|rsync|builds the API server
cmd:jq|jq|builds the API server
cmd:dpkg-source|dpkg-dev|unpacks Debian's source package
cmd:sha256sum|coreutils|verifies what was built
ROWS
}

needs_demo() {
  needs_build
  cat <<'ROWS'
cmd:prometheus|prometheus|the demo's metrics
cmd:prometheus-alertmanager|prometheus-alertmanager|the demo's alerts
cmd:curl|curl|asks the demo's servers
cmd:python3|python3|the demo's sample service and its users
cmd:kubectl|kubernetes-client|releases the demo's versions
ROWS
}

needs_bench() {
  needs_build
  cat <<'ROWS'
cmd:prometheus|prometheus|is measured beside the agent's own engine
cmd:promtool|prometheus|loads the data
ROWS
}

needs_fuzz() {
  needs_build
  cat <<'ROWS'
cmd:clang++|clang|libFuzzer and its sanitizers
ROWS
}

needs_lint() {
  needs_build
  cat <<'ROWS'
cmd:git|git|lists the project's files
cmd:clang-format|clang-format|layout
cmd:clang-tidy|clang-tidy|static checks
ROWS
}

is_present() {  # what package
  case $1 in
    cmd:*) command -v "${1#cmd:}" >/dev/null ;;
    file:*) compgen -G "${1#file:}" >/dev/null ;;
    pkg) [[ $(dpkg-query -W -f='${db:Status-Status}' "$2" 2>/dev/null) == installed ]] ;;
  esac
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root: run it as root, or install sudo. The command was: $*"
  fi
}

# Debian starts a server as soon as it is installed. The tests start their own on free ports, so
# for the time of our installation the machine is told to start nothing.
policy=/usr/sbin/policy-rc.d
forbid_service_starts() {
  if [[ -e $policy ]]; then
    as_root mv "$policy" "$policy.before-rollguard"
  fi
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}
restore_service_starts() {
  as_root rm -f "$policy"
  if [[ -e $policy.before-rollguard ]]; then
    as_root mv "$policy.before-rollguard" "$policy"
  fi
}

# Nor shall they start at the next boot. Only for packages that we have just installed.
keep_services_off() {
  command -v systemctl >/dev/null || return 0
  local package
  for package in "$@"; do
    case $package in
      prometheus | prometheus-alertmanager | postgresql) as_root systemctl disable --quiet "$package" ;;
      etcd-server) as_root systemctl disable --quiet etcd ;;
    esac
  done 2>/dev/null || true
}

install_packages() {
  command -v apt-get >/dev/null ||
    die "these are missing and there is no apt-get here; install them by hand: $*"
  local status=0
  trap 'restore_service_starts; exit 130' INT TERM
  forbid_service_starts
  {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$@"
  } </dev/null || status=$?
  restore_service_starts
  trap - INT TERM
  ((status == 0)) || die "apt-get could not install: $*"
  keep_services_off "$@"
}

# setup_for build|test|e2e|demo|bench|fuzz|lint
setup_for() {
  local what package why missing=()
  while IFS='|' read -r what package why; do
    is_present "$what" "$package" && continue
    [[ " ${missing[*]} " == *" $package "* ]] && continue
    ((${#missing[@]})) || say "setup: installing with apt what '$1' needs and this machine has not:"
    say "  $(printf '%-26s' "$package") $why"
    missing+=("$package")
  done < <("needs_$1")
  if ((${#missing[@]} == 0)); then
    say "setup: nothing to install, all that '$1' needs is here"
    return
  fi
  install_packages "${missing[@]}"
  say "setup: installed ${#missing[@]} packages"
}
