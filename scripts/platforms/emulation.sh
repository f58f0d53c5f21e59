# Running programs for ARM under qemu's user emulation, with Debian's libraries for ARM. To be sourced after cache.sh.

# The emulator of each architecture, as words of a command, and what Debian calls the architecture.
declare -rA EMULATOR=([arm64]='qemu-aarch64-static -L /usr/aarch64-linux-gnu' [arm]='qemu-arm-static -L /usr/arm-linux-gnueabihf')
declare -rA DEBIAN_NAME=([arm64]=arm64 [arm]=armhf)

# require_emulator ARCHITECTURE
require_emulator() {
  local words libraries
  read -ra words <<<"${EMULATOR[$1]}"
  command -v "${words[0]}" >/dev/null || unavailable "${words[0]} is missing: apt-get install qemu-user-static"
  libraries=${words[2]}/lib
  [[ -e $libraries/libstdc++.so.6 && -e $libraries/libatomic.so.1 ]] ||
    unavailable "Node's libraries are missing in $libraries:" \
      "apt-get install libstdc++6-${DEBIAN_NAME[$1]}-cross libatomic1-${DEBIAN_NAME[$1]}-cross"
}

# wrap_node ARCHITECTURE NODE FILE: makes FILE a program that behaves like NODE would on its own machine. The children that it starts as
# `process.execPath` are emulated too, which the kernel would refuse to start; FILE.mjs gives any Node that idea. The shell puts PWD into an
# empty environment, which Node would not.
wrap_node() {
  printf "process.execPath = '%s';\n" "$3" >"$3.mjs"
  printf '%s\n' '#!/bin/sh' "exec env -u PWD ${EMULATOR[$1]} '$2' --import '$3.mjs' \"\$@\"" >"$3"
  chmod +x "$3"
}
