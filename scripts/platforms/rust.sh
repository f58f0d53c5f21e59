#!/usr/bin/env bash
# A second Rust beside rustup's, for targets whose standard library rustup cannot download here: Debian's packages, unpacked into the
# cache folder, and a standard library built for each target that Debian has none for. Prints the path of its rustc.
#
# Usage: scripts/platforms/rust.sh TARGET...
#   RUSTC=$(scripts/platforms/rust.sh armv7-unknown-linux-gnueabihf) cargo check --target armv7-unknown-linux-gnueabihf
#
# A system with dpkg, apt-get and Debian's archive key is enough; its own package lists, sources and packages stay as they are.
# The first target takes a few minutes (170 MB of packages; each standard library is a minute or more), later runs take nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/platforms/cache.sh

readonly VERSION=1.96.0
readonly HOME_OF_RUST=$CACHE/rust-$VERSION
readonly SYSROOT=$HOME_OF_RUST/usr
readonly KEY=/usr/share/keyrings/debian-archive-keyring.gpg
# Debian removes a version when a newer one comes. Then: `apt-cache policy rustc-web`, and the new versions and checksums go here.
readonly REVISION=$VERSION+dfsg1-1~deb12u2 LLVM=1:22.1.8-1~deb12u1
readonly PACKAGES=(
  rustc-web:amd64="$REVISION"
  libstd-rust-web-1.96:amd64="$REVISION"
  libstd-rust-web-dev:amd64="$REVISION"
  libstd-rust-web-dev:arm64="$REVISION"
  rust-web-src="$REVISION"
  libllvm22:amd64="$LLVM"
)
readonly CHECKSUMS="\
8fefe1d6377fe4082f5a9d2a47e095e2d20319eaab9754bd2f0275155c9adf90  rustc-web_${REVISION}_amd64.deb
3755f30434ae29574c91b0beb86632bee401607b0ac35c3e52810f9a53fae0d1  libstd-rust-web-1.96_${REVISION}_amd64.deb
e38dbeaaad673fc63fb47c5140cf34da271ac71c3ecafc828b762c2fb01fe77a  libstd-rust-web-dev_${REVISION}_amd64.deb
02419380801b9f61391294823659b17b90f7a863ca3bbccb9140d2f0f8a2c910  libstd-rust-web-dev_${REVISION}_arm64.deb
9de8597c464d0a9283672973ed7e50092b49a92b95861429043fe8b57468a208  rust-web-src_${REVISION}_all.deb
729ec3e943d320515c2bbdc96acfffd7ce34861e62bd5c42726bf586d644dfe2  libllvm22_${LLVM/:/%3a}_amd64.deb"

# unpack_rust FOLDER
unpack_rust() {
  local apt=$1/apt debs=$1/debs deb
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none" "$debs"
  : >"$apt/status"
  printf '%s\n' 'Types: deb' 'URIs: http://deb.debian.org/debian-security' 'Suites: bookworm-security' \
    'Components: main' "Signed-By: $KEY" >"$apt/debian.sources"
  # A configuration of its own, so that a second architecture, the lists and the status of packages are known here only.
  printf '%s\n' "Dir::State \"$apt\";" "Dir::State::status \"$apt/status\";" "Dir::Cache \"$apt\";" \
    "Dir::Etc::sourcelist \"$apt/debian.sources\";" "Dir::Etc::sourceparts \"$apt/none\";" \
    'APT::Architecture "amd64";' 'APT::Architectures { "amd64"; "arm64"; };' 'APT::Sandbox::User "root";' \
    'Acquire::Languages "none";' >"$apt/apt.conf"
  APT_CONFIG=$apt/apt.conf apt-get --quiet update >&2
  (cd "$debs" && APT_CONFIG=$apt/apt.conf apt-get --quiet download "${PACKAGES[@]}" >&2)
  (cd "$debs" && sha256sum --check --quiet <<<"$CHECKSUMS")
  for deb in "$debs"/*.deb; do dpkg -x "$deb" "$1"; done
  rm -r "$apt" "$debs"
  mkdir "$1/bin"
  cat >"$1/bin/rustc" <<'WRAPPER'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
export LD_LIBRARY_PATH="$here/usr/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/usr/bin/rustc" --sysroot "$here/usr" "$@"
WRAPPER
  chmod +x "$1/bin/rustc"
}

# build_std TARGET FOLDER: FOLDER becomes usr/lib/rustlib/TARGET. The vendored crates come with the source package.
build_std() {
  local target=$1 folder=$2
  mkdir -p "$folder/build/.cargo" "$folder/lib"
  printf '%s\n' '[package]' 'name = "build-std"' 'version = "0.0.0"' 'edition = "2024"' '[lib]' 'path = "lib.rs"' '[workspace]' \
    >"$folder/build/Cargo.toml"
  printf '#![no_std]\n' >"$folder/build/lib.rs"
  printf '%s\n' '[source.crates-io]' 'replace-with = "vendored"' '[source.vendored]' \
    "directory = \"$SYSROOT/src/rustc-$VERSION/library/vendor\"" >"$folder/build/.cargo/config.toml"
  # `test` is the library behind #[test], which cross-compiled tests need as well. The bitcode is for the release build's `lto`.
  (cd "$folder/build" && RUSTC=$HOME_OF_RUST/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$folder/build/target \
    RUSTFLAGS='-C embed-bitcode=yes' \
    cargo build --offline --release --quiet -Zbuild-std=std,panic_unwind,test --target "$target" >&2)
  cp "$folder/build/target/$target/release/deps"/lib*.rlib "$folder/lib/"
  rm -r "$folder/lib"/libbuild_std-*.rlib "$folder/build"
}

(($# > 0)) || { say 'Usage: scripts/platforms/rust.sh TARGET...'; exit 1; }
[[ $(uname -sm) == 'Linux x86_64' ]] || unavailable "Debian's Rust is unpacked on Linux x86_64 only, this is $(uname -sm)"
for tool in apt-get dpkg flock sha256sum; do
  command -v "$tool" >/dev/null || unavailable "$tool is missing, which unpacks Debian's Rust"
done
[[ -r $KEY ]] || unavailable "$KEY is missing: apt-get install debian-archive-keyring"
scripts/require.sh rust

once "$HOME_OF_RUST" unpack_rust
"$HOME_OF_RUST/bin/rustc" --version >&2 || {
  LD_LIBRARY_PATH=$SYSROOT/lib/x86_64-linux-gnu ldd "$SYSROOT"/lib/x86_64-linux-gnu/lib*.so* | grep 'not found' | sort -u >&2 || true
  unavailable 'its libraries are missing: apt-get install libedit2 libffi8 libxml2 libz3-4 libzstd1 (Debian 12)'
}
for target in "$@"; do
  once "$SYSROOT/lib/rustlib/$target" build_std "$target"
done
printf '%s\n' "$HOME_OF_RUST/bin/rustc"
