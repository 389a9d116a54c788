# What the scripts share: where things are, who runs what, how messages look. Sourced, never run.
#
# CLUSTER names the installation: the PostgreSQL cluster, and the folder of its Python environment. Without it, the
# one that .env names, else candlecast. The environment is /var/lib/candlecast/<name>/venv, where the postgres user
# can read it whatever the clone's own mode is.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the scripts that source this use these

set -Eeuo pipefail
umask 022
# What fails unexplained names its place; 78 is fail's own status (EX_CONFIG), which has said its word.
trap '(($? == 78)) || printf "candlecast: %s line %s: this failed: %s\n" "${BASH_SOURCE[0]:-$0}" "$LINENO" "$BASH_COMMAND" >&2' ERR

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
env_file=$project/.env
cluster=${CLUSTER:-$(sed -nE "s#^CANDLECAST_PYTHON='/var/lib/candlecast/([a-z0-9_]+)/venv/.*#\1#p" "$env_file" 2>/dev/null || true)}
cluster=${cluster:-candlecast}
database=candlecast
state=/var/lib/candlecast/$cluster
venv=$state/venv
python=$venv/bin/python

say() { printf '%s\n' "$*"; }

# fail MESSAGE [REMEDY]: say what happened and what to do about it, and stop.
fail() {
  printf 'candlecast: %s\n' "$1" >&2
  [[ -z ${2:-} ]] || printf '  what to do: %s\n' "$2" >&2
  exit 78
}

[[ $cluster =~ ^[a-z][a-z0-9_]{0,39}$ ]] ||
  fail "CLUSTER='$cluster' is not a name for a cluster" "use lower-case letters, digits and _, a letter first"

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo here" "run it as root"
  fi
}

# As the postgres user, from a folder that it can stand in: the clone may be under /root.
as_postgres() {
  if ((EUID == 0)); then
    (cd / && runuser -u postgres -- "$@")
  else
    (cd / && sudo -u postgres "$@")
  fi
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# The packages that PostgreSQL version $1 needs here.
postgres_packages() { printf '%s\n' "postgresql-$1" "postgresql-plpython3-$1" "postgresql-$1-cron"; }

# The newest PostgreSQL that is installed with PL/Python and pg_cron; fails where there is none.
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

# shell_quote TEXT: in single quotes, for .env, whatever TEXT holds.
shell_quote() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# A role or database name as a SQL identifier; a text as a SQL literal.
sql_name() { printf '"%s"' "${1//\"/\"\"}"; }
sql_text() { printf "'%s'" "${1//\'/\'\'}"; }

# url PORT DATABASE: a libpq URI for the user who runs this, through the socket.
url() { printf 'postgresql:///%s?host=/var/run/postgresql&port=%s' "$2" "$1"; }

# Run inside the state folder's lock: two makes at once must not install into one environment.
with_lock() {
  local lock=$state/lock
  (
    flock -n 9 || { say "  waiting for another make that uses $state"; flock 9; }
    "$@"
  ) 9>"$lock"
}
