# Fresh machine, two commands: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif

PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt

.PHONY: demo test lint benchmark clean

demo: $(VENV)/.installed
	$(BIN)/edgeflow build --target cortex-m4

test: $(VENV)/.installed-test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

benchmark: $(VENV)/.installed
	$(BIN)/python -m benchmarks.spine

$(VENV)/.python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'edgeflow needs Python 3.11 or newer; name one: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing edgeflow and its pinned dependencies into $(VENV): about 1 GB, some minutes."
	$(PIP_INSTALL) -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP_INSTALL) -e ".[test,tvm,tf,gpu,fpga,hls]"
	touch $@

clean:
	rm -rf $(VENV)
