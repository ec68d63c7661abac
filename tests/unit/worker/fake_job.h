/* wk_job.h without a core: what a handler does with a job is noted as lines of text. Linked instead
 * of wk_job.c. */
#ifndef PEAL_TESTS_FAKE_JOB_H
#define PEAL_TESTS_FAKE_JOB_H

#include "worker/wk_job.h"

enum fake_end { FAKE_OPEN, FAKE_DONE, FAKE_RETRY, FAKE_FATAL };

struct wk_job {
    struct work_item item;
    unsigned attempt;
    void *ctx;
    struct buf notes; /* a line for each effect */
    enum fake_end end;
    struct buf why;
    bool is_full; /* no effect fits any more */
};

/* An event of the socket "sid-1" in "/", with ack. Static texts. */
void fake_job_init(struct wk_job *job);
void fake_job_fini(struct wk_job *job);
/* Lends the notes, with a NUL. */
const char *fake_job_notes(struct wk_job *job);
const char *fake_job_why(struct wk_job *job);

#endif
