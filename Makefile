# Instar: `make run` starts the gateway, `make test` runs the tests. Nothing needs to be installed first but
# Python 3.11 or newer; with uv on the PATH the first start is faster. `make help` lists the rest.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:

BIN := .venv/bin
PORT ?= 18789
ARGS ?=
KILLS ?= 300
# Two workers: with more, tests that start real processes wait for each other on a machine of two cores.
TEST_WORKERS ?= 2
# Debian packages that tests need; today's need none. `make setup` installs what is missing where it may (root with
# apt-get), elsewhere it names them, and the tests that need them say "not run".
DEB_PACKAGES :=

.PHONY: help
help:  ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

# ------------------------------------------------------------------------------------------------ what people type

.PHONY: run test check crash fuzz bench simulate leaks mutations setup format lock clean
run: setup  ## start the gateway on 127.0.0.1:18789 (PORT=…, ARGS="--config my.json5")
	@exec $(BIN)/instar gateway --port $(PORT) $(ARGS)

test: setup  ## run the tests (ARGS="tests/unit -k reset")
	@exec $(BIN)/python -m pytest -n $(TEST_WORKERS) $(ARGS)

check: format-check lint types contracts docs coverage test  ## all that the build machine checks; the tests come last

crash: setup  ## kill a gateway KILLS times under load and check what is left (docs/reliability.md; ARGS="--harm full")
	@exec $(BIN)/python -m instar.testing.crash --kills $(KILLS) $(ARGS)

fuzz: setup  ## throw hostile HTTP and frames at a gateway for SECONDS each
	@exec $(BIN)/python -m pytest tests/fuzz -q --fuzz $(or $(SECONDS),60) $(ARGS)

bench: setup  ## measure, side by side with the bare parts (docs/benchmarks.md)
	@exec $(BIN)/python -m bench $(ARGS)

simulate: setup  ## play drawn stories on all cores, on from where the last run ended (SEEDS=n or SECONDS=n)
	@exec $(BIN)/python -m instar.testing.simulate --state .simulate $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

leaks: setup  ## play drawn scripts on all cores and look for words that reached others (SEEDS=n or SECONDS=n)
	@exec $(BIN)/python -m instar.testing.leaks --state .leaks $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(ARGS)

mutations: setup  ## break the package in one line after the other, and let the simulation find each
	@exec $(BIN)/python -m pytest -n $(TEST_WORKERS) --mutations tests/simulation/test_mutations.py $(ARGS)

setup:  ## fill .venv from requirements.lock; returns at once when nothing changed
	@DEB_PACKAGES="$(DEB_PACKAGES)" .ci/setup

format: setup  ## lay the code out, and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock:  ## renew requirements.lock from pyproject.toml (needs uv; UPGRADE=1 takes the newest versions)
	@uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet \
	  $(if $(UPGRADE),--upgrade) --output-file requirements.lock

clean:  ## remove what setup, the tools and the tests left behind
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* dist build

# ------------------------------------------------------------------------------------------------ the parts of check

.PHONY: format-check lint types contracts docs coverage
format-check: setup
	@$(BIN)/ruff format --check --quiet . || { echo "Some files are not in the house's layout: run 'make format'." >&2; exit 1; }

lint: setup
	@$(BIN)/ruff check --quiet .

types: setup
	@$(BIN)/mypy --no-error-summary

contracts: setup
	@$(BIN)/lint-imports --no-logo

docs: setup
	@$(BIN)/python -m pytest -q tests/docs tests/tidy

# The decisions are held at 100 % of their branches by their own tests alone.
coverage: setup
	@$(BIN)/python -m pytest -q -n $(TEST_WORKERS) --cov --cov-report=term tests/unit/core tests/conformance
