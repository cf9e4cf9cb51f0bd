.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help install demo serve test lint bench clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
ARGS ?=
BENCHMARKS ?= $(wildcard benchmarks/[!_]*.py)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' Makefile | expand -t 10
	@echo 'ARGS="..." is passed on, for example: make demo ARGS=--exit'

install: .venv/.dev  ## Make .venv with everything for development, pinned and hash-checked
	@echo "install: .venv is ready"

demo: $(if $(wildcard .venv/.dev),.venv/.dev,.venv/.demo)  ## Run the demonstration
	@.venv/bin/weir demo $(ARGS)

serve: $(if $(wildcard .venv/.dev),.venv/.dev,.venv/.demo)  ## Start the gateway
	@.venv/bin/weir serve $(ARGS)

test: install  ## Check everything: lint, types, import laws, tests (ARGS goes to pytest)
	@scripts/test $(ARGS)

lint: install  ## Check style, format and types
	@scripts/lint

bench: install  ## Run the benchmarks, or BENCHMARKS=benchmarks/one.py
	@set -e; for script in $(BENCHMARKS); do echo "bench: $$script"; .venv/bin/python $$script $(ARGS); done

clean:  ## Remove .venv, caches and the demonstration's files
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .weir build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "make: no python3 on PATH; Weir needs Python 3.11 or newer" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) does not run or is older than 3.11; try: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "install: making .venv with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.%: requirements/%.txt requirements/build.txt pyproject.toml | .venv/pyvenv.cfg
	@echo "install: requirements/$*.txt"
	@.venv/bin/pip install -qq --progress-bar off --require-hashes -r requirements/$*.txt -r requirements/build.txt
	@echo "install: weir (editable)"
	@.venv/bin/pip install -qq --progress-bar off --no-deps --no-build-isolation --editable .
	@touch $@
