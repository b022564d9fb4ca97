# Every target installs what it needs into .venv and .venv-ministack and says what it does.
# Needs: Python 3.11 to 3.13 with pip, git and make.

SUITABLE = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
            $$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done)
LOCKS := include/requirements
UV := $(shell sed -n 's/^\(uv==[0-9.]*\).*/\1/p' $(LOCKS)/base.txt)
BIN := .venv/bin
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins
# Where the machine has it set, each of the many processes would compile all that it imports: Airflow alone is seconds.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
# Of the tests.  Twice as many as CI has cores: they wait about as much as they compute.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo cluster test verify lint unit bench chaos format lock wheel clean

help: ## What can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: .venv/local .venv-ministack/installed ## The whole pipeline on this machine; ARGS=--once checks one cycle and stops
	@exec $(BIN)/python -m include.local.demo $(ARGS)

# Needs no environment: only Python, and Docker or Podman.
cluster: ## The same in containers, with Docker or Podman; ARGS=check, drill or down (docs/cluster.md)
	@exec $(PYTHON) -m include.local.cluster $(ARGS)

test: .venv/dev .venv-ministack/installed chromium lint ## Lint, then every test: unit to end-to-end and browser
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile -m "not benchmark and not verify" --ignore tests/benchmarks \
	    --cov --cov-report= --durations 15 $(ARGS)

SEEDS ?= 1 2 3
# The tests whose examples hypothesis makes.
PROPERTIES = tests/unit/contracts tests/unit/generator/test_event_times.py tests/sql/test_scd2_histories.py \
             tests/integration/truck_telemetry_api/test_openapi.py
verify: WORKERS = 3
verify: .venv/dev .venv-ministack/installed ## The long checks: the fault suite by several seeds, many examples of each property
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile -m "verify and not chaos" $(ARGS)
	for seed in $(SEEDS); do $(BIN)/pytest -m chaos tests/chaos --seed $$seed $(ARGS) || exit 1; done
	$(BIN)/pytest --hypothesis-profile thorough --seed $$(date +%s) $(PROPERTIES) $(ARGS)

LINTS := lint-types lint-sql lint-template lint-style lint-layers lint-workflows
lint: .venv/dev .venv-checkov/installed ## Style, types, layers, SQL, CloudFormation and workflows, two at a time
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target $(LINTS)

.PHONY: $(LINTS)
lint-types: # First: it takes longest.
	$(BIN)/mypy
# These two tools have no cache of their own. A file in .lint/ records that they passed on the sources as they are.
lint-sql: .lint/sql
lint-template: .lint/template
.lint/sql: $(shell find sql -type f -not -name '*.pyc') include/sql.py include/names.py .venv/dev
	$(BIN)/sqlfluff lint --disable-progress-bar sql
	@mkdir -p $(@D) && touch $@
.lint/template: $(wildcard include/cloudformation/*.yaml) include/cloudformation/.checkov.yaml .venv/dev .venv-checkov/installed
	$(BIN)/cfn-lint include/cloudformation/pipeline.yaml include/cloudformation/identities.yaml
	.venv-checkov/bin/checkov --config-file include/cloudformation/.checkov.yaml
	@mkdir -p $(@D) && touch $@
lint-style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
lint-layers:
	$(BIN)/lint-imports --no-logo
lint-workflows:
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yaml

unit: .venv/dev ## Only what needs no process: seconds
	$(BIN)/pytest -m unit $(ARGS)

bench: .venv/dev .venv-ministack/installed .venv-dbt/installed ## The benchmarks beside their baselines; writes benchmarks.json
	$(BIN)/pytest -m benchmark -s tests/benchmarks $(ARGS)

chaos: .venv/dev .venv-ministack/installed ## The fault suite, e.g. ARGS="--seed 7"
	$(BIN)/pytest -m chaos tests/chaos $(ARGS)

format: .venv/dev ## Rewrite Python as ruff wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
       --no-emit-index-url --no-emit-find-links
lock: .venv/dev ## Resolve pyproject.toml anew into the locks in include/requirements/
	$(LOCK) --group dev --output-file $(LOCKS)/dev.txt pyproject.toml
	$(LOCK) --constraint $(LOCKS)/dev.txt --group local --output-file $(LOCKS)/local.txt pyproject.toml
	$(LOCK) --constraint $(LOCKS)/dev.txt --group run --output-file $(LOCKS)/base.txt pyproject.toml
	$(LOCK) --constraint $(LOCKS)/dev.txt --group compose --output-file $(LOCKS)/compose.txt pyproject.toml
	$(LOCK) --constraint $(LOCKS)/dev.txt --group lambdas --output-file $(LOCKS)/lambdas.txt
	$(LOCK) --group ministack --output-file $(LOCKS)/ministack.txt
	$(LOCK) --group checkov --output-file $(LOCKS)/checkov.txt
	$(LOCK) --group dbt --output-file $(LOCKS)/dbt.txt

wheel: .venv/uv ## The pipeline's code and DAGs as one wheel in dist/, for an Airflow elsewhere (docs/where-it-runs.md)
	@# Those of AWS's functions (CTD_LAMBDA_RUNTIME, CTD_BUNDLE_PLATFORM): deploying the wheel asks no package index.
	@$(BIN)/python -m lambdas.bundle --dependencies --python 3.13 --platform aarch64-manylinux_2_28
	@$(BIN)/uv build --quiet --wheel --clear --out-dir dist
	@ls dist/*.whl

clean: ## Forget the local state; the environments stay
	rm -rf .local build dist

# --- Environments ----------------------------------------------------------------------------------------------------
# Created without pip of their own, which needs no python3-venv package; uv then installs in seconds.

.venv/uv: $(LOCKS)/base.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found; set PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c '$(SUITABLE)' || { echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13"; exit 1; }
	@echo "Creating .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --without-pip --clear .venv
	@$(PYTHON) -m pip --quiet --disable-pip-version-check --python .venv/bin/python install $(UV)
	@touch $@

.venv/local: .venv/uv $(LOCKS)/local.txt
	@echo "Installing $(LOCKS)/local.txt into .venv"
	@$(BIN)/uv pip install --quiet --python .venv/bin/python --require-hashes -r $(LOCKS)/local.txt
	@touch $@

.venv/dev: .venv/uv $(LOCKS)/dev.txt
	@echo "Installing $(LOCKS)/dev.txt into .venv"
	@$(BIN)/uv pip install --quiet --python .venv/bin/python --require-hashes -r $(LOCKS)/dev.txt
	@touch $@ .venv/local

# MiniStack, checkov and dbt each have an environment of their own (pyproject.toml says why).
.venv-%/installed: $(LOCKS)/%.txt .venv/uv
	@echo "Installing $< into .venv-$*"
	@$(BIN)/uv venv --quiet --clear --python .venv/bin/python .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --require-hashes -r $<
	@touch $@

.PHONY: chromium
chromium:
	@command -v chromium > /dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	    echo "Installing Debian's Chromium with apt-get, for the browser tests"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium > /dev/null; \
	else echo "No chromium here and no root to install it: the browser tests will be skipped"; fi
