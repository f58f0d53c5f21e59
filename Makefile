# The chores of the repository. Each one sets up what it needs on a fresh clone; `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help build build-native build-ts build-vectors test test-package test-platforms interop interop-deep demo bench check deep mutants audit-kills fmt clean require-node require-rust FORCE

# Arguments for `make demo`, `make bench`, `make mutants`, `make interop` and `make test-platforms`, for example ARGS='--speed max --seconds 2'.
ARGS ?=
# How often `make audit-kills` tries each step.
KILLS ?= 100
# Where `make test` also leaves the results of the TypeScript tests, as JSON.
VITEST_JSON ?=

STAMPS := target/stamps
MODULES := node_modules/.package-lock.json
BENCH_MODULES := benches/node_modules/.package-lock.json
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name target -prune -o \( -name '*.rs' -o -name Cargo.toml \) -print)
TS_SOURCES := tsconfig.json tsconfig.build.json $(shell find src -name '*.ts' 2>/dev/null)

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: build-native build-ts ## build everything that runs

build-native: $(STAMPS)/native ## build the Rust core as a Node addon, and index.d.ts

build-ts: $(STAMPS)/ts ## compile src/ to dist/

build-vectors: $(STAMPS)/vectors ## build the addon that the vector tests load, which never ships

test: build build-vectors ## run the Rust and the TypeScript tests
	cargo test --workspace --no-fail-fast
	npx vitest run $(if $(VITEST_JSON),--reporter=default --reporter=json --outputFile.json="$(VITEST_JSON)")

# The binary that ships; without the tools for it (status 69) the developer's takes its place.
test-package: build ## pack, install and use what `npm install eipc` gives; ends with a table
	scripts/build-platform.sh "$$(rustc --print host-tuple)" || (($$? == 69))
	npx vitest run --config test/package/vitest.config.ts

test-platforms: build build-vectors ## run the tests on other Nodes and under qemu; ends with a table (ARGS=arm for a part)
	scripts/test-platforms.sh $(ARGS)

interop: build-native ## speak v1 with programs of Go, both roles; skipped where there is no Go (ARGS=go-client for a part)
	scripts/interop.sh $(ARGS)

# Printed with their seed; EIPC_INTEROP_SEED=7 makes others.
interop-deep: build-native ## 100 000 random frames, made by one and read by the other, and 100 000 changed ones
	EIPC_INTEROP_FRAMES=100000 scripts/interop.sh go-frames

demo: build ## run the demo: an ENI and an EAI process (ARGS='--speed max --seconds 2')
	node dist/cli/main.js demo $(ARGS)

bench: build $(BENCH_MODULES) ## measure against the peers; conditions are printed (ARGS=...)
	node benches/run.js $(ARGS)

check: $(MODULES) | require-rust ## run what CI runs, stage by stage
	scripts/check.sh

deep: mutants interop-deep audit-kills ## run what takes too long for every change

audit-kills: build ## kill a process at each step of writing an audit log, a hundred times each (KILLS=5 for fewer)
	EIPC_AUDIT_KILLS=$(KILLS) npx vitest run --project eipc test/process/audit-kill.test.ts

mutants: | require-rust ## remove each check in turn: some test must fail (ARGS=session/epoch.rs for a part)
	cargo run --quiet --package eipc-mutants -- $(ARGS)

fmt: $(MODULES) | require-rust ## format Rust, TypeScript and Markdown
	cargo fmt --all
	npx prettier --write .

clean: ## remove what was built (not node_modules)
	rm -rf dist target coverage
	rm -f *.node

# A stamp says when a build succeeded; FORCE comes in when its result was removed by hand.
$(STAMPS)/native: $(RUST_SOURCES) $(MODULES) $(if $(wildcard *.node),,FORCE) | require-rust
	npm run build:native
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/ts: $(TS_SOURCES) $(STAMPS)/native $(MODULES) $(if $(wildcard dist/index.js),,FORCE)
	npm run build:ts
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/vectors: $(RUST_SOURCES) $(MODULES) scripts/build-vectors.js $(if $(wildcard target/vectors/*.node),,FORCE) | require-rust
	npm run build:vectors
	@mkdir -p $(@D)
	@touch $@

# npm writes this file last, so it is there only after a complete install.
$(MODULES): package-lock.json | require-node
	npm ci --no-audit --no-fund
	@touch $@

$(BENCH_MODULES): benches/package-lock.json | require-node
	npm ci --prefix benches --no-audit --no-fund
	@touch $@

require-node:
	@scripts/require.sh node

require-rust:
	@scripts/require.sh rust

FORCE:
