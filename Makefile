# One command to see it, one to check it: `make demo`, `make test`. Each sets everything up by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOUR ?= 1

.PHONY: help demo clean-demo test test-slow lint format schema lock bench clean

help:
	@echo "make demo          start everything, play the tour, stay up until Ctrl-C (TOUR=0 only serves)"
	@echo "make clean-demo    drop the state that the demo keeps in var/"
	@echo "make test          the default test run (below 5 minutes)"
	@echo "make test-slow     crash, container-command and other long suites"
	@echo "make lint          ruff, mypy, import rules, lock file"
	@echo "make schema        write schema/sdl/*.graphql and schema/supergraph.graphql again from the code"
	@echo "make bench         measure the figures of bench/README.md"
	@echo "make lock          resolve requirements.lock again"

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/crossdock demo $(if $(filter 0,$(TOUR)),--no-tour,)

clean-demo:
	rm -rf var

test: $(STAMP)
	$(BIN)/python -m pytest

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --cache-dir .import_linter_cache

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP)
	$(BIN)/crossdock schema write

bench: $(STAMP)
	$(BIN)/python bench/figures.py

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --extra dev pyproject.toml --output-file requirements.lock

clean: clean-demo
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info build
