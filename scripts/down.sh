#!/usr/bin/env bash
# Stops the cluster: `make down`. The data is kept; `make up` starts it again.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$project/scripts/cluster.sh" stop
say "PostgreSQL cluster $cluster is stopped. make up starts it again."
