# Every command makes its own .venv first; nothing but Python ≥ 3.11, make and a package index is needed.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed
BENCHED := $(VENV)/.installed-bench
DATA    ?=
TRUTH   ?=
DATASET ?= demo/dataset

install: $(STAMP)
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e ".[dev]"
	touch $@

$(BENCHED): $(STAMP)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e ".[dev,bench]"
	touch $@

demo: $(STAMP)
	$(BIN)/unet-flows demo $(if $(DATA),--images "$(DATA)") $(if $(TRUTH),--truth "$(TRUTH)")

# In another order: `SHUFFLE=7 make test`, for any number.
test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not slow"

test-all: $(STAMP)
	$(BIN)/python -m pytest -q

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCHED)
	$(BIN)/python -m pytest -q -s -o python_files="bench_*.py" tests/bench

serve: $(STAMP)
	$(BIN)/unet-flows serve "$(DATASET)"

.PHONY: install demo test test-all check bench serve
