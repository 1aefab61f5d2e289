# Every command makes its own .venv first; nothing but Python ≥ 3.11, make and a package index is needed.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
DATA    ?=
TRUTH   ?=
DATASET ?= demo/dataset
JOBS    ?= 2
# Tests in as many processes; the tests of a file stay together, as they share what they make.
# Files begin in the order of tests/conftest.py, the longest first; xdist's own has those of the fewest tests last.
BESIDE  := -n $(JOBS) --dist loadfile --no-loadscope-reorder

# Sets of packages, the last two with all of the ones before; a stamp says what .venv has.
RUNS    := $(VENV)/.installed
TESTS   := $(VENV)/.installed-dev
BENCHES := $(VENV)/.installed-bench
FAULTS  := $(VENV)/.installed-faults

install: $(TESTS)

$(TESTS):   EXTRAS := [dev]
$(BENCHES): EXTRAS := [dev,bench]
$(FAULTS):  EXTRAS := [dev,faults]
$(RUNS) $(TESTS) $(BENCHES) $(FAULTS): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --no-compile -c constraints.txt -e ".$(EXTRAS)"
	touch $(RUNS) $@

demo: $(RUNS)
	$(BIN)/unet-flows demo $(if $(DATA),--images "$(DATA)") $(if $(TRUTH),--truth "$(TRUTH)")

serve: $(RUNS)
	$(BIN)/unet-flows serve "$(DATASET)"

# In another order: `SHUFFLE=7 make test`, for any number.
test: $(TESTS)
	$(BIN)/python -m pytest -q $(BESIDE) -m "not slow and not faults"

test-all: $(TESTS)
	UNET_FLOWS_EXAMPLES=4 $(BIN)/python -m pytest -q $(BESIDE) -m "not faults"

# The long campaign of faults: every file damaged in every way, every stage killed at every operation on a file.
# And every parser fed with what was never a file, led by which lines of code that reaches.
faults: $(FAULTS)
	$(BIN)/python -m pytest -q -m faults tests/faults
	$(BIN)/python -m tests.faults.fuzz

check: $(TESTS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCHES)
	$(BIN)/python -m pytest -q -s -o python_files="bench_*.py" -o faulthandler_timeout=0 tests/bench

.PHONY: install demo test test-all faults check bench serve
