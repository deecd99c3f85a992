/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* collide - two files here, one name there: who has the name keeps it, the other is held (product.md 3 "Names"). */
#include "agent_internal.h"

#include <sys/stat.h>

struct collision {
    char *path, *other;
};

static void collision_free(struct collision *c)
{
    if (!c)
        return;
    free(c->path);
    free(c->other);
    free(c);
}

void collide_forget(struct agent *a, const char *path)
{
    collision_free(map_remove(&a->collisions, path));
}

void collide_release(struct agent *a)
{
    struct collision *c;
    for (size_t at = 0; (c = map_next(&a->collisions, &at));)
        collision_free(c);
    map_release(&a->collisions);
    a->collisions = (struct map){0};
}

const char *collide_with(const struct agent *a, const char *path)
{
    const struct collision *c = map_get(&a->collisions, path);
    return c ? c->other : NULL;
}

size_t collide_count(const struct agent *a, const char *below)
{
    const struct collision *c;
    size_t count = 0;
    for (size_t at = 0; (c = map_next(&a->collisions, &at));)
        count += path_is_same_or_below(c->path, below);
    return count;
}

/* Who has the name already: on its way, or published. */
static char *owner_of(struct agent *a, const char *path, const char *remote)
{
    const struct job *job = queue_find(a->queue, remote);

    if (job && job->action == ACTION_PUBLISH && !str_eq(job->path, path))
        return str_copy(job->path);
    return ledger_local_of(a->ledger, remote);
}

/* Asked of the disk only in this rare case: the other may have been renamed to this very name. */
static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

bool collide_holds(struct agent *a, const char *path, const char *remote)
{
    AUTO(mem_freep) char *owner = owner_of(a, path, remote);

    collide_forget(a, path);
    if (!owner || str_eq(owner, path) || !is_there(owner))
        return false;
    struct collision *c = mem_alloc(sizeof(*c));
    c->path = str_copy(path);
    c->other = take(&owner);
    log_warning("held", "path=%s cause=%s other=%s", QUOTED(c->path), cause_info(CAUSE_ASSET_COLLISION)->name,
                QUOTED(c->other));
    map_put(&a->collisions, c->path, c);
    return true;
}
