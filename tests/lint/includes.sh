#!/usr/bin/env bash
# Who may include whom: the ladder of docs/architecture.md, and third-party headers in their one place.
set -euo pipefail
. "$(dirname "$0")/lib.bash"

c_files common gateway worker cli | xargs -r grep -nHE '^[[:space:]]*#[[:space:]]*include' | awk -F: '
function bad(why) { print $1 ":" $2 ": " name ": " why }
BEGIN {
    rungs["util"] = "util"
    rungs["proto"] = "util proto"
    rungs["cluster"] = "util proto cluster"
    rungs["io"] = "util proto cluster io"
    third = "^(event2/|curl/|libwebsockets|jwt|jansson|hiredis|openssl/|zlib|cmocka|uthash|utlist|utarray)"
}
{
    name = $0
    sub(/^[^:]*:[^:]*:[^<"]*/, "", name)
    quoted = substr(name, 1, 1) == "\""
    name = substr(name, 2)
    sub(/[">].*/, "", name)
    file = $1
    split(file, part, "/")
    area = part[1]
    rung = part[2]
    theirs = name ~ third
    if (name ~ /^\.\.?\//) bad("a relative path hides the rung")
    if (theirs && quoted) bad("a header of a library stands in <>")

    if (area == "common") {
        split(name, want, "/")
        if (quoted && index(" " rungs[rung] " ", " " want[1] " ") == 0)
            bad("common/" rung " may include only: " rungs[rung])
    }
    if (area != "worker" && area != "cli" && name ~ /(^|\/)(worker\/|wk_)/) bad("only worker/ and cli/ know the worker")
    if (area != "gateway" && area != "cli" && name ~ /(^|\/)(gateway\/|gw_)/) bad("only gateway/ and cli/ know the gateway")
    if (area != "cli" && name ~ /(^|\/)cli\//) bad("nobody includes cli/")

    if (!theirs || name ~ /^ut(hash|list)\.h$/) next
    if (file ~ /\.h$/) bad("a header of ours includes no header of a library")
    if (name ~ /^libwebsockets/ && file !~ /^gateway\/gw_(ws[a-z0-9_]*|lws_loop)\.c$/)
        bad("libwebsockets belongs to gateway/gw_ws*.c and gateway/gw_lws_loop.c")
    if (name == "jwt.h" && file != "gateway/gw_auth.c") bad("libjwt belongs to gateway/gw_auth.c")
    if (name ~ /^hiredis/ && file !~ /^common\/io\/redis_[a-z]*\.c$/)
        bad("hiredis belongs to common/io/redis_*.c")
    if (name ~ /^curl\// && file != "worker/wk_fetch.c")
        bad("libcurl belongs to worker/wk_fetch.c")
    if (name ~ /^event2\/http/ && file != "common/io/admin.c")
        bad("the HTTP server of libevent belongs to common/io/admin.c")
    if (area == "common" && (rung == "util" || rung == "proto")) bad("common/" rung " uses no library")
    if (area == "common" && rung == "cluster" && name != "jansson.h") bad("common/cluster uses jansson only")
}' | none_of 'includes that break the ladder'
