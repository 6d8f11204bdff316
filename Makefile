# Everything runs from the virtual environment in venv/, which is where the Firebase CLI looks for it too.
PYTHON ?= python3
BIN = venv/bin

APART = tests/test_functions_alone.py tests/house/test_demo.py tests/web

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-apart test-fast test-long test-localcloud test-install test-client bench simulate check format docs pictures callable audit lock vendor clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# venv/.local: what it takes to run it; venv/.dev: to change it.
venv/.local venv/.dev: venv/.%: requirements-%.txt
	@PYTHON="$(PYTHON)" scripts/install.sh $<
	@touch $@

install: venv/.local  ## Install what running, deploying and operating takes into venv/; the checks bring the rest

demo: venv/.local  ## Run the main job end to end: make demo [PHOTOS=folder] [OPEN=1, serve the pages] [OUTAGE=1, OpenAI is down] [FIRESTORE=official] [PICTURE=file.svg]
	@$(BIN)/python -m scripts.demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(PICTURE),--picture "$(PICTURE)") $(if $(OPEN),--open) $(if $(OUTAGE),--outage)

dev: venv/.local  ## Keep the local cloud running: make dev [DAYS=60, played first] [VERBOSE=1] [FIRESTORE=official] [SUITE=official, Google's emulators, or running]
	@$(BIN)/python -m scripts.dev $(if $(DAYS),--days "$(DAYS)") $(if $(VERBOSE),--verbose) $(if $(FIRESTORE),--firestore "$(FIRESTORE)") $(if $(SUITE),--suite "$(SUITE)")

test: check  ## Lint, layers, types, and all tests; those of the core have to cover every line and branch of it
	@# Counted without the tests that draw their examples: what is covered must not hang on what they draw today.
	@$(BIN)/python -m pytest tests/core -m "not hypothesis" --quiet --numprocesses=auto --cov=functions.core --cov-report=term:skip-covered --cov-fail-under=100
	@$(BIN)/python -m pytest tests/core -m hypothesis --quiet --numprocesses=auto
	@$(BIN)/python -m pytest --ignore=tests/core --ignore=tests/install $(APART:%=--ignore=%) --numprocesses=auto --dist=loadfile

test-apart: venv/.dev  ## What takes minutes in processes of its own: each function alone, the demo, the pages in a browser
	@$(BIN)/python -m pytest $(APART) --numprocesses=auto --dist=loadfile

test-fast: check  ## What most changes break first: lint, layers, types, core, architecture, manifest, documents, all answers
	@$(BIN)/python -m pytest tests/core tests/house tests/test_answers.py --quiet --numprocesses=auto --dist=loadfile \
	  --ignore=tests/house/test_demo.py --ignore=tests/house/test_no_secrets.py

test-long: venv/.dev  ## What make test has less of: 20,000 fuzzed requests, 300 simulated histories, 10 sieges
	@FUZZ_CASES=20000 HISTORIES=300 SIEGES=10 $(BIN)/python -m pytest --numprocesses=auto \
	  tests/test_fuzz.py tests/test_simulation.py tests/test_adversary.py

test-localcloud: venv/.dev  ## The tests of the local cloud, a package of its own
	@$(BIN)/python -m pytest localcloud/tests --numprocesses=auto --dist=loadfile

test-install: venv/.dev  ## The locks under an old pip, which finds newer releases in PyPI; needs PyPI
	@$(BIN)/python -m pytest tests/install

test-client: venv/.local  ## The app's SDK against Google's emulators; needs Node and Java: make test-client [IF_MISSING=skip]
	@$(BIN)/python -m scripts.client_test $(if $(IF_MISSING),--if-missing "$(IF_MISSING)")

bench: venv/.local  ## Measure one promise: make bench BENCH=name [REQUESTS=n, for BENCH=instant; PHOTOS=folder, for BENCH=cache; PICTURE=file.svg, for BENCH=whole]
	@$(BIN)/python -m scripts.bench "$(BENCH)" $(if $(REQUESTS),--requests "$(REQUESTS)") $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(PICTURE),--picture "$(PICTURE)")

simulate: venv/.local  ## Many users, several days, everything going wrong: make simulate [HISTORIES=n] [SEED=s] [MUTATIONS=1] [BILLING=1, payments alone]
	@$(BIN)/python -m scripts.simulate $(if $(HISTORIES),--histories "$(HISTORIES)") $(if $(SEED),--seed "$(SEED)") \
	  $(if $(MUTATIONS),--mutations) $(if $(BILLING),--billing)

check: venv/.dev  ## Lint, layers and types only
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check --quiet .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python -m mypy

format: venv/.dev  ## Format the code
	@$(BIN)/python -m ruff format --quiet .

pictures: venv/.dev  ## Draw the pages for README: 60 days played, light and dark; needs a browser
	@$(BIN)/python -m scripts.pictures

callable: venv/.local  ## Begin a new callable: make callable NAME=get_streak SUBJECT=wallet [DOES="Show the streak."]
	@$(BIN)/python -m scripts.new_callable "$(NAME)" "$(SUBJECT)" $(if $(DOES),--does "$(DOES)")

docs: venv/.local  ## Write the tables of functions in docs/deploy.md anew, from main.py
	@$(BIN)/python -m scripts.contents

audit: venv/.dev  ## Ask PyPI for vulnerabilities of what is locked: make audit [IF_MISSING=skip]
	@$(BIN)/python -m scripts.audit $(if $(IF_MISSING),--if-missing "$(IF_MISSING)")

vendor:  ## Pack what the pages take from npm into web/vendor; needs Node
	@cd scripts/vendor && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && node build.mjs

lock: venv/.dev  ## Pin what requirements*.in bring along, with hashes: make lock [PACKAGE=to-upgrade]
	@for name in requirements requirements-local requirements-dev; do \
	  $(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras \
	    --custom-compile-command "make lock" $(if $(PACKAGE),--upgrade-package "$(PACKAGE)") \
	    $$name.in --output-file $$name.txt || exit 1; \
	done

clean:  ## Remove everything that is made here
	rm -rf venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov tests/client/node_modules scripts/vendor/node_modules \
	  localcloud/tests/firestore/web_sdk/node_modules
