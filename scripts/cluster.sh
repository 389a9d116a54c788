#!/usr/bin/env bash
# Manages candlecast's own PostgreSQL cluster, with its own port, data folder and settings. Other clusters are not
# changed.
#
#   scripts/cluster.sh create     create the cluster if it is missing, and update its settings
#   scripts/cluster.sh start      start it, or restart it if its settings changed; waits until it is ready
#   scripts/cluster.sh stop       stop it
#   scripts/cluster.sh drop       remove it with all its data
#   scripts/cluster.sh port       print its port
#   scripts/cluster.sh log        print the path of its log
#   scripts/cluster.sh sweep      drop the throw-away clusters of test runs that have ended
#
# CLUSTER            name of the cluster, see common.sh
# SERVER_PYTHONPATH  import path of the server, default the environment's site-packages
# CRON_DATABASE      database of pg_cron, default candlecast
# THROWAWAY          process id of a test run: the cluster has no fsync, and is dropped after that process has ended
# ML_TORCHSCRIPT     on or off; default on if only administrators can log in to this machine
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

sockets=/var/run/postgresql

# The version of the cluster, else the newest one that is installed.
find_version() {
  local found
  for found in /etc/postgresql/*/"$cluster"; do
    [[ ! -d $found ]] || { basename "$(dirname "$found")" && return; }
  done
  installed_postgres || fail "PostgreSQL with PL/Python and pg_cron is not installed" "run scripts/packages.sh"
}

# Without any cluster there is nothing to stop or remove.
[[ ! ${1:-} =~ ^(stop|drop|sweep|log)$ ]] || compgen -G '/etc/postgresql/*/*' >/dev/null || exit 0

version=$(find_version)
config=/etc/postgresql/$version/$cluster
marker=$config/candlecast.project

exists() { [[ -e $config/postgresql.conf ]]; }
field() { pg_lsclusters -h "$version" "$cluster" | awk -v n="$1" '{print $n}'; }
port() { field 3; }
# Checks the server process, because another program may use the port.
running() { as_root pg_ctlcluster "$version" "$cluster" status >/dev/null 2>&1; }
sql() { as_postgres psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$sockets" -p "$(port)" -d "${2:-postgres}" -c "$1"; }

# Fail if another clone or program created the cluster. A clone that was moved keeps its cluster.
check_own() {
  local owner
  exists || [[ -e $marker ]] || return 0
  [[ -e $marker ]] || fail "candlecast did not create the PostgreSQL cluster $version/$cluster" \
    "choose another name: make ... CLUSTER=other"
  owner=$(head -n 1 "$marker")
  [[ $owner == "$project" ]] || as_root test ! -e "$owner/scripts/cluster.sh" ||
    fail "the PostgreSQL cluster $version/$cluster belongs to the clone in $owner" \
      "work there, or choose another name here: make ... CLUSTER=other"
}

# put FILE: write standard input to the file, if it differs.
put() {
  local wanted
  wanted=$(cat)
  [[ $(cat "$1" 2>/dev/null) == "$wanted" ]] || {
    printf '%s\n' "$wanted" | as_root tee "$1" >/dev/null
    as_root chown postgres:postgres "$1"
    as_root chmod 644 "$1"
  }
}

settings() {
  local cron_database=${CRON_DATABASE:-$database}
  cat <<CONF
# Written by candlecast at each \`make up\`. Put your own settings into another file of this folder.
shared_preload_libraries = 'pg_cron'
cron.database_name = '$cron_database'
cron.use_background_workers = on    # the jobs' role has no password to connect with
cron.timezone = 'UTC'
max_worker_processes = 32           # each running job is one
listen_addresses = 'localhost'
timezone = 'UTC'
jit = off                           # predictions are short queries: compiling them costs more than it saves
CONF
  [[ -z ${THROWAWAY:-} ]] || cat <<CONF
# For tests: data need not survive a power failure.
fsync = off
full_page_writes = off
max_wal_size = '4GB'
CONF
}

# Whether every account that can log in is the current user or can become root.
only_administrators() {
  local account uid shell
  while IFS=: read -r account _ uid _ _ _ shell; do
    ((uid >= 1000 && uid < 60000)) || continue
    [[ $shell != */nologin && $shell != */false && -n $shell ]] || continue
    [[ $account == "$(id -un)" ]] || id -nG "$account" | grep -qwE 'sudo|wheel|admin' || return 1
  done < <(getent passwd)
}

# The server's environment. Lines that an administrator added are kept, including their ML_TORCHSCRIPT.
environment() {
  local before=$config/environment torchscript=${ML_TORCHSCRIPT:-} by=
  [[ -n $torchscript ]] || torchscript=$(sed -nE "/# by the set-up/! s/^ML_TORCHSCRIPT *=? *'?([a-z]+)'?.*/\1/p" "$before")
  if [[ -z $torchscript ]]; then
    by='  # by the set-up: on where only administrators can log in'
    torchscript=off
    ! only_administrators || torchscript=on
  fi
  grep -vE '^(PYTHONPATH|OMP_NUM_THREADS|OPENBLAS_NUM_THREADS|ML_TORCHSCRIPT|# candlecast:)' "$before"
  cat <<CONF
# candlecast: where PL/Python finds its packages, one thread a backend, and whether TorchScript files may be loaded
PYTHONPATH = '$SERVER_PYTHONPATH'
OMP_NUM_THREADS = '1'
OPENBLAS_NUM_THREADS = '1'
ML_TORCHSCRIPT = '$torchscript'$by
CONF
}

create() {
  check_own
  if ! exists; then
    say "  creating PostgreSQL cluster $version/$cluster"
    as_root mkdir -p "$config"
    printf '%s\n' "$project" ${THROWAWAY:+"$THROWAWAY $(started "$THROWAWAY")"} | as_root tee "$marker" >/dev/null
    as_root env LC_ALL=C.UTF-8 pg_createcluster --quiet --no-status --user postgres --locale C.UTF-8 --encoding UTF8 \
      --start-conf "$([[ -n ${THROWAWAY:-} ]] && echo manual || echo auto)" "$version" "$cluster" -- --data-checksums >/dev/null
    [[ ! -d /run/systemd/system ]] || as_root systemctl daemon-reload
  elif [[ $(head -n 1 "$marker") != "$project" ]]; then
    printf '%s\n' "$project" | as_root tee "$marker" >/dev/null
  fi
  SERVER_PYTHONPATH=${SERVER_PYTHONPATH:-$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')}
  as_root mkdir -p "$config/conf.d"
  settings | put "$config/conf.d/candlecast.conf"
  environment | put "$config/environment"
}

# Whether settings were written after the server started.
outdated() {
  local file data
  data=$(field 6)
  for file in conf.d/candlecast.conf environment; do
    ! as_root test "$config/$file" -nt "$data/postmaster.pid" || return 0
  done
  return 1
}

port_is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Close inherited file descriptors except the terminal: the server would keep them open, and with them the lock of
# `flock FILE make up`. 255 belongs to bash.
close_inherited() {
  local open
  for open in /proc/"$BASHPID"/fd/*; do
    open=${open##*/}
    ((open <= 2 || open == 255)) || exec {open}>&-
  done
}

start() {
  check_own
  exists || fail "there is no PostgreSQL cluster $version/$cluster" "run: make up"
  local action=
  if ! running; then
    action=start
    local old new
    old=$(port)
    if port_is_taken "$old"; then
      new=$(perl -I/usr/share/perl5 -MPgCommon -e 'print PgCommon::next_free_port()')
      say "  another program uses port $old: changing to port $new"
      as_root pg_conftool "$version" "$cluster" set port "$new"
    fi
  elif outdated; then
    action=restart
  fi
  if [[ -n $action ]]; then
    say "  ${action}ing PostgreSQL cluster $version/$cluster on port $(port)"
    # shellcheck disable=SC2046  # two words or none
    (
      close_inherited
      as_root pg_ctlcluster "$version" "$cluster" "$action" $([[ $action == start ]] || echo "-m fast")
    ) ||
      fail "PostgreSQL cluster $version/$cluster did not $action" "read its log: $(field 7)"
  fi
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    ! pg_isready -q -h "$sockets" -p "$(port)" || break
    sleep 0.1
  done
  ((tries < 600)) || fail "PostgreSQL cluster $version/$cluster is not ready on port $(port) after a minute" "read its log: $(field 7)"
  add_superuser
}

# Create a superuser with the name of the current user: migrations need one, and peer authentication protects it.
add_superuser() {
  local me
  me=$(id -un)
  [[ $me != postgres ]] || return 0
  sql "do \$\$ begin
    if not exists (select from pg_roles where rolname = $(sql_text "$me")) then
      create role $(sql_name "$me") superuser login;
    elsif not (select rolsuper and rolcanlogin from pg_roles where rolname = $(sql_text "$me")) then
      alter role $(sql_name "$me") superuser login;
    end if;
  end \$\$"
}

stop() {
  check_own
  exists && running || return 0
  say "  stopping PostgreSQL cluster $version/$cluster"
  as_root pg_ctlcluster "$version" "$cluster" stop -m fast
}

drop() {
  check_own
  if exists; then
    say "  dropping PostgreSQL cluster $version/$cluster"
    as_root pg_dropcluster --stop "$version" "$cluster"
    [[ ! -d /run/systemd/system ]] || as_root systemctl daemon-reload
  fi
  if [[ -e $marker ]]; then
    as_root rm -rf "$config"
    as_root rmdir "/etc/postgresql/$version" 2>/dev/null || true
  fi
}

# Start time of process $1, to detect a reused process id.
started() { awk '{sub(/.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null; }

sweep() {
  local left pid since
  for left in /etc/postgresql/*/candlecast_test_*/candlecast.project; do
    [[ -e $left ]] || continue
    read -r pid since < <(sed -n 2p "$left") || continue
    [[ $(started "$pid") != "$since" ]] || continue
    say "  an earlier test run did not remove $(basename "$(dirname "$left")")"
    # throw-away clusters of all clones may be dropped
    (project=$(head -n 1 "$left") cluster=$(basename "$(dirname "$left")") version=$(basename "$(dirname "$(dirname "$left")")")
      config=/etc/postgresql/$version/$cluster marker=$config/candlecast.project
      drop)
  done
}

case ${1:-} in
  create | start | stop | drop | port | sweep) "$1" ;;
  log) field 7 ;;
  *) fail "unknown: cluster.sh ${1:-}" "read the header of scripts/cluster.sh" ;;
esac
