# make demo   pictures from words, masks from other words, the repaint: demo/index.html
# make test   the fast tests, offline, with a table of what is proven
# make check  format, lint, types, import directions, unit tests
# make bench  what is measured
# Everything runs in .venv/, which the first call makes. PYTHON= names the interpreter it is made from, TORCH= another torch.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
SET_UP = $(if $(PYTHON),$(PYTHON),$(error No Python 3.10 or newer was found; install one or name it with PYTHON=)) -m ldznet_ext.bootstrap
VENV = .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench clean

help:
	@sed -n 's/^# //p' Makefile

demo:
	@$(SET_UP) run
	@$(VENV) -m ldznet_ext demo $(ARGS)

test:
	@$(SET_UP) test
	@$(VENV) -m pytest -q $(ARGS)

check:
	@$(SET_UP) dev
	@$(VENV) tools/check.py $(ARGS)

format:
	@$(SET_UP) dev
	@$(VENV) -m ruff format .
	@$(VENV) -m ruff check --fix .

bench:
	@$(SET_UP) run
	@for file in benchmarks/*.py; do $(VENV) $$file $(ARGS) || exit 1; done

clean:
	rm -rf .venv demo .pytest_cache .ruff_cache .import_linter_cache
