#!/usr/bin/env bash
# docs/config.md is what the program prints:  tests/lint/docs.sh [path of peal-gateway]
set -euo pipefail
program=$(realpath -m "${1:-build/gateway/peal-gateway}")
. "$(dirname "$0")/lib.bash"

[ -x "$program" ] || { echo "skipped: $program is not built"; exit 77; }
"$program" --markdown-config | diff -u docs/config.md - ||
    { echo "docs/config.md:1: stale; renew it: peal-gateway --markdown-config > docs/config.md"; exit 1; }
