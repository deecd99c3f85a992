/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * ledger - remembers across restarts: observations with what was last published, remote folders, jobs, receipts. The only place for SQLite.
 *
 * One writer: the agent's loop thread. Commands read with ledger_open_reading. WAL, synchronous NORMAL; ledger_commit(l, true) is durable
 * (FULL) for decisions. Writes join one transaction that the agent commits: at once when idle, within 20 ms under load.
 * Names are bytes (BLOB), ordered by memcmp. A damaged file is ERR_LOCAL and never repaired silently.
 * A write that fails spoils the transaction: further ones fail alike, as does the commit. What a read without `e` cannot say (a damaged
 * file, an I/O error) is logged and told by the next commit too.
 * After a failed commit the transaction is rolled back and everything since the last commit must be written again: reopen and re-derive.
 */
#ifndef BRANDSYNC_LEDGER_H
#define BRANDSYNC_LEDGER_H

#include "base.h"
#include "types.h"

struct ledger;

/* What a state belongs to: it is refused for another (ERR_CONFIG, exit 78). */
struct ledger_binding {
    const char *tenant_url, *root, *transport;
};

/* DIR/ledger.db, DIR/lock (one agent per state: ERR_CONFIG with CAUSE_AGENT_SECOND and the pid, exit 75), DIR/used.
 * A newer schema is refused with ERR_CONFIG naming both versions. Older ones migrate in one transaction, after a copy DIR/ledger.db.before-N.
 * A state once used whose ledger is gone or damaged: ERR_LOCAL, says what to do; nothing is created. DIR ":memory:" for tests. */
struct ledger *ledger_open(const char *dir, const struct ledger_binding *binding, struct err *e) MUST_CHECK;
struct ledger *ledger_open_reading(const char *dir, struct err *e)
    MUST_CHECK;                                     /* no lock, no writing; ERR_CONFIG "run as brandsync or root" */
void ledger_close(struct ledger *l);                /* commits, checkpoints, drops the lock */
static inline void ledger_closep(struct ledger **l) /* for AUTO(ledger_closep) */
{
    ledger_close(*l);
}

bool ledger_commit(struct ledger *l, bool is_durable, struct err *e) MUST_CHECK; /* nothing open: true at once */
bool ledger_has_uncommitted(const struct ledger *l);

/* --- files: one row per local file that was ever looked at and matters --------------------------------- */

enum file_state {
    FILE_KNOWN, /* looked at; never published (existing: skip) */
    FILE_PUBLISHED,
    FILE_UNPUBLISHED, /* by command: stays away until `publish` */
};
struct file_row {
    enum file_state state;
    struct seen seen; /* as published, or as known */
    int64_t bytes;
    char sha256[65];
    int64_t receipt; /* id of the last one */
    bool is_racy;    /* mtime or ctime within 2 s of the look */
};
bool ledger_file_get(struct ledger *l, const char *path, struct file_row *out); /* false: no row */
bool ledger_file_put(struct ledger *l, const char *path, const char *remote, const struct file_row *row,
                     struct err *e) MUST_CHECK;
bool ledger_file_remove(struct ledger *l, const char *path, struct err *e) MUST_CHECK;
/* The rows of one local directory with names after `after` ("" : all), in byte order, for merging with a listing. */
struct ledger_cursor;
struct ledger_cursor *ledger_dir_rows(struct ledger *l, const char *dir, const char *after);
bool ledger_next(struct ledger_cursor *c, const char **name, struct file_row *row); /* name lives until the next call */
void ledger_cursor_free(struct ledger_cursor *c);
/* The local path last published under this remote; NULL: none. */
char *ledger_local_of(struct ledger *l, const char *remote);
/* Rows at or below a local path ("" : all), directory by directory in byte order; false from visit ends it. `visit` may write. */
void ledger_files_each(struct ledger *l, const char *below,
                       bool (*visit)(void *arg, const char *path, const struct file_row *row), void *arg);
struct file_counts {
    int64_t files, published;
    int64_t bytes; /* of the published */
};
void ledger_count_files(struct ledger *l, const char *below,
                        struct file_counts *out); /* kept cheap: used by every status */

/* --- remote folders ----------------------------------------------------------------------------------------- */

struct folder_row {
    bool is_published, is_public;
    char title[256];
    int64_t receipt;
};
bool ledger_folder_get(struct ledger *l, const char *remote, struct folder_row *out);
bool ledger_folder_put(struct ledger *l, const char *remote, const struct folder_row *row, struct err *e) MUST_CHECK;
void ledger_folders_each(struct ledger *l, bool (*visit)(void *arg, const char *remote, const struct folder_row *row),
                         void *arg);

/* --- first listing of a watched folder: `existing` was decided for it ---------------------------------------- */

bool ledger_folder_is_begun(struct ledger *l, const char *local, bool *is_finished); /* false: never scanned before */
bool ledger_folder_begun(struct ledger *l, const char *local, bool is_finished, struct err *e) MUST_CHECK;

/* --- jobs: rows of the queue ---------------------------------------------------------------------------------- */

bool ledger_job_put(struct ledger *l, struct job *job,
                    struct err *e) MUST_CHECK; /* gives job->id when 0; replaces the row of that id */
bool ledger_job_remove(struct ledger *l, int64_t id, struct err *e) MUST_CHECK;
/* At start: every job, ready again (one that was being sent has no receipt). Gives each to `visit`, which owns it. */
bool ledger_jobs_load(struct ledger *l, void (*visit)(void *arg, struct job *job), void *arg, struct err *e) MUST_CHECK;

/* --- receipts --------------------------------------------------------------------------------------------------- */

bool ledger_receipt_add(struct ledger *l, struct receipt *r, struct err *e) MUST_CHECK; /* gives r->id */
struct receipt_query {
    int64_t id;       /* 0: any */
    const char *path; /* absolute local path; it or anything below; NULL: any */
    int64_t since_ms; /* 0: any */
    int64_t job_from; /* receipts of this job id; 0: any. Give since_ms with it: without, all receipts may be walked */
    size_t limit;     /* 0: 10,000 */
};
/* Newest first. The receipt lives for the call only. */
void ledger_receipts_each(struct ledger *l, const struct receipt_query *query,
                          bool (*visit)(void *arg, const struct receipt *r), void *arg);
int64_t ledger_last_publish_ms(struct ledger *l); /* 0: never */
/* Looks at the next 2,000 receipts after those of the last call, so that no call takes long: call it often. */
bool ledger_receipts_prune(struct ledger *l, int64_t before_ms,
                           struct err *e) MUST_CHECK; /* never the last one of a published file */

#endif
