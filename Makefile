# `make demo`, `test`, `soak`, `fuzz` and `bench` do all set-up in .venv; they need Python >= 3.11, make, and a way to PyPI.

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

# The tests start hundreds of processes; each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak fuzz lint format bench bench-stages clean

demo: .venv/demo.stamp
	$(BIN)/pymesh demo

# Most tests wait for processes: a worker for each core, and each file whole in one, halves what they take.
test: .venv/test.stamp
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# What is too long for `make test`. SOAK_SECONDS (default 60) is the length of each test that scales with time.
soak: .venv/test.stamp
	$(BIN)/pytest -m soak --timeout 900

# Coverage-guided, FUZZ_SECONDS for each target. A find ends it with a traceback.
FUZZ_SECONDS ?= 300
fuzz: .venv/test.stamp
	for target in requests responses connection; do \
		$(BIN)/python tests/fuzz/run.py $$target -max_total_time=$(FUZZ_SECONDS) -len_control=10 || exit 1; done

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/bench.stamp
	-$(BIN)/python benchmarks/stages.py
	$(BIN)/pytest benchmarks
	$(BIN)/python benchmarks/compare.py --peers

# Fails where a stage of a request costs a fifth more than benchmarks/stages.json says.
bench-stages: .venv/bench.stamp
	$(BIN)/python benchmarks/stages.py

clean:
	rm -rf .venv dist build

.venv/bin/python:
	$(if $(PYTHON),,$(error pymesh needs Python 3.11 or newer))
	$(PYTHON) -m venv .venv

# One stamp for each extra of pyproject.toml.
.venv/%.stamp: pyproject.toml .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
