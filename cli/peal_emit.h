/* `peal emit`: sends events to clients of the whole cluster, over the wire of Socket.IO's
 * redis-emitter. Needs no gateway, only Redis. */
#ifndef PEAL_CLI_PEAL_EMIT_H
#define PEAL_CLI_PEAL_EMIT_H

/* argv[0] is "emit". Gives the exit status: 0; 1 for a failure, also of one event of many; 2 for
 * wrong use. */
int peal_emit_main(int argc, char **argv);

#endif
