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

$(READY): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
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
test: $(READY) ## Every test
	cargo test --locked
	cargo build --locked
	BINARY=$(BINARY) $(BIN)/python -m pytest -q tests

.PHONY: lint
lint: $(READY) ## Format, lints, documentation, dependencies, templates
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --no-deps --document-private-items --quiet
	cargo deny --offline --locked check --hide-inclusion-graph bans licenses sources
	cargo shear
	$(BIN)/ruff check tests infra
	$(BIN)/ruff format --check tests infra

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
	rm -rf target $(VENV)
