/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * queue - all jobs that are not done: order, one per remote path, one in flight, back-off. Pure; loop thread.
 *
 * Order: unpublish first, then folders (parents before children), then assets by priority and age; assets wait for the folder
 * jobs of their own remote folder and all above it. Small assets of one remote folder are taken together.
 * The queue owns its jobs; queue_take lends them out in a batch, queue_settle ends or repeats each by its receipt.
 */
#ifndef BRANDSYNC_QUEUE_H
#define BRANDSYNC_QUEUE_H

#include "base.h"
#include "ports.h"
#include "types.h"

struct queue;

struct queue_opts {
    int uploaders;
    int64_t retry_first_ms, retry_max_ms;
    int package_assets; /* most assets in a package */
    int attempts;       /* tries after which a job is failed; 0: no end */
    uint64_t seed;      /* of the jitter */
};
#define QUEUE_PACKAGE_BYTES (INT64_C(16) << 20)
#define QUEUE_BIG_BYTES (INT64_C(32) << 20)
enum { QUEUE_PACKAGE_MIN = 20 };

struct queue *queue_new(const struct queue_opts *opts);
void queue_free(struct queue *q);
DEFINE_FREEP(queue)

enum queue_added {
    QUEUE_NEW,      /* the job is in the queue */
    QUEUE_REPLACED, /* took the place of a job for the same remote that was not being sent; keeps that one's id and age */
    QUEUE_AGAIN,    /* that one is being sent: it will go again with the new job's content after its receipt */
};
/* Takes `job`; `*kept` (may be NULL) is the job that now stands for its remote, id as before or as given. One that replaces a held or
 * failed one begins anew; any other keeps its tries. What a command asked for outlives a newer observation.
 * Every `const struct job *` of this header is a window, the same one: it is good until the next call on this queue. */
enum queue_added queue_add(struct queue *q, struct job *job, const struct job **kept);
const struct job *queue_find(const struct queue *q, const char *remote); /* NULL: nothing for it */

/* The next batch for a free uploader at now_ms; NULL: nothing may go now. Copies of the jobs: the queue keeps its own as JOB_SENDING.
 * `others_idle` = how many further uploaders are free: a package is never so large that they stay idle while more than one package's
 * worth is ready. At most uploaders - 1 big files at once while small work waits. */
struct batch *queue_take(struct queue *q, int others_idle, int64_t now_ms);
int64_t queue_due_ms(
    const struct queue *q); /* next moment queue_take may have something new; INT64_MAX: none by time alone */

enum queue_fate { QUEUE_DONE, QUEUE_REPEAT };
/* The receipt of a job that was taken.
 * - published, delivered, unpublished, moved, unchanged: done. Changed meanwhile: done too, for it is looked at anew
 * - ERR_TENANT, ERR_AUTH, cancelled: ready again at once, tries untouched (the tenant's wait holds it back)
 * - retry: tries + 1, JOB_WAITING until a full-jitter back-off, at least err.retry_after_ms; JOB_FAILED when its attempts are used up
 *   (never by ERR_LOCAL). Refused: JOB_FAILED. r->err becomes its `why`
 * - either of these for a job that was taken in company: nobody's tries count. The package comes back as it was, once; from the second
 *   time on (the first, if refused) in quarters, at once, at last each alone (protocol.md 11)
 * - a job marked again: its newer content is ready whatever the outcome
 * QUEUE_REPEAT: it stays; `*kept` is how it stands now (for the ledger). QUEUE_DONE: it is gone, `*kept` is NULL. */
enum queue_fate queue_settle(struct queue *q, const struct receipt *r, int64_t now_ms, const struct job **kept);
void queue_drop(struct queue *q,
                const char *remote); /* harmless when it is not there; not for one being sent (marks nothing) */
void queue_wake(struct queue *q,
                int64_t now_ms); /* everything waiting for a retry is due now (reload, resume, tenant back) */

/* How full a package may be: grows to package_assets when replies take longer than building, shrinks to 50 when they are quick. */
void queue_learn(struct queue *q, const struct result *result);
int queue_package_limit(const struct queue *q);

struct queue_counts {
    size_t ready, sending, waiting, scheduled, held, failed;
    int64_t bytes;           /* of ready, sending and waiting */
    int64_t oldest_ready_ms; /* 0: none */
};
void queue_counts(const struct queue *q, int folder /* -1: all */, struct queue_counts *out);
/* Calls visit for each job, any order; false from visit ends it. */
void queue_each(const struct queue *q, bool (*visit)(void *arg, const struct job *job), void *arg);

#endif
