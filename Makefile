# Every target does its own set-up; Python 3.11+ and make are enough. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
ROOMS := api benchmarks chronoproxy commands context dashboard docs gateway ledgers projections proxy schema tests
GENERATED := docs/configuration.md docs/events.md docs/mcp-servers.md $(wildcard docs/clients/*.md)
ARGS :=
# Where it is set, each of the many processes that the tests start compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

$(VENV)/.runtime: requirements.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.extra: requirements-extra.lock tests/node/package-lock.json $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-extra.lock
	@if command -v npm >/dev/null; then npm ci --prefix tests/node --no-audit --no-fund --silent; \
	else echo "npm was not found: the test of the JavaScript SDK will not run"; fi
	@touch $@

.PHONY: help setup run test check docs lock clean test-all setup-extra setup-clients bench bench-proxy bench-append bench-storage bench-projections bench-rebuild bench-travel bench-prices check-travel bench-compaction bench-dashboard pictures soak wheel bench-mcp bench-context bench-ledgers bench-memory
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 27

setup: $(VENV)/.dev ## create .venv with everything for development

run: $(VENV)/.runtime ## start the proxy on http://127.0.0.1:8000, data in ./data (ARGS="--port 9000")
	@$(BIN)/python -m chronoproxy serve --data-dir ./data $(ARGS)

test: $(VENV)/.dev ## run the tests
	$(BIN)/python -m pytest -q -m "not extra" -n auto --dist loadfile $(ARGS)

check: $(VENV)/.dev ## lint, format, types, import rules, generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(ROOMS)
	$(BIN)/lint-imports
	$(BIN)/python -m cogapp --check $(GENERATED)

docs: $(VENV)/.dev ## write the generated parts of docs/ anew
	$(BIN)/python -m cogapp -r $(GENERATED)

setup-extra: $(VENV)/.extra ## what test-all and bench use beyond `make test`: more clients; Node and nginx where they are found
	@command -v nginx >/dev/null || echo "nginx was not found: install it to compare with it (optional)"
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; \
	else echo "Chromium was not found: the tests of the dashboard will not run. Debian: sudo apt-get install chromium"; fi

test-all: setup-extra ## the tests that `make test` leaves out: they need more than Python, or minutes
	@# in the order of the files: what takes longest is one test, and would else begin last
	$(BIN)/python -m pytest -q -m extra -rs -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

setup-clients: $(VENV)/.dev ## opencode and aider for test-all, 1 GB of downloads
	npm install --prefix .clients --no-save --no-audit --no-fund opencode-ai && cd .clients/node_modules/opencode-ai && node postinstall.mjs
	$(PYTHON) -m venv .clients/aider && .clients/aider/bin/pip install --quiet aider-chat

bench: bench-proxy bench-append bench-storage bench-projections bench-rebuild bench-travel bench-compaction bench-mcp ## all benchmarks: CPU per unit and ratios in one run

bench-proxy: setup-extra ## requests and SSE chunks beside nginx and a naive proxy
	$(BIN)/python -m benchmarks.proxy $(ARGS)

bench-append: $(VENV)/.dev ## the event log
	$(BIN)/python -m benchmarks.append

bench-storage: $(VENV)/.dev ## disk per conversation; DATA=folder of recorded ones, else a made-up one
	$(BIN)/python -m benchmarks.storage $(DATA)

bench-projections: $(VENV)/.dev ## the read tables
	$(BIN)/python -m benchmarks.projections

bench-rebuild: $(VENV)/.dev ## rebuild, decode, verify, read your writes (ARGS=1000000 for the goal's size)
	$(BIN)/python -m benchmarks.projections_rebuild $(ARGS)

bench-travel: $(VENV)/.dev ## any moment of a long log, and a rebuild under traffic (ARGS=1000000 for the goal's size)
	$(BIN)/python -m benchmarks.time_travel $(ARGS)

check-travel: $(VENV)/.dev ## 50 random positions of a long log against an independent fold (ARGS=1000000 for the goal's size)
	$(BIN)/python -m tests.projections.long_history $(ARGS)

bench-prices: $(VENV)/.dev ## pricing history anew, and reports of usage (ARGS=1000000 for the goal's size)
	$(BIN)/python -m benchmarks.prices $(ARGS)

bench-compaction: $(VENV)/.dev ## planning a compaction, requests of a compacted conversation, 2,000 messages, the chart
	$(BIN)/python -m benchmarks.compaction $(ARGS)

bench-ledgers: $(VENV)/.dev ## reading ledgers of clients, and deciding on what they hold
	@$(BIN)/python -m benchmarks.ledgers $(ARGS)

bench-dashboard: setup-extra ## the dashboard in Chromium: weight, time until usable, event and slider to pixels, CPU for each client
	$(BIN)/python -m benchmarks.dashboard

pictures: setup-extra ## pictures of the dashboard for the docs (ARGS=folder: every page in both themes)
	$(BIN)/python -m docs.pictures $(ARGS)

bench-mcp: $(VENV)/.dev ## tools in process and behind programs, beside the SDK's own client (ARGS=calls)
	$(BIN)/python -m benchmarks.mcp $(ARGS)

bench-memory: $(VENV)/.dev ## recall and latency of the search in memories (ARGS=how many)
	$(BIN)/python -m benchmarks.memory $(ARGS)

bench-context: $(VENV)/.dev ## contexts of recorded agents (EVAL=program DATA=folder ARGS=options)
	$(BIN)/python -m benchmarks.context $(EVAL) $(DATA) $(ARGS)

wheel: $(VENV)/.dev ## build dist/*.whl
	$(BIN)/python -m build --wheel --outdir dist . >/dev/null

soak: $(VENV)/.dev ## 200 streams, 500 listeners and 20 that do not listen, for ten minutes (ARGS="3 50": minutes, streams)
	$(BIN)/python -m benchmarks.soak $(ARGS)

lock: $(VENV)/.dev ## pin the dependencies anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 -q --no-emit-index-url --custom-compile-command "make lock" -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 -q --no-emit-index-url --custom-compile-command "make lock" -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --group extra -c requirements-dev.lock --universal --generate-hashes --python-version 3.11 -q --no-emit-index-url --custom-compile-command "make lock" -o requirements-extra.lock

clean: ## remove the environment and caches
	rm -rf $(VENV) .clients tests/node/node_modules .mypy_cache .ruff_cache .pytest_cache build dist
