# The ways into candlecast. `make` alone lists them; scripts/ has the steps, a header on each.
#
# CANDLES   files for `make up` to load, ? stands for a blank in a name; demo: generated candles. Default: BTCUSDT's from the
#           exchange where it can be reached, else generated ones; later runs keep to what is there
# CLUSTER   the name of the PostgreSQL cluster, default the one in .env, else candlecast: another name is another installation

export CLUSTER CANDLES YES PYTEST_ARGS BENCH_ARGS SERVE_ARGS

.DEFAULT_GOAL := help
.PHONY: help up down clean psql serve test golden lint format docs bench

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## everything, to a first prediction on the screen; CANDLES='FILE...' loads those files, CANDLES=demo makes some up
	@scripts/up.sh

down: ## stop the cluster; `make up` starts it again
	@scripts/down.sh

clean: ## remove the cluster with all its data, and the Python environment; asks first (YES=1 does not)
	@scripts/clean.sh

psql: ## a SQL prompt in the database
	@scripts/psql.sh

serve: ## /health, /metrics and the dashboard on http://127.0.0.1:8080/, until Ctrl-C; SERVE_ARGS passes through
	@scripts/serve.sh

test: ## every test, on a throw-away cluster; PYTEST_ARGS='-k features' picks
	@scripts/test.sh

GOLDEN_TESTS = tests/unit/docs/test_reference.py tests/db/docs/test_reference.py \
  tests/db/admin/test_migrations.py::test_golden_schema tests/db/admin/test_roles.py::test_golden_rights

golden: ## write the generated files (schema, rights, docs/reference; at a release the frozen hashes): read the diff before you commit
	@GOLDEN=write PYTEST_ARGS='-q $(GOLDEN_TESTS)' scripts/test.sh && python3 tests/freeze.py

lint: ## ruff, import-linter, sqlfluff, mypy, codespell, mkdocs, bash -n
	@scripts/lint.sh

format: ## let ruff rewrite what it can
	@scripts/lint.sh fix

docs: ## build the documentation as a website, strictly
	@scripts/lint.sh docs

bench: ## latency, memory and volume beside a plain Python process; BENCH_ARGS=--help lists other benchmarks
	@scripts/bench.sh
