# `make help` lists the targets. Needed on the machine: a Rust toolchain,
# Python 3.10 or newer, make. All else is installed below this directory.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# x86_64 or arm64: what the function runs on.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
PYTHON ?= python3
# The binary that the end-to-end tests run.
BINARY ?= target/debug/iam-password-remediator

NAME := iam-password-remediator
BOOTSTRAP := target/lambda/$(NAME)/bootstrap
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Findings of property tests are printed, not written beside the sources.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE := 1

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

INFRA_READY := $(VENV)/.infra-ready
NODE_READY := tests/infra/node_modules/.ready
CHECKOV_READY := .venv-checkov/.ready
PIP := -m pip install --quiet --disable-pip-version-check

$(READY): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --requirement requirements-dev.txt
	touch $@

$(INFRA_READY): $(READY) infra/requirements.txt
	$(BIN)/python $(PIP) --requirement requirements-dev.txt --requirement infra/requirements.txt
	touch $@

$(NODE_READY): $(INFRA_READY) tests/infra/package-lock.json
	npm --prefix tests/infra ci --silent
	touch $@

# By itself: it cannot live with the boto3 that the others need.
$(CHECKOV_READY): infra/requirements-checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python $(PIP) --requirement infra/requirements-checkov.txt
	touch $@

.PHONY: build
build: $(READY) ## The deployable binary, target/lambda/iam-password-remediator/bootstrap
	cargo lambda build --release --locked $(if $(filter arm64,$(ARCH)),--arm64,--x86-64)

.PHONY: demo
demo: build ## The main job, shown on a local stand-in for AWS
	$(BIN)/python tests/demo/demo.py --binary $(BOOTSTRAP)

.PHONY: invoke
invoke: build ## One event through the local function: make invoke EVENT=events/x.json
	@test -n "$(EVENT)" || { echo "Name an event: make invoke EVENT=events/password-age-imported.json" >&2; exit 2; }
	$(BIN)/python tests/demo/invoke.py --binary $(BOOTSTRAP) "$(EVENT)"

.PHONY: serve
serve: build ## The local function, left running for aws lambda invoke and cargo lambda invoke
	$(BIN)/python tests/demo/invoke.py --binary $(BOOTSTRAP) --serve

.PHONY: test
test: $(NODE_READY) ## Every test
	cargo test --locked
	BINARY=$(BINARY) $(BIN)/python -m pytest -q tests --ignore tests/infra
	$(BIN)/python -m pytest -q tests/infra

.PHONY: lint
lint: $(INFRA_READY) $(CHECKOV_READY) ## Format, lints, documentation, dependencies, templates
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps --document-private-items --quiet
	cargo deny --offline --locked check --hide-inclusion-graph bans licenses sources
	cargo shear
	$(BIN)/ruff check tests infra
	$(BIN)/ruff format --check tests infra
	$(BIN)/cfn-lint --regions us-east-1 cn-north-1 us-gov-west-1 --template infra/template.yaml infra/member-role.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint --template infra/template.yaml
	.venv-checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --file infra/template.yaml infra/member-role.yaml

.PHONY: deploy
deploy: build $(INFRA_READY) ## The stack in your AWS account; SET="NAME=VALUE …" gives parameters
	$(BIN)/python infra/deploy.py deploy $(foreach pair,$(SET),--set "$(pair)")

.PHONY: delete
delete: $(INFRA_READY) ## Takes the stack away again
	$(BIN)/python infra/deploy.py delete

.PHONY: invoke-remote
invoke-remote: $(INFRA_READY) ## One event through the deployed function: make invoke-remote EVENT=events/x.json
	@test -n "$(EVENT)" || { echo "Name an event: make invoke-remote EVENT=events/sweep-dry-run.json" >&2; exit 2; }
	$(BIN)/python infra/deploy.py invoke "$(EVENT)"

.PHONY: logs
logs: $(INFRA_READY) ## The deployed function's log of the last hour
	$(BIN)/python infra/deploy.py logs

.PHONY: subscribe
subscribe: $(INFRA_READY) ## A user's address for their messages: make subscribe USER=alice EMAIL=alice@example.com
	@# Every shell has a USER: only one that was given counts.
	@test "$(origin USER)" = "command line" -a -n "$(EMAIL)" || { echo "Name a user and an address: make subscribe USER=alice EMAIL=alice@example.com" >&2; exit 2; }
	$(BIN)/python infra/deploy.py subscribe "$(USER)" "$(EMAIL)" $(if $(ACCOUNT),--account "$(ACCOUNT)")

.PHONY: audit
audit: $(READY) ## Known vulnerabilities in dependencies (asks the advisory database)
	cargo deny --locked check advisories

.PHONY: bench
bench: build ## Size, start, memory, round trips, sweeps
	$(BIN)/python tests/bench/bench.py --binary $(BOOTSTRAP)

.PHONY: fmt
fmt: $(READY) ## Formats everything
	cargo fmt
	$(BIN)/ruff format tests infra

.PHONY: clean
clean: ## Removes all that was built or installed here
	rm -rf target $(VENV) .venv-checkov tests/infra/node_modules
