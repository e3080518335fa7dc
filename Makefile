# `make` lists the tasks; `make check` is all of it in one word.
PYTHON ?= python

.DEFAULT_GOAL := help
.PHONY: help install format lint types floors test thorough quick slow docs build release sbom lock check

help:  ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install:  ## Install the package as it stands here, with the tools for working on it
	$(PYTHON) -m pip install -e ".[dev,docs,onnx,int8,explain,serve,ray]"

format:  ## Put every file into the common form
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lint:  ## Look for mistakes and for files that `make format` would change
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

types:  ## Check the types of the package
	$(PYTHON) -m mypy

floors:  ## Check that imports only go down
	$(PYTHON) -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-logo

# Several processes of one thread each: threads of several would wait for each other. Each takes
# neighbouring tests, which share what is made for them, and then some from whoever has most left.
test:  ## Run the tests and the examples in the docstrings
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist worksteal

# All but those folders whose tests build, convert or train networks.
QUICK = $(filter-out $(addprefix tests/,benchmark cli evaluation export predictors runtimes training),$(wildcard tests/*))

thorough:  ## Run the tests that repeat at full length what others look at in parts
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --dist worksteal -m "thorough and not slow"

quick: lint types floors  ## Look for mistakes within a minute
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto $(filter-out %conftest.py %__pycache__,$(QUICK)) \
		tests/training/test_config.py tests/training/test_outlines.py tests/cli/test_options.py

slow:  ## Run the tests that take minutes
	$(PYTHON) -m pytest -m slow

docs:  ## Make the site of the documentation in build/docs; a warning is an error
	$(PYTHON) -m sphinx -q -W --keep-going docs build/docs

build:  ## Build the wheel and the source archive into dist/
	$(PYTHON) -m build

release: build  ## Check what a release would publish (needs uv and 20 GB of disk)
	$(PYTHON) scripts/check_release.py archives dist
	$(PYTHON) scripts/check_release.py plain dist
	$(PYTHON) scripts/check_release.py lowest dist

# cyclonedx-py takes [tool.poetry] for Poetry's older form of a project, so it gets what is above.
sbom:  ## List all locked packages (needs Poetry, poetry-plugin-export and cyclonedx-bom)
	mkdir -p build/sbom
	sed '/^\[tool\.poetry\]/,$$d' pyproject.toml > build/sbom/pyproject.toml
	cp LICENSE README.md build/sbom
	poetry export --all-extras --output build/sbom/requirements.txt
	cyclonedx-py requirements --pyproject build/sbom/pyproject.toml --mc-type library \
		--output-file build/sbom.cdx.json build/sbom/requirements.txt

lock:  ## Check that poetry.lock belongs to pyproject.toml (needs Poetry)
	poetry check --lock

check: lint types floors test thorough docs build  ## All of it in one word
