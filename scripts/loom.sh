#!/usr/bin/env bash
# Explores the shared-memory rings with loom (crates/shm/tests/loom). Arguments go to the test program: a part of a
# name, --include-ignored for the models that take minutes. LOOM_MAX_PREEMPTIONS bounds the exploration.
set -euo pipefail
cd "$(dirname "$0")/.."

# Folder and flag of their own: the flag changes every crate. The lint of scripts/check.sh and crates/mutants/src/suite.rs
# build with the same.
export CARGO_TARGET_DIR=target/loom RUSTFLAGS='--cfg loom'
exec cargo test --profile checked --package eipc-shm --test loom -- --nocapture "$@"
