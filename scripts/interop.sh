#!/usr/bin/env bash
# EIPC against programs of Go, which speak v1 with their standard library only (test/interop/go/README.md). Arguments go to vitest.
# Where there is no Go, or one that is too old, it says so and is done.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! missing=$(scripts/require.sh go 2>&1); then
  printf 'interop    skipped: %s\n' "$missing"
  exit
fi
npx vitest run --config test/interop/vitest.config.ts "$@"
