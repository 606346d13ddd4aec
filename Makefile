# Everything a clone needs is Python >= 3.11 and this file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint types imports unit witness bench hostile scenarios scenarios-short screenshots lock clean

demo: $(READY)  ## the live screen on the simulated venues
	@$(BIN)/detour demo --scenario 1011

test: lint types imports witness unit scenarios-short  ## what CI runs; prints the ten slowest tests, one that hangs fails

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

unit: $(READY)
	$(BIN)/pytest

bench: $(READY) witness  ## figures as ratios, measured in one run
	@$(BIN)/python -m tests.bench

hostile: $(READY)  ## what needs root, network namespaces or minutes; a test that cannot run says why
	$(BIN)/pytest -n 0 --timeout 300 -rs tests/hostile

scenarios: $(READY)  ## every incident through the whole product, compared with its truth
	$(BIN)/python -m tests.scenarios

scenarios-short: $(READY)  ## three of them, in less than a minute
	$(BIN)/python -m tests.scenarios --short

screenshots: $(READY)  ## pictures of the running demo
	$(BIN)/python screenshots/make.py

# Other people's clients for the witness tests. Where they cannot be built, those tests say so and are skipped.
WITNESS := .witness
$(WITNESS)/.ready: tests/witness/requirements.lock
	-$(PYTHON) -m venv $(WITNESS) && $(WITNESS)/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r tests/witness/requirements.lock && touch $@

witness: $(WITNESS)/.ready

lock:  ## needs uv; writes versions and hashes, no addresses
	uv pip compile --universal --python-version 3.11 --extra dev --generate-hashes --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock" -o tests/witness/requirements.lock tests/witness/requirements.in

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Detour needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) $(WITNESS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
