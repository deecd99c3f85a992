/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* map - text to pointer: open addressing, linear probing, tombstones, so that removing moves nothing under map_next. */
#include "base.h"

enum { MAP_FIRST = 16 }; /* a power of two, as all sizes are */

/* Never used: no value. Removed: a value without key. */
struct map_slot {
    const char *key;
    void *value;
    uint64_t hash;
};

static char tombstone;

static uint64_t hash_of(const char *key) /* FNV-1a, folded so that the low bits know all others */
{
    uint64_t hash = 0xcbf29ce484222325;
    for (const unsigned char *c = (const unsigned char *)key; *c; c++)
        hash = (hash ^ *c) * 0x100000001b3;
    return hash ^ (hash >> 32);
}

/* The slot of `key`, or NULL. There always is a slot never used, so the walk ends. */
static struct map_slot *slot_of(const struct map *m, const char *key, uint64_t hash)
{
    if (m->size == 0)
        return NULL;
    for (size_t i = hash & (m->size - 1); m->slot[i].value; i = (i + 1) & (m->size - 1))
        if (m->slot[i].key && m->slot[i].hash == hash && str_eq(m->slot[i].key, key))
            return &m->slot[i];
    return NULL;
}

static void fill_first_unused(struct map *m, struct map_slot entry)
{
    size_t i = entry.hash & (m->size - 1);
    while (m->slot[i].value)
        i = (i + 1) & (m->size - 1);
    m->slot[i] = entry;
    m->used++;
    m->count++;
}

/* A table of the size that the living entries want; the tombstones are left behind. */
static void rebuild(struct map *m)
{
    struct map old = *m;
    size_t size = MAP_FIRST;
    while (size < 2 * (old.count + 1))
        size *= 2;
    *m = (struct map){.slot = mem_array(size, sizeof(*m->slot)), .size = size};
    for (size_t i = 0; i < old.size; i++)
        if (old.slot[i].key)
            fill_first_unused(m, old.slot[i]);
    free(old.slot);
}

void *map_get(const struct map *m, const char *key)
{
    const struct map_slot *slot = slot_of(m, key, hash_of(key));
    return slot ? slot->value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
    BUG_ON(!value);
    struct map_slot entry = {key, value, hash_of(key)};
    struct map_slot *slot = slot_of(m, key, entry.hash);
    if (slot) {
        void *replaced = slot->value;
        *slot = entry;
        return replaced;
    }
    if ((m->used + 1) * 4 > m->size * 3)
        rebuild(m);
    fill_first_unused(m, entry);
    return NULL;
}

void *map_remove(struct map *m, const char *key)
{
    struct map_slot *slot = slot_of(m, key, hash_of(key));
    if (!slot)
        return NULL;
    void *value = slot->value;
    *slot = (struct map_slot){.value = &tombstone};
    m->count--;
    return value;
}

void *map_next(const struct map *m, size_t *at)
{
    while (*at < m->size) {
        const struct map_slot *slot = &m->slot[(*at)++];
        if (slot->key)
            return slot->value;
    }
    return NULL;
}

void map_release(struct map *m)
{
    free(m->slot);
    *m = (struct map){0};
}
