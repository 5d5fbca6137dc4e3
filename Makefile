# PolyGuard: `make demo` first. Every target sets up what it needs.
SHELL := /bin/bash
PYTHON ?= python3.11
# Relative, so that a checkout may lie in a folder with a space in its name.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HOST ?= 127.0.0.1
PORT ?= 8000
UI_PORT ?= 3000
export POLYGUARD_ROOT := $(CURDIR)
export POLYGUARD_DAGSTER_STATE := $(CURDIR)/data_lake/.dagster
export DAGSTER_HOME := $(CURDIR)
export OMP_WAIT_POLICY := passive
export PYTHONUNBUFFERED := 1

.PHONY: demo test ui serve bench lint types validate install audit deploy soak fuzz clean

demo: $(STAMP)
	@$(BIN)/python -m polyguard_assets.demo

install: $(STAMP)

# torch first and pinned: any range would pull a CUDA build of several gigabytes.
$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11 or run make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing (once; about two minutes)"
	@$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p "$(POLYGUARD_DAGSTER_STATE)"
	@$(BIN)/python -m polyguard_assets.setup_instance
	@$(BIN)/python -m polyguard_env compile
	@touch $(STAMP)

test: $(STAMP)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

ui: $(STAMP)
	@$(BIN)/python -m polyguard_assets.ui --host $(HOST) --port $(UI_PORT)

serve: $(STAMP)
	@$(BIN)/python -m polyguard_serving.server --host $(HOST) --port $(PORT)

validate: $(STAMP)
	@$(BIN)/openenv validate . --level static --skip-build

# Known vulnerabilities of what is installed and locked; AUDIT=--strict fails when no advisory service answers.
audit: $(STAMP)
	@$(BIN)/python -m polyguard_assets.audit $(AUDIT)

# The environment as a Space on the hub; needs HF_TOKEN.
deploy: $(STAMP)
	@$(BIN)/dagster job execute -m polyguard_assets.definitions -j deploy_environment

# 1,000 sessions over 30 minutes; SOAK="--minutes 5 --sessions 200" for a shorter one.
soak: $(STAMP)
	@$(BIN)/python -m polyguard_assets.soak $(SOAK)

# Generated requests over the whole API, all checks; FUZZ="--examples 50" for fewer.
fuzz: $(STAMP)
	@$(BIN)/python -m polyguard_assets.fuzz $(FUZZ)

bench: $(STAMP)
	@$(BIN)/python -m polyguard_assets.bench

clean:
	rm -rf $(VENV)
