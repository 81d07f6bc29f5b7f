# Every target does its own set-up: a machine needs Python 3.11 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: install eval test lint types nano clean
install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e '.[dev]'
	touch $(READY)

eval: install
	$(BIN)/minizoo eval --model nano-teacher --suite nano
	$(BIN)/minizoo report --out results/report

test: install lint types
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/basedpyright

nano: install
	$(BIN)/python -m zoo.nano --out out/nano-teacher
	$(BIN)/python -m zoo.nano.students --teacher out/nano-teacher --out out
	$(BIN)/python -m harness.accuracy.nano_check out/nano-teacher

clean:
	rm -rf $(VENV) results out
