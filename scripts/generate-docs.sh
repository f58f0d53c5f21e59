#!/usr/bin/env bash
# Writes docs/errors.md from the error table of eipc-core.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p docs target
# Through a file: a build that fails must not leave an empty page behind.
cargo run --quiet --package eipc-testkit --bin errors-md >target/errors.md
mv target/errors.md docs/errors.md
