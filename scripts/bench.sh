#!/usr/bin/env bash
# One benchmark on a throw-away server that does fsync: `make bench`.
#
#   make bench                                             limits: latency, memory and volume against their limits
#   make bench BENCH_ARGS='--cron-minutes 10'              the same, and ten real minutes of pg_cron
#   make bench BENCH_ARGS='feed-latency --sessions 10'     another one: NAME, its options
#   make bench BENCH_ARGS='--database-url postgresql://..' on that database instead, under a symbol of the benchmark's own
#   make bench BENCH_ARGS=--help                           their names; BENCH_ARGS='NAME --help' the options
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Named as the tests' are, so that what a killed run leaves is swept with theirs.
bench_cluster=candlecast_test_$$
installed=/var/lib/candlecast/$bench_cluster
bench_database=candlecast_bench

on_bench_cluster() { CLUSTER=$bench_cluster scripts/cluster.sh "$@"; }

clean_up() {
  trap - EXIT INT TERM HUP
  on_bench_cluster drop || true
  as_root rm -rf "$installed"
}

# A cluster for tests has no fsync; here latency must be what users get, and commits must have their times.
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

read -ra arguments <<<"${BENCH_ARGS:-}" # words, as the user wrote them
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

# A limit that is missed is status 1, and no failure of this script.
status=0
"$python" -m bench "${arguments[@]}" || status=$?
exit "$status"
