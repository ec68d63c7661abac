/* Proto */
#include "proto/close_reason.h"

const char *close_reason_text(enum close_reason r)
{
    static const char *const texts[] = {
#define REASON(name, text) [REASON_##name] = text,
#include "proto/close_reason.def"
#undef REASON
    };
    return (unsigned)r < REASON_COUNT ? texts[r] : "unknown";
}
