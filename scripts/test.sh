#!/usr/bin/env bash
# Runs all tests on throw-away clusters: `make test`. With PYTEST_ARGS, pytest runs once with these arguments.
#
# The clusters are removed when the tests end. The next run removes the leftovers of a killed one. The project is
# installed into a folder of its own, so that the running installation and its server are not affected.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# tests/db has its own cluster, which it may crash. tests/unit and then tests/e2e run at the same time on a second cluster,
# because tests/e2e restarts it and mostly waits for the next minute of pg_cron.
db_cluster=candlecast_test_$$
e2e_cluster=${db_cluster}_e2e
installed=/var/lib/candlecast/$db_cluster
cron_database=candlecast_cron_tests

background=
clean_up() {
  trap - EXIT INT TERM HUP
  [[ -z $background ]] || kill "$background" 2>/dev/null || true
  for cluster in "$db_cluster" "$e2e_cluster"; do
    CLUSTER=$cluster scripts/cluster.sh drop || true
  done
  as_root rm -rf "$installed"
}

# Remove the packages of killed runs. cluster.sh removes their clusters.
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
export CANDLECAST_TEST_CRON_DATABASE=$cron_database
unset DATABASE_URL # tests set their database

# make_cluster NAME: create and start a throw-away cluster with the database of pg_cron.
make_cluster() {
  THROWAWAY=$$ CLUSTER=$1 CRON_DATABASE=$cron_database ML_TORCHSCRIPT=on scripts/cluster.sh create
  THROWAWAY=$$ CLUSTER=$1 scripts/cluster.sh start
  psql -X -q -v ON_ERROR_STOP=1 -d "$(url "$(CLUSTER=$1 scripts/cluster.sh port)" postgres)" -c "create database $cron_database"
}

# become_pytest CLUSTER ARGS...: replace the current subshell by pytest, so that signals reach pytest.
become_pytest() {
  local cluster=$1 server
  shift
  server=$(url "$(CLUSTER=$cluster scripts/cluster.sh port)" postgres)
  exec env CANDLECAST_TEST_URL="$server" CANDLECAST_TEST_CLUSTER="$cluster" PYTHONPATH="$installed" \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" -m pytest "$@"
}

run_background() {
  local status=0 folder
  trap 'kill "$!" 2>/dev/null; exit 143' TERM
  for folder in tests/unit tests/e2e; do
    (become_pytest "$e2e_cluster" "$folder") &
    wait "$!" || status=$?
  done
  return "$status"
}

run_all() {
  local status=0 log=$installed/background.log
  make_cluster "$e2e_cluster"
  run_background >"$log" 2>&1 &
  background=$!
  (become_pytest "$db_cluster" tests/db) || status=$?
  wait "$background" || status=$?
  cat "$log"
  return "$status"
}

make_cluster "$db_cluster"
if [[ -n ${PYTEST_ARGS:-} ]]; then
  # shellcheck disable=SC2086  # split into words
  (become_pytest "$db_cluster" $PYTEST_ARGS) || exit $?
else
  run_all || exit $?
fi
