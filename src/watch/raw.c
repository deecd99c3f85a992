/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The kernel's events in their order: names become paths by the tree as it is at that moment, halves of renames meet.
 */
#include "watch_internal.h"

#include <sys/inotify.h>

enum { DRAIN_MAX = 65536, HALF_MS = 20 };

/* What one raw event speaks of. */
struct news {
    struct node *node; /* the directory that is watched */
    const char *name;
    char *path;
    int folder;
    uint32_t cookie;
    bool is_dir, is_ignored;
};

static void tell(struct watch *w, enum event_kind kind, int folder, const char *path, bool is_dir)
{
    struct event *ev = event_new(kind, folder, path);
    ev->is_dir = is_dir;
    watch_emit(w, ev);
}

static void owe_overflow(struct watch *w, int folder)
{
    w->folder[folder].owes_overflow = true;
}

/* --- halves of renames ------------------------------------------------------------------------------ */

static void half_free(struct half *half)
{
    node_unhold(half->node);
    free(half->path);
    free(half);
}

void raw_release(struct watch *w)
{
    for (struct half *half; (half = w->half); half_free(half))
        w->half = half->next;
}

/* The directory may have been found elsewhere meanwhile. */
static bool half_is_still_there(const struct half *half)
{
    if (!half->node || half->node->is_dead)
        return false;
    AUTO(mem_freep) char *path = node_path(half->node, NULL);
    return str_eq(path, half->path);
}

/* Its other half will not come: it left what we watch. */
static void half_out(struct watch *w, struct half *half)
{
    tell(w, EVENT_MOVED_OUT, half->folder, half->path, half->is_dir);
    if (half_is_still_there(half))
        dir_drop(w, half->node);
    half_free(half);
}

static struct half *half_take(struct watch *w, uint32_t cookie)
{
    for (struct half **at = &w->half; *at; at = &(*at)->next) {
        struct half *half = *at;
        if (half->cookie != cookie)
            continue;
        *at = half->next;
        return half;
    }
    return NULL;
}

/* Something else has this name now: the leaving must be told before it. */
static void halves_leave(struct watch *w, const char *path)
{
    for (struct half **at = &w->half; *at;) {
        struct half *half = *at;
        if (!str_eq(half->path, path)) {
            at = &half->next;
            continue;
        }
        *at = half->next;
        half_out(w, half);
    }
}

void raw_settle_halves(struct watch *w)
{
    int64_t now = watch_mono_ms();
    for (struct half **at = &w->half; *at;) {
        struct half *half = *at;
        if (half->empty_mono_ms == 0 || now < half->empty_mono_ms + HALF_MS) {
            at = &half->next;
            continue;
        }
        *at = half->next;
        half_out(w, half);
    }
}

/* --- one handler per event -------------------------------------------------------------------------- */

static void on_create(struct watch *w, const struct news *n)
{
    tell(w, EVENT_MADE, n->folder, n->path, n->is_dir);
    if (n->is_dir)
        dir_made(w, n->node, n->name, false);
}

static void on_written(struct watch *w, const struct news *n)
{
    tell(w, EVENT_WRITTEN, n->folder, n->path, false);
}

static void on_delete(struct watch *w, const struct news *n)
{
    tell(w, EVENT_REMOVED, n->folder, n->path, n->is_dir);
}

static void on_moved_from(struct watch *w, const struct news *n)
{
    struct half *half = mem_alloc(sizeof(*half));
    *half = (struct half){
        .next = w->half,
        .cookie = n->cookie,
        .folder = n->folder,
        .is_dir = n->is_dir,
        .path = str_copy(n->path),
        .node = n->is_dir ? node_hold(node_child(n->node, n->name)) : NULL,
    };
    w->half = half;
}

static void dir_moved(struct watch *w, const struct news *n, struct half *half)
{
    if (!half || !half_is_still_there(half) || node_holds(half->node, n->node)) {
        dir_made(w, n->node, n->name, true);
        return;
    }
    node_move(half->node, n->node, n->name);
    dir_relist(w, half->node);
}

static void on_moved_to(struct watch *w, const struct news *n)
{
    struct half *half = half_take(w, n->cookie);
    halves_leave(w, n->path);
    if (half && n->is_ignored) {
        half_out(w, half);
        return;
    }
    if (n->is_ignored)
        return;
    if (half && half->is_dir)
        tell(w, EVENT_MOVED_OUT, half->folder, half->path, true);
    struct event *ev = event_new(EVENT_MOVED_IN, n->folder, n->path);
    ev->is_dir = n->is_dir;
    ev->from = half ? str_copy(half->path) : NULL;
    watch_emit(w, ev);
    if (n->is_dir)
        dir_moved(w, n, half);
    if (half)
        half_free(half);
}

/* Usually its parents tell; an unwatched parent cannot. */
static void on_move_self(struct watch *w, const struct news *n)
{
    if (!n->node->parent) {
        root_check(w, n->folder);
    } else if (n->node->parent->wd < 0) {
        dir_drop(w, n->node);
        owe_overflow(w, n->folder);
    }
}

static void on_unmount(struct watch *w, const struct news *n)
{
    owe_overflow(w, n->folder);
}

/* The kernel watches it no more: deleted or unmounted. */
static void on_ignored(struct watch *w, const struct news *n)
{
    bool is_root = !n->node->parent;
    dir_drop(w, n->node);
    if (is_root)
        root_check(w, n->folder);
}

static const struct {
    uint32_t bit;
    bool is_named, takes_ignored;
    void (*handle)(struct watch *w, const struct news *n);
} handlers[] = {
    {IN_CREATE, true, false, on_create},    {IN_CLOSE_WRITE, true, false, on_written},
    {IN_DELETE, true, false, on_delete},    {IN_MOVED_FROM, true, false, on_moved_from},
    {IN_MOVED_TO, true, true, on_moved_to}, {IN_MOVE_SELF, false, false, on_move_self},
    {IN_UNMOUNT, false, false, on_unmount}, {IN_IGNORED, false, false, on_ignored},
};

static void handle_named(struct watch *w, const struct inotify_event *raw, struct news *n, size_t i)
{
    n->name = raw->name;
    AUTO(mem_freep) char *path = n->path = node_path(n->node, raw->name);
    n->is_ignored = watch_ignores(w, n->folder, path, n->is_dir);
    if (n->is_ignored && !handlers[i].takes_ignored)
        return;
    if (handlers[i].bit != IN_MOVED_TO) /* that one first takes its own half */
        halves_leave(w, path);
    handlers[i].handle(w, n);
}

static void on_raw(struct watch *w, const struct inotify_event *raw)
{
    if (raw->mask & IN_Q_OVERFLOW)
        for (size_t i = 0; i < w->folders; i++)
            w->folder[i].owes_overflow |= !w->folder[i].is_polled;
    struct node *node = tree_find(&w->tree, raw->wd);
    if (!node)
        return; /* of a directory that was let go */
    struct news n = {.node = node, .folder = node_folder(node), .cookie = raw->cookie, .is_dir = raw->mask & IN_ISDIR};
    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (!(raw->mask & handlers[i].bit))
            continue;
        if (!handlers[i].is_named)
            handlers[i].handle(w, &n);
        else if (raw->len > 0)
            handle_named(w, raw, &n, i);
        return; /* the kernel sets one of them only */
    }
}

/* Until nothing is left: epoll and poll see the kernel's queue alone, not what the library has read. */
bool raw_drain(struct watch *w)
{
    for (int i = 0; i < DRAIN_MAX; i++) {
        const struct inotify_event *raw = lib_next();
        if (raw) {
            on_raw(w, raw);
            continue;
        }
        for (struct half *half = w->half; half; half = half->next)
            if (half->empty_mono_ms == 0)
                half->empty_mono_ms = watch_mono_ms();
        return true;
    }
    return false;
}
