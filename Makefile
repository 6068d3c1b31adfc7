# make demo | test | test-slow | test-compiled | lint | interop | examples | fuzz | explore | mutants | soak | bench | bench-quick | coverage | wheel | clean
#
# Each target first sets up what it needs in .venv, where sctpx runs interpreted, from src: Python 3.11 or later with
# venv is all that must be there, no compiler and no root. Set-up happens once, and again when pyproject.toml or the
# version changes. test-compiled, wheel, soak and the benchmarks take a C compiler too: .venv-compiled has an install of
# sctpx as users get it, made again when a source file changes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STATED := pyproject.toml src/sctpx/__init__.py
BUILT  := pyproject.toml setup.py $(shell find src -name '*.py' -o -name '*.md')
PIP    := -m pip --disable-pip-version-check --quiet

COMPILED := .venv-compiled
AIORTC   := .venv-aiortc
# What a build leaves, and would put into the next one even if its source is no more.
LEFTOVERS := build/lib* build/bdist* build/temp*

# A process for each processor runs a part of the tests, and takes over some of another's when its own are done.
# JOBS=0: all tests in one process, as for a debugger.
JOBS     ?= auto
PARALLEL := --numprocesses=$(JOBS) --maxprocesses=8 --dist=worksteal

# How many inputs each fuzzer gets.
FUZZ_PARSER_RUNS ?= 1000000
FUZZ_ENDPOINT_RUNS ?= 1000000
FUZZ_COMPILED_RUNS ?= 1000000

# How many mutants are tried at once, and the seed of a sample.
MUTANT_JOBS ?= $(shell nproc 2>/dev/null || echo 1)
SEED ?= 0

# The soak: virtual days, the seed of the first one, and the seconds of the part in real time.
SOAK_DAYS    ?= 7
SOAK_SECONDS ?= 600
SOAK_SEED    ?= 1
SOAK_WRITE   ?=

.PHONY: help demo test test-slow test-compiled lint format interop examples fuzz fuzz-wire fuzz-endpoint fuzz-compiled explore mutants soak bench bench-quick coverage wheel clean
.DELETE_ON_ERROR:

help:
	@sed -n '1s/^# //p' Makefile

demo: $(VENV)/.core
	$(BIN)/sctpx demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(PARALLEL)

# The long sweeps, which make test leaves out, and the property tests with all their examples.
test-slow: $(VENV)/.dev
	HYPOTHESIS_PROFILE=whole $(BIN)/python -m pytest $(PARALLEL) -m "slow or hypothesis"

# The same tests, but for those that mean the same in both builds, and none of the sources: src is not on the path.
test-compiled: $(COMPILED)/.test
	$(COMPILED)/bin/python -m pytest $(PARALLEL) -o pythonpath=. -m "not slow and not examples and not texts"

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Real peers must be there: Debian's libusrsctp-dev, a C compiler, tshark, and Python's own tests (libpython3-testsuite).
# A kernel with SCTP is booted as a process: that takes root, x86-64, /dev/net/tun, iproute2 and apt. The sources of
# pysctp, and the libraries of the examples, are downloaded with pip. What was tried with which result is written to
# docs/interop.md.
interop: $(VENV)/.examples
	SCTPX_REQUIRE_INTEROP=1 $(BIN)/python -m pytest tests/interop -m "not examples" --write-matrix docs/interop.md

# The programs of examples/, with the libraries that they use. Packets are captured where root and tshark are there.
examples: $(VENV)/.examples
	$(BIN)/python -m pytest $(PARALLEL) -m examples tests/examples

# Any bytes into every parser; stories of worlds of whole stacks, interpreted and, where a C compiler is, compiled. A
# finding is written to build/fuzz and fails the target. Each is a process: make -j2 runs two at once.
fuzz: fuzz-wire fuzz-endpoint fuzz-compiled

fuzz-wire: $(VENV)/.fuzz
	@mkdir -p build/fuzz
	PYTHONPATH=. $(BIN)/python tests/fuzz/fuzz_wire.py -runs=$(FUZZ_PARSER_RUNS) -artifact_prefix=build/fuzz/ -verbosity=0

fuzz-endpoint: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz.fuzz_endpoint --inputs $(FUZZ_ENDPOINT_RUNS)

fuzz-compiled:
	-@$(MAKE) --no-print-directory $(COMPILED)/.test
	@if [ -e $(COMPILED)/.test ]; then \
		set -x; $(COMPILED)/bin/python -m tests.fuzz.fuzz_endpoint --inputs $(FUZZ_COMPILED_RUNS) --seed 2; \
	else \
		echo "no compiled install could be made: it is not fuzzed"; \
	fi

# Every state of small worlds: how many they are goes into docs/exploration.md.
explore: $(VENV)/.dev
	$(BIN)/python -m tests.exploration --write

# Small faults in the core, each tried with the tests that run its lines: what lives is told, and counted in
# docs/mutation.md. All of it takes hours; MODULES="wire core/tx" are some of the modules, SAMPLE=20 so many mutants of each.
mutants: $(VENV)/.dev
	$(BIN)/python -m tests.mutation $(MODULES) --write --jobs $(MUTANT_JOBS) --seed $(SEED) \
		$(if $(SAMPLE),--sample $(SAMPLE)) $(if $(AGAIN),--again)

# Virtual days with everything going wrong at random, then real minutes on loopback at full rate, compiled. A seed
# repeats a virtual day exactly. SOAK_WRITE=--write has the figures written into docs/security.md.
soak: $(COMPILED)/.test
	$(COMPILED)/bin/python -m tests.soak --days $(SOAK_DAYS) --seconds $(SOAK_SECONDS) --seed $(SOAK_SEED) $(SOAK_WRITE)

# What cannot be made here is left out, and the benchmarks say so.
bench bench-quick: $(VENV)/.bench
	-@$(MAKE) --no-print-directory $(COMPILED)/.test
	-@$(MAKE) --no-print-directory $(AIORTC)/.aiortc
	$(BIN)/python -m bench.run $(if $(filter bench-quick,$@),--quick)

coverage: $(VENV)/.dev
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report

# Into dist: one for this platform and Python, compiled, and one for all others.
wheel: $(VENV)/.made
	rm -rf dist $(LEFTOVERS)
	SCTPX_PURE=0 $(BIN)/python $(PIP) wheel --no-deps --wheel-dir dist .
	rm -rf $(LEFTOVERS)
	SCTPX_PURE=1 $(BIN)/python $(PIP) wheel --no-deps --wheel-dir dist .
	@ls dist

clean:
	rm -rf $(VENV) $(COMPILED) $(AIORTC) build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

%/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "sctpx needs Python 3.11 or later; $(PYTHON) is something else. On Debian 12 and later:"; \
		echo "    apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing. On Debian:"; \
		echo "    apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(@D)
	@touch $@

$(VENV)/.core: $(VENV)/.made $(STATED)
	SCTPX_PURE=1 $(BIN)/python $(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(STATED)
	SCTPX_PURE=1 $(BIN)/python $(PIP) install --editable '.[test,lint]'
	@touch $@ $(VENV)/.core

$(VENV)/.examples: $(VENV)/.dev
	SCTPX_PURE=1 $(BIN)/python $(PIP) install --editable '.[examples]'
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	SCTPX_PURE=1 $(BIN)/python $(PIP) install --editable '.[fuzz]'
	@touch $@

$(VENV)/.bench: $(VENV)/.made $(STATED)
	SCTPX_PURE=1 $(BIN)/python $(PIP) install --editable '.[bench]'
	@touch $@ $(VENV)/.core

$(COMPILED)/.test: $(COMPILED)/.made $(BUILT)
	rm -rf $(LEFTOVERS)
	SCTPX_PURE=0 $(COMPILED)/bin/python $(PIP) install '.[test]'
	@touch $@

$(AIORTC)/.aiortc: $(AIORTC)/.made
	$(AIORTC)/bin/python $(PIP) install aiortc
	@touch $@
