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

up: ## Install, start and show a first forecast; CANDLES='FILE...' loads files, CANDLES=demo generates candles
	@scripts/up.sh

down: ## Stop the cluster; `make up` starts it again
	@scripts/down.sh

clean: ## Remove the cluster, its data and the Python environment; asks for confirmation unless YES=1
	@scripts/clean.sh

psql: ## Open a SQL prompt in the database
	@scripts/psql.sh

serve: ## Serve /health, /metrics and the dashboard on http://127.0.0.1:8080/ until Ctrl-C; SERVE_ARGS adds options
	@scripts/serve.sh

test: ## Run all tests on a throw-away cluster; PYTEST_ARGS='-k features' selects some
	@scripts/test.sh

GOLDEN_TESTS = tests/unit/docs/test_reference.py tests/db/docs/test_reference.py \
  tests/db/admin/test_migrations.py::test_golden_schema tests/db/admin/test_roles.py::test_golden_rights

golden: ## Rewrite the generated files (schema, rights, docs/reference, frozen hashes); review the diff
	@GOLDEN=write PYTEST_ARGS='-q $(GOLDEN_TESTS)' scripts/test.sh && python3 tests/freeze.py

lint: ## Run ruff, import-linter, sqlfluff, mypy, codespell, mkdocs, bash -n
	@scripts/lint.sh

format: ## Fix what ruff can fix
	@scripts/lint.sh fix

docs: ## Build the documentation as a website
	@scripts/lint.sh docs

bench: ## Compare latency, memory and volume with a plain Python process; BENCH_ARGS=--help lists other benchmarks
	@scripts/bench.sh
