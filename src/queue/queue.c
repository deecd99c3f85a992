/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* queue - jobs come in, end or wait by their receipts, and are counted. */
#include "queue_internal.h"

enum { QUICK_PACKAGE = 50 }; /* enough where replies are quick */

static void limit_within(struct queue *q, int limit)
{
    int most = MAX(1, q->opts.package_assets);
    q->package_limit = MIN(most, MAX(limit, MIN(most, QUICK_PACKAGE)));
}

struct queue *queue_new(const struct queue_opts *opts)
{
    struct queue *q = mem_alloc(sizeof(*q));
    q->shown = mem_alloc(sizeof(*q->shown));
    random_seed(&q->random, opts->seed);
    q->opts = *opts;
    limit_within(q, QUICK_PACKAGE);
    return q;
}

void queue_free(struct queue *q)
{
    struct item *i;
    struct node *n;
    if (!q)
        return;
    for (size_t at = 0; (n = map_next(&q->nodes, &at));)
        node_free(n);
    struct heap *const heaps[] = {&q->unpublish, &q->folders, &q->waits};
    for (size_t h = 0; h < ARRAY_LEN(heaps); h++)
        heap_release(heaps[h]);
    for (int lane = 0; lane < LANES; lane++)
        free(q->lane[lane].node);
    for (size_t s = 0; s < q->slots; s++)
        heap_release(&q->slot[s].ages);
    for (size_t at = 0; (i = map_next(&q->items, &at));)
        item_free(i);
    map_release(&q->nodes);
    map_release(&q->items);
    free(q->slot);
    free(q->shown);
    free(q);
}

/* --- in and out -------------------------------------------------------------------------------------------- */

static void forget(struct queue *q, struct item *i)
{
    map_remove(&q->items, i->text);
    item_leave(q, i);
    node_detach(q, i);
    item_free(i);
}

/* One that is sent is nobody's before queue_take gives it out. */
static enum job_state state_to_be(const struct job *job)
{
    return job->state == JOB_SENDING ? JOB_READY : job->state;
}

/* What a waiting command asked for still holds when a newer observation takes its place. */
static void keep_command(const struct job *old, struct job *job)
{
    if (!old->is_asked || old->action != job->action)
        return;
    if (!job->is_asked) {
        free(job->asked_by);
        job->asked_by = str_copy(old->asked_by);
    }
    job->is_asked = true;
    job->is_urgent = job->is_urgent || old->is_urgent;
}

/* Held and failed ones begin anew; all others keep their age and their tries. */
static void keep_past(struct queue *q, struct item *i, struct job *job)
{
    const struct job *old = item_show(q, i);
    bool begins_anew = old->state == JOB_HELD || old->state == JOB_FAILED;
    if (old->id)
        job->id = old->id;
    if (begins_anew) {
        i->suspicion = 0;
        return;
    }
    keep_command(old, job);
    job->tries = old->tries;
    job->ready_ms = old->ready_ms ? old->ready_ms : job->ready_ms;
}

static enum queue_added add_new(struct queue *q, struct job *job, struct item **at)
{
    struct item *i = *at = item_new();
    item_pack(q, i, job);
    i->suspicion = job->tries > 0 ? SUSPICION_ALONE : 0;
    node_attach(q, i);
    item_enter(q, i, state_to_be(job));
    return QUEUE_NEW;
}

static enum queue_added replace(struct queue *q, struct item *i, struct job *job)
{
    keep_past(q, i, job);
    item_leave(q, i);
    node_detach(q, i);
    item_pack(q, i, job);
    node_attach(q, i);
    item_enter(q, i, state_to_be(job));
    return QUEUE_REPLACED;
}

/* The batch has its own copy, so the newer content can take the place at once. */
static enum queue_added mark_again(struct queue *q, struct item *i, struct job *job)
{
    if (i->id)
        job->id = i->id;
    job->tries = i->tries;
    item_leave(q, i);
    node_detach(q, i);
    item_pack(q, i, job);
    node_attach(q, i);
    item_enter(q, i, JOB_SENDING);
    i->is_again = true;
    i->after = (uint8_t)state_to_be(job);
    return QUEUE_AGAIN;
}

enum queue_added queue_add(struct queue *q, struct job *job, const struct job **kept)
{
    struct item *i = map_get(&q->items, job->remote);
    enum queue_added added = !i                        ? add_new(q, job, &i)
                             : i->state == JOB_SENDING ? mark_again(q, i, job)
                                                       : replace(q, i, job);
    job_free(job);
    if (kept)
        *kept = item_show(q, i);
    return added;
}

const struct job *queue_find(const struct queue *q, const char *remote)
{
    const struct item *i = map_get(&q->items, remote);
    return i ? item_show(q, i) : NULL;
}

void queue_drop(struct queue *q, const char *remote)
{
    struct item *i = map_get(&q->items, remote);
    if (i && i->state != JOB_SENDING)
        forget(q, i);
}

void queue_wake(struct queue *q, int64_t now_ms)
{
    size_t count = q->waits.count;
    struct heap_node **waiting = mem_copy(q->waits.node, count * sizeof(*waiting));
    for (size_t n = 0; n < count; n++) {
        struct item *i = container_of(waiting[n], struct item, turn);
        if (i->state != JOB_WAITING)
            continue;
        item_set_state(q, i, JOB_READY);
        i->due_ms = now_ms;
    }
    free(waiting);
}

/* --- receipts ------------------------------------------------------------------------------------------------ */

enum ending { END_DONE, END_AT_ONCE, END_TROUBLE };

static enum ending ending_of(const struct receipt *r)
{
    static const enum ending endings[OUTCOMES] = {
        [OUTCOME_PUBLISHED] = END_DONE,  [OUTCOME_DELIVERED] = END_DONE, [OUTCOME_UNPUBLISHED] = END_DONE,
        [OUTCOME_MOVED] = END_DONE,      [OUTCOME_UNCHANGED] = END_DONE, [OUTCOME_CHANGED] = END_DONE,
        [OUTCOME_REFUSED] = END_TROUBLE, [OUTCOME_RETRY] = END_TROUBLE,  [OUTCOME_CANCELLED] = END_AT_ONCE,
    };
    bool is_tenants = r->err.kind == ERR_TENANT || r->err.kind == ERR_AUTH || r->err.kind == ERR_CANCELLED;
    enum ending ending = endings[r->outcome];
    return ending == END_TROUBLE && is_tenants ? END_AT_ONCE : ending;
}

/* Full jitter: anything up to first, 2 first, 4 first ... max. The same for all of one package, so that it stays one. */
static int64_t back_off(struct queue *q, const struct receipt *r, int tries, int64_t now_ms)
{
    int64_t cap_ms = MIN(q->opts.retry_max_ms, q->opts.retry_first_ms << MIN(MAX(tries - 1, 0), 20));
    if (r->package == 0 || r->package != q->last_package)
        q->last_due_ms = now_ms + MAX(r->err.retry_after_ms, random_below(&q->random, MAX(cap_ms, 0) + 1));
    q->last_package = r->package;
    return q->last_due_ms;
}

/* Refused in company: whose fault it was is not known, so nobody's tries count. Once it comes again as it was; then it is split, and the
 * parts go at once. What the server will never take (REFUSED) is split the first time. */
static enum job_state refuse_company(struct queue *q, struct item *i, const struct receipt *r, int64_t now_ms)
{
    bool is_final = r->err.kind == ERR_REFUSED || r->outcome == OUTCOME_REFUSED;
    i->suspicion = (uint8_t)MIN(SUSPICION_ALONE, MAX(i->suspicion + 1, is_final ? 2 : 1));
    if (i->suspicion > 1)
        return JOB_READY;
    i->due_ms = back_off(q, r, 1, now_ms);
    return JOB_WAITING;
}

static enum job_state refuse_alone(struct queue *q, struct item *i, const struct receipt *r, int64_t now_ms)
{
    i->tries++;
    bool has_used_up = q->opts.attempts > 0 && i->tries >= q->opts.attempts && r->err.kind != ERR_LOCAL;
    if (r->outcome == OUTCOME_REFUSED || has_used_up)
        return JOB_FAILED;
    i->due_ms = back_off(q, r, i->tries, now_ms);
    return JOB_WAITING;
}

static enum job_state after_trouble(struct queue *q, struct item *i, const struct receipt *r, int64_t now_ms)
{
    free(i->why);
    i->why = r->err.kind != ERR_NONE ? mem_copy(&r->err, sizeof(r->err)) : NULL;
    if (i->company > 1 && r->err.kind != ERR_LOCAL)
        return refuse_company(q, i, r, now_ms);
    return refuse_alone(q, i, r, now_ms);
}

/* It comes back: newer content as that wants it, else as its ending says. */
static enum job_state next_state(struct queue *q, struct item *i, const struct receipt *r, int64_t now_ms)
{
    enum ending ending = ending_of(r);
    int64_t due_ms = i->due_ms; /* of the newer content, when there is */
    enum job_state state = ending == END_TROUBLE ? after_trouble(q, i, r, now_ms) : JOB_READY;
    if (ending == END_DONE) {
        i->tries = 0;
        i->suspicion = 0;
    }
    if (!i->is_again)
        return state;
    i->due_ms = due_ms;
    i->is_again = false;
    return (enum job_state)i->after;
}

enum queue_fate queue_settle(struct queue *q, const struct receipt *r, int64_t now_ms, const struct job **kept)
{
    struct item *i = map_get(&q->items, r->job ? r->job->remote : r->remote);
    if (kept)
        *kept = NULL;
    if (!i || i->state != JOB_SENDING)
        return QUEUE_DONE;
    q->big_sending -= i->is_big_sent;
    i->is_big_sent = false;
    if (ending_of(r) == END_DONE && !i->is_again) {
        forget(q, i);
        return QUEUE_DONE;
    }
    item_leave(q, i);
    item_enter(q, i, next_state(q, i, r, now_ms));
    if (kept)
        *kept = item_show(q, i);
    return QUEUE_REPEAT;
}

/* --- how full a package may be --------------------------------------------------------------------------------- */

static bool has_published(const struct result *result)
{
    for (size_t n = 0; n < result->count; n++)
        if (result->receipt[n].outcome == OUTCOME_PUBLISHED || result->receipt[n].outcome == OUTCOME_DELIVERED)
            return true;
    return false;
}

void queue_learn(struct queue *q, const struct result *result)
{
    if (result->count < 2 || !has_published(result))
        return;
    bool is_slow = result->reply_ms > result->build_ms;
    limit_within(q, is_slow ? q->package_limit * 3 / 2 + 1 : q->package_limit * 3 / 4);
}

int queue_package_limit(const struct queue *q)
{
    return q->package_limit;
}

/* --- figures ---------------------------------------------------------------------------------------------------- */

static void count_slot(const struct slot *slot, struct queue_counts *out)
{
    const struct heap_node *oldest = heap_first(&slot->ages);
    out->ready += slot->count[JOB_READY];
    out->sending += slot->count[JOB_SENDING];
    out->waiting += slot->count[JOB_WAITING];
    out->scheduled += slot->count[JOB_SCHEDULED];
    out->held += slot->count[JOB_HELD];
    out->failed += slot->count[JOB_FAILED];
    out->bytes += slot->bytes[JOB_READY] + slot->bytes[JOB_SENDING] + slot->bytes[JOB_WAITING];
    if (oldest && (out->oldest_ready_ms == 0 || oldest->key < out->oldest_ready_ms))
        out->oldest_ready_ms = oldest->key;
}

void queue_counts(const struct queue *q, int folder, struct queue_counts *out)
{
    *out = (struct queue_counts){0};
    for (size_t s = 0; s < q->slots; s++)
        if (folder == -1 || s == (size_t)folder + 1)
            count_slot(&q->slot[s], out);
}

void queue_each(const struct queue *q, bool (*visit)(void *arg, const struct job *job), void *arg)
{
    const struct item *i;
    for (size_t at = 0; (i = map_next(&q->items, &at));)
        if (!visit(arg, item_show(q, i)))
            return;
}
