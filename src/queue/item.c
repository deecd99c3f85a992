/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* item - a parked job: small, with its strings in one block; its standing in the heaps and in the counts. */
#include "queue_internal.h"

struct item *item_new(void)
{
    return mem_alloc(sizeof(struct item));
}

void item_free(struct item *i)
{
    free(i->text);
    free(i->last_sha256);
    free(i->why);
    free(i);
}

static uint32_t add_text(struct buf *b, const char *text)
{
    size_t at = b->len;
    if (!text)
        return 0;
    buf_add(b, text, strlen(text) + 1);
    return (uint32_t)at;
}

static void pack_text(struct queue *q, struct item *i, const struct job *job)
{
    struct buf b = BUF_INIT(UINT32_MAX);
    char *old = i->text;
    add_text(&b, job->remote);
    i->path_at = add_text(&b, job->path);
    i->title_at = add_text(&b, job->title);
    i->asked_by_at = add_text(&b, job->asked_by);
    i->text = mem_copy(b.data, b.len); /* to size */
    map_put(&q->items, i->text, i);
    buf_release(&b);
    free(old);
}

static void pack_rare(struct item *i, const struct job *job)
{
    free(i->last_sha256);
    free(i->why);
    i->last_sha256 = job->last_sha256[0] ? str_copy(job->last_sha256) : NULL;
    i->why = job->why.kind != ERR_NONE ? mem_copy(&job->why, sizeof(job->why)) : NULL;
}

void item_pack(struct queue *q, struct item *i, const struct job *job)
{
    pack_text(q, i, job);
    pack_rare(i, job);
    i->folder = job->folder;
    i->tries = job->tries;
    i->action = (uint8_t)job->action;
    i->priority = (uint8_t)job->priority;
    i->is_asked = job->is_asked;
    i->is_urgent = job->is_urgent;
    i->is_public = job->is_public;
    i->seen = job->seen;
    i->id = job->id;
    i->last_bytes = job->last_bytes;
    i->seen_ms = job->seen_ms;
    i->settled_ms = job->settled_ms;
    i->ready_ms = job->ready_ms;
    i->due_ms = job->due_ms;
}

static char *text_at(const struct item *i, uint32_t at)
{
    return at ? i->text + at : NULL;
}

const struct job *item_show(const struct queue *q, const struct item *i)
{
    *q->shown = (struct job){
        .id = i->id,
        .action = (enum job_action)i->action,
        .state = (enum job_state)i->state,
        .priority = (enum priority)i->priority,
        .folder = i->folder,
        .path = text_at(i, i->path_at),
        .remote = i->text,
        .title = text_at(i, i->title_at),
        .asked_by = text_at(i, i->asked_by_at),
        .is_asked = i->is_asked,
        .is_urgent = i->is_urgent,
        .is_public = i->is_public,
        .is_again = i->is_again,
        .seen = i->seen,
        .last_bytes = i->last_bytes,
        .seen_ms = i->seen_ms,
        .settled_ms = i->settled_ms,
        .ready_ms = i->ready_ms,
        .due_ms = i->due_ms,
        .tries = i->tries,
    };
    if (i->last_sha256)
        memcpy(q->shown->last_sha256, i->last_sha256, sizeof(q->shown->last_sha256));
    if (i->why)
        q->shown->why = *i->why;
    return q->shown;
}

bool item_is_asset(const struct item *i)
{
    return i->action == ACTION_PUBLISH || i->action == ACTION_COLLECTION;
}

enum lane item_lane(const struct item *i)
{
    return i->action == ACTION_PUBLISH && i->seen.bytes > QUEUE_BIG_BYTES ? LANE_BIG : LANE_SMALL;
}

/* Rank, then the millisecond it became ready (42 bits reach the year 2109), then id. */
int64_t item_key(const struct item *i)
{
    static const int64_t ranks[PRIORITIES] = {[PRIORITY_HIGH] = 0, [PRIORITY_NORMAL] = 1, [PRIORITY_LOW] = 2};
    int64_t rank = i->is_urgent ? 0 : ranks[i->priority];
    int64_t ready_ms = MAX(0, MIN(i->ready_ms, (INT64_C(1) << 42) - 1));
    return rank << 59 | ready_ms << 17 | (i->id & 0x1ffff);
}

/* --- standing ------------------------------------------------------------------------------------------- */

static struct slot *slot_of(struct queue *q, int folder)
{
    size_t at = (size_t)folder + 1;
    BUG_ON(folder < -1 || folder > 0xffff);
    if (at >= q->slots) {
        q->slot = mem_grow(q->slot, at + 1, sizeof(*q->slot));
        memset(q->slot + q->slots, 0, (at + 1 - q->slots) * sizeof(*q->slot));
        q->slots = at + 1;
    }
    return &q->slot[at];
}

static bool is_timed(const struct item *i)
{
    return i->state == JOB_WAITING || i->state == JOB_SCHEDULED;
}

void item_enter(struct queue *q, struct item *i, enum job_state state)
{
    struct slot *slot = slot_of(q, i->folder);
    i->state = (uint8_t)state;
    slot->count[state]++;
    slot->bytes[state] += i->seen.bytes;
    if (is_timed(i))
        heap_put(&q->waits, &i->turn, i->due_ms);
    if (state != JOB_READY)
        return;
    heap_put(&slot->ages, &i->age, i->ready_ms);
    if (i->action == ACTION_UNPUBLISH)
        heap_put(&q->unpublish, &i->turn, item_key(i));
    else
        node_put(q, i);
}

void item_leave(struct queue *q, struct item *i)
{
    struct slot *slot = slot_of(q, i->folder);
    enum job_state state = (enum job_state)i->state;
    slot->count[state]--;
    slot->bytes[state] -= i->seen.bytes;
    if (is_timed(i))
        heap_remove(&q->waits, &i->turn);
    i->state = JOB_SETTLING; /* stands nowhere, so that no gate puts it anywhere meanwhile */
    if (state != JOB_READY)
        return;
    heap_remove(&slot->ages, &i->age);
    if (i->action == ACTION_UNPUBLISH)
        heap_remove(&q->unpublish, &i->turn);
    else
        node_remove(q, i);
}

void item_set_state(struct queue *q, struct item *i, enum job_state state)
{
    item_leave(q, i);
    item_enter(q, i, state);
}
