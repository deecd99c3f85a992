/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * node - the tree of remote folders that jobs lie in, and its gates.
 *
 * A folder job shuts its node and all below it. Shutting and opening walk the subtree, but stop where nothing changes: below a node that
 * was shut already. So each node is walked once for each time it opens or shuts.
 */
#include "queue_internal.h"

void node_free(struct node *n)
{
    for (int lane = 0; lane < LANES; lane++)
        heap_release(&n->lane[lane].items);
    free(n->remote);
    free(n);
}

static bool is_top(const char *remote)
{
    return str_eq(remote, "") || str_eq(remote, "/");
}

static struct node *node_of(struct queue *q, const char *remote)
{
    struct node *n = map_get(&q->nodes, remote);
    if (n)
        return n;
    n = mem_alloc(sizeof(*n));
    n->remote = str_copy(remote);
    map_put(&q->nodes, n->remote, n);
    if (is_top(remote))
        return n;
    AUTO(mem_freep) char *above = path_parent(remote);
    n->parent = node_of(q, above);
    n->next = n->parent->child;
    n->parent->child = n;
    n->is_shut = n->parent->is_shut;
    return n;
}

/* A node goes when no job lies in it or below. */
static void node_drop(struct queue *q, struct node *n)
{
    while (n && n->items == 0 && !n->child) {
        struct node *parent = n->parent;
        if (parent) {
            struct node **at = &parent->child;
            while (*at != n)
                at = &(*at)->next;
            *at = n->next;
        }
        map_remove(&q->nodes, n->remote);
        node_free(n);
        n = parent;
    }
}

/* --- gates -------------------------------------------------------------------------------------------------- */

static void lane_stand(struct queue *q, struct node *n, enum lane lane)
{
    struct heap_node *first = n->is_shut ? NULL : heap_first(&n->lane[lane].items);
    if (first)
        heap_put(&q->lane[lane], &n->lane[lane].turn, first->key);
    else
        heap_remove(&q->lane[lane], &n->lane[lane].turn);
}

/* Folders: parents before children, the older first. */
static int64_t folder_key(const struct node *n, const struct item *i)
{
    int64_t depth = 0;
    for (const struct node *above = n->parent; above && depth < 1023; above = above->parent)
        depth++;
    return depth << 52 | (item_key(i) >> 7 & ((INT64_C(1) << 52) - 1));
}

static void folder_stand(struct queue *q, struct node *n)
{
    struct item *i = n->folder;
    if (!i || i->state != JOB_READY)
        return;
    if (n->parent && n->parent->is_shut)
        heap_remove(&q->folders, &i->turn);
    else
        heap_put(&q->folders, &i->turn, folder_key(n, i));
}

static void spread(struct queue *q, struct node *n)
{
    bool is_shut = n->folder || (n->parent && n->parent->is_shut);
    folder_stand(q, n);
    if (is_shut == n->is_shut)
        return;
    size_t small = n->lane[LANE_SMALL].items.count;
    n->is_shut = is_shut;
    q->small_ready = is_shut ? q->small_ready - small : q->small_ready + small;
    for (int lane = 0; lane < LANES; lane++)
        lane_stand(q, n, (enum lane)lane);
    for (struct node *child = n->child; child; child = child->next)
        spread(q, child);
}

/* --- items ------------------------------------------------------------------------------------------------- */

void node_attach(struct queue *q, struct item *i)
{
    if (i->action == ACTION_UNPUBLISH)
        return;
    AUTO(mem_freep) char *remote = item_is_asset(i) ? path_parent(i->text) : str_copy(i->text);
    i->node = node_of(q, remote);
    i->node->items++;
    if (i->action == ACTION_FOLDER) {
        i->node->folder = i;
        spread(q, i->node);
    }
}

void node_detach(struct queue *q, struct item *i)
{
    struct node *n = take(&i->node);
    if (!n)
        return;
    n->items--;
    if (n->folder == i) {
        n->folder = NULL;
        spread(q, n);
    }
    node_drop(q, n);
}

void node_put(struct queue *q, struct item *i)
{
    struct node *n = i->node;
    if (i->action == ACTION_FOLDER) {
        folder_stand(q, n);
        return;
    }
    enum lane lane = item_lane(i);
    heap_put(&n->lane[lane].items, &i->turn, item_key(i));
    q->small_ready += lane == LANE_SMALL && !n->is_shut;
    lane_stand(q, n, lane);
}

void node_remove(struct queue *q, struct item *i)
{
    struct node *n = i->node;
    if (i->action == ACTION_FOLDER) {
        heap_remove(&q->folders, &i->turn);
        return;
    }
    enum lane lane = item_lane(i);
    heap_remove(&n->lane[lane].items, &i->turn);
    q->small_ready -= lane == LANE_SMALL && !n->is_shut;
    lane_stand(q, n, lane);
}
