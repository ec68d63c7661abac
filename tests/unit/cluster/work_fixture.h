/* Items to try things on. */
#ifndef PEAL_TESTS_WORK_FIXTURE_H
#define PEAL_TESTS_WORK_FIXTURE_H

#include "cluster/work_item.h"

static const struct str_view work_fixture_attachments[] = {SV("\0\x01\xff"), SV("")};

static const struct work_item work_fixture[WORK_TYPES] = {
    {.type = WORK_EVENT,
     .id = SV("gateway1-17"),
     .nsp = SV("/chat"),
     .sid = SV("gateway1AAAAbbbbCCCC"),
     .gateway = SV("gateway1"),
     .serial = 4294967295u,
     .user = SV("J\xc3\xb6rg"),
     .claims = SV("{\"sub\":\"J\xc3\xb6rg\",\"n\":12345678901234567890}"),
     .data = SV("null"),
     .time_ms = 1700000000123,
     .event = SV("m\xed\xa0\x80"), /* a lone surrogate */
     .args =
         SV("[\"m\\ud800\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
     .attachments = work_fixture_attachments,
     .nattachments = 2,
     .wants_ack = true,
     .ack_id = 9007199254740991},
    {.type = WORK_CONNECT,
     .id = SV("gateway1-18"),
     .nsp = SV("/"),
     .sid = SV("gateway1AAAAbbbbCCCC"),
     .gateway = SV("gateway1"),
     .serial = 1,
     .user = SV(""),
     .claims = SV("{}"),
     .data = SV("null"),
     .time_ms = 0,
     .auth = SV("{\"x\":1}"),
     .address = SV("::1"),
     .transport = SV("websocket"),
     .asks = true},
    {.type = WORK_DISCONNECT,
     .id = SV("gateway1-18446744073709551615"),
     .nsp = SV("/"),
     .sid = SV("gateway1AAAAbbbbCCCC"),
     .gateway = SV("gateway1"),
     .serial = 1,
     .user = SV(""),
     .claims = SV("{}"),
     .data = SV("{\"room\":[1,2]}"),
     .time_ms = 1,
     .reason = SV("transport close")},
};

#endif
