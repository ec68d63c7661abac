#!/usr/bin/env bash
# worker/peal_handler.h stands alone, in C and in C++, and worker/modules.list exports just what it declares.
set -euo pipefail
. "$(dirname "$0")/lib.bash"

header=worker/peal_handler.h
cc -std=c99 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c "$header"
! command -v c++ >/dev/null || c++ -std=c++11 -Wall -Wextra -pedantic -Werror -fsyntax-only -x c++ - <<'MODULE'
#include "worker/peal_handler.h"
static const char *start(peal *p, const char *argument) { peal_log(p, PEAL_INFO, argument); return nullptr; }
const struct peal_module peal_module = {PEAL_ABI, "cpp", start, nullptr};
MODULE
{ diff -u <(perl -0777 -pe 's{/\*.*?\*/}{}gs' "$header" | grep -oE '\bpeal_[a-z_]+\(' | tr -d '(' | sort -u) \
        <(grep -oE '\bpeal_[a-z_]+;' worker/modules.list | tr -d ';' | sort -u) || true; } |
    { grep '^[-+]peal' || true; } | none_of 'the header and the list of what is exported differ'
