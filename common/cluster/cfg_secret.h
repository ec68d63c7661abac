/* Secrets that stand in files of their own (auth.secret_file and the like). */
#ifndef PEAL_CLUSTER_CFG_SECRET_H
#define PEAL_CLUSTER_CFG_SECRET_H

#include "cluster/cfg.h"
#include "util/buf.h"

/* A file's content, at most max bytes, without a final end of line, which comes from the editor. name:
 * what to call it in a mistake (its key). *out is made here; it is the caller's, to cfg_secret_wipe. False
 * with *err filled, and *out empty: it cannot be read, is empty or too long. */
bool cfg_secret_read(struct buf *out, size_t max, const char *path, const char *name,
                     struct cfg_error *err) MUST_CHECK;
/* Wipes the bytes, then as buf_fini(). */
void cfg_secret_wipe(struct buf *b);

#endif
