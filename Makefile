# Everything a developer runs. `make` alone explains; nothing but Python 3.11+, make and git is needed.

# The first of these that is new enough. Choose another one with: make demo PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

VENV := .venv/bin
INSTALL = @$(PYTHON) scripts/install.py
ARGS ?=
ONCE ?=
CONFIG ?=
RUNS ?= 200

.DEFAULT_GOAL := help
.PHONY: help python install install-dev demo preview serve test faults bench check format generate lock clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed and was not found." \
		"Install it from python.org or your system's packages, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is missing or older than Python 3.11. Name a newer one: make PYTHON=/path/to/python3" >&2; exit 1; }

install: python
	$(INSTALL) relay

install-dev: python
	$(INSTALL) dev

demo: install ## Watch the module work against a local Sekoia; ONCE=1 ends after one round
	@$(VENV)/python -m relay demo $(if $(filter-out 0,$(ONCE)),--once) $(ARGS)

preview: install ## Try a configuration without delivering anything: CONFIG=FILE
	@test -n "$(CONFIG)" || { echo "error: name the configuration: make preview CONFIG=mine.json" >&2; exit 2; }
	@$(VENV)/python -m relay preview --config "$(CONFIG)" $(ARGS)

serve: install ## Run the relay alone
	@$(VENV)/python -m relay serve $(ARGS)

test: install-dev ## Run all tests; choose some with ARGS="-k paging"
	@$(VENV)/python -m pytest --numprocesses auto $(ARGS)

faults: install-dev ## Kill and disturb the connector in RUNS=200 seeded runs; ARGS="--seed 7" chooses others
	@$(VENV)/python -m tests.faults --runs $(RUNS) $(ARGS)

bench: install ## Compare connectors in five minutes; ARGS=--full in forty, ARGS=action one action
	@$(PYTHON) scripts/install.py bench || echo "The comparison goes on without the libraries that could not be installed." >&2
	@$(VENV)/python -m benchmarks $(ARGS)

check: install-dev ## Check style, types, and that the generated files are current
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/python scripts/generate.py --check
	@$(VENV)/python scripts/field_tables.py --check

format: install-dev ## Format the code and repair what can be repaired
	@$(VENV)/ruff check --fix --exit-zero --quiet .
	@$(VENV)/ruff format .

generate: install ## Write main.py and the manifests from the code
	@$(VENV)/python scripts/generate.py
	@$(VENV)/python scripts/field_tables.py

lock: python ## Lock the dependencies of pyproject.toml; ARGS=--regenerate takes the newest
	@$(PYTHON) scripts/lock.py $(ARGS)

clean: ## Remove the environments and everything that can be made again
	@rm -rf .venv .venv-bench .venv-lock .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean."
