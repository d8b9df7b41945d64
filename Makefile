# `make help` lists the targets. Needed on the machine: a Rust toolchain,
# Python 3.10 or newer, make. All else is installed below this directory.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# x86_64 or arm64: what the function runs on.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
PYTHON ?= python3
# The binary that the end-to-end tests run.
BINARY ?= target/debug/iam-password-remediator
# These two count on the command line only, not in the environment. A package to deploy instead of what is built here:
# the directory that `make package` wrote, or an archive of it.
PACKAGE :=
# 1 where nobody is there to be asked.
YES :=

NAME := iam-password-remediator
BOOTSTRAP := target/lambda/$(NAME)/bootstrap
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Findings of property tests are printed, not written beside the sources.
export PROPTEST_DISABLE_FAILURE_PERSISTENCE := 1
# As it was typed: make would take a dollar sign in a value for one of its own.
export override SET := $(value SET)

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

# Panics name the files of crates. They get the same names wherever cargo keeps them, or each home would make another
# binary.
.PHONY: build
build: $(READY) ## The deployable binary, target/lambda/iam-password-remediator/bootstrap
	cargo lambda build --release --locked $(if $(filter arm64,$(ARCH)),--arm64,--x86-64) \
		--config "build.rustflags=['--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=/cargo']"

.PHONY: package
package: build $(INFRA_READY) ## dist/: what deploys the stack without a Rust toolchain; make package ARCH=arm64
	$(BIN)/python infra/package.py dist

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

# What `cargo test` runs for a moment, by libFuzzer and each for FUZZ_SECONDS. On the stable toolchain, with a C++
# compiler besides. These flags are those of cargo-bolero, which cannot be used itself: it would link the program
# too, without the fuzzer. What is found of interest stays in target/fuzz, and the next run goes on from there.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
FUZZ_DIR := target/fuzz
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module --cfg fuzzing_libfuzzer \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
FUZZ_ARGUMENTS = -timeout=10 -max_len=16384 -max_total_time=$(FUZZ_SECONDS)
FUZZ_BUILD = RUSTFLAGS="$(FUZZ_FLAGS)" cargo test --locked --lib --no-run --profile fuzz --target $(FUZZ_HOST) \
	--target-dir $(FUZZ_DIR)/build

.PHONY: fuzz
fuzz: ## Hostile input for every parser: make fuzz FUZZ_SECONDS=600 FUZZ_TARGETS="fuzz::globs …"
	$(FUZZ_BUILD)
	@set -o pipefail; \
	binary=$$($(FUZZ_BUILD) --quiet --message-format json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1); \
	targets=$$(CARGO_BOLERO_SELECT=all $$binary fuzz:: --nocapture --test-threads 1 | \
		sed -n 's/.*"__bolero_target".*"test_name":"\([^"]*\)".*/\1/p') || exit; \
	mkdir -p $(FUZZ_DIR)/event::fuzz::bytes/corpus; \
	cp events/*.json $(FUZZ_DIR)/event::fuzz::bytes/corpus; \
	for target in $(or $(FUZZ_TARGETS),$$targets); do \
		echo "== $$target"; \
		work=$(FUZZ_DIR)/$$target; mkdir -p $$work/corpus $$work/crashes; \
		arguments=($$work/corpus $$work/crashes -artifact_prefix=$$work/crashes/ $(FUZZ_ARGUMENTS)); \
		BOLERO_TEST_NAME=$$target BOLERO_LIBTEST_HARNESS=1 BOLERO_LIBFUZZER_ARGS="$${arguments[*]}" \
			$$binary $$target --exact --nocapture --quiet --test-threads 1 || exit; \
	done

.PHONY: verify
verify: ## The model of the reset within larger bounds, and a year of 500 users: some minutes
	cargo test --locked --test it -- --ignored --nocapture --test-threads 1 model year

.PHONY: lint
lint: $(INFRA_READY) $(CHECKOV_READY) ## Format, lints, documentation, dependencies, templates
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps --document-private-items --quiet
	cargo fetch --locked --quiet
	cargo deny --offline --locked check --hide-inclusion-graph bans licenses sources
	cargo shear
	$(BIN)/ruff check tests infra
	$(BIN)/ruff format --check tests infra
	$(BIN)/cfn-lint --regions us-east-1 cn-north-1 us-gov-west-1 --template infra/template.yaml infra/member-role.yaml infra/automation-rule.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(BIN)/sam validate --lint --template infra/template.yaml
	.venv-checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation --file infra/template.yaml infra/member-role.yaml infra/automation-rule.yaml

SURE = $(if $(filter 1 y yes true,$(YES)),--yes)
PACKAGED = $(or $(PACKAGE),target/package)

.PHONY: deploy
deploy: $(if $(PACKAGE),,build) $(INFRA_READY) ## The stack in your AWS account; SET='NAME=VALUE NAME="A VALUE"', PACKAGE=dist, YES=1
	$(if $(PACKAGE),,rm -rf $(PACKAGED) && $(BIN)/python infra/package.py $(PACKAGED) >/dev/null)
	$(BIN)/python infra/deploy.py deploy --package "$(PACKAGED)" --set-all "$$SET" $(SURE)

.PHONY: delete
delete: $(INFRA_READY) ## Takes the stack away again; YES=1
	$(BIN)/python infra/deploy.py delete $(SURE)

.PHONY: invoke-remote
invoke-remote: $(INFRA_READY) ## One event through the deployed function: make invoke-remote EVENT=events/x.json
	@test -n "$(EVENT)" || { echo "Name an event: make invoke-remote EVENT=events/sweep-dry-run.json" >&2; exit 2; }
	$(BIN)/python infra/deploy.py invoke "$(EVENT)"

# What the report is made from: FROM, or what the local function answers, or else the deployed one.
ANSWERS = $(if $(LOCAL),target/report/answers.jsonl,$(FROM))
.PHONY: report
report: $(INFRA_READY) $(if $(LOCAL),build) ## How old passwords are, on one page: make report [ACCOUNTS="ID … or *" | FROM=answers.jsonl | LOCAL=1]
	$(if $(LOCAL),$(BIN)/python tests/demo/invoke.py --binary $(BOOTSTRAP) --answer $(ANSWERS) events/audit-dry-run.json)
	PYTHONPATH=infra $(BIN)/python -m report $(if $(ANSWERS),--from "$(ANSWERS)",--accounts "$(ACCOUNTS)")

.PHONY: report-example
report-example: $(INFRA_READY) ## docs/report-example.*, which the README shows; takes Chromium for the picture
	$(BIN)/python tests/infra/report_example.py

.PHONY: logs
logs: $(INFRA_READY) ## The deployed function's log of the last hour
	$(BIN)/python infra/deploy.py logs

.PHONY: redrive
redrive: $(INFRA_READY) ## Dead letters shown, sent to the function again, and deleted if that succeeded; YES=1
	$(BIN)/python infra/redrive.py $(SURE)

.PHONY: stop
stop: $(INFRA_READY) ## Everything stopped at once, until make start: infra/RUNBOOK.md
	$(BIN)/python infra/emergency.py stop

.PHONY: start
start: $(INFRA_READY) ## Takes make stop back
	$(BIN)/python infra/emergency.py start

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
	rm -rf target dist $(VENV) .venv-checkov tests/infra/node_modules
