/* Items to try things on. */
#ifndef PEAL_TESTS_WORK_FIXTURE_H
#define PEAL_TESTS_WORK_FIXTURE_H

#include "cluster/work_item.h"

#define LIT(text)                                                                                  \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

static const struct str_view work_fixture_attachments[] = {LIT("\0\x01\xff"), LIT("")};

static const struct work_item work_fixture[WORK_TYPES] = {
    {.type = WORK_EVENT,
     .id = LIT("gateway1-17"),
     .nsp = LIT("/chat"),
     .sid = LIT("gateway1AAAAbbbbCCCC"),
     .gateway = LIT("gateway1"),
     .serial = 4294967295u,
     .user = LIT("J\xc3\xb6rg"),
     .claims = LIT("{\"sub\":\"J\xc3\xb6rg\",\"n\":12345678901234567890}"),
     .data = LIT("null"),
     .time_ms = 1700000000123,
     .event = LIT("m\xed\xa0\x80"), /* a lone surrogate */
     .args =
         LIT("[\"m\\ud800\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]"),
     .attachments = work_fixture_attachments,
     .nattachments = 2,
     .wants_ack = true,
     .ack_id = 9007199254740991},
    {.type = WORK_CONNECT,
     .id = LIT("gateway1-18"),
     .nsp = LIT("/"),
     .sid = LIT("gateway1AAAAbbbbCCCC"),
     .gateway = LIT("gateway1"),
     .serial = 1,
     .user = LIT(""),
     .claims = LIT("{}"),
     .data = LIT("null"),
     .time_ms = 0,
     .auth = LIT("{\"x\":1}"),
     .address = LIT("::1"),
     .transport = LIT("websocket"),
     .asks = true},
    {.type = WORK_DISCONNECT,
     .id = LIT("gateway1-18446744073709551615"),
     .nsp = LIT("/"),
     .sid = LIT("gateway1AAAAbbbbCCCC"),
     .gateway = LIT("gateway1"),
     .serial = 1,
     .user = LIT(""),
     .claims = LIT("{}"),
     .data = LIT("{\"room\":[1,2]}"),
     .time_ms = 1,
     .reason = LIT("transport close")},
};

#endif
