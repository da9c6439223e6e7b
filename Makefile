# Everything a person types.  `make demo` and `make test` set up what they need.
VENV := .venv
PYTHON := $(VENV)/bin/python
OLDEST_SDK := 7.14.3
SDK_TESTS := tests/sources/test_settlement.py tests/sources/test_intake.py tests/sources/test_outages.py tests/sources/test_passes.py tests/sources/test_handed_back.py tests/sources/test_entities.py tests/sources/test_ways_in.py tests/login/test_service_bus.py tests/emulator/server
MARIADB := .cache/mariadb
NODE_CLIENT := .cache/node/node_modules
OLD_SDK_DIR := .cache/azure-servicebus-$(OLDEST_SDK)

.PHONY: help demo test engine lint unit explore sdk test-live-suite bench lock schema docs clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/.ready-run $(VENV)/.engine ## Show the whole bridge on this machine: broker, Dataverse, a crash, the proof
	@$(VENV)/bin/cdsbridge demo $(ARGS)

test: lint engine unit sdk ## Lint, types, import contracts, and every test
	@echo "make test: everything passed"

lint: $(VENV)/.ready-dev ## Format, lint, types, import contracts, dependencies
	@echo "== ruff, mypy, import-linter, deptry"
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports --no-logo 2>/dev/null || $(VENV)/bin/lint-imports
	@$(VENV)/bin/deptry .

engine: $(VENV)/.ready-dev $(VENV)/.engine ## Build the compiled engine, and its own tests, where there is Rust
	@! command -v cargo >/dev/null 2>&1 || sh .ci/engine_tests.sh

unit: $(VENV)/.ready-dev $(VENV)/.engine $(MARIADB) $(NODE_CLIENT) ## The tests, against the embedded Service Bus over TCP and real databases
	@echo "== tests (newest supported azure-servicebus)"
	@$(PYTHON) tests/sinks/servers.py
	@$(PYTHON) -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)
	@echo "== flattening without the compiled engine"
	@CDSBRIDGE_COMPILED=0 $(PYTHON) -m pytest -q -n 2 --dist loadfile -m "not slow" tests/transforms

explore: $(VENV)/.ready-dev $(MARIADB) $(NODE_CLIENT) ## The tests once more, properties on examples never tried before
	@CDSBRIDGE_EXPLORE=1 $(PYTHON) -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

sdk: $(VENV)/.ready-dev $(OLD_SDK_DIR) ## The contract with the SDK once more, on the oldest one we support
	@echo "== tests of the SDK contract (azure-servicebus $(OLDEST_SDK))"
	@PYTHONPATH=$(OLD_SDK_DIR) CDSBRIDGE_EXPECT_SDK=$(OLDEST_SDK) $(PYTHON) -m pytest -n 2 --dist loadfile $(SDK_TESTS)

test-live-suite: $(VENV)/.ready-dev ## Microsoft's own live tests against the embedded Service Bus; some 15 minutes
	@$(PYTHON) bench/live.py $(ARGS)

bench: $(VENV)/.ready-dev ## The long proofs and measurements; see bench/README.md
	@$(PYTHON) bench/flatten.py
	@$(PYTHON) bench/throughput.py
	@$(PYTHON) bench/memory.py
	@$(PYTHON) bench/kills.py

lock: $(VENV)/.ready-dev ## Write the lock files anew from pyproject.toml
	@$(PYTHON) -m uv --version >/dev/null 2>&1 || $(VENV)/bin/pip install --quiet uv
	@$(PYTHON) -m uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate -o requirements.lock
	@$(PYTHON) -m uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate -c requirements.lock -o requirements-dev.lock

schema: $(VENV)/.ready-dev ## Write conf/bridge.schema.json from the configuration models
	@$(VENV)/bin/cdsbridge check --schema > conf/bridge.schema.json

docs: $(VENV)/.ready-dev ## Write docs/columns.md from the tables in the code
	@$(VENV)/bin/cdsbridge schema columns > docs/columns.md

clean: ## Remove everything that was set up or built
	rm -rf $(VENV) .cache build demo-output *.egg-info

$(VENV)/.ready-run: requirements.lock pyproject.toml
	@sh .ci/setup.sh $(VENV) requirements.lock
	@touch $@

$(VENV)/.ready-dev: requirements-dev.lock pyproject.toml
	@sh .ci/setup.sh $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.ready-run

$(VENV)/.engine: $(wildcard engine/src/*.rs engine/src/reader/*.rs) engine/Cargo.toml engine/Cargo.lock engine/pyproject.toml | $(VENV)/.ready-run
	@sh .ci/engine.sh $(VENV)
	@touch $@

$(OLD_SDK_DIR):
	@echo "== azure-servicebus $(OLDEST_SDK) into $@"
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --target $@ azure-servicebus==$(OLDEST_SDK)

$(MARIADB):
	@sh .ci/mariadb.sh $@

$(NODE_CLIENT): tests/emulator/node/package-lock.json
	@sh .ci/node.sh $(@D)
