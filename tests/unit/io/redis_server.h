/* A real redis-server (or Sentinel) for a test: on 127.0.0.1 and on a Unix socket, in a folder of its
 * own, without persistence. It dies with the test. */
#ifndef PEAL_TESTS_REDIS_SERVER_H
#define PEAL_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#define REDIS_SERVER_PATH 96

struct redis_server {
    pid_t pid; /* 0: does not run */
    int log;   /* what it prints */
    unsigned port;
    char folder[REDIS_SERVER_PATH - 16];
    char path[REDIS_SERVER_PATH]; /* of its Unix socket */
};

/* Is the program installed? */
bool redis_server_is_there(void);
/* A port of 127.0.0.1 that nobody has. */
unsigned redis_server_free_port(void);
/* Its folder, path and port before the start, for those who put files there. */
void redis_server_make_folder(struct redis_server *s);
/* Starts it and waits until it takes connections; fails the test if it does not. s is zeroed, or was
 * stopped: then it has the same port and path. more: arguments, NULL ends them; may be NULL. */
void redis_server_start(struct redis_server *s, const char *const *more);
/* The same as a Sentinel that watches a master on 127.0.0.1. */
void redis_server_start_sentinel(struct redis_server *s, unsigned master_port);
void redis_server_signal(const struct redis_server *s, int signo);
/* Kills it. */
void redis_server_stop(struct redis_server *s);
/* Stops it and removes the folder. Fine if it never ran. */
void redis_server_remove(struct redis_server *s);

#endif
