# Kikkake's commands; CI runs the same ones. `make help` lists them.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
IMAGES := ingest evaluator dispatcher standalone
COMPILE_ANY = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header $(LOCK_OPTIONS)
COMPILE = $(COMPILE_ANY) pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test test-long check kafka bench bench-peers faults lock lock-sdks lock-peers

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## the locked dependencies and the project itself in .venv/

# Bare Python is enough: uv is installed by pip, everything else by uv, each file checked against its hash.
# The project is built with the locked setuptools, not with whatever is newest today.
$(STAMP): requirements/dev.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Kikkake needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 setup" >&2; exit 1; }
	@[ "$$($(BIN)/uv --version 2>/dev/null | cut -d' ' -f2)" = "$(UV_VERSION)" ] || \
		{ $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); }
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## a sample shop's day: what was sent to whom, when and why, and what was not
	@$(BIN)/kikkake demo

dev: setup ## the whole engine in one process until Ctrl-C
	@$(BIN)/kikkake dev

test: setup ## static checks and all tests but the long ones, with the time of each suite
	@.ci/suites lint format types imports unit contract architecture integration e2e sdks

test-long: setup ## the tests that take minutes
	@$(BIN)/python -m pytest -m long

check: setup ## lint, types, import contracts and unit tests: run it before each commit
	@.ci/suites lint format types imports unit

kafka: setup ## a real local Apache Kafka and Redis until Ctrl-C
	@$(BIN)/python -m tests.servers

bench: setup ## the benchmark of the decision path
	@$(BIN)/python -m benchmarks.path

bench-peers: setup ## the evaluator beside Kafka Streams, Quix Streams and Faust: the same job, one line a figure
	@$(BIN)/python -m benchmarks.evaluator

faults: setup ## real evaluators killed, paused and cut off under load, and judged: one line a row
	@$(BIN)/python -m tests.faults

# dev.txt decides every version and the images take theirs from it. Versions stay as they are;
# `make lock LOCK_OPTIONS=--upgrade` takes newer ones.
lock: $(if $(wildcard $(BIN)/uv),,setup) ## compile requirements/*.txt again after a change of dependencies
	@$(COMPILE) --extra dev --output-file requirements/dev.txt
	@for image in $(IMAGES); do \
		$(COMPILE) --extra $$image --constraint requirements/dev.txt --output-file requirements/$$image.txt || exit 1; \
	done

lock-sdks: $(if $(wildcard $(BIN)/uv),,setup) ## lock the libraries of others that tests/sdks runs
	@$(COMPILE_ANY) tests/sdks/requirements.in --output-file tests/sdks/requirements.txt
	@cd tests/sdks && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --silent

lock-peers: $(if $(wildcard $(BIN)/uv),,setup) ## lock Quix Streams, which benchmarks/evaluator runs
	@$(COMPILE_ANY) benchmarks/evaluator/requirements.in --output-file benchmarks/evaluator/requirements.txt
