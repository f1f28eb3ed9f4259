# make serve   set up what is needed and start the hub (PORT=7070 DATA=./data)
# make test    set up and run everything: lint, types, import rules, all tests
# make check   the fast loop: lint, types, import rules, unit and contract tests that are not slow
# make bench   measure what is promised, against named references
# make migration m="what changes"   write the migration for a change of storage/schema.py
# make reference   write docs/reference/{command-line,tasks}.md from the commands and the tables of inference
# make clean   remove what was set up here (not the hub's data)

PYTHON ?= python3
BIN := .venv/bin
# tests run side by side: one process for each core, four at most
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n > 4 ? 4 : n)))

.PHONY: serve test check lint bench migration reference constraints clean

serve: .venv/.ml
	@exec $(BIN)/python -m corral serve $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA))

test: .venv/.dev
	@tools/system-packages
	@status=0; \
	$(MAKE) --no-print-directory lint || status=1; \
	$(BIN)/pytest -n $(JOBS) --dist loadfile $(ARGS) || status=1; \
	exit $$status

check: .venv/.dev lint
	$(BIN)/pytest -n $(JOBS) --dist loadfile -q -m "not slow and not browser" tests/unit tests/contract $(ARGS)

lint: .venv/.dev
	@status=0; \
	for check in "ruff check --quiet" "ruff format --check --quiet" "mypy" "lint-imports"; do \
	  echo "$$check"; $(BIN)/$$check || status=1; \
	done; exit $$status

bench: .venv/.dev
	@tools/system-packages
	@for promise in download upload head_resolve; do $(BIN)/python bench/$$promise.py || exit 1; done

migration: .venv/.dev
	@test -n "$(m)" || { echo 'say what changes: make migration m="Tokens have scopes"' >&2; exit 1; }
	$(BIN)/python -m corral.storage.migrate "$(m)"
	$(BIN)/ruff format -q src/corral/storage/migrations

reference: .venv/.dev
	$(BIN)/python -m corral.cli.reference docs/reference

# Writes constraints.txt anew: the newest versions that pyproject.toml allows.
constraints:
	tools/constraints $(PYTHON)

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench zoo -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Corral needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@echo "Setting up .venv (the first time this takes a minute or two) ..."
	@$(PYTHON) -m venv .venv \
	  || { echo "Python's venv module is missing: apt-get install python3-venv" >&2; rm -rf .venv; exit 1; }

# What serving needs, and what testing needs on top. A stamp is as new as the lists that it was made from.
.venv/.ml: pyproject.toml constraints.txt | .venv/bin/python
	@$(BIN)/python tools/install.py ml zoo
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@$(BIN)/python tools/install.py ml zoo dev
	@touch .venv/.ml $@
