#!/usr/bin/env bash
# Finds or installs the system packages: PostgreSQL with PL/Python and pg_cron, Python, OpenMP.
#
#   scripts/packages.sh             all that `make up` needs
#   scripts/packages.sh --trainer   without PostgreSQL: what trains, for a database elsewhere (deploy/Containerfile)
#   scripts/packages.sh --tests     and, where they can be had, what the tests of deploy/, docs/how-to/ and the page run
#
# Debian and Ubuntu, in the versions that the system has. Nothing to do where all is there. Where PostgreSQL is
# new to the machine, the distribution's own cluster "main" is not created: candlecast makes a cluster of its own.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

others=(python3 python3-venv libgomp1 ca-certificates)
# systemd-analyze, promtool and prometheus, pgbouncer, the browser that opens the dashboard.
for_tests=(systemd prometheus pgbouncer chromium libatomic1) # the last for playwright's driver

# apt-get, telling only what it fetches and which of the main packages are set up; all of it when it fails.
apt() {
  local log
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -y -q -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1 |
    tee "$log" | { grep --line-buffered -E '^(Need to get|Setting up (postgresql|python3\.|libgomp))' || true; } | sed -u 's/^/    /'; then
    tail -n 30 "$log" >&2
    fail "apt-get $1 failed, see above" "mend the package sources or the network, and run it again"
  fi
  rm -f "$log"
}

updated=
apt_update() {
  [[ -n $updated ]] || apt update
  updated=yes
}

# The newest version whose three packages can be installed.
available_postgres() {
  local version package
  for version in $(apt-cache --names-only search '^postgresql-plpython3-[0-9]+$' | grep -oE '[0-9]+ ' | sort -rn); do
    for package in $(postgres_packages "$version"); do
      apt-cache show "$package" >/dev/null 2>&1 || continue 2
    done
    printf '%s\n' "$version"
    return
  done
  return 1
}

# The server embeds a Python; the environment is made from /usr/bin/python3. They must be one version.
check_server_python() {
  local embedded system
  embedded=$(ldd "/usr/lib/postgresql/$1/lib/plpython3.so" | grep -oE 'libpython3\.[0-9]+' | head -n 1 | sed s/libpython//)
  system=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [[ $embedded == "$system" ]] ||
    fail "PL/Python of PostgreSQL $1 embeds Python $embedded, /usr/bin/python3 is $system" \
      "install the distribution's own python3, or a PostgreSQL that was built for it"
}

check_python() {
  /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "candlecast needs Python 3.11 or newer, /usr/bin/python3 is older" "use Debian 12, Ubuntu 24.04 or newer"
}

main() {
  local version missing=() package
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    fail "the set-up knows Debian and Ubuntu, and there is no apt-get here" \
      "use Debian 12, Ubuntu 24.04 or newer, or set up by hand: PostgreSQL 15+ with PL/Python 3 and pg_cron (CONTRIBUTING.md)"

  [[ ${1:-} == --trainer ]] || others+=(postgresql-common)
  for package in "${others[@]}"; do
    installed "$package" || missing+=("$package")
  done
  if [[ ${1:-} == --trainer ]]; then
    install_missing
    check_python
    say "  Python $(python_version)"
    return
  fi
  if version=$(installed_postgres); then
    install_missing
  else
    say "  reading the package lists"
    apt_update
    version=$(available_postgres) ||
      fail "no PostgreSQL with both PL/Python 3 and pg_cron in the package sources" \
        "on Ubuntu enable 'universe'; elsewhere add the PostgreSQL project's package source (apt.postgresql.org)"
    install_missing
    say "  installing PostgreSQL $version with PL/Python and pg_cron"
    install_postgres "$version"
  fi
  check_server_python "$version"
  check_python
  say "  PostgreSQL $version, Python $(python_version)"
  [[ ${1:-} != --tests ]] || install_for_tests
}

python_version() { /usr/bin/python3 -c 'import platform; print(platform.python_version())'; }

# What main found missing of the packages beside PostgreSQL.
install_missing() {
  ((${#missing[@]} > 0)) || return 0
  apt_update
  say "  installing ${missing[*]}"
  apt install --no-install-recommends "${missing[@]}"
}

# For tests that skip without them: no reason to stop. A service that came with one is not wanted on this machine.
install_for_tests() {
  local package
  for package in "${for_tests[@]}"; do
    installed "$package" && continue
    say "  installing $package, for tests"
    (apt_update && apt install --no-install-recommends "$package") || {
      say "  $package cannot be had: tests that run it are skipped"
      continue
    }
    [[ $package != @(prometheus|pgbouncer) ]] || switch_off "$package"
  done
}

# switch_off SERVICE: stop what the package's installation started, and do not start it at boot.
switch_off() {
  as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
  as_root invoke-rc.d "$1" stop >/dev/null 2>&1 || true
}

# postgresql-common is there by now, and its folder can say, for this installation alone: no cluster "main".
install_postgres() {
  local no_main=/etc/postgresql-common/createcluster.d/candlecast-setup.conf
  as_root mkdir -p "${no_main%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_main" >/dev/null
  # shellcheck disable=SC2064  # the path is meant as it is now
  trap "as_root rm -f '$no_main'" EXIT
  # shellcheck disable=SC2046  # three words
  apt install --no-install-recommends $(postgres_packages "$1")
}

[[ ${1:-} =~ ^(--trainer|--tests)?$ ]] || fail "packages.sh knows no $1" "see its first lines"
main "$@"
