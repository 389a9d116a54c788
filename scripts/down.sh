#!/usr/bin/env bash
# Stops the cluster: `make down`. Its data stay; `make up` starts it again.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$project/scripts/cluster.sh" stop
say "PostgreSQL cluster $cluster is down. make up starts it again."
