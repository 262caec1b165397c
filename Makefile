# make demo: a first look, in an environment of its own.   make test: everything that must hold.
PYTHON ?= python3
CONSTRAINTS ?= .ci/constraints.txt
TEST_ENV := .venv
DEMO_ENV := .venv-demo
PIP_OPTIONS := --quiet --disable-pip-version-check

.PHONY: help demo test lint types unit clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

demo: $(DEMO_ENV)/ready  ## two minutes: word vectors, a small language model, fine-tuning; answers, scores, figures
	$(DEMO_ENV)/bin/textssl demo

test: lint types unit  ## ruff, mypy and all tests

lint: $(TEST_ENV)/ready  ## ruff
	$(TEST_ENV)/bin/ruff check .

types: $(TEST_ENV)/ready  ## mypy
	$(TEST_ENV)/bin/mypy

unit: $(TEST_ENV)/ready  ## the tests, a process for each of at most 4 cores
	$(TEST_ENV)/bin/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

clean:  ## remove the environments and caches
	rm -rf $(TEST_ENV) $(DEMO_ENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache

# An environment is built again when pyproject.toml or the constraints change, else used as it is.
$(TEST_ENV)/ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv --clear $(TEST_ENV)
	$(TEST_ENV)/bin/python -m pip install $(PIP_OPTIONS) -c $(CONSTRAINTS) --editable '.[torch,test]'
	@touch $@

$(DEMO_ENV)/ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv --clear $(DEMO_ENV)
	$(DEMO_ENV)/bin/python -m pip install $(PIP_OPTIONS) -c $(CONSTRAINTS) --editable '.[torch]'
	@touch $@
