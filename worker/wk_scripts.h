/* The Lua scripts that workers run in Redis. Each is all or nothing as seen by others. */
#ifndef PEAL_WK_SCRIPTS_H
#define PEAL_WK_SCRIPTS_H

/* One round of leases.
 *
 *   KEYS  workers, partitions, then for each partition: lease, tries, stream
 *   ARGV  uid, lease in ms, "1" if it wants to be counted, number of partitions,
 *         then for each partition: L(ook), T(ake), H(old) or G(ive), "1" if settled, else "0", epoch
 *   gives {partitions, workers, rank, ms until a foreign lease expires or -1, backlog, a digit for each
 *         partition: enum wk_lease_found}; only the first if the number of partitions is another one */
extern const char wk_script_beat[];

/* Acts on entries of one partition.
 *
 *   KEYS  lease, stream, tries, held, dead
 *   ARGV  lease's value, uid, partition, most dead letters, largest entry, round, what names of direct
 *         channels begin with, then for each act: kind, entry, and for
 *         "f"(inish), "s"(tep), "t"(ell, entry 0-0): n, n times channel and message
 *         "b"(ury):             why, attempts, n, n times channel and message
 *         "n"(ote):             nothing
 *         "o"(versized behind): how many entries to look at; those that are too large are buried
 *   gives -1 if the lease is not this worker's, else {"" or an error, a number for each act}; "o" gives, for
 *         each that is buried, a list of fields and values that say who waits for it, or -1
 *
 * Unless round is "": nothing happens, and WK_SCRIPT_ACT_WAITS is given, if nobody hears a direct channel; then
 * for all later acts of the same round, too, so that none overtakes those. */
#define WK_SCRIPT_ACT_WAITS (-2)
extern const char wk_script_act[];

/* A socket whose gateway is gone: its disconnect, once.
 *
 *   KEYS  sockets, stream, lease of partition 0, the gateway's note
 *   ARGV  lease's value, field of sockets, its value, fields and values of the item
 *   gives 1; 0 if the note is another one by now, or gone; -1 if the lease is not this worker's, or the
 *         gateway lives */
extern const char wk_script_orphan[];

#endif
