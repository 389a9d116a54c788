#!/usr/bin/env bash
# Runs one benchmark on a throw-away server with fsync: `make bench`.
#
#   make bench                                             the benchmark limits: latency, memory, volume and their limits
#   make bench BENCH_ARGS='--cron-minutes 10'              the same, plus ten real minutes of pg_cron
#   make bench BENCH_ARGS='feed-latency --sessions 10'     another benchmark: NAME and its options
#   make bench BENCH_ARGS='--database-url postgresql://..' on that database, with the benchmark's own symbol
#   make bench BENCH_ARGS=--help                           all names; BENCH_ARGS='NAME --help' shows the options
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Named like the tests' clusters, so that the leftovers of a killed run are removed in the same way.
bench_cluster=candlecast_test_$$
installed=/var/lib/candlecast/$bench_cluster
bench_database=candlecast_bench

on_bench_cluster() { CLUSTER=$bench_cluster scripts/cluster.sh "$@"; }

clean_up() {
  trap - EXIT INT TERM HUP
  on_bench_cluster drop || true
  as_root rm -rf "$installed"
}

# A cluster for tests has no fsync. Here latency must be realistic, and commits need timestamps.
make_durable() {
  local folder
  folder=$(echo /etc/postgresql/*/"$bench_cluster"/conf.d)
  printf '%s = on\n' fsync full_page_writes synchronous_commit track_commit_timestamp |
    as_root tee "$folder/candlecast_bench.conf" >/dev/null
  as_root chmod 644 "$folder/candlecast_bench.conf"
}

cd "$project"
scripts/packages.sh
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

read -ra arguments <<<"${BENCH_ARGS:-}" # split into words
if [[ ${arguments[0]:-} != --help && ${arguments[0]:--} == -* ]]; then
  arguments=(limits "${arguments[@]}")
fi
if [[ " ${arguments[*]}" == *" --database-url"* || " ${arguments[*]}" == *" --help"* ]]; then
  scripts/environment.sh dev
  exec "$python" -m bench "${arguments[@]}"
fi
if [[ ${arguments[0]} == limits ]]; then
  arguments+=(--throw-away)
fi

scripts/cluster.sh sweep
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

as_root mkdir -p "$installed"
as_root chown "$(id -u):$(id -g)" "$installed"
scripts/environment.sh --project-in "$installed" dev

site_packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export SERVER_PYTHONPATH=$installed:$site_packages
THROWAWAY=$$ CRON_DATABASE=$bench_database ML_TORCHSCRIPT=on on_bench_cluster create
make_durable
THROWAWAY=$$ on_bench_cluster start
port=$(on_bench_cluster port)

psql -X -q -v ON_ERROR_STOP=1 -d "$(url "$port" postgres)" -c "create database $bench_database"
DATABASE_URL=$(url "$port" "$bench_database")
export DATABASE_URL PYTHONPATH=$installed
"$python" -m alembic upgrade head

# Status 1 means that a limit is exceeded, not that this script failed.
status=0
"$python" -m bench "${arguments[@]}" || status=$?
exit "$status"
