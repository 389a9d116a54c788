#!/usr/bin/env bash
# Opens a SQL prompt in the database of .env: `make psql`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -r $env_file ]] || fail "there is no $env_file" "run: make up"
# shellcheck source=/dev/null
source "$env_file"
exec psql "$DATABASE_URL"
