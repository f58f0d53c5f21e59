#!/usr/bin/env bash
# scripts/fuzz.sh [SECONDS [TARGET...]]: runs the fuzz targets of crates/fuzz for so long each (60), two at a time, and ends with
# a table. What they find is added to the corpus in target/fuzz-corpus/, which begins with the one that is committed;
# `scripts/fuzz.sh minimise` puts the smallest set of inputs with the same coverage into crates/fuzz/corpus/.
#
# cargo-fuzz comes from crates.io into target/tools; libFuzzer needs a C++ compiler. The stable toolchain does with RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly CARGO_FUZZ=0.13.2
readonly COMMITTED=crates/fuzz/corpus WORK=target/fuzz-corpus LOGS=target/fuzz-logs CRASHES=target/fuzz-crashes
readonly TOOLS=$PWD/target/tools

if [[ $("$TOOLS/bin/cargo-fuzz" --version 2>/dev/null) != "cargo-fuzz $CARGO_FUZZ" ]]; then
  cargo install --quiet cargo-fuzz --version "$CARGO_FUZZ" --locked --root "$TOOLS"
fi
export RUSTC_BOOTSTRAP=1 PATH=$TOOLS/bin:$PATH

readonly BINARIES=target/fuzz/$(rustc --print host-tuple)/release

# run SECONDS TARGET: one target, in its log.
run() {
  mkdir -p "$WORK/$2" "$CRASHES/$2"
  "$BINARIES/$2" "$WORK/$2" "$COMMITTED/$2" -max_total_time="$1" -max_len=2048 -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$CRASHES/$2/" -print_final_stats=1 >"$LOGS/$2.log" 2>&1
}

# The shortest inputs of a set with the whole coverage, up to 16 kB with what a file costs: the corpus stays small, and what is longer
# is found again.
minimise() {
  local file
  rm -rf "$WORK/$1.min"
  mkdir -p "$WORK/$1.min"
  "$BINARIES/$1" "$WORK/$1.min" "$WORK/$1" "$COMMITTED/$1" -merge=1 -max_len=2048
  find "$COMMITTED/$1" -type f -delete
  while read -r file; do
    cp "$file" "$COMMITTED/$1/"
  done < <(find "$WORK/$1.min" -type f -printf '%s %p\n' | sort -n |
    awk -v limit=16000 '{ sum += $1 + 32; if (sum <= limit) print $2 }')
}

mapfile -t all < <(cargo fuzz list --fuzz-dir crates/fuzz)
cargo fuzz build --fuzz-dir crates/fuzz --target-dir target/fuzz
mkdir -p "$LOGS"

if [[ ${1:-} == minimise ]]; then
  for target in "${all[@]}"; do
    minimise "$target"
  done
  exit 0
fi

readonly seconds=${1:-60}
shift || true
targets=("$@")
((${#targets[@]} > 0)) || targets=("${all[@]}")

failed=0
printf '%-14s %12s %10s  %s\n' target inputs seconds result
for ((at = 0; at < ${#targets[@]}; at += 2)); do
  declare -A pids=()
  for target in "${targets[@]:at:2}"; do
    run "$seconds" "$target" &
    pids[$target]=$!
  done
  for target in "${targets[@]:at:2}"; do
    result='no crash'
    wait "${pids[$target]}" || result="CRASH, see $LOGS/$target.log and $CRASHES/$target/"
    [[ $result == 'no crash' ]] || failed=1
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$LOGS/$target.log" | tail -n 1)
    printf '%-14s %12s %10s  %s\n' "$target" "${inputs:-?}" "$seconds" "$result"
  done
done
exit "$failed"
