/* Names of Redis channels and keys; they exist nowhere else.
 *
 * The first group is the wire of @socket.io/redis-adapter 8.3 (key is bus.key, "socket.io" by
 * default), the second is Peal's own. Each function appends to out and returns false, with out as it
 * was, if it does not fit. */
#ifndef PEAL_CLUSTER_BUS_NAMES_H
#define PEAL_CLUSTER_BUS_NAMES_H

#include "util/buf.h"
#include "util/str_view.h"

#define BUS_NAME_MAX 1024 /* no name is longer */
#define BUS_KEY_MAX 256   /* of bus.key; with the longest namespace and room all names fit */

/* <key>#<nsp>#, and <key>#<nsp>#<room># for a room. room empty: the namespace. */
bool bus_name_broadcast(struct buf *out, struct str_view key, struct str_view nsp,
                        struct str_view room) MUST_CHECK;
/* Pattern for all broadcasts of a namespace: <key>#<nsp>#*, with what is special in a glob escaped. */
bool bus_name_everything(struct buf *out, struct str_view key, struct str_view nsp) MUST_CHECK;
/* Pattern for broadcasts to the own ids of a node in every namespace: <key>#*#<node>*; those of old
 * clients, <key>#<nsp>#<nsp>#<node>…, are met by it, too. */
bool bus_name_own_ids(struct buf *out, struct str_view key, struct str_view node) MUST_CHECK;
/* <key>-request#<nsp># */
bool bus_name_request(struct buf *out, struct str_view key, struct str_view nsp) MUST_CHECK;
/* <key>-response#<nsp>#, and <key>-response#<nsp>#<uid># for one node. */
bool bus_name_response(struct buf *out, struct str_view key, struct str_view nsp,
                       struct str_view uid) MUST_CHECK;

/* Is it a broadcast channel of this namespace? Then *room is what stands behind: empty for the
 * namespace itself. */
bool bus_name_room_of(struct str_view channel, struct str_view key, struct str_view nsp,
                      struct str_view *room) MUST_CHECK;

/* <key>-peal-canary#<node> : the channel a gateway hears itself on. */
bool bus_name_canary(struct buf *out, struct str_view key, struct str_view node) MUST_CHECK;
/* <key>-peal-direct#<node> : what is for this node alone. */
bool bus_name_direct(struct buf *out, struct str_view key, struct str_view node) MUST_CHECK;
/* <key>-peal-nodes : set of node ids; one whose heartbeat has expired may still stand in it. */
bool bus_name_nodes(struct buf *out, struct str_view key) MUST_CHECK;
/* <key>-peal-node#<node> : the node's heartbeat, JSON, with expiry. */
bool bus_name_node(struct buf *out, struct str_view key, struct str_view node) MUST_CHECK;

/* <key>-peal-work#{<p>} : stream of a partition's items. What is in braces is the same in all keys of
 * a partition, so that one script may use them together in a Redis Cluster, too. */
bool bus_name_work(struct buf *out, struct str_view key, unsigned partition) MUST_CHECK;
/* <key>-peal-lease#{<p>} : uid of the worker that has the partition, with expiry. */
bool bus_name_lease(struct buf *out, struct str_view key, unsigned partition) MUST_CHECK;
/* <key>-peal-tries#{<p>} : notes of the deaths that items may be the cause of. */
bool bus_name_tries(struct buf *out, struct str_view key, unsigned partition) MUST_CHECK;
/* <key>-peal-held#{<p>} : which results wait for a gateway that is not back yet, with expiry. */
bool bus_name_held(struct buf *out, struct str_view key, unsigned partition) MUST_CHECK;
/* <key>-peal-dead : stream of the dead letters. */
bool bus_name_dead(struct buf *out, struct str_view key) MUST_CHECK;
/* <key>-peal-workers : sorted set of the workers' uids, by when they were last alive. */
bool bus_name_workers(struct buf *out, struct str_view key) MUST_CHECK;
/* <key>-peal-partitions : how many partitions there are, set by the first comer. */
bool bus_name_partitions(struct buf *out, struct str_view key) MUST_CHECK;
/* <key>-peal-sockets#<gateway> : hash of the sockets whose connect workers were told (work_note.h). */
bool bus_name_sockets(struct buf *out, struct str_view key, struct str_view node) MUST_CHECK;
/* The pattern of those hashes of all gateways. */
bool bus_name_all_sockets(struct buf *out, struct str_view key) MUST_CHECK;

#endif
