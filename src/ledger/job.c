/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* job - the rows of the queue. */
#include "ledger_internal.h"

static const char *state_word(int state)
{
    return job_state_name((enum job_state)state);
}

static const char *priority_word(int priority)
{
    return priority_name((enum priority)priority);
}

static const char *action_word(int action)
{
    return job_action_name((enum job_action)action);
}

bool ledger_job_put(struct ledger *l, struct job *job, struct err *e)
{
    const struct seen *seen = &job->seen;
    if (job->id == 0) {
        job->id = l->numbers.job++;
        l->numbers.is_changed = true;
    }
    return sql_write(l, SQL_JOB_PUT,
                     VALUES(INT(job->id), TEXT(action_word((int)job->action)), TEXT(state_word((int)job->state)),
                            TEXT(priority_word((int)job->priority)), INT(job->folder), BYTES_OF(job->path),
                            BYTES_OF(job->remote), BYTES_OF(job->title), BYTES_OF(job->asked_by), INT(job->is_asked),
                            INT(job->is_urgent), INT(job->is_public), INT(seen->dev), INT(seen->ino), INT(seen->bytes),
                            INT(seen->mtime_ns), INT(seen->ctime_ns), INT(job->last_bytes), DIGEST(job->last_sha256),
                            INT(job->seen_ms), INT(job->settled_ms), INT(job->ready_ms), INT(job->due_ms),
                            INT(job->tries), ERR_VALUES(&job->why)),
                     e);
}

bool ledger_job_remove(struct ledger *l, int64_t id, struct err *e)
{
    return sql_write(l, SQL_JOB_REMOVE, VALUES(INT(id)), e);
}

static void read_asked(sqlite3_stmt *s, struct job *job)
{
    job->title = column_str(s, 7);
    job->asked_by = column_str(s, 8);
    job->is_asked = sqlite3_column_int(s, 9) != 0;
    job->is_urgent = sqlite3_column_int(s, 10) != 0;
    job->is_public = sqlite3_column_int(s, 11) != 0;
}

static void read_observed(sqlite3_stmt *s, struct job *job)
{
    job->seen = (struct seen){
        .dev = (uint64_t)sqlite3_column_int64(s, 12),
        .ino = (uint64_t)sqlite3_column_int64(s, 13),
        .bytes = sqlite3_column_int64(s, 14),
        .mtime_ns = sqlite3_column_int64(s, 15),
        .ctime_ns = sqlite3_column_int64(s, 16),
    };
    job->last_bytes = sqlite3_column_int64(s, 17);
    column_digest(s, 18, job->last_sha256);
    job->seen_ms = sqlite3_column_int64(s, 19);
    job->settled_ms = sqlite3_column_int64(s, 20);
    job->ready_ms = sqlite3_column_int64(s, 21);
    job->due_ms = sqlite3_column_int64(s, 22);
    job->tries = MAX(0, column_int(s, 23));
    column_err(s, 24, &job->why);
}

/* NULL: no job of ours. One that was being sent has no receipt: it is ready again. */
static struct job *read_job(sqlite3_stmt *s)
{
    AUTO(mem_freep) char *path = column_str(s, 5), *remote = column_str(s, 6);
    int action = column_word(s, 1, action_word, JOB_ACTIONS, -1);
    int state = column_word(s, 2, state_word, JOB_STATES, JOB_READY);
    if (action < 0 || !path || !remote)
        return NULL;
    struct job *job = job_new((enum job_action)action, path, remote);
    job->id = sqlite3_column_int64(s, 0);
    job->state = state == JOB_SENDING ? JOB_READY : (enum job_state)state;
    job->priority = (enum priority)column_word(s, 3, priority_word, PRIORITIES, PRIORITY_NORMAL);
    job->folder = MAX(-1, column_int(s, 4));
    read_asked(s, job);
    read_observed(s, job);
    return job;
}

bool ledger_jobs_load(struct ledger *l, void (*visit)(void *arg, struct job *job), void *arg, struct err *e)
{
    sqlite3_stmt *s = sql_bound(l, SQL_JOB_ALL, NO_VALUES);
    while (sql_row(l, s)) {
        struct job *job = read_job(s);
        if (!job) {
            sql_end(s);
            return damaged_err(l->file, "a job in it makes no sense", e);
        }
        visit(arg, job);
    }
    return l->fault.kind == ERR_NONE || write_begin(l, e);
}
