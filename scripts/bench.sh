#!/usr/bin/env bash
# Latency, memory and throughput, beside a plain Python process with the same models: `make bench`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

[[ -r $env_file ]] || fail "there is no $env_file" "run: make up"
cd "$project"
scripts/environment.sh dev # pandas, that the comparison needs
set -a
# shellcheck source=/dev/null
source "$env_file"
# shellcheck disable=SC2086  # words, as the user wrote them
exec "$CANDLECAST_PYTHON" -m bench ${BENCH_ARGS:-}
