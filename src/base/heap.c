/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* heap - a binary heap whose nodes know their place, so that they can be moved and removed. */
#include "base.h"

enum { HEAP_FIRST = 16 };

/* Places count from 1: the children of p are 2p and 2p + 1, its parent p / 2. */
static struct heap_node *node_at(const struct heap *h, size_t place)
{
    return h->node[place - 1];
}

static void set_down(struct heap *h, struct heap_node *n, size_t place)
{
    h->node[place - 1] = n;
    n->place = place;
}

static void settle(struct heap *h, struct heap_node *n, size_t place)
{
    for (; place > 1 && node_at(h, place / 2)->key > n->key; place /= 2)
        set_down(h, node_at(h, place / 2), place);
    for (size_t child; (child = 2 * place) <= h->count; place = child) {
        if (child < h->count && node_at(h, child + 1)->key < node_at(h, child)->key)
            child++;
        if (node_at(h, child)->key >= n->key)
            break;
        set_down(h, node_at(h, child), place);
    }
    set_down(h, n, place);
}

void heap_put(struct heap *h, struct heap_node *n, int64_t key)
{
    n->key = key;
    if (n->place) {
        settle(h, n, n->place);
        return;
    }
    if (h->count == h->size) {
        h->size = MAX(2 * h->size, HEAP_FIRST);
        h->node = mem_grow(h->node, h->size, sizeof(struct heap_node *));
    }
    h->count++;
    settle(h, n, h->count);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    size_t place = n->place;
    if (!place)
        return;
    BUG_ON(place > h->count || node_at(h, place) != n);
    struct heap_node *last = node_at(h, h->count--);
    if (last != n)
        settle(h, last, place);
    n->place = 0;
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->node[0] : NULL;
}

void heap_release(struct heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->node[i]->place = 0;
    free(h->node);
    *h = (struct heap){0};
}
