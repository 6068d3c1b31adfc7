# make demo | test | lint | interop | fuzz | bench | coverage | clean
#
# Each target first sets up what it needs in .venv: Python 3.11 or later with venv is all that must be there, no
# compiler and no root. Set-up happens once, and again when pyproject.toml or the version changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
STATED := pyproject.toml src/sctpx/__init__.py

# How many inputs each fuzzer gets.
FUZZ_PARSER_RUNS ?= 1000000
FUZZ_ENDPOINT_RUNS ?= 1000000

.PHONY: help demo test lint format interop fuzz bench coverage clean
.DELETE_ON_ERROR:

help:
	@sed -n '1s/^# //p' Makefile

demo: $(VENV)/.core
	$(BIN)/sctpx demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Real peers must be there: Debian's libusrsctp-dev and a C compiler.
interop: $(VENV)/.dev
	SCTPX_REQUIRE_INTEROP=1 $(BIN)/python -m pytest tests/interop

# Any bytes into every parser, and into a whole stack. A finding is written to build/fuzz and fails the target.
fuzz: $(VENV)/.fuzz
	mkdir -p build/fuzz
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_wire.py -runs=$(FUZZ_PARSER_RUNS) -artifact_prefix=build/fuzz/ -verbosity=0
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_endpoint.py -runs=$(FUZZ_ENDPOINT_RUNS) -artifact_prefix=build/fuzz/ -verbosity=0

bench: $(VENV)/.core
	$(BIN)/python -m bench.run

coverage: $(VENV)/.dev
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "sctpx needs Python 3.11 or later; $(PYTHON) is something else. On Debian 12 and later:"; \
		echo "    apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing. On Debian:"; \
		echo "    apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.made $(STATED)
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(STATED)
	$(PIP) --editable '.[test,lint]'
	@touch $@ $(VENV)/.core

$(VENV)/.fuzz: $(VENV)/.dev
	$(PIP) --editable '.[fuzz]'
	@touch $@
