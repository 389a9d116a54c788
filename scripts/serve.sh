#!/usr/bin/env bash
# Serves the dashboard, /health and /metrics for the database of .env until Ctrl-C: `make serve`. SERVE_ARGS are passed
# to `candlecast serve`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -r $env_file ]] || fail "there is no $env_file" "run: make up"
# shellcheck source=/dev/null
source "$env_file"
export DATABASE_URL
# shellcheck disable=SC2086  # split into words
exec "$venv/bin/candlecast" serve ${SERVE_ARGS:-}
