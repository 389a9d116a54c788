#!/usr/bin/env bash
# Every linter: `make lint`. `scripts/lint.sh fix` runs the formatter instead: `make format`; `scripts/lint.sh docs` builds
# the documentation alone: `make docs`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

cd "$project"
scripts/packages.sh
scripts/environment.sh dev

if [[ ${1:-} == fix ]]; then
  "$venv/bin/ruff" check --fix .
  "$venv/bin/ruff" format .
  exit
fi

site=$state/site
export NO_MKDOCS_2_WARNING=1  # mkdocs-material names its successor on every build: docs/explanation/decisions.md
if [[ ${1:-} == docs ]]; then
  "$venv/bin/mkdocs" build --strict --site-dir "$site"
  say "Open $site/index.html"
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
check scripts/words.sh
check "$venv/bin/mkdocs" build --strict --site-dir "$site"
for script in scripts/*.sh .ci/run; do
  bash -n "$script" || failed+=("bash -n $script")
done
((${#failed[@]} == 0)) || fail "these linters failed: $(printf '%s; ' "${failed[@]##*/}")" "run make format, then correct what is left"
say "lint: OK"
