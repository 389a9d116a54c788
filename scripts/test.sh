#!/usr/bin/env bash
# Runs every test on a throw-away cluster: `make test`. PYTEST_ARGS goes to pytest.
#
# The cluster goes when the tests end, however they end; what a killed run left is swept by the next. The project is
# installed beside the test cluster, so that neither the running installation nor its server sees a line of it.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

test_cluster=candlecast_test_$$
installed=/var/lib/candlecast/$test_cluster
cron_database=candlecast_cron_tests

on_test_cluster() { CLUSTER=$test_cluster scripts/cluster.sh "$@"; }

clean_up() {
  trap - EXIT INT TERM HUP
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
# shellcheck disable=SC2086  # words, as the user wrote them
PYTHONPATH=$installed OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" -m pytest ${PYTEST_ARGS:-} || exit $?
