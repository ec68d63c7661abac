/* What questions.c (asking, and life) and question.c (one question on its way) share. Nobody else includes
 * this. */
#ifndef PEAL_CLUSTER_QUESTIONS_PARTS_H
#define PEAL_CLUSTER_QUESTIONS_PARTS_H

#include "cluster/collect.h"
#include "cluster/heard.h"
#include "cluster/questions.h"
#include "util/table.h"

#define QUESTION_ID 12 /* characters of a requestId */

struct question {
    UT_hash_handle hh; /* by id */
    char id[QUESTION_ID];
    struct questions *of;
    void *
        held; /* the namespace: the owner's word for it, or a heard_nsp; NULL: it may not be asked here */
    struct bus_request *request;
    struct wheel_entry timer;
    answers_cb cb;
    void *arg;

    bool is_asked; /* the request is on the bus */
    bool is_busy;  /* the bus still owes a callback: not freed before */
    bool is_over;  /* cb has been called */
    bool is_lossy; /* something was not answered */
    bool has_own;  /* this node's part is there */
    bool is_back;  /* the request has come back to this node */
    const char *why;
    int64_t expected, answered; /* nodes */
    uint64_t clients, acks;     /* asked for acks, and settled */
    struct collect got;
};

struct questions {
    const struct questions_owner *owner;
    void *arg;
    struct bus *bus;
    struct wheel *wheel;
    const struct cfg *cfg;
    struct question *open; /* uthash */
    unsigned n;            /* open */
    unsigned nlive;        /* those that are over and that the bus owes something, too */
    struct heard heard;    /* if the owner does not hold */
    bool is_stopped;
};

/* The bus has been given something. */
void questions_bus_waits(struct questions *qs);

/* Begins one; copies. Where it may not be asked, cb is told so at the next tick; at the owner's end nobody
 * is any more. */
void question_ask(struct questions *qs, const struct bus_request *r, uint64_t timeout_ms,
                  answers_cb cb, void *arg);
/* Tells what has come so far; nothing, if that has been told. why NULL: it is complete. */
void question_end(struct question *q, const char *why);

#endif
