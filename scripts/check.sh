#!/usr/bin/env bash
# What CI runs: every stage in order, its time, and an end at the first failing one.
# Logs lie in target/check/, one per stage; scripts/count.js takes the test counts from there.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOGS=target/check
rm -rf "$LOGS"
mkdir -p "$LOGS"
table=''

print_table() {
  printf '\n%-20s %6s  %s\n' stage seconds result
  printf '%b' "$table"
}

# stage NAME COMMAND [ARGUMENT...]
stage() {
  local name=$1 started=$SECONDS status
  shift
  printf '\n==> %s\n' "$name"
  # `set -e` must hold inside the stage, so neither `if` nor `||` may stand before it.
  set +e
  (
    set -e
    "$@"
  ) 2>&1 | tee "$LOGS/${name// /-}.log"
  status=${PIPESTATUS[0]}
  set -e
  local result=ok
  ((status == 0)) || result="FAILED ($status)"
  table+=$(printf '%-20s %6d  %s' "$name" $((SECONDS - started)) "$result")'\n'
  if ((status != 0)); then
    print_table
    printf '\n%s failed; its output is in %s\n' "$name" "$LOGS/${name// /-}.log" >&2
    exit 1
  fi
}

format() {
  cargo fmt --all --check
  npx prettier --check .
}

lint() {
  cargo clippy --workspace --all-targets -- -D warnings
  cargo clippy --package eipc-node --features vectors -- -D warnings
  npx oxlint --type-aware
  npx tsc -p tsconfig.json --noEmit
}

# Not through the Makefile's stamps: a fresh stamp would leave the generated files unproved.
build() {
  npm run build:native
  npm run build:ts
  npm run build:vectors
  mkdir -p target/stamps
  touch target/stamps/{native,ts,vectors} # the Makefile need not build the same again
}

generated_files() {
  local files=(index.d.ts docs/errors.md npm)
  scripts/generate-docs.sh
  node scripts/npm-folders.js
  git ls-files --error-unmatch -- "${files[@]}"
  git diff --exit-code -- "${files[@]}"
}

# The public API documented without a warning; the pages themselves are not kept.
docs() {
  npm run docs
}

# All tests, by the test command of README.md, run as a reader would run it.
tests() {
  local command
  command=$(grep -m 1 -E '^(make|npm) (run )?test\b' README.md) || {
    echo 'README.md names no test command on a line of its own (make test, npm test)' >&2
    return 1
  }
  printf '%s\n' "$command"
  VITEST_JSON="$LOGS/vitest.json" bash -euo pipefail -c "$command"
}

demo() {
  node dist/cli/main.js demo --json --speed max --seconds 2
}

# What npm would give: packed, installed, used.
package() {
  npx vitest run --config test/package/vitest.config.ts
}

stage 'format' format
stage 'lint' lint
stage 'platforms' scripts/check-platforms.sh
stage 'build' build
stage 'generated files' generated_files
stage 'docs' docs
stage 'tests' tests
stage 'interop' scripts/interop.sh
stage 'knip' npx knip
stage 'demo' demo
stage 'package' package
print_table
