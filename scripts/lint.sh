#!/usr/bin/env bash
# ruff, import-linter, sqlfluff, mypy, bash -n: `make lint`. With the argument fix ruff rewrites what it can: `make format`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$project"
scripts/packages.sh
scripts/environment.sh dev

if [[ ${1:-} == fix ]]; then
  "$venv/bin/ruff" check --fix .
  "$venv/bin/ruff" format .
  exit
fi

failed=()
check() {
  say "-- $*"
  "$@" || failed+=("$1 ${2:-}")
}

check "$venv/bin/ruff" check .
check "$venv/bin/ruff" format --check .
check "$venv/bin/lint-imports" --no-cache
check "$venv/bin/sqlfluff" lint --disable-progress-bar db/functions
check "$venv/bin/mypy"
for script in scripts/*.sh .ci/run; do
  bash -n "$script" || failed+=("bash -n $script")
done
((${#failed[@]} == 0)) || fail "the linters object: $(printf '%s; ' "${failed[@]##*/}")" "make format mends what ruff can"
say "lint: all well"
