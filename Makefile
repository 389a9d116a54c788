# Entry points of candlecast. `make` alone lists them; each step is a script in scripts/.
#
# CANDLES   candle files that `make up` loads (write ? for a blank in a name), or demo for synthetic candles. Default:
#           BTCUSDT from the exchange, or synthetic candles if it cannot be reached; later runs keep what is stored
# CLUSTER   name of the PostgreSQL cluster, default the one in .env, else candlecast. Each name is a separate installation

export CLUSTER CANDLES YES PYTEST_ARGS BENCH_ARGS SERVE_ARGS

.DEFAULT_GOAL := help
.PHONY: help up down clean psql serve test golden lint format docs bench

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## Install, start, print a forecast; candles: CANDLES='FILE...' or CANDLES=demo
	@scripts/up.sh

down: ## Stop the cluster; `make up` starts it again
	@scripts/down.sh

clean: ## Remove the cluster, its data and the environment; asks unless YES=1. models/ stays
	@scripts/clean.sh

psql: ## Open a SQL prompt in the database
	@scripts/psql.sh

serve: ## Serve the dashboard, /health, /metrics on port 8080 until Ctrl-C; SERVE_ARGS=--help
	@scripts/serve.sh

test: ## Run all tests on a throw-away cluster; PYTEST_ARGS='-k features' selects some
	@scripts/test.sh

GOLDEN_TESTS = tests/unit/docs/test_reference.py tests/db/docs/test_reference.py \
  tests/db/admin/test_migrations.py::test_golden_schema tests/db/admin/test_roles.py::test_golden_rights

golden: ## Rewrite the generated files (schema, rights, docs/reference); review the diff
	@GOLDEN=write PYTEST_ARGS='-q $(GOLDEN_TESTS)' scripts/test.sh && python3 tests/freeze.py

lint: ## Run ruff, import-linter, sqlfluff, mypy, codespell, mkdocs, bash -n
	@scripts/lint.sh

format: ## Fix what ruff can fix
	@scripts/lint.sh fix

docs: ## Build the documentation as a website
	@scripts/lint.sh docs

bench: ## Compare speed and memory with a plain Python process; BENCH_ARGS=--help lists more
	@scripts/bench.sh
