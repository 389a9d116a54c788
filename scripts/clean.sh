#!/usr/bin/env bash
# Removes the cluster with all its data, the Python environment and .env: `make clean`. Asks; `make clean YES=1` does not.
#
# System packages and what was trained into models/ stay.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A test or bench run imports from this environment: taking it away in the middle breaks that run.
"$project/scripts/cluster.sh" sweep
for used in /etc/postgresql/*/candlecast_test_*/environment; do
  [[ ! -e $used ]] || ! grep -qF "$venv/" "$used" ||
    fail "a test or bench run is using $venv ($(basename "$(dirname "$used")"))" "wait until it ends, or stop it"
done

if [[ ${YES:-} != 1 ]]; then
  printf 'This removes PostgreSQL cluster %s with every candle, model and prediction in it, and %s.\n' "$cluster" "$state"
  answer=
  read -r -p 'Type yes to go on: ' answer || true
  [[ $answer == yes ]] || fail "nothing was removed" "make clean YES=1 does not ask"
fi

"$project/scripts/cluster.sh" drop
if [[ -e $state ]]; then
  owner=$(cat "$state/project" 2>/dev/null || true)
  if [[ $owner == "$project" ]]; then
    as_root rm -rf "$state"
  else
    say "  $state is not this clone's: it stays"
  fi
fi
# Of another installation it stays: `.ci/run` and CLUSTER=other make clean take their own away.
! grep -qsF "'$python'" "$env_file" || rm -f "$env_file"
say "Removed. make up makes it all anew."
