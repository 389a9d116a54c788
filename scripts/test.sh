#!/usr/bin/env bash
# Runs every test on a throw-away cluster: `make test`. PYTEST_ARGS goes to pytest, which then runs what it names, once.
#
# The cluster goes when the tests end, however they end; what a killed run left is swept by the next. The project is
# installed beside the test cluster, so that neither the running installation nor its server sees a line of it.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# tests/db has a cluster to itself, which it may crash; tests/unit and then tests/e2e, which mostly wait for pg_cron's next
# minute and stop and start theirs, run beside it on another.
db_cluster=candlecast_test_$$
e2e_cluster=${db_cluster}_e2e
installed=/var/lib/candlecast/$db_cluster
cron_database=candlecast_cron_tests

beside=
clean_up() {
  trap - EXIT INT TERM HUP
  [[ -z $beside ]] || kill "$beside" 2>/dev/null || true
  for cluster in "$db_cluster" "$e2e_cluster"; do
    CLUSTER=$cluster scripts/cluster.sh drop || true
  done
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
export CANDLECAST_TEST_CRON_DATABASE=$cron_database
unset DATABASE_URL # tests name their database

# make_cluster NAME: a throw-away cluster, started, with the database that pg_cron lives in.
make_cluster() {
  THROWAWAY=$$ CLUSTER=$1 CRON_DATABASE=$cron_database ML_TORCHSCRIPT=on scripts/cluster.sh create
  THROWAWAY=$$ CLUSTER=$1 scripts/cluster.sh start
  psql -X -q -v ON_ERROR_STOP=1 -d "$(url "$(CLUSTER=$1 scripts/cluster.sh port)" postgres)" -c "create database $cron_database"
}

# become_pytest CLUSTER ARGS...: in a subshell, whose process it takes over, so that a signal to it reaches pytest.
become_pytest() {
  local cluster=$1 server
  shift
  server=$(url "$(CLUSTER=$cluster scripts/cluster.sh port)" postgres)
  exec env CANDLECAST_TEST_URL="$server" CANDLECAST_TEST_CLUSTER="$cluster" PYTHONPATH="$installed" \
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" -m pytest "$@"
}

run_beside() {
  local status=0 folder
  trap 'kill "$!" 2>/dev/null; exit 143' TERM
  for folder in tests/unit tests/e2e; do
    (become_pytest "$e2e_cluster" "$folder") &
    wait "$!" || status=$?
  done
  return "$status"
}

run_all() {
  local status=0 log=$installed/beside.log
  make_cluster "$e2e_cluster"
  run_beside >"$log" 2>&1 &
  beside=$!
  (become_pytest "$db_cluster" tests/db) || status=$?
  wait "$beside" || status=$?
  cat "$log"
  return "$status"
}

make_cluster "$db_cluster"
if [[ -n ${PYTEST_ARGS:-} ]]; then
  # shellcheck disable=SC2086  # words, as the user wrote them
  (become_pytest "$db_cluster" $PYTEST_ARGS) || exit $?
else
  run_all || exit $?
fi
