# Each target sets up what it needs by itself: a virtual environment with the locked packages.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Compiled code is kept also where the environment says otherwise: tests start our programs dozens of times.
export PYTHONDONTWRITEBYTECODE :=

TOUR ?= 1
DEMO := $(BIN)/crossdock demo $(if $(filter 0,$(TOUR)),--no-tour)

.PHONY: help install demo clean-demo test test-slow test-kill lint check-schema format schema lock clean

help:
	@echo "make install       the virtual environment with everything locked (other targets do it by themselves)"
	@echo "make demo          everything with made-up systems, and a tour of it (TOUR=0 only serves); Ctrl-C ends it"
	@echo "make clean-demo    drop what the demo keeps in var/demo"
	@echo "make test          the default test run (below 5 minutes)"
	@echo "make test-slow     crash, container-command and other long suites"
	@echo "make test-node     npm clients and the GraphQL over HTTP audit (needs Node; installs into var/node)"
	@echo "make test-kill     kill a program at every moment of every process (an hour on two cores)"
	@echo "make lint          ruff, mypy, import rules, check-schema"
	@echo "make check-schema  what schema/supergraph.graphql breaks for clients of the one where the branch began"
	@echo "make schema        write schema/sdl, schema/supergraph.graphql and docs/processes from the code"
	@echo "make lock          resolve requirements.lock and requirements-run.lock again"

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

install: $(STAMP)

demo: $(STAMP)
	@$(DEMO)

clean-demo:
	rm -rf var/demo

# Files are spread over five processes with servers of their own; half of a test's time is waiting.
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses 5 --dist loadfile

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow --numprocesses 2 --dist loadfile

test-kill: $(STAMP)
	$(BIN)/python -m pytest -m exhaustive -rP --numprocesses auto --maxprocesses 4 --dist worksteal tests/processes

NODE_STAMP := var/node/.installed

$(NODE_STAMP): tests/node/package.json
	@mkdir -p var/node
	@cp tests/node/package.json var/node/
	@cd var/node && npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent
	@touch $@

test-node: $(STAMP) $(NODE_STAMP)
	CROSSDOCK_NODE_MODULES=var/node/node_modules $(BIN)/python -m pytest tests/node

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache
	@$(MAKE) --no-print-directory check-schema

BASE ?= origin/main
RECORDED ?= crossdock/scenarios

# Below a second and without network. Without git, or a branch to compare with, there is nothing to check.
check-schema: $(STAMP)
	@mkdir -p var
	@base=$$(git merge-base HEAD $(BASE) 2>/dev/null || git merge-base HEAD main 2>/dev/null || true); \
	if [ -n "$$base" ] && git show "$$base:schema/supergraph.graphql" > var/published.graphql 2>/dev/null; then \
		$(BIN)/crossdock check --supergraph schema/supergraph.graphql --against var/published.graphql --operations $(RECORDED); \
	else echo "no published schema to compare with"; fi

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP)
	$(BIN)/crossdock schema
	$(BIN)/crossdock processes

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra dev pyproject.toml --output-file requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --constraint requirements.lock pyproject.toml --output-file requirements-run.lock

clean:
	rm -rf var $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build
