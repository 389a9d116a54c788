#!/usr/bin/env bash
# Runs a tool of the project's environment, for pre-commit: `scripts/tool.sh ruff check .`
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

tool=$1
shift
[[ -x $venv/bin/$tool ]] || fail "$tool is not installed" "run make lint: it installs the tools"
exec "$venv/bin/$tool" "$@"
