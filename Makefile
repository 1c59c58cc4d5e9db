# The whole interface, the same by hand and in CI. `make` alone lists it.

VENV      ?= .venv
ifeq ($(origin PYTHON),undefined)
PYTHON    := $(shell for p in $(VENV)/bin/python python3 python3.11 python3.12 python3.13; do \
	"$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
endif
VERSION   := $(shell "$(PYTHON)" -c 'import platform; print(platform.python_version())' 2>/dev/null)
INSTALLED := $(VENV)/.installed-$(VERSION)
BIN       := $(VENV)/bin
PROTO_ENV := $(VENV)-proto
CLIENTS   := durabletask dapr durabletask-dapr
CLIENT_ENVS := $(CLIENTS:%=$(VENV)-clients/%/.installed)
ROOTS     := proto kit sdk placement sidecar cli tests bench examples deploy
CODE      := $(foreach root,$(ROOTS),$(if $(shell find $(root) -name '*.py' -print -quit 2>/dev/null),$(root)))
PARALLEL  ?= 2
PYTEST    := $(BIN)/pytest
FAST      := $(wildcard tests/unit tests/support tests/conformance tests/histories tests/simulation)
N         ?= 50000
START     ?= 0
COMPILED  := $(VENV)-compiled
HOT       := tests/unit/kit tests/unit/proto tests/unit/sdk tests/unit/sidecar tests/conformance tests/histories tests/simulation/test_seeds.py
LOCK      := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help run env client-envs test integration check lint types imports proto proto-is-current format lock compiled test-compiled bench bench-cluster simulate crash chaos idle build clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: env ## Start a sidecar and a sample app, end to end; ends with 0
	$(BIN)/python -m examples.checkout

env: $(INSTALLED) ## Make the environment from the lock (PYTHON=python3.12 chooses another Python)

$(INSTALLED): pyproject.toml requirements/dev.txt
	@test -n "$(VERSION)" || { echo "python: expected 3.11 or newer with venv and ensurepip, found none on PATH; install it, or say PYTHON=/path/to/python" >&2; exit 1; }
	@test "$$($(BIN)/python -V 2>/dev/null)" = "Python $(VERSION)" || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

client-envs: $(CLIENT_ENVS) ## Make the environments of the unmodified clients that the tests run

$(VENV)-clients/%/.installed: requirements/client-%.txt
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@

test: env client-envs ## Run all tests; those of stores and placement use real servers
	$(PYTEST) $(FAST) --numprocesses $(PARALLEL) --dist worksteal
	@$(MAKE) --no-print-directory integration

integration: env client-envs ## Run only the tests with whole processes
	$(if $(wildcard tests/integration/*.py tests/integration/*/*.py),$(PYTEST) tests/integration,@echo "no integration tests here")

check: lint types imports proto-is-current ## Everything but tests that must be green before a commit

lint: env ## Look for mistakes and for code that is not formatted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: env ## Format the code and mend what can be mended safely
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: env ## Check the types, twice: mypy and pyright, both strict
	$(BIN)/mypy $(CODE)
	$(BIN)/pyright --pythonpath $(BIN)/python

imports: env ## Check that the rooms import only what they may
	$(BIN)/lint-imports --config .importlinter

GENERATE   = cd proto && $(abspath $(PROTO_ENV))/bin/python -m grpc_tools.protoc --proto_path=. $$(find . -name '*.proto' | sort | sed 's|^\./||')
GENERATED := find . -name '*_pb2.py' -o -name '*_pb2.pyi'

$(PROTO_ENV)/.installed: requirements/proto.txt
	@test -x $(PROTO_ENV)/bin/python || $(PYTHON) -m venv $(PROTO_ENV)
	$(PROTO_ENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements/proto.txt
	@touch $@

proto: $(PROTO_ENV)/.installed ## Generate the code of the .proto files
	$(GENERATE) --python_out=. --pyi_out=.

proto-is-current: $(PROTO_ENV)/.installed ## Check that the generated code is what the .proto files say
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && ($(GENERATE) --python_out="$$out" --pyi_out="$$out") \
		&& (cd proto && $(GENERATED) | sort) >"$$out/here" && (cd "$$out" && $(GENERATED) | sort) >"$$out/there" \
		&& diff "$$out/here" "$$out/there" && while read -r file; do diff -q "proto/$$file" "$$out/$$file" || exit 1; done <"$$out/here" \
		|| { echo "generated code: expected what the .proto files give, found something else; run make proto" >&2; exit 1; }

lock: env ## Write the lock anew from pyproject.toml (UPGRADE=--upgrade takes the newest versions)
	$(LOCK) pyproject.toml --all-extras --output-file requirements/base.txt
	$(LOCK) pyproject.toml --all-extras --group dev --constraint requirements/base.txt --output-file requirements/dev.txt
	$(LOCK) --group proto --output-file requirements/proto.txt
	$(foreach client,$(CLIENTS),$(LOCK) --group client-$(client) --output-file requirements/client-$(client).txt &&) true

compiled: $(COMPILED)/.installed ## Make an environment with the compiled wheel (needs a C compiler)

$(COMPILED)/.installed: $(INSTALLED) deploy/wheel.py $(shell find proto kit sdk placement sidecar cli -name '*.py')
	@command -v $${CC:-cc} >/dev/null || { echo "compiled: expected a C compiler, found none; install one (Debian: apt install gcc), say CC=/path/to/cc, or run $(BIN)/python -m bench to measure Python as it is" >&2; exit 1; }
	rm -rf $(COMPILED) && $(PYTHON) -m venv $(COMPILED)
	$(COMPILED)/bin/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	HOLDFAST_COMPILE=1 $(COMPILED)/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir $(COMPILED)/wheel .
	$(COMPILED)/bin/python -m pip install --quiet --no-deps $(COMPILED)/wheel/*.whl
	@touch $@

test-compiled: compiled ## Run the tests of what is compiled on the compiled wheel
	$(COMPILED)/bin/pytest $(HOT) --numprocesses $(PARALLEL) --dist worksteal
	$(COMPILED)/bin/pytest tests/integration/sdk

bench: compiled ## Measure one sidecar with one app, both as the compiled wheel brings them
	$(COMPILED)/bin/python -m bench

bench-cluster: compiled ## Measure a cluster, and how long it takes to recover
	$(COMPILED)/bin/python -m bench.cluster

simulate: env ## Run N simulated worlds, each from its own seed (N=50000, START=0)
	$(BIN)/python -m tests.simulation.run --seeds $(N) --start $(START)

crash: env ## Kill sidecar, app and store at random instants, at full size (STORE=sqlite, SEED=1)
	$(BIN)/python -m tests.integration.crash $(if $(STORE),--store $(STORE)) $(if $(SEED),--seed $(SEED))

chaos: env ## Torment a whole cluster, processes and links, at full size (STORE=redis, SEED=1, SECONDS=600, INSTANCES=20000)
	$(BIN)/python -m tests.integration.cluster.chaos --seconds $(or $(SECONDS),600) --instances $(or $(INSTANCES),20000) $(if $(STORE),--store $(STORE)) $(if $(SEED),--seed $(SEED))

idle: env ## Measure what 100,000 instances that wait cost
	$(BIN)/python -m tests.integration.crash.idle

build: env ## Build the wheel into dist/
	$(BIN)/python -m hatchling build --target wheel

clean: ## Remove the environments and everything that was made
	rm -rf $(VENV) $(PROTO_ENV) $(VENV)-clients $(COMPILED) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .holdfast
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
