# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# Python may keep what it compiled, also where the environment forbids it: importing torch takes
# 6 seconds instead of 17.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: env demo example test check format bench study lock clean

env: $(STAMP)

# uv lives inside the environment, so that nothing outside this folder is touched.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "auditor needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { echo "this Python lacks venv; on Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(STAMP): pyproject.toml requirements.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: | $(BIN)/uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --no-emit-find-links pyproject.toml --group dev -o requirements.lock

# Exit code 1 is the policy's verdict on the planted biases, not a crash: the demo wants it.
demo: env
	@$(BIN)/auditor run portraits; code=$$?; test $$code -eq 1 || { echo "the demo should end in 1 (planted biases found), it ended in $$code"; exit 1; }

# What the README shows; run again where the report has changed, and commit what comes out.
example: env
	$(BIN)/python reports/example/make.py

# Two files at a time, in their order: the long ones come early.
# `make test ARGS=--slow` kills a run at twenty random moments instead of two.
test: env
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# JSON lines: ours against the plain alternative, both measured in this run.
bench: env
	$(BIN)/python tests/benchmarks/run.py

# What takes long: the ranking study and the nulls of the audits, trees of 100 groups, and a run killed
# at twenty random moments.
study: env
	$(BIN)/python tests/benchmarks/study.py
	$(BIN)/python tests/benchmarks/groups.py --groups 100
	$(BIN)/python -m pytest --slow tests/e2e/test_resume.py

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/benchmarks reports/example/make.py
	$(BIN)/lint-imports

format: env
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
