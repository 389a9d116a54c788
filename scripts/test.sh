#!/usr/bin/env bash
# Runs every test on a throw-away cluster: `make test`. PYTEST_ARGS goes to pytest, which then runs what it names, once.
#
# The cluster goes when the tests end, however they end; what a killed run left is swept by the next. The project is
# installed beside the test cluster, so that neither the running installation nor its server sees a line of it.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

test_cluster=candlecast_test_$$
installed=/var/lib/candlecast/$test_cluster
cron_database=candlecast_cron_tests

on_test_cluster() { CLUSTER=$test_cluster scripts/cluster.sh "$@"; }

beside=
clean_up() {
  trap - EXIT INT TERM HUP
  [[ -z $beside ]] || kill "$beside" 2>/dev/null || true
  on_test_cluster drop || true
  as_root rm -rf "$installed"
}

# What killed runs left of their packages; their clusters are cluster.sh's to sweep.
sweep_packages() {
  local left
  for left in /var/lib/candlecast/candlecast_test_*; do
    [[ -e $left && ! -e /proc/${left##*_} ]] || continue
    as_root rm -rf "$left"
  done
}

cd "$project"
scripts/packages.sh --tests
scripts/cluster.sh sweep
sweep_packages

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

as_root mkdir -p "$installed"
as_root chown "$(id -u):$(id -g)" "$installed"
scripts/environment.sh --project-in "$installed" dev

site_packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export SERVER_PYTHONPATH=$installed:$site_packages
THROWAWAY=$$ CRON_DATABASE=$cron_database ML_TORCHSCRIPT=on on_test_cluster create
THROWAWAY=$$ on_test_cluster start
port=$(on_test_cluster port)

CANDLECAST_TEST_URL=$(url "$port" postgres)
export CANDLECAST_TEST_URL CANDLECAST_TEST_CRON_DATABASE=$cron_database CANDLECAST_TEST_CLUSTER=$test_cluster
psql -X -q -v ON_ERROR_STOP=1 -d "$CANDLECAST_TEST_URL" -c "create database $cron_database"

unset DATABASE_URL # tests name their database

run_pytest() { PYTHONPATH=$installed OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" -m pytest "$@"; }

# tests/e2e mostly waits for pg_cron's next minute, and has the cluster for itself: beside it runs what needs no cluster.
run_all() {
  local status=0 log=$installed/e2e.log
  run_pytest tests/db || status=$?
  run_pytest tests/e2e >"$log" 2>&1 &
  beside=$!
  run_pytest tests/unit || status=$?
  wait "$beside" || status=$?
  cat "$log"
  return "$status"
}

if [[ -n ${PYTEST_ARGS:-} ]]; then
  # shellcheck disable=SC2086  # words, as the user wrote them
  run_pytest $PYTEST_ARGS || exit $?
else
  run_all || exit $?
fi
