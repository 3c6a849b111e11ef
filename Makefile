# make demo: see what agentsync does.   make test: check that it does.   Both need python3 (>= 3.11), git and make.
# make release: the files that are published, built and checked.
# make thorough: the tests with all that is tried in turns.   make coverage: the tests, and what they do not run.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
INSTALLED := $(VENV)/.installed
# One more than there are cores, since some tests wait for a service or a clock.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else "auto")')
LOCK := --quiet --generate-hashes --constraint constraints.txt --no-header --no-annotate --python-version 3.13 --python-platform linux
FUZZ ?=
FUZZ_SECONDS ?= 60

# Compiled files are kept, even where Python is asked not to: without them each worker compiles all tests, for ten seconds.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test thorough coverage lint types bench conformance mutation fuzz docs browser fleet-demo site sbom lock release clean

demo: $(RUNTIME)
	@$(BIN)/agentsync demo

test: $(INSTALLED)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

thorough: $(INSTALLED)
	AGENTSYNC_THOROUGH=1 $(BIN)/pytest -n $(WORKERS) --dist worksteal

coverage: $(INSTALLED)
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/unchanged.py
	$(BIN)/python benchmarks/changed.py
	$(BIN)/python benchmarks/hostile.py
	$(BIN)/python benchmarks/service.py

conformance: $(INSTALLED)
	AGENTSYNC_ORACLES="$${AGENTSYNC_ORACLES:-$$HOME/.cache/agentsync-oracles}" \
		$(BIN)/pytest tests/conformance -ra --counts docs/conformance.md
	$(BIN)/python tests/conformance/losses.py docs/conformance.md

mutation: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m mutation.run $(MODULES)

fuzz: $(INSTALLED)
	@$(BIN)/python -c "import atheris" 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=3"
	$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS) $(FUZZ)

docs: $(INSTALLED)
	$(BIN)/python docs/captures.py
	$(BIN)/python docs/generate.py

browser: $(INSTALLED)
	npm install --prefix tests/browser --no-audit --no-fund --no-package-lock --silent
	$(BIN)/pytest tests/integration/test_browser.py

# The documentation as a site, from the repository's pages where they are; a link that leads nowhere is an error.
site: $(INSTALLED)
	@rm -rf build/site-source && mkdir -p build/site-source
	@git ls-files -z docs examples systemd config tests/README.md ':(glob)*.md' LICENSE constraints.txt Makefile Dockerfile \
		pyproject.toml | grep -zv '^docs/.*\.py$$' | xargs -0 cp --parents -t build/site-source
	$(BIN)/zensical build --strict --clean

# A CycloneDX document of what an installation contains: of the newest versions that the constraints allow.
sbom:
	@rm -rf build/sbom && mkdir -p build/sbom
	@$(PYTHON) -m venv build/sbom/installed && $(PYTHON) -m venv build/sbom/tool
	@build/sbom/installed/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt '.[metrics,otlp]'
	@build/sbom/installed/bin/python -m pip uninstall --quiet --yes pip setuptools
	@build/sbom/tool/bin/python -m pip install --quiet --disable-pip-version-check 'cyclonedx-bom>=7'
	build/sbom/tool/bin/cyclonedx-py environment build/sbom/installed/bin/python --pyproject pyproject.toml \
		--mc-type application --output-reproducible --output-file build/agentsync.cdx.json

# A rollout on forty homes, with Debian's Prometheus and Alertmanager; four minutes on two quiet cores.
fleet-demo: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m fleet.run $(FLEET_DEMO)

# The hashes of what the container installs, at the constraints' versions.
lock:
	@rm -rf build/lock && $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@build/lock/bin/uv pip compile $(LOCK) --extra metrics --extra otlp --output-file container/runtime.txt pyproject.toml
	@printf 'hatchling\nhatch-vcs\n' | build/lock/bin/uv pip compile $(LOCK) --output-file container/build.txt -

release: $(VENV)/.release
	BIN=$(BIN) bash .ci/release

clean:
	rm -rf $(VENV) build dist .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(RUNTIME): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "agentsync needs Python 3.11 or newer"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(INSTALLED): $(RUNTIME)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(VENV)/.release: $(RUNTIME)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[release]'
	@touch $@
