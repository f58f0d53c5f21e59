#!/usr/bin/env bash
# Instructions per message against crates/instructions/baseline.txt. Usage: scripts/instructions.sh check|record
# Where there is no valgrind, or the baseline is of other tools, `check` says so and is done.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ $1 == check ]] && ! missing=$(scripts/require.sh valgrind 2>&1); then
  printf 'instructions skipped: %s\n' "$missing"
  exit
fi
cargo build --quiet --release --package eipc-instructions
"${CARGO_TARGET_DIR:-target}/release/eipc-instructions" "$1"
