# Each target sets up what it needs. Needs python3 (3.11+) with venv, and make; nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTO_VENV := .venv-protos

.PHONY: help demo demo-sync test lint typecheck protos protos-check pytest bench audit clean

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.server: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]'
	touch $@

$(VENV)/.dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,postgres,dev]'
	touch $(VENV)/.server $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server,bench]'
	touch $@

$(PROTO_VENV)/.ready: protos/requirements.txt
	test -x $(PROTO_VENV)/bin/python || $(PYTHON) -m venv $(PROTO_VENV)
	$(PROTO_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r protos/requirements.txt
	touch $@

.venv-audit/.ready:
	test -x .venv-audit/bin/python || $(PYTHON) -m venv .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'
	touch $@

demo: $(VENV)/.server ## Show the main job on the sample media
	$(BIN)/hashsvc demo

demo-sync: $(VENV)/.server ## Show how nodes follow a list, and a hub that tampers with it
	$(BIN)/hashsvc demo --sync

test: lint pytest ## Run all checks: ruff, mypy, stale protos, pytest

pytest: $(VENV)/.dev ## Run the tests alone
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: typecheck protos-check ## Run ruff, mypy and the protos check

typecheck: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

protos-check: $(PROTO_VENV)/.ready
	$(PROTO_VENV)/bin/python protos/generate.py --check

protos: $(PROTO_VENV)/.ready ## Generate hashsvc/v1 from the protos
	$(PROTO_VENV)/bin/python protos/generate.py

bench: $(VENV)/.bench ## Run the benchmarks and print their tables
	$(BIN)/python -m benchmarks all

audit: $(VENV)/.dev .venv-audit/.ready ## Hold the packages against known vulnerabilities
	.ci/audit

clean: ## Remove the virtual environments
	rm -rf $(VENV) $(PROTO_VENV) .venv-audit
