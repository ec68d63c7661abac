/* The shapes (https://redis.io/docs, "Pub/Sub"): [message, channel, payload], [pmessage, pattern,
 * channel, payload], [(p)(un)subscribe, name, count of subscriptions]. */
/* Io */
#include "io/redis_push.h"

static bool is_text(const struct redis_reply *r, size_t i)
{
    return redis_reply_kind(redis_reply_at(r, i)) == REDIS_LINK_TEXT;
}

static struct str_view text_at(const struct redis_reply *r, size_t i)
{
    return redis_reply_text(redis_reply_at(r, i));
}

/* False: it is none of them. */
static bool tell_confirmation(const struct redis_reply *r, const struct redis_link_events *events,
                              void *arg)
{
    static const struct {
        const char *kind;
        bool is_pattern, on;
    } kinds[] = {
        {"subscribe", false, true},
        {"psubscribe", true, true},
        {"unsubscribe", false, false},
        {"punsubscribe", true, false},
    };
    struct str_view kind = text_at(r, 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!sv_eq(kind, sv_of(kinds[i].kind))) continue;
        if (redis_reply_kind(redis_reply_at(r, 2)) != REDIS_LINK_INT) return false;
        if (events->subscribed)
            events->subscribed(arg, kinds[i].is_pattern, text_at(r, 1), kinds[i].on);
        return true;
    }
    return false;
}

bool redis_push_tell(const struct redis_reply *r, const struct redis_link_events *events, void *arg)
{
    size_t n = redis_reply_count(r);
    if (n < 3 || n > 4 || !is_text(r, 0) || !is_text(r, 1)) return false;
    struct str_view kind = text_at(r, 0);
    if (n == 3 && sv_eq(kind, SV("message")) && is_text(r, 2)) {
        if (events->message) events->message(arg, SV(""), text_at(r, 1), text_at(r, 2));
        return true;
    }
    if (n == 4 && sv_eq(kind, SV("pmessage")) && is_text(r, 2) && is_text(r, 3)) {
        if (events->message) events->message(arg, text_at(r, 1), text_at(r, 2), text_at(r, 3));
        return true;
    }
    return n == 3 && tell_confirmation(r, events, arg);
}
