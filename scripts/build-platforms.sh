#!/usr/bin/env bash
# Builds the addon for the targets of package.json that belong to a system, as a release ships it (scripts/build-platform.sh), and says what
# became of each. A target that cannot be built here is skipped by name; one that should be and cannot is a failure.
#
# Usage: scripts/build-platforms.sh linux|darwin|windows|all
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1-} in
  linux) pattern='-linux-' ;;
  darwin) pattern='-darwin' ;;
  windows) pattern='-windows-' ;;
  all) pattern='-' ;;
  *)
    echo 'Usage: scripts/build-platforms.sh linux|darwin|windows|all' >&2
    exit 1
    ;;
esac
scripts/require.sh node rust
mapfile -t targets < <(node -p 'require("./package.json").napi.targets.join("\n")' | grep -e "$pattern")

failed=0
rows=()
for target in "${targets[@]}"; do
  status=0
  scripts/build-platform.sh "$target" || status=$?
  case $status in
    0) rows+=("$(printf '%-34s built' "$target")") ;;
    69) rows+=("$(printf '%-34s skipped: not on this system' "$target")") ;;
    *)
      rows+=("$(printf '%-34s FAILED' "$target")")
      failed=1
      ;;
  esac
done
printf '%s\n' "${rows[@]}"
exit "$failed"
