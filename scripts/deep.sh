#!/usr/bin/env bash
# What takes too long for every change, in order of how soon it says something. Logs lie in target/deep/, one per stage.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOGS=target/deep
. scripts/stages.sh

stage 'tsan' make --no-print-directory tsan
stage 'asan' make --no-print-directory asan
stage 'loom' make --no-print-directory loom
stage 'loom mutants' make --no-print-directory loom-mutants
stage 'interop' make --no-print-directory interop-deep
stage 'mutants' make --no-print-directory mutants
print_table
