# Two commands do everything: make demo, make test. Both set themselves up in .venv; downloads and the built model
# are kept in .catalog-tagger. Neither is tracked, and make clean removes both.

PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; print("$(p)") if sys.version_info >= (3, 11) else None' 2>/dev/null)))
BIN := .venv/bin
TOOLS := .venv/tools
STEP := sh infra/step.sh
SAM_VERSION := 1.170.0
AWS_VERSION := 1.46.3
CHECKOV_VERSION := 3.3.30
ARCH ?= x86_64
MODEL ?= yes
# A worker a processor, up to four: each has an embedded AWS and a browser of its own (DECISIONS.md, 159).
PYTEST := $(BIN)/pytest --numprocesses logical --maxprocesses 4
STACK ?= catalog-tagger
PARAMETERS_FILE ?= infra/parameters.toml
comma := ,
NPM_EXTRA := $(if $(shell command -v npm 2>/dev/null),,$(comma)npm)

# onnxruntime reports to its maker unless this is set; npm and pip ask for newer versions of themselves.
export ORT_DISABLE_TELEMETRY := 1
# As the command and the functions do: OpenBLAS's second thread would spin beside the model (DECISIONS.md, 155).
export OPENBLAS_NUM_THREADS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export SAM_CLI_TELEMETRY := 0
# A test run starts hundreds of Pythons, and without bytecode each compiles the whole project first.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: style cost bench-packages help setup demo open test test-quick check lint check-aws check-cpu check-arm audit package lock deploy chaos bench bench-quick bench-search bench-segments bench-load bench-backfill bench-peers quality clean dist

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/run.stamp  ## put the command catalog-tagger into .venv/bin
	@echo "Ready: .venv/bin/catalog-tagger open photos/"

demo: .venv/run.stamp  ## run the main job on real product photos with the real model, on this machine
	@$(BIN)/python -m infra demo

open: .venv/run.stamp  ## open the page on this machine: FOLDER=photos/ with your photos, or with a sample catalogue
	@$(BIN)/catalog-tagger open $(FOLDER)

test: .venv/dev.stamp  ## run all tests, on all cores (some 21 minutes on two)
	$(PYTEST)

test-quick: .venv/dev.stamp  ## run the tests that need neither the real model nor the embedded AWS (some two minutes on two cores)
	$(PYTEST) -m 'not slow'

check: lint check-aws  ## everything below that can be checked without running it

lint: .venv/dev.stamp  ## lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/cfn-lint infra/template.yaml

style: .venv/dev.stamp  ## count the language of the house: empty names, bare references, inner imports, long functions
	@$(BIN)/python .ci/style.py pipeline catalog_loader tagging_lambda results_sink infra

check-aws: .venv/dev.stamp $(TOOLS)/sam.stamp $(TOOLS)/checkov.stamp $(TOOLS)/lint.stamp  ## check what is deployed by AWS's own linter and others
	$(TOOLS)/sam/bin/sam validate --lint --template infra/template.yaml --region us-east-1
	@mkdir -p build
	$(BIN)/python .ci/loops_written_out.py > build/template.json
	$(TOOLS)/checkov/bin/checkov --file build/template.json --config-file infra/checkov.yaml
	$(TOOLS)/lint/bin/hadolint infra/Dockerfile
	$(TOOLS)/lint/bin/zizmor --offline --quiet .github/workflows
	$(TOOLS)/lint/bin/bandit --quiet --configfile infra/bandit.yaml --recursive \
		pipeline catalog_loader tagging_lambda results_sink infra
	$(BIN)/python -m infra bills | $(TOOLS)/lint/bin/python .ci/valid_bills.py

audit: $(TOOLS)/lint.stamp  ## look for known vulnerabilities in what is deployed; asks PyPI
	@for lock in infra/locks/*.txt; do echo "$$lock"; \
		if grep -qv '^#' "$$lock"; then \
			$(TOOLS)/lint/bin/pip-audit --strict --disable-pip --no-deps --requirement "$$lock" || exit 1; fi; done

package: .venv/run.stamp  ## build the functions' packages and their bills of materials into build/, for ARCH=x86_64 or arm64; MODEL=no leaves the model out
	$(if $(filter no,$(MODEL)),,$(BIN)/catalog-tagger model build)
	$(BIN)/python -m infra package --arch $(ARCH) $(if $(filter no,$(MODEL)),--no-model)

# Its packages keep the names infra and pipeline, so it wants an environment of its own (DECISIONS.md, 92).
dist: .venv/run.stamp  ## build a wheel into dist/, for an environment of its own
	@rm -rf dist build/lib build/bdist.*
	@$(STEP) "Building the wheel" .venv/dist.log $(BIN)/python -m pip wheel --no-deps --wheel-dir dist .
	@echo "To install it in an environment of its own: pipx install '$$(ls dist/*.whl)[all]'"

lock: .venv/run.stamp  ## lock the packages' libraries by pyproject.toml; NEWEST=yes lets all move to their newest versions
	$(BIN)/python -m infra lock $(if $(filter yes,$(NEWEST)),--newest)

cost: .venv/run.stamp  ## reckon what it costs, from the prices and from what was measured, into docs/cost.md
	@mkdir -p build
	$(BIN)/python -m infra cost > build/cost.md && mv build/cost.md docs/cost.md

bench-packages: .venv/dev.stamp  ## measure the packages' processor time, into infra/measured.csv
	@$(BIN)/python -m tests.bench.packaged

# ARCH given on the command line changes the stack's processor for good; else the stack keeps the one that it has.
deploy: .venv/run.stamp $(TOOLS)/sam.stamp  ## deploy to AWS with what infra/parameters.toml holds; it asks the first time
	$(BIN)/catalog-tagger model build
	@$(BIN)/python -m infra deploy --stack $(STACK) --file $(PARAMETERS_FILE) --sam $(TOOLS)/sam/bin/sam \
		$(if $(filter command line,$(origin ARCH)),--arch $(ARCH))

check-cpu: .venv/dev.stamp  ## hold the model against itself on a CPU without VNNI, played by qemu-user
	@$(BIN)/python -m tests.bench.check_cpu

check-arm: .venv/dev.stamp  ## tag ten photos with the arm64 package, on an emulated Graviton; wants Debian's apt, and installs nothing
	@$(BIN)/python -m tests.bench.check_arm

chaos: .venv/dev.stamp  ## nothing lost, nothing wrong: SIZE images (10000) and ten times as many messages, by SEED (docs/reliability.md)
	$(BIN)/python -m tests.chaos.run $(if $(SEED),--seed $(SEED)) --size $(or $(SIZE),10000)

bench-search: .venv/dev.stamp  ## measure export, fold and search at a million products, beside other ways (some ten minutes)
	$(BIN)/python -m tests.bench.bench_search

bench-segments: .venv/dev.stamp  ## measure an export in segments beside one by one process, up to five million records
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench.bench_segments 200_000x1x1 200_000x4x2 5_000_000x8x2

bench-backfill: .venv/dev.stamp  ## measure and simulate search while ten million photos are loaded (some two minutes)
	$(BIN)/python -m tests.bench.bench_backfill

bench-load: .venv/dev.stamp  ## measure load and audit, up to a million images (some twenty minutes)
	$(BIN)/python -m tests.bench.bench_load 10_000 100_000 1_000_000

bench: .venv/dev.stamp  ## measure images per second, CPU time and memory against the ceiling, and draw it (some ten minutes)
	$(BIN)/python -m tests.bench.tagging --json docs/measured/bench.json
	$(BIN)/python -m tests.bench.parts --json docs/measured/parts.json
	@$(BIN)/python -m tests.bench.plots
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench.bench_signals

bench-quick: .venv/dev.stamp  ## the same in a minute, for its ratios, into build/bench-quick.json
	@$(BIN)/python -m tests.bench.tagging --rounds 1 --passes 2 --json build/bench-quick.json

bench-peers: .venv/dev.stamp  ## measure `tag` beside what others would use, which is installed into build/peers (some 2 GB)
	@$(BIN)/python -m tests.bench.bench_peers --json docs/measured/peers.json
	@$(BIN)/python -m tests.bench.plots

quality: .venv/dev.stamp  ## measure how right keywords are on labelled photos, and draw the plots of README
	$(BIN)/python -m tests.quality.measure $(DATA)
	$(if $(DATA),$(BIN)/python -m tests.quality.signals $(DATA))
	$(if $(DATA),$(BIN)/python -m tests.quality.alike $(DATA))

clean:  ## remove everything that was installed, downloaded, built or kept
	@if [ -x $(BIN)/catalog-tagger ]; then $(BIN)/catalog-tagger local down --purge 2>/dev/null || true; fi
	rm -rf .venv .catalog-tagger build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "catalog-tagger needs Python 3.11 or newer; none was found on PATH" >&2; exit 2; }
	@# Upgraded, since an older pip cannot fetch another Python's wheels for the packages.
	@mkdir -p .venv && $(STEP) "Making the environment .venv" .venv/venv.log $(PYTHON) -m venv --upgrade-deps .venv

# Tools that want libraries of their own, each in an environment of its own, made under its real path: the commands in
# it keep the path they were installed under, and a link to the checkout may be gone tomorrow.
$(TOOLS)/sam.stamp: Makefile | .venv/bin/python
	@$(BIN)/python -m venv $(realpath .venv)/tools/sam
	@$(STEP) "Installing AWS SAM" .venv/sam.log $(TOOLS)/sam/bin/pip install aws-sam-cli==$(SAM_VERSION)
	@touch $@

$(TOOLS)/aws.stamp: Makefile | .venv/bin/python
	@$(BIN)/python -m venv $(realpath .venv)/tools/aws
	@$(STEP) "Installing AWS's command line" .venv/aws.log $(TOOLS)/aws/bin/pip install awscli==$(AWS_VERSION)
	@touch $@

$(TOOLS)/checkov.stamp: Makefile | .venv/bin/python
	@$(BIN)/python -m venv $(realpath .venv)/tools/checkov
	@$(STEP) "Installing Checkov" .venv/checkov.log $(TOOLS)/checkov/bin/pip install checkov==$(CHECKOV_VERSION)
	@touch $@

$(TOOLS)/lint.stamp: infra/linters.txt | .venv/bin/python
	@$(BIN)/python -m venv $(realpath .venv)/tools/lint
	@$(STEP) "Installing the linters" .venv/linters.log $(TOOLS)/lint/bin/pip install --requirement infra/linters.txt
	@touch $@

.venv/run.stamp: pyproject.toml | .venv/bin/python
	@$(STEP) "Installing the libraries" .venv/setup.log $(BIN)/python -m pip install -e '.[model,learn,local$(NPM_EXTRA)]'
	@touch $@

.venv/dev.stamp: pyproject.toml | .venv/bin/python
	@$(STEP) "Installing the libraries and the tools of the tests" .venv/setup.log \
		$(BIN)/python -m pip install -e '.[dev$(NPM_EXTRA)]'
	@touch $@ .venv/run.stamp
