/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* one - one uploader without its thread: a batch in, a result out, and the board that says how far it is. */
#include "upload_internal.h"

enum { BOARD_STEP_BYTES = 256 << 10 };

static const char *const state_names[UPLOADER_STATES] = {[UPLOADER_IDLE] = "idle",
                                                         [UPLOADER_ACTIVE] = "active",
                                                         [UPLOADER_BLOCKED] = "blocked",
                                                         [UPLOADER_PAUSED] = "paused"};

const char *uploader_state_name(enum uploader_state s)
{
    return state_names[s];
}

struct upload_one *upload_one_new(const struct upload_opts *opts, int uploader, const atomic_bool *cancel)
{
    struct upload_one *u = mem_alloc(sizeof(*u));
    u->opts = *opts;
    u->number = uploader;
    u->cancel = cancel;
    u->transport = transport_new(&opts->profile->tenant, opts->http, opts->clock, opts->tokens, cancel);
    digest_init(&u->sha256, "SHA256");
    digest_init(&u->sha1, "SHA1");
    pthread_mutex_init(&u->board_mutex, NULL);
    return u;
}

void upload_one_free(struct upload_one *u)
{
    if (!u)
        return;
    transport_free(u->transport);
    digest_release(&u->sha256);
    digest_release(&u->sha1);
    pthread_mutex_destroy(&u->board_mutex);
    mem_freep(&u);
}

/* --- the board ------------------------------------------------------------------------------------- */

void board_begin(struct upload_one *u, const char *remote, size_t assets, int64_t bytes_total)
{
    struct board now = {
        .state = UPLOADER_ACTIVE, .assets = assets, .bytes_total = bytes_total, .since_ms = wall_ms(u->opts.clock)};
    snprintf(now.asset, sizeof(now.asset), "%s", remote);
    u->unshown_bytes = 0;
    pthread_mutex_lock(&u->board_mutex);
    u->board = now;
    pthread_mutex_unlock(&u->board_mutex);
}

static void board_end(struct upload_one *u)
{
    struct board now = {.state = UPLOADER_IDLE, .since_ms = wall_ms(u->opts.clock)};
    pthread_mutex_lock(&u->board_mutex);
    u->board = now;
    pthread_mutex_unlock(&u->board_mutex);
}

void board_add(struct upload_one *u, int64_t bytes)
{
    u->unshown_bytes += bytes;
    if (u->unshown_bytes < BOARD_STEP_BYTES)
        return;
    pthread_mutex_lock(&u->board_mutex);
    u->board.bytes_done += u->unshown_bytes;
    pthread_mutex_unlock(&u->board_mutex);
    u->unshown_bytes = 0;
}

void board_copy(struct upload_one *u, struct board *out)
{
    pthread_mutex_lock(&u->board_mutex);
    *out = u->board;
    pthread_mutex_unlock(&u->board_mutex);
    int64_t passed_ms = MAX(1, wall_ms(u->opts.clock) - out->since_ms);
    out->bytes_done = MIN(out->bytes_done, out->bytes_total); /* a body sent twice is counted twice */
    out->rate = out->bytes_done * 1000 / passed_ms;
}

/* --- receipts -------------------------------------------------------------------------------------- */

static void receipt_begin(const struct upload_one *u, struct receipt *r, struct job *job)
{
    *r = (struct receipt){
        .job = job,
        .job_id = job->id,
        .action = job->action,
        .seen = job->seen,
        .uploader = u->number,
        .tries = job->tries + 1,
        .seen_ms = job->seen_ms,
        .settled_ms = job->settled_ms,
        .ready_ms = job->ready_ms,
        .is_public = job->is_public,
        .proof = "",
    };
}

void receipt_end(struct upload_one *u, struct receipt *r, enum outcome outcome)
{
    r->outcome = outcome;
    r->confirmed_ms = wall_ms(u->opts.clock);
}

void receipt_fail(struct upload_one *u, struct receipt *r, const struct err *e)
{
    static const enum outcome outcomes[ERR_KINDS] = {
        [ERR_NONE] = OUTCOME_RETRY,   [ERR_RETRY] = OUTCOME_RETRY,   [ERR_AUTH] = OUTCOME_RETRY,
        [ERR_TENANT] = OUTCOME_RETRY, [ERR_REFUSED] = OUTCOME_RETRY, [ERR_CHANGED] = OUTCOME_CHANGED,
        [ERR_LOCAL] = OUTCOME_RETRY,  [ERR_CONFIG] = OUTCOME_RETRY,  [ERR_CANCELLED] = OUTCOME_CANCELLED,
    };
    r->err = *e;
    receipt_end(u, r, outcomes[e->kind]);
}

void receipt_answered(struct receipt *r, const struct transport_answer *answer)
{
    r->status = answer->status;
    memcpy(r->message, answer->message, sizeof(r->message));
}

/* --- a batch --------------------------------------------------------------------------------------- */

static void unpublish(struct upload_one *u, struct result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        struct receipt *r = &result->receipt[i];
        struct transport_answer answer;
        struct err e;
        board_begin(u, r->job->remote, 1, 0);
        r->sent_ms = wall_ms(u->opts.clock);
        bool is_done = transport_delete(u->transport, r->job->remote, &answer, &e);
        receipt_answered(r, &answer);
        if (is_done)
            receipt_end(u, r, OUTCOME_UNPUBLISHED);
        else
            receipt_fail(u, r, &e);
    }
}

static void (*const actions[JOB_ACTIONS])(struct upload_one *u, struct result *result) = {
    [ACTION_PUBLISH] = ship_assets,
    [ACTION_FOLDER] = ship_folders,
    [ACTION_UNPUBLISH] = unpublish,
};

struct result *upload_run_one(struct upload_one *u, struct batch *batch)
{
    struct result *result = mem_alloc(sizeof(*result));
    enum job_action action = batch->action;

    BUG_ON(!actions[action]);
    result->uploader = u->number;
    result->count = batch->count;
    result->receipt = mem_array(batch->count, sizeof(*result->receipt));
    for (size_t i = 0; i < batch->count; i++)
        receipt_begin(u, &result->receipt[i], take(&batch->job[i]));
    batch_free(batch);
    actions[action](u, result);
    board_end(u);
    return result;
}
