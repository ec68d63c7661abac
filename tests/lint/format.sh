#!/usr/bin/env bash
# Layout is what clang-format 14 makes of .clang-format; other versions differ in details. 77: skipped.
# With -i it reformats instead of checking.
set -euo pipefail
. "$(dirname "$0")/lib.bash"

for tool in clang-format-14 clang-format ''; do
    [ -z "$tool" ] || ! "$tool" --version 2>/dev/null | grep -q 'version 14\.' || break
done
if [ -z "$tool" ]; then
    echo "skipped: clang-format 14 is not installed"
    exit 77
fi
if [ "${1:-}" = -i ]; then
    c_files common gateway worker cli tests | xargs -r "$tool" -i
else
    c_files common gateway worker cli tests | xargs -r "$tool" --dry-run -Werror 2>&1 |
        { grep -E '^[^ ]+:[0-9]+:[0-9]+: ' || true; } | cut -d: -f1,2 | sort -u -t: -k1,1 -k2,2n |
        none_of 'make format lays these out'
fi
