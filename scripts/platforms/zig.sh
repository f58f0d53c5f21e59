# zig as the C compiler and linker for other platforms, and for an older glibc than this system's. To be sourced after cache.sh.
#
# One tool for every Unix target: it brings the libcs of all of them, and needs neither a cross compiler nor a sysroot.

readonly ZIG=$CACHE/zig-0.17.1
# From PyPI; the hashes are those for x86_64 and for arm64.
readonly ZIG_REQUIREMENTS="\
ziglang==0.17.1\
 --hash=sha256:ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54\
 --hash=sha256:b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e
cargo-zigbuild==0.24.0\
 --hash=sha256:484412e39e4c6039474535ce97ee75a22bab22d58233056f8ec8a8f9034bb957\
 --hash=sha256:6942e4320f7b05d8fb29e0a8ce5670bcbb3d254275100b85b5b7c86552f9a744"

# install_zig FOLDER
install_zig() {
  printf '%s\n' "$ZIG_REQUIREMENTS" >"$1/requirements.txt"
  python3 -m pip install --quiet --disable-pip-version-check --target "$1" \
    --no-deps --only-binary :all: --require-hashes --requirement "$1/requirements.txt" >&2
}

# zigbuild SUBCOMMAND [ARGUMENT...]: cargo with zig as C compiler and linker.
zigbuild() {
  python3 -m pip --version >/dev/null 2>&1 || unavailable 'python3 with pip is missing, which installs zig: apt-get install python3-pip'
  once "$ZIG" install_zig
  CARGO_ZIGBUILD_ZIG_PATH=$ZIG/ziglang/zig CARGO_ZIGBUILD_CACHE_DIR=$CACHE/zigbuild \
    ZIG_GLOBAL_CACHE_DIR=$CACHE/zig-objects ZIG_LOCAL_CACHE_DIR=$CACHE/zig-objects "$ZIG/bin/cargo-zigbuild" "$@"
}
