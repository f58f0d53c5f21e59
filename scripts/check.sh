#!/usr/bin/env bash
# What CI runs. Logs lie in target/check/, one per stage; scripts/count.js takes the test counts from there.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly LOGS=target/check
. scripts/stages.sh

format() {
  cargo fmt --all --check
  npx prettier --check .
}

lint() {
  cargo clippy --workspace --all-targets -- -D warnings
  cargo clippy --package eipc-node --features vectors -- -D warnings
  cargo clippy --package eipc-shm --all-targets --features kill-points -- -D warnings
  # The flag and folder of scripts/loom.sh.
  RUSTFLAGS='--cfg loom' cargo clippy --target-dir target/loom --profile checked --package eipc-shm --lib --test loom -- -D warnings
  npx oxlint --type-aware
  npx tsc -p tsconfig.json --noEmit
}

# Not through the Makefile's stamps: a fresh stamp would leave the generated files unproved.
build() {
  npm run build:native
  npm run build:ts
  npm run build:vectors
  npm run build:kill-points
  mkdir -p target/stamps
  touch target/stamps/{native,ts,vectors,kill-points} # the Makefile need not build the same again
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
stage 'loom' scripts/loom.sh
stage 'instructions' scripts/instructions.sh check
stage 'knip' npx knip
stage 'demo' demo
stage 'package' package
print_table
