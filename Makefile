# Two commands need no preparation: `make run` and `make test`. `make help` lists the rest.

# The newest Python that Django supports here, or the one that the caller names: make run PYTHON=/opt/python/bin/python3
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && exit; done; echo python3)
VENV ?= .venv
BIN := $(VENV)/bin
# Options of `manage.py up`, for example: make run ARGS="--port 9000"
ARGS ?=
# Test processes: one more than a small machine has cores, as many tests wait for processes that they have started.
WORKERS ?= 3
# pytest's options, for example: make test PYTEST="tests/feeds -x"
PYTEST ?=

.DEFAULT_GOAL := help
.PHONY: help run test check lint format requirements clean

help: ## List these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do printf 'make %-14s %s\n' "$$name" "$$text"; done

run: $(VENV)/.run ## Run the whole product on this machine (http://localhost:8000)
	@exec $(BIN)/python manage.py up $(ARGS)

test: $(VENV)/.test check ## Check the code, then run all tests
	$(BIN)/pytest -n $(WORKERS) $(PYTEST)

check: $(VENV)/.test ## Lint, types, import contracts, missing migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=recsys.settings.test $(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/.test ## Format the code and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

requirements: ## Compile each requirements*.in (needs uv)
	uv pip compile -q --python-version 3.11 requirements.in -o requirements.txt
	uv pip compile -q --python-version 3.11 requirements-graphql.in -o requirements-graphql.txt
	uv pip compile -q --python-version 3.11 requirements-dev.in -o requirements-dev.txt

clean: ## Remove the virtual environment and the caches (the data in .data stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The stamps are newer than the requirements that they stand for.
$(VENV)/.run: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.test: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing requirements-dev.txt into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "This needs Python 3.11 or newer, and '$(PYTHON)' is none. Install one, or name it: make run PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
