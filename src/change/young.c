/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * change - new directories, and the places where entries wait: below a new directory, or by themselves.
 */
#include "change_internal.h"

void young_free(struct young *young)
{
    heap_release(&young->held);
    free(young);
}

struct young *young_above(const struct change_table *t, const char *path)
{
    if (t->youngs.count == 0)
        return NULL;
    AUTO(mem_freep) char *dir = str_copy(path);
    for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        struct young *young = map_get(&t->youngs, dir);
        if (young)
            return young;
        *slash = '/';
    }
    return NULL;
}

void young_wait(struct change_table *t, struct young *young)
{
    if (young->open > 0)
        heap_remove(&t->young_due, &young->node);
    else
        heap_put(&t->young_due, &young->node, young->quiet_ms + young->settle_ms);
}

void young_stir(struct change_table *t, struct young *young, int64_t now_ms)
{
    if (!young)
        return;
    young->quiet_ms = now_ms;
    young_wait(t, young);
}

void young_release(struct change_table *t, struct young *young)
{
    struct heap_node *node;
    while ((node = heap_first(&young->held))) {
        heap_remove(&young->held, node);
        container_of(node, struct entry, node)->young = NULL;
        heap_put(&t->due, node, node->key);
    }
    heap_remove(&t->young_due, &young->node);
    map_remove(&t->youngs, young->path);
    young_free(young);
}

static bool is_held(const struct entry *entry)
{
    return entry->young && !change_trait[entry->state].is_open;
}

void entry_place(struct change_table *t, struct entry *entry, int64_t key)
{
    heap_put(is_held(entry) ? &entry->young->held : &t->due, &entry->node, key);
}

/* Out of every place it is in or counted in. */
void entry_unplace(struct change_table *t, struct entry *entry)
{
    heap_remove(is_held(entry) ? &entry->young->held : &t->due, &entry->node);
    if (entry->young && change_trait[entry->state].is_open) {
        entry->young->open--;
        young_wait(t, entry->young);
    }
    entry->young = NULL;
    entry->is_looking = entry->is_settled = false;
}
