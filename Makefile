# The chores of the repository. Each one sets up what it needs on a fresh clone; `make` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Every chore, which is a target with a line of help, and what the chores need.
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*\#\# .*/\1/p' $(MAKEFILE_LIST)) require-node require-rust FORCE

# Arguments for `make demo`, `make bench`, `make bench-shm`, `make soak`, `make loom`, `make mutants`, `make interop` and `make test-platforms`, for example ARGS='--speed max --seconds 2'.
ARGS ?=
# How long `make fuzz` runs each target, and how many calls `make property` makes.
SECONDS ?= 60
CALLS ?= 100000
# How often `make audit-kills` tries each step.
KILLS ?= 100
# How many requests `make approval-kills` tries.
RUNS ?= 500
# The two results that `make bench-compare` compares.
OLD ?=
NEW ?=
# Where `make test` also leaves the results of the TypeScript tests, as JSON.
VITEST_JSON ?=

STAMPS := target/stamps
MODULES := node_modules/.package-lock.json
BENCH_MODULES := benches/node_modules/.package-lock.json
RUST_SOURCES := Cargo.toml Cargo.lock $(shell find crates -name target -prune -o \( -name '*.rs' -o -name Cargo.toml \) -print)
# With the folders, which change when a source is removed.
TS_SOURCES := tsconfig.json tsconfig.build.json $(shell find src -type d -o -name '*.ts')

help: ## list the chores
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: build-native build-ts ## build everything that runs

build-native: $(STAMPS)/native ## build the Rust core as a Node addon, and index.d.ts

build-ts: $(STAMPS)/ts ## compile src/ to dist/

build-vectors: $(STAMPS)/vectors ## build the addon that the vector tests load, which never ships

build-all: $(MODULES) ## build what a release ships for every platform that can be built here
	scripts/build-platforms.sh all

build-linux: $(MODULES) ## the same for Linux
	scripts/build-platforms.sh linux

build-darwin: $(MODULES) ## the same for macOS
	scripts/build-platforms.sh darwin

build-windows: $(MODULES) ## the same for Windows, on Windows
	scripts/build-platforms.sh windows

release-binaries: build-all build-ts ## lay out the packages in target/packages; fails while a platform has no binary
	rm -rf target/packages
	node scripts/stage-packages.js target/packages

build-kill-points: $(STAMPS)/kill-points ## build the addon that dies on order, which never ships

test: build build-vectors build-kill-points ## run the Rust and the TypeScript tests
	cargo test --workspace --no-fail-fast
	cargo test --package eipc-shm --features kill-points --test kill_points
	npx vitest run $(if $(VITEST_JSON),--reporter=default --reporter=json --outputFile.json="$(VITEST_JSON)")

# The binary that ships; without the tools for it (status 69) the developer's takes its place.
test-package: build ## pack, install and use what `npm install eipc` gives; ends with a table
	scripts/build-platform.sh "$$(rustc --print host-tuple)" || (($$? == 69))
	npx vitest run --config test/package/vitest.config.ts

test-platforms: build build-vectors build-kill-points ## run the tests on other Nodes and under qemu; ends with a table (ARGS=arm for a part)
	scripts/test-platforms.sh $(ARGS)

interop: build-native ## speak v1 with programs of Go, both roles; skipped where there is no Go (ARGS=go-client for a part)
	scripts/interop.sh $(ARGS)

# Printed with their seed; EIPC_INTEROP_SEED=7 makes others.
interop-deep: build-native ## 100 000 random frames, made by one and read by the other, and 100 000 changed ones
	EIPC_INTEROP_FRAMES=100000 scripts/interop.sh go-frames

demo: build ## run the demo: an ENI and an EAI process (ARGS='--speed max --seconds 2')
	node dist/cli/main.js demo $(ARGS)

build-benches: build $(BENCH_MODULES) $(STAMPS)/benches ## build what the benchmarks compare with, in C, Rust and Node

bench: build-benches ## measure against the peers; conditions are printed (ARGS=...)
	node benches/run.js $(ARGS)

bench-shm: build-benches ## measure shared memory at its limit; ends with the table of targets (ARGS=--short only tries it)
	node benches/shm.js $(ARGS)

bench-compare: | require-node ## compare two results of the above: OLD=a.json NEW=b.json
	node benches/compare.js $(OLD) $(NEW)

check: $(MODULES) | require-rust ## run what CI runs, stage by stage
	scripts/check.sh

deep: | require-rust ## run what takes too long for every change, stage by stage
	scripts/deep.sh

# 36 rounds of 89 deaths between Rust processes, two between Node processes; a peer that is stopped for 5 s.
crash: build build-kill-points ## kill processes at every kill point, 3 000 times and more; prints the latencies
	EIPC_CRASH_ROUNDS=36 cargo test --package eipc-shm --features kill-points --test kill_points
	EIPC_CRASH_ROUNDS=2 EIPC_STOP_SECONDS=5 npx vitest run --project eipc test/process/kill-points.test.ts test/process/stopped.test.ts

soak: build ## connect and talk for ten minutes: nothing may grow (ARGS='--seconds 60' for less)
	node test/soak/run.js $(ARGS)

hostile: build-ts ## attack the rings, the server and the client as a peer with a key, under AddressSanitizer (ARGS='1000000 5' for less)
	scripts/hostile.sh $(ARGS)

fuzz: | require-rust ## run the fuzz targets, SECONDS=60 each (ARGS='header stream' for some; ARGS=minimise writes the corpus)
	scripts/fuzz.sh $(SECONDS) $(ARGS)

property: build-ts ## call every export of the addon 100 000 times with anything, under AddressSanitizer; read 60 000 policies
	EIPC_PROPERTY_CALLS=$(CALLS) EIPC_PROPERTY_POLICIES=20000 scripts/with-asan-addon.sh npx vitest run test/property

instructions: | require-rust ## count the instructions of a message with valgrind, and compare with what is committed
	scripts/instructions.sh check

instructions-record: | require-rust ## commit to what is counted now
	scripts/instructions.sh record

loom: | require-rust ## explore the shared-memory rings in every interleaving (ARGS=waking for a part)
	scripts/loom.sh --include-ignored $(ARGS)

loom-mutants: | require-rust ## weaken each memory ordering of the rings in turn: some model must fail
	cargo run --quiet --package eipc-mutants -- --orderings $(ARGS)

# 10^6 records in each run of the stress, half of them each way.
tsan asan: export EIPC_STRESS_RECORDS ?= 500000

tsan: | require-rust ## stress the rings under ThreadSanitizer
	TSAN_OPTIONS=halt_on_error=1 scripts/sanitize.sh thread cargo test --package eipc-shm --test stress

asan: | require-rust ## stress the rings and run the tests of crates/shm under AddressSanitizer
	scripts/sanitize.sh address cargo test --package eipc-shm --lib --tests

audit-kills: build ## kill a process at each step of writing an audit log, a hundred times each (KILLS=5 for fewer)
	EIPC_AUDIT_KILLS=$(KILLS) npx vitest run --project eipc test/process/audit-kill.test.ts

approval-kills: build ## kill a server between an approval and its effect, 500 requests (RUNS=12 for fewer)
	EIPC_APPROVAL_RUNS=$(RUNS) npx vitest run --project eipc test/process/approval-kill.test.ts

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
	rm -rf dist # what a removed source left would ship
	npm run build:ts
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/benches: $(RUST_SOURCES) $(wildcard benches/floor/*.[ch]) $(if $(wildcard target/bench/floor),,FORCE) | require-rust
	cargo build --release --package eipc-bench
	@mkdir -p target/bench $(@D)
	$(CC) -O3 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o target/bench/floor benches/floor/*.c
	@touch $@

$(STAMPS)/vectors: $(RUST_SOURCES) $(MODULES) scripts/build-test-addon.js $(if $(wildcard target/vectors/*.node),,FORCE) | require-rust
	npm run build:vectors
	@mkdir -p $(@D)
	@touch $@

$(STAMPS)/kill-points: $(RUST_SOURCES) $(MODULES) scripts/build-test-addon.js $(if $(wildcard target/kill-points/*.node),,FORCE) | require-rust
	npm run build:kill-points
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
