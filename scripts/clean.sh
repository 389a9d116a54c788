#!/usr/bin/env bash
# Removes the cluster, its data, the Python environment and .env: `make clean`. Asks for confirmation unless YES=1.
#
# System packages and trained models in models/ are kept.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# A running test or benchmark imports from this environment.
"$project/scripts/cluster.sh" sweep
for used in /etc/postgresql/*/candlecast_test_*/environment; do
  [[ ! -e $used ]] || ! grep -qF "$venv/" "$used" ||
    fail "a test or benchmark uses $venv ($(basename "$(dirname "$used")"))" "wait until it ends, or stop it"
done

if [[ ${YES:-} != 1 ]]; then
  printf 'This removes PostgreSQL cluster %s with all candles, models and predictions, and %s.\n' "$cluster" "$state"
  answer=
  read -r -p 'Type yes to continue: ' answer || true
  [[ $answer == yes ]] || fail "nothing was removed" "type yes, or run: make clean YES=1"
fi

"$project/scripts/cluster.sh" drop
if [[ -e $state ]]; then
  owner=$(cat "$state/project" 2>/dev/null || true)
  if [[ $owner == "$project" ]]; then
    as_root rm -rf "$state"
  else
    say "  $state belongs to another clone: kept"
  fi
fi
# The .env of another installation is kept.
! grep -qsF "'$python'" "$env_file" || rm -f "$env_file"
say "Removed. make up installs it again."
