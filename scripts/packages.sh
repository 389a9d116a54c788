#!/usr/bin/env bash
# Installs the system packages: PostgreSQL with PL/Python and pg_cron, Python, OpenMP.
#
#   scripts/packages.sh             everything that `make up` needs
#   scripts/packages.sh --trainer   without PostgreSQL: for training with a remote database (deploy/Containerfile)
#   scripts/packages.sh --tests     also optional programs that tests run: systemd, Prometheus, PgBouncer, Chromium
#
# For Debian and Ubuntu, in the versions of the distribution. It does nothing if everything is installed. If it installs
# PostgreSQL, the distribution's cluster "main" is not created: candlecast creates its own cluster.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

others=(python3 python3-venv libgomp1 ca-certificates)
# For systemd-analyze, promtool, prometheus and pgbouncer, and for the dashboard a browser.
for_tests=(systemd prometheus pgbouncer chromium libatomic1) # libatomic1: for the driver of Playwright

# Run apt-get. It prints only the download size and the main packages, or the end of the log if it fails.
apt() {
  local log
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 apt-get -y -q -o Dpkg::Use-Pty=0 "$@" </dev/null 2>&1 |
    tee "$log" | { grep --line-buffered -E '^(Need to get|Setting up (postgresql|python3\.|libgomp))' || true; } | sed -u 's/^/    /'; then
    tail -n 30 "$log" >&2
    fail "apt-get $1 failed, see above" "fix the package sources or the network, and run it again"
  fi
  rm -f "$log"
}

updated=
apt_update() {
  [[ -n $updated ]] || apt update
  updated=yes
}

# The newest PostgreSQL version whose three packages are available.
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

# PL/Python embeds a Python version, which must be the version of /usr/bin/python3.
check_server_python() {
  local embedded system
  embedded=$(ldd "/usr/lib/postgresql/$1/lib/plpython3.so" | grep -oE 'libpython3\.[0-9]+' | head -n 1 | sed s/libpython//)
  system=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  [[ $embedded == "$system" ]] ||
    fail "PL/Python of PostgreSQL $1 embeds Python $embedded, /usr/bin/python3 is $system" \
      "install the distribution's python3, or a PostgreSQL that was built with it"
}

check_python() {
  /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "candlecast needs Python 3.11 or newer, /usr/bin/python3 is older" "use Debian 12 or 13 (Ubuntu 24.04 is not tested)"
}

main() {
  local version missing=() package
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    fail "apt-get is missing: only Debian and Ubuntu are supported" \
      "use Debian 12 or 13 (Ubuntu 24.04 is not tested), or install PostgreSQL 15+ with PL/Python 3 and pg_cron yourself (CONTRIBUTING.md)"

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

# Install the missing packages that main found, except PostgreSQL.
install_missing() {
  ((${#missing[@]} > 0)) || return 0
  apt_update
  say "  installing ${missing[*]}"
  apt install --no-install-recommends "${missing[@]}"
}

# Optional, because tests without them are skipped. The services of the packages are not needed: switch them off.
install_for_tests() {
  local package
  for package in "${for_tests[@]}"; do
    installed "$package" && continue
    say "  installing $package, for tests"
    (apt_update && apt install --no-install-recommends "$package") || {
      say "  $package is not available: tests that need it are skipped"
      continue
    }
    [[ $package != @(prometheus|pgbouncer) ]] || switch_off "$package"
  done
}

# switch_off SERVICE: stop the service and disable it at boot.
switch_off() {
  as_root update-rc.d "$1" disable >/dev/null 2>&1 || true
  as_root invoke-rc.d "$1" stop >/dev/null 2>&1 || true
}

# postgresql-common is installed already. Its configuration can disable the cluster "main" for this installation.
install_postgres() {
  local no_main=/etc/postgresql-common/createcluster.d/candlecast-setup.conf
  as_root mkdir -p "${no_main%/*}"
  echo 'create_main_cluster = false' | as_root tee "$no_main" >/dev/null
  # shellcheck disable=SC2064  # expanded now
  trap "as_root rm -f '$no_main'" EXIT
  # shellcheck disable=SC2046  # three words
  apt install --no-install-recommends $(postgres_packages "$1")
}

[[ ${1:-} =~ ^(--trainer|--tests)?$ ]] || fail "unknown option: packages.sh $1" "read the header of scripts/packages.sh"
main "$@"
