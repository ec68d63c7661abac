/* Listening sockets for the words of a `host` key: addresses, interface names, `localhost`, `*`.
 *
 * It binds and listens; accepting is its owner's. What cannot be bound is a mistake of the
 * configuration, told in the words of the two keys `<section>.host` and `<section>.port`. */
#ifndef PEAL_IO_LISTEN_SET_H
#define PEAL_IO_LISTEN_SET_H

#include "cluster/cfg.h"

#define LISTEN_SET_MAX 16

struct listen_set {
    int fds[LISTEN_SET_MAX]; /* non-blocking, close-on-exec */
    unsigned n;
    int port; /* the one of all of them, also if the system chose it */
};

/* Port 0: the system chooses. False with *err filled, and nothing is open. section must be one that
 * has the keys `host` and `port`. */
bool listen_set_open(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                     int port, struct cfg_error *err) MUST_CHECK;
/* The same for processes that listen on one port (SO_REUSEPORT), each with a set of its own: the
 * kernel spreads connections over those that listen. First one of them, usually their parent,
 * reserves the port: it is found free, or chosen by the system, and kept, but nothing listens.
 * Then each shares it; port is the reserved one. */
bool listen_set_reserve(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                        int port, struct cfg_error *err) MUST_CHECK;
bool listen_set_share(struct listen_set *s, const char *section, const struct cfg_list *hosts,
                      int port, struct cfg_error *err) MUST_CHECK;
/* Closes all, unless their descriptors have been given to somebody: then n is set to 0 before. */
void listen_set_close(struct listen_set *s);

#endif
