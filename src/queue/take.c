/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* take - what goes next, and how much of it at once. */
#include "queue_internal.h"

struct filling {
    struct batch *batch;
    struct item **taken;
    size_t limit;
};

/* A batch for `first` and those that may join it; nothing in it yet. */
static struct filling fill_begin(const struct queue *q, const struct item *first, size_t ready, int others_idle)
{
    size_t most = (size_t)q->package_limit;
    size_t share = (ready + (size_t)others_idle) / ((size_t)others_idle + 1);
    struct filling f = {.batch = mem_alloc(sizeof(*f.batch))};
    f.limit = MIN(most, MAX(share, QUEUE_PACKAGE_MIN));
    if (first->suspicion > 1) /* what was refused together is looked for in quarters, at last alone */
        f.limit = MAX(1, MIN(f.limit, most >> MIN(2 * (first->suspicion - 1), 16)));
    f.batch->action = (enum job_action)first->action;
    f.batch->is_big = item_lane(first) == LANE_BIG;
    f.batch->job = mem_array(f.limit, sizeof(*f.batch->job));
    f.taken = mem_array(f.limit, sizeof(*f.taken));
    return f;
}

static void fill_add(struct queue *q, struct filling *f, struct item *i)
{
    struct batch *b = f->batch;
    item_set_state(q, i, JOB_SENDING);
    i->is_big_sent = b->is_big;
    q->big_sending += b->is_big;
    b->bytes += i->seen.bytes;
    f->taken[b->count] = i;
    b->job[b->count++] = job_copy(item_show(q, i));
}

static struct batch *fill_end(struct filling *f)
{
    for (size_t n = 0; n < f->batch->count; n++)
        f->taken[n]->company = (uint16_t)f->batch->count;
    free(f->taken);
    return f->batch;
}

/* Those that were refused travel with their like, so that they spoil no other's package. */
static bool may_join(const struct filling *f, const struct item *i)
{
    const struct batch *b = f->batch;
    if (b->count == 0)
        return true;
    return b->count < f->limit && i->action == b->action && i->suspicion == f->taken[0]->suspicion;
}

/* --- unpublish: one by one --------------------------------------------------------------------------------- */

static struct batch *take_unpublish(struct queue *q)
{
    struct heap_node *first = heap_first(&q->unpublish);
    if (!first)
        return NULL;
    struct item *i = container_of(first, struct item, turn);
    struct filling f = fill_begin(q, i, 1, 0);
    fill_add(q, &f, i);
    return fill_end(&f);
}

/* --- folders: a parent may bring its children along, for they follow it in the same request ------------------- */

static void fill_folder(struct queue *q, struct filling *f, struct item *i)
{
    fill_add(q, f, i);
    for (struct node *child = i->node->child; child; child = child->next)
        if (child->folder && child->folder->state == JOB_READY && may_join(f, child->folder))
            fill_folder(q, f, child->folder);
}

static struct batch *take_folders(struct queue *q, int others_idle)
{
    struct heap_node *first = heap_first(&q->folders);
    if (!first)
        return NULL;
    struct filling f = fill_begin(q, container_of(first, struct item, turn), q->folders.count, others_idle);
    for (; first && may_join(&f, container_of(first, struct item, turn)); first = heap_first(&q->folders))
        fill_folder(q, &f, container_of(first, struct item, turn));
    return fill_end(&f);
}

/* --- assets: one folder's small ones together, a big one or a collection alone ---------------------------------- */

static bool fits(const struct filling *f, const struct item *i)
{
    const struct batch *b = f->batch;
    if (b->count == 0)
        return true;
    return may_join(f, i) && b->action == ACTION_PUBLISH && !b->is_big &&
           b->bytes + i->seen.bytes <= QUEUE_PACKAGE_BYTES;
}

static struct batch *take_from(struct queue *q, struct node *n, enum lane lane, int others_idle)
{
    struct heap *items = &n->lane[lane].items;
    struct heap_node *first = heap_first(items);
    size_t ready = lane == LANE_SMALL ? q->small_ready : 1;
    /* The last item may take its node along only when its job is gone, so `n` stays while we take. */
    struct filling f = fill_begin(q, container_of(first, struct item, turn), ready, others_idle);
    for (; first && fits(&f, container_of(first, struct item, turn)); first = heap_first(items))
        fill_add(q, &f, container_of(first, struct item, turn));
    return fill_end(&f);
}

static struct node *node_of_turn(struct heap_node *turn, enum lane lane)
{
    return (struct node *)(void *)((char *)turn - offsetof(struct node, lane) -
                                   (size_t)lane * sizeof(struct node_lane) - offsetof(struct node_lane, turn));
}

static struct batch *take_assets(struct queue *q, int others_idle)
{
    struct heap_node *small = heap_first(&q->lane[LANE_SMALL]), *big = heap_first(&q->lane[LANE_BIG]);
    if (small && big && q->big_sending >= MAX(1, q->opts.uploaders - 1))
        big = NULL;
    if (big && (!small || big->key < small->key))
        return take_from(q, node_of_turn(big, LANE_BIG), LANE_BIG, 0);
    return small ? take_from(q, node_of_turn(small, LANE_SMALL), LANE_SMALL, others_idle) : NULL;
}

static void wake_due(struct queue *q, int64_t now_ms)
{
    struct heap_node *first;
    while ((first = heap_first(&q->waits)) && first->key <= now_ms)
        item_set_state(q, container_of(first, struct item, turn), JOB_READY);
}

struct batch *queue_take(struct queue *q, int others_idle, int64_t now_ms)
{
    others_idle = MAX(0, others_idle);
    wake_due(q, now_ms);
    struct batch *b = take_unpublish(q);
    if (!b)
        b = take_folders(q, others_idle);
    return b ? b : take_assets(q, others_idle);
}

int64_t queue_due_ms(const struct queue *q)
{
    const struct heap_node *first = heap_first(&q->waits);
    return first ? first->key : INT64_MAX;
}
