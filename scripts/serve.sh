#!/usr/bin/env bash
# /health, /metrics and the dashboard over the database of .env, until Ctrl-C: `make serve`. SERVE_ARGS go to
# `candlecast serve`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -r $env_file ]] || fail "there is no $env_file" "run: make up"
# shellcheck source=/dev/null
source "$env_file"
export DATABASE_URL
# shellcheck disable=SC2086  # words, as the user wrote them
exec "$venv/bin/candlecast" serve ${SERVE_ARGS:-}
