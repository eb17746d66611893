# make app    the desk in a browser, http://127.0.0.1:7870 (ARGS="--model NAME --port 8000" and whatever `ldznet serve` takes)
# make demo   pictures from words, masks from other words, the repaint: demo/index.html
# make test   the fast tests, offline, with a table of what is proven
# make webui  a small web UI of our own to click the extension in, on a CPU: http://127.0.0.1:7860 (PORT= names another)
# make browser  the same driven by a browser: words, mask on the canvas, inpaint
# make check  format, lint, types, import directions, unit tests
# make bench  what is measured, a quarter of an hour of two cores; what cannot be measured here says so in a line
# Everything runs in .venv/ (the web UI in .venv-webui/), which the first call makes. PYTHON= names the interpreter it is made from,
# TORCH= another torch.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)
SET_UP = $(if $(PYTHON),$(PYTHON),$(error No Python 3.10 or newer was found; install one or name it with PYTHON=)) -m ldznet_ext.bootstrap
VENV = .venv/bin/python
WEBUI = .venv-webui/bin/python
PORT ?= 7860

.DEFAULT_GOAL := help
.PHONY: help app demo test webui browser check format bench clean

help:
	@sed -n 's/^# //p' Makefile

app:
	@$(SET_UP) app
	@$(VENV) -m ldznet_ext serve $(ARGS)

demo:
	@$(SET_UP) run
	@$(VENV) -m ldznet_ext demo $(ARGS)

test:
	@$(SET_UP) test
	@$(VENV) -m pytest -q -n auto --maxprocesses 4 --dist loadfile $(ARGS)

webui:
	@$(SET_UP) webui
	@$(WEBUI) tests/pocket_host/launch.py --port $(PORT) $(ARGS)

browser:
	@$(SET_UP) app
	@$(SET_UP) webui
	@$(WEBUI) -m pytest -q -rs tests/browser tests/pocket_host $(ARGS)

check:
	@$(SET_UP) dev
	@$(VENV) tools/check.py $(ARGS)

format:
	@$(SET_UP) dev
	@$(VENV) -m ruff format .
	@$(VENV) -m ruff check --fix .

bench:
	@$(SET_UP) run
	@for file in $$(grep -l "^if __name__" benchmarks/*.py); do echo "== $$file"; $(VENV) $$file $(ARGS) || exit 1; done

clean:
	rm -rf .venv .venv-webui .pocket_host demo .pytest_cache .ruff_cache .import_linter_cache
