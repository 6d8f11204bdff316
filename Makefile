# Everything runs from the virtual environment in venv/, which is where the Firebase CLI looks for it too.
PYTHON ?= python3
BIN = venv/bin

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-client bench simulate check format audit lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

venv/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Ecolane needs Python 3.11 or newer; set PYTHON=python3.11")'
	@test -x $(BIN)/pip || { rm -rf venv && $(PYTHON) -m venv venv; }
	@echo "Installing into venv/, which takes half a minute or so ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

install: venv/.installed  ## Install everything into venv/

demo: venv/.installed  ## Run the main job end to end: make demo [PHOTOS=folder] [FIRESTORE=official] [PICTURE=file.svg]
	@$(BIN)/python -m scripts.demo $(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(PICTURE),--picture "$(PICTURE)")

dev: venv/.installed  ## Keep the local cloud running: make dev [FIRESTORE=official]
	@$(BIN)/python -m scripts.dev $(if $(FIRESTORE),--firestore "$(FIRESTORE)")

test: venv/.installed check  ## Lint, types, and all tests; those of the core have to cover every line and branch of it
	@$(BIN)/python -m pytest tests/core --quiet --cov=functions.core --cov-report=term:skip-covered --cov-fail-under=100
	@$(BIN)/python -m pytest --ignore=tests/core --numprocesses=auto --dist=loadfile

test-client: venv/.installed  ## The app's SDK against Google's emulators; needs Node and Java: make test-client [IF_MISSING=skip]
	@$(BIN)/python -m scripts.client_test $(if $(IF_MISSING),--if-missing "$(IF_MISSING)")

bench: venv/.installed  ## Measure one promise: make bench BENCH=name [REQUESTS=n, for BENCH=instant]
	@$(BIN)/python -m scripts.bench "$(BENCH)" $(if $(REQUESTS),--requests "$(REQUESTS)")

simulate: venv/.installed  ## Many users, several days, everything going wrong: make simulate [HISTORIES=n] [SEED=s] [MUTATIONS=1]
	@$(BIN)/python -m scripts.simulate $(if $(HISTORIES),--histories "$(HISTORIES)") $(if $(SEED),--seed "$(SEED)") \
	  $(if $(MUTATIONS),--mutations)

check: venv/.installed  ## Lint and types only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

format: venv/.installed  ## Format the code
	@$(BIN)/ruff format --quiet .

audit: venv/.installed  ## Ask PyPI for vulnerabilities of what is locked: make audit [IF_MISSING=skip]
	@$(BIN)/python -m scripts.audit $(if $(IF_MISSING),--if-missing "$(IF_MISSING)")

lock: venv/.installed  ## Pin what requirements*.in bring along, with hashes: make lock [PACKAGE=to-upgrade]
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-strip-extras \
	    --custom-compile-command "make lock" $(if $(PACKAGE),--upgrade-package "$(PACKAGE)") \
	    $$name.in --output-file $$name.txt || exit 1; \
	done

clean:  ## Remove everything that is made here
	rm -rf venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov tests/client/node_modules
