# The two commands of the README, and what they are made of.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: serve setup dev test test-sglang check bench fuzz soak clean

serve: setup
	$(BIN)/ltx23 serve

setup: $(VENV)/.installed

dev: $(VENV)/.installed-dev

test: $(VENV)/.installed-dev check
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/zensical build --strict

# A real SGLang on the CPU: 3 minutes and 2.9 GB to make, 3 minutes to test.
test-sglang: $(VENV)/.installed-dev
	tests/sglang/cpu_env.sh $(VENV)-sglang $(PYTHON)
	LTX23_TEST_SGLANG_PYTHON=$(VENV)-sglang/bin/python $(BIN)/python -m pytest -m sglang tests/sglang

bench: setup
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.enhance

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.fuzz

soak: setup
	$(BIN)/python -m benchmarks.soak

clean:
	rm -rf $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	@touch $@
