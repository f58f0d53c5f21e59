#!/usr/bin/env bash
# What takes too long for every change, in order of how soon it says something. Logs lie in target/deep/, one per stage.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOGS=target/deep
. scripts/stages.sh

stage 'property' make --no-print-directory property
stage 'hostile' make --no-print-directory hostile
stage 'tsan' make --no-print-directory tsan
stage 'asan' make --no-print-directory asan
stage 'crash' make --no-print-directory crash
stage 'audit kills' make --no-print-directory audit-kills KILLS=10
stage 'approval kills' make --no-print-directory approval-kills RUNS=150
stage 'loom' make --no-print-directory loom
stage 'loom mutants' make --no-print-directory loom-mutants
stage 'fuzz' make --no-print-directory fuzz
stage 'interop' make --no-print-directory interop-deep
stage 'mutants' make --no-print-directory mutants
stage 'benches' make --no-print-directory bench-shm ARGS=--short
stage 'soak' make --no-print-directory soak
print_table
