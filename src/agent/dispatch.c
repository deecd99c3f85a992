/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* dispatch - job -> uploader, result -> receipt, queue and ledger. Work is never assigned ahead: one batch for one idle uploader. */
#include "agent_internal.h"

#include <inttypes.h>

enum { GATHER_MS = 50 };

static int count_free(const struct agent *a)
{
    int idle = 0;
    for (int i = 1; i <= uploaders_count(a->uploaders); i++)
        idle += uploader_is_free(a->uploaders, i);
    return idle;
}

static void set_send_timer(struct agent *a)
{
    int64_t due_ms = a->tenant.state == TENANT_OK ? queue_due_ms(a->queue) : tenant_due_ms(&a->tenant);

    if (due_ms == INT64_MAX)
        loop_timer_stop(a->loop, &a->send_timer);
    else
        loop_timer_set(a->loop, &a->send_timer, MAX(due_ms - agent_now(a), 1));
}

/* What was published last, asked once more: another job for the same file may have ended while this one waited. */
static void recall_last(struct agent *a, struct batch *b)
{
    for (size_t i = 0; b->action == ACTION_PUBLISH && i < b->count; i++) {
        struct job *job = b->job[i];
        struct file_row row;
        if (!ledger_file_get(a->ledger, job->path, &row) || row.state != FILE_PUBLISHED)
            continue;
        job->last_bytes = row.bytes;
        memcpy(job->last_sha256, row.sha256, sizeof(job->last_sha256));
    }
}

/* While the looks at what settled together come back, it is let come together: it travels in one package. */
static bool is_gathering(const struct agent *a, int64_t now_ms)
{
    return a->looks > 0 && now_ms - a->looks_ms < GATHER_MS;
}

void dispatch_send(struct agent *a)
{
    int64_t now_ms = agent_now(a);

    if (a->is_stopping || a->is_reloading || a->disk.kind != ERR_NONE)
        return;
    if (is_gathering(a, now_ms)) {
        loop_timer_set(a->loop, &a->send_timer, GATHER_MS);
        return;
    }
    for (int idle = count_free(a); tenant_allows(&a->tenant, idle, now_ms) > 0; idle--) {
        struct batch *batch = queue_take(a->queue, tenant_allows(&a->tenant, idle, now_ms) - 1, now_ms);
        if (!batch)
            break;
        tenant_sent(&a->tenant);
        recall_last(a, batch);
        uploader_give(a->uploaders, uploader_idle_longest(a->uploaders, NULL, NULL), batch);
    }
    set_send_timer(a);
}

/* --- what a receipt means for the ledger ------------------------------------------------------------------------- */

/* Content whose stamps are as young as this may have been rewritten without a new stamp: it is hashed again at the next look. */
#define RACY_NS INT64_C(2000000000)

static bool is_racy(const struct receipt *r)
{
    int64_t look_ns = r->confirmed_ms * 1000000;
    return look_ns - r->seen.mtime_ns < RACY_NS || look_ns - r->seen.ctime_ns < RACY_NS;
}

/* Found unchanged: only the look is new, the receipt that published it stays its last one. Unpublished by command while it was being
 * sent: the command stands, and its job follows. */
static bool record_asset(struct agent *a, const struct receipt *r, struct err *e)
{
    struct file_row row = {0};
    bool keeps_receipt = ledger_file_get(a->ledger, r->job->path, &row) && r->outcome == OUTCOME_UNCHANGED;
    int64_t receipt = keeps_receipt ? row.receipt : r->id;

    row = (struct file_row){
        .state = row.state == FILE_UNPUBLISHED ? FILE_UNPUBLISHED : FILE_PUBLISHED,
        .seen = r->seen,
        .bytes = r->bytes,
        .receipt = receipt,
        .is_racy = is_racy(r),
    };
    memcpy(row.sha256, r->sha256, sizeof(row.sha256));
    return ledger_file_put(a->ledger, r->job->path, r->job->remote, &row, e);
}

/* Its state was written by the command, and may be that of a newer one by now. */
static bool record_unpublished(struct agent *a, const struct receipt *r, struct err *e)
{
    struct file_row row;
    if (!ledger_file_get(a->ledger, r->job->path, &row))
        return true;
    row.receipt = r->id;
    return ledger_file_put(a->ledger, r->job->path, r->job->remote, &row, e);
}

static bool record_folder(struct agent *a, const struct receipt *r, struct err *e)
{
    struct folder_row row = {.is_published = true, .is_public = r->job->is_public, .receipt = r->id};
    snprintf(row.title, sizeof(row.title), "%s", r->job->title ? r->job->title : "");
    return ledger_folder_put(a->ledger, r->job->remote, &row, e);
}

static bool (*const recorders[JOB_ACTIONS])(struct agent *a, const struct receipt *r, struct err *e) = {
    [ACTION_PUBLISH] = record_asset,
    [ACTION_UNPUBLISH] = record_unpublished,
    [ACTION_FOLDER] = record_folder,
};

static bool is_done(const struct receipt *r)
{
    return r->outcome == OUTCOME_PUBLISHED || r->outcome == OUTCOME_UNPUBLISHED || r->outcome == OUTCOME_UNCHANGED;
}

/* A tenant's outage or our own stop is no result of the item: it leaves no receipt. */
static bool has_receipt(const struct receipt *r)
{
    if (r->outcome == OUTCOME_UNCHANGED || r->outcome == OUTCOME_CANCELLED)
        return false;
    return is_done(r) || (r->err.kind != ERR_TENANT && r->err.kind != ERR_AUTH && r->err.kind != ERR_CANCELLED);
}

static bool record(struct agent *a, struct receipt *r, struct err *e)
{
    if (has_receipt(r) && !ledger_receipt_add(a->ledger, r, e))
        return false;
    if (is_done(r) && !recorders[r->job->action](a, r, e))
        return false;
    const struct job *kept = NULL;
    if (queue_settle(a->queue, r, agent_now(a), &kept) == QUEUE_DONE)
        return ledger_job_remove(a->ledger, r->job->id, e);
    struct job *row = job_copy(kept);
    bool is_written = ledger_job_put(a->ledger, row, e);
    job_free(row);
    return is_written;
}

static void log_receipt(const struct receipt *r)
{
    if (r->outcome == OUTCOME_UNCHANGED)
        log_info("unchanged", "job=%" PRId64 " remote=%s bytes=%" PRId64, r->job->id, QUOTED(r->job->remote), r->bytes);
    else if (is_done(r))
        log_info(outcome_name(r->outcome),
                 "job=%" PRId64 " remote=%s bytes=%" PRId64 " uploader=%d ms=%" PRId64 " receipt=%" PRId64, r->job->id,
                 QUOTED(r->job->remote), r->bytes, r->uploader, r->confirmed_ms - r->sent_ms, r->id);
    else if (has_receipt(r))
        log_warning(outcome_name(r->outcome), "job=%" PRId64 " path=%s cause=%s why=%s", r->job->id,
                    QUOTED(r->job->path), cause_info(r->err.cause)->name, QUOTED(r->err.text));
}

/* The file changed while it was sent, or right after: what is there now is looked at like any other. */
static void look_again(struct agent *a, const struct receipt *r)
{
    bool changed = r->outcome == OUTCOME_CHANGED || (r->outcome == OUTCOME_PUBLISHED && r->err.kind == ERR_CHANGED);
    if (changed && r->job->action == ACTION_PUBLISH && r->job->folder >= 0)
        observe_look(a, r->job->folder, r->job->path);
}

/* --- what a result says of the tenant ------------------------------------------------------------------------------- */

static void judge_tenant(struct agent *a, const struct result *result)
{
    int64_t now_ms = agent_now(a);
    bool has_worked = false;
    const struct err *trouble = NULL;

    for (size_t i = 0; i < result->count; i++) {
        const struct receipt *r = &result->receipt[i];
        has_worked = has_worked || r->status > 0;
        if (r->err.kind == ERR_TENANT || r->err.kind == ERR_AUTH)
            trouble = &r->err;
    }
    if (trouble) {
        enum tenant_state before = a->tenant.state;
        tenant_failed(&a->tenant, trouble, &a->random, now_ms);
        if (a->tenant.state != before)
            log_warning("tenant-away", "state=%s until=%s cause=%s why=%s", tenant_state_name(a->tenant.state),
                        RFC3339(a->tenant.until_ms), cause_info(trouble->cause)->name, QUOTED(trouble->text));
    } else if (has_worked) {
        if (tenant_worked(&a->tenant, now_ms))
            log_info("tenant-back", "url=%s", QUOTED(a->profile->tenant.url));
    } else {
        a->tenant.is_probing = false;
    }
}

void dispatch_result(void *agent, void *value)
{
    struct agent *a = agent;
    AUTO(result_freep) struct result *result = value;
    int64_t published = 0;
    struct err e;

    uploader_done(a->uploaders, result->uploader);
    judge_tenant(a, result);
    queue_learn(a->queue, result);
    for (size_t i = 0; i < result->count; i++) {
        struct receipt *r = &result->receipt[i];
        if (!record(a, r, &e))
            health_failed(a, &e);
        log_receipt(r);
        look_again(a, r);
        published += r->outcome == OUTCOME_PUBLISHED;
    }
    pace_count(&a->pace, published, agent_now(a));
}
