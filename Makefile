# One command each; the first one of them sets up .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# busy-waiting threads slow a small machine 3 to 10 times
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test test-all lint format types clean setup

setup: $(VENV)/.done            ## a virtual environment with everything, in this folder

$(VENV)/.done: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "sr-lab needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	# pyiqa (PolyForm-Noncommercial) brings LPIPS and no-reference metrics; nothing else needs it
	$(BIN)/python -m pip install --quiet --editable '.[dev,pyiqa]' || \
	  { echo "going on without pyiqa"; $(BIN)/python -m pip install --quiet --editable '.[dev]'; }
	touch $@

demo: setup                     ## blind SR of real photographs, minutes on a CPU: pictures, record, report in demo/
	$(BIN)/sr-lab run experiment=demo out=demo
	$(BIN)/sr-lab report demo
	@echo "open demo/report.html"

test: setup                     ## the fast tests
	$(BIN)/python -m pytest

test-all: setup                 ## slow ones as well
	$(BIN)/python -m pytest -m "slow or not slow"

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: setup
	$(BIN)/pyright

clean:                          ## what commands leave behind, not the environment
	rm -rf demo dist build .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
