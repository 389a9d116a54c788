# Shared by all scripts: paths, messages, running commands as another user. Sourced, never executed.
#
# CLUSTER is the name of the installation: of the PostgreSQL cluster and of its folder. Default: the name in .env, else
# candlecast. The Python environment is /var/lib/candlecast/<name>/venv, because the postgres user may not be allowed to
# read the clone.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the scripts that source this use these

set -Eeuo pipefail
umask 022
# An unexpected failure prints its place. 78 (EX_CONFIG) is the status of fail, which has printed its message.
trap '(($? == 78)) || printf "candlecast: %s line %s: command failed: %s\n" "${BASH_SOURCE[0]:-$0}" "$LINENO" "$BASH_COMMAND" >&2' ERR

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
env_file=$project/.env
cluster=${CLUSTER:-$(sed -nE "s#^CANDLECAST_PYTHON='/var/lib/candlecast/([a-z0-9_]+)/venv/.*#\1#p" "$env_file" 2>/dev/null || true)}
cluster=${cluster:-candlecast}
database=candlecast
state=/var/lib/candlecast/$cluster
venv=$state/venv
python=$venv/bin/python

say() { printf '%s\n' "$*"; }

# fail MESSAGE [REMEDY]: print both and exit with status 78.
fail() {
  printf 'candlecast: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf '  what to do: %s\n' "$2" >&2
  exit 78
}

[[ $cluster =~ ^[a-z][a-z0-9_]{0,39}$ ]] ||
  fail "CLUSTER='$cluster' is not a valid name" "use lower-case letters, digits and _, starting with a letter"

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root, and sudo is not installed" "run it as root"
  fi
}

# Run as the postgres user, from a folder that it can read: the clone may be under /root.
as_postgres() {
  if ((EUID == 0)); then
    (cd / && runuser -u postgres -- "$@")
  else
    (cd / && sudo -u postgres "$@")
  fi
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# The packages for PostgreSQL version $1.
postgres_packages() { printf '%s\n' "postgresql-$1" "postgresql-plpython3-$1" "postgresql-$1-cron"; }

# The newest PostgreSQL version that is installed with PL/Python and pg_cron; fails if there is none.
installed_postgres() {
  local version package
  for version in $(dpkg-query -W -f '${Package}\n' 'postgresql-plpython3-*' 2>/dev/null | grep -oE '[0-9]+$' | sort -rn); do
    for package in $(postgres_packages "$version"); do
      installed "$package" || continue 2
    done
    printf '%s\n' "$version"
    return
  done
  return 1
}

# shell_quote TEXT: TEXT in single quotes, for .env.
shell_quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# A role or database name as a SQL identifier; a text as a SQL literal.
sql_name() { printf '"%s"' "${1//\"/\"\"}"; }
sql_text() { printf "'%s'" "${1//\'/\'\'}"; }

# url PORT DATABASE: a libpq URI for the user who runs this, through the socket.
url() { printf 'postgresql:///%s?host=/var/run/postgresql&port=%s' "$2" "$1"; }

# Run a command under the lock of the state folder, so that two installations cannot write one environment.
with_lock() {
  local lock=$state/lock
  (
    flock -n 9 || { say "  waiting for another make process that uses $state"; flock 9; }
    "$@"
  ) 9>"$lock"
}
