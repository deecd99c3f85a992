/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* said - what several commands say in the same words. */
#include "cmd_internal.h"

enum { SKIPPED_SHOWN = 20 };

char *asset_name(const struct profile *p, const json_t *object)
{
    AUTO(mem_freep) char *path = control_get_path(object, "path");
    AUTO(mem_freep) char *remote = control_get_path(object, "remote");
    const struct profile_folder *f = path ? profile_folder_of(p, path) : NULL;
    const char *below = f ? path_below(path, f->path) : NULL;

    if (below)
        return path_join(f->to, below);
    if (f)
        return str_copy(f->to);
    if (path && path[0])
        return take(&path);
    below = remote ? path_below(remote, p->tenant.root) : NULL;
    return str_copy(below ? below : remote ? remote : "");
}

void say_queued(const struct cmd *c, int64_t n, const char *thing, const char *purpose)
{
    if (!c->is_quiet)
        printf("%s %s been queued up for %s.\n", COUNT_OF(n, thing), n == 1 ? "has" : "have", purpose);
}

void say_skipped(const json_t *skipped)
{
    size_t count = json_array_size(skipped);

    fflush(stdout);
    for (size_t i = 0; i < MIN(count, SKIPPED_SHOWN); i++) {
        const json_t *item = json_array_get(skipped, i);
        AUTO(mem_freep) char *path = control_get_path(item, "path");
        fprintf(stderr, "skipped  %s  %s: %s\n", SHELL(path ? path : ""), SAFE(control_get_text(item, "state")),
                SAFE(control_get_text(item, "reason")));
    }
    if (count > SKIPPED_SHOWN)
        fprintf(stderr, "skipped  %s more; why: brandsync explain PATH\n", GROUPED((int64_t)(count - SKIPPED_SHOWN)));
}
