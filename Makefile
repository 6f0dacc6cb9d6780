# Two commands matter: `make book` and `make test`. `make help` lists them all.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help book test smoke serve outputs check claims links pdf bench gpu run-times address clean forget environment python

PYTHON3 ?= python3
JOBS ?= 2
PORT ?= 8000
SCALE ?= laptop

# An environment that is active and complete is used as it is; else .venv is made, once.
ACTIVE := $(shell $(PYTHON3) tools/environment.py --active)
ifeq ($(ACTIVE),)
PY := $(CURDIR)/.venv/bin/python
READY := .venv/.complete
else
PY := $(ACTIVE)
READY :=
endif

# The working tree's package is the one that runs, whatever the environment has installed.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name what; do \
		printf '  make %-13s %s\n' "$$name" "$$what"; done

.venv/.complete: requirements.txt pyproject.toml
	@$(PYTHON3) tools/environment.py --create .venv

environment: $(READY) ## install what the book needs, if anything is missing

python: ## the Python that the other commands use
	@echo $(PY)

book: $(READY) ## run every chapter here, render the book to _build/html (SCALE=gpu)
	$(PY) -m tools.execute --copy-to _build/src --jobs $(JOBS) --scale $(SCALE) --times _build/run-times.json
	$(PY) -m tools.render
	@echo "The book: _build/html/index.html (or: make serve)"

test: $(READY) ## unit tests, doctests and every cell of every chapter, from an empty run store
	$(PY) -m pytest -n $(JOBS) --dist loadfile

smoke: $(READY) ## does every cell run? at the smallest scale, in a minute or so
	$(PY) -m tools.execute --copy-to _build/smoke --jobs $(JOBS) --scale smoke --cold

serve: ## show _build/html at http://localhost:8000 (PORT=8000)
	@test -f _build/html/index.html || { echo "There is no book yet. Run: make book"; exit 1; }
	$(PYTHON3) -m http.server $(PORT) --directory _build/html --bind 127.0.0.1

outputs: $(READY) ## for authors: run in place and refresh the committed outputs (NB=book/02-*.ipynb)
	$(PY) -m tools.execute --in-place $(NB) --jobs $(JOBS) --scale $(SCALE)

check: $(READY) ## for authors: what a chapter still lacks (NB=book/02-*.ipynb)
	$(PY) -m tools.skeleton $(NB)

claims: $(READY) ## for authors: commit what the chapters claimed on this machine, for the scorecard
	$(PY) -m tools.claims

links: $(READY) ## does every link that leaves the book have a right form, and does its host answer?
	$(PY) -m tools.links

pdf: $(READY) ## print the rendered book to _build/book.pdf, with Chromium
	$(PY) -m tools.pdf

bench: $(READY) ## measure how fast this machine trains, print one table and fill book/speed.md
	$(PY) -m benchmarks

gpu: $(READY) ## on a machine with a GPU: its tests, its benchmarks and its run times, to be committed
	$(PY) -m pytest tests/test_gpu.py -v -rs
	$(MAKE) bench
	$(MAKE) run-times JOBS=1 SCALE=gpu

run-times: $(READY) ## for authors: measure the whole book, cold and warm, and fill book/run-times.md
	$(PY) -m tools.run_times --measure --jobs $(JOBS) --scale $(SCALE)

address: ## which repository the built book's buttons and links will lead to
	@$(PYTHON3) -m tools.address

forget: $(READY) ## delete the stored results of this machine
	@$(PY) -m labsupport store --forget

clean: ## delete everything that was built, but not .venv and not the memoised runs
	rm -rf _build build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	rm -rf .pytest_cache
