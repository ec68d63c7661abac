/* Runs libwebsockets on our libevent base, through its event-loop interface. For gw_ws.c only.
 *
 * libwebsockets 4.3 and later take a custom event library by a public field; Debian's 4.1.6 has the
 * same table but looks for it as a plug-in, which gw_lws_loop.c supplies. Other 4.x versions
 * below 4.3 are refused at start. */
#ifndef PEAL_GW_LWS_LOOP_H
#define PEAL_GW_LWS_LOOP_H

#include <stdbool.h>

struct event_base;
struct lws_context;
struct lws_context_creation_info;

/* Bytes the library reads at a time, and keeps for each connection. */
#define GW_LWS_RX 512

/* Fills the fields of info that choose our loop. base lives as long as the context. Exits if the
 * library's version cannot work. */
void gw_lws_loop_prepare(struct lws_context_creation_info *info, struct event_base *base);
/* Serves input that the library has buffered. True: some is left. */
bool gw_lws_loop_forced(struct lws_context *cx);
/* Runs the library's own timers; once a second is enough (they are time-outs). */
void gw_lws_loop_tick(struct lws_context *cx);
/* Frees what is left after lws_context_destroy(). */
void gw_lws_loop_fini(void);

#endif
