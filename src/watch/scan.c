/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Directories into the tree and to the scanners, scans from their beginning to EVENT_SCANNED, roots that come and go.
 * A directory is watched, then listed; what its listing found comes back here and is treated alike.
 */
#include "watch_internal.h"

#include <errno.h>
#include <sys/stat.h>

enum { ROOTS_EVERY_MS = 5000, DRAIN_EVERY = 256 };

/* --- directories ------------------------------------------------------------------------------------ */

void dir_drop(struct watch *w, struct node *node)
{
    while (node->child)
        dir_drop(w, node->child);
    if (node->wd >= 0) {
        lib_drop(node->wd);
        atomic_fetch_sub(&w->directories, 1);
    }
    if (node->is_refused)
        atomic_fetch_sub(&w->refused, 1);
    if (!node->parent)
        w->folder[node->folder].root = NULL;
    tree_remove(&w->tree, node);
}

/* The kernel knows this inode by another place: a rename whose event is still to come, unless it is a second way to it. */
static bool dir_follow(struct node *known, struct node *parent, const char *name, uint64_t round)
{
    if (node_is_at(known, parent, name))
        return true;
    bool is_second_way = !known->parent || node_holds(known, parent) || (round > 0 && known->round >= round);
    if (!is_second_way)
        node_move(known, parent, name);
    return !is_second_way;
}

/* Watches `name` in `parent` (NULL: a root). Returns its node, which may be an unwatched one; NULL: it is not there. */
static struct node *dir_watch(struct watch *w, struct node *parent, int folder, const char *name, uint64_t round,
                              bool *is_known)
{
    AUTO(mem_freep) char *path = parent ? node_path(parent, name) : str_copy(name);
    int error = 0;
    int wd = w->folder[folder].is_polled ? -1 : lib_watch(path, &error);
    *is_known = false;
    if (error == ENOENT || error == ENOTDIR || error == ELOOP)
        return NULL;
    struct node *node = wd >= 0 ? tree_find(&w->tree, wd) : NULL;
    if (node && dir_follow(node, parent, name, round)) {
        *is_known = true;
        node->folder = folder;
        return node;
    }
    bool is_double = node != NULL;
    node = node_new(parent, folder, name);
    node->is_refused = error == ENOSPC || error == ENOMEM;
    if (node->is_refused)
        atomic_fetch_add(&w->refused, 1);
    if (wd >= 0 && !is_double) {
        tree_add(&w->tree, node, wd);
        atomic_fetch_add(&w->directories, 1);
    }
    return node;
}

static void dir_list(struct watch *w, struct node *node, struct scan *scan, bool is_new, bool is_whole)
{
    AUTO(mem_freep) char *path = node_path(node, NULL);
    struct task *task = task_new(TASK_LIST, node_folder(node), path);
    task->node = node_hold(node);
    task->is_new = is_new;
    task->is_whole = is_whole;
    task->scan = scan;
    if (scan)
        scan->pending++;
    pool_put(&w->pool, task);
}

/* Known already means: whoever made it known has it listed, unless all are to be listed. */
static void dir_follow_up(struct watch *w, struct node *parent, const char *name, struct scan *scan, bool is_new,
                          bool is_whole)
{
    bool is_known;
    struct node *node = dir_watch(w, parent, node_folder(parent), name, scan ? scan->round : 0, &is_known);
    if (!node)
        return;
    node->round = MAX(node->round, scan ? scan->round : w->round);
    if (!is_known || is_whole)
        dir_list(w, node, scan, is_new, is_whole);
}

void dir_made(struct watch *w, struct node *parent, const char *name, bool is_moved)
{
    dir_follow_up(w, parent, name, NULL, true, is_moved);
}

void dir_relist(struct watch *w, struct node *node)
{
    node->round = w->round;
    dir_list(w, node, NULL, true, true);
}

/* --- scans ------------------------------------------------------------------------------------------ */

struct scan *scan_new(int folder, const char *path, uint64_t number, bool is_told)
{
    struct scan *scan = mem_alloc(sizeof(*scan));
    scan->folder = folder;
    scan->path = str_copy(path);
    scan->number = number;
    scan->is_told = is_told;
    return scan;
}

void scan_free(struct scan *scan)
{
    node_unhold(scan->top);
    free(scan->path);
    free(scan);
}

/* The folder is away: what was asked for is done when it is back. Of our own wishes one is enough. */
static void scan_wait(struct folder *f, struct scan *scan)
{
    struct scan **last = &f->waiting;
    while (*last)
        last = &(*last)->next;
    if (scan->number == 0 && f->waiting) {
        scan_free(scan);
        return;
    }
    node_unhold(take(&scan->top));
    scan->next = NULL;
    scan->is_told = true;
    *last = scan;
}

/* Directories that the scan did not meet are gone, and their going was missed. */
static void sweep(struct watch *w, struct node *node, uint64_t round)
{
    if (node->is_unread)
        return;
    for (struct node *child = node->child, *next; child; child = next) {
        next = child->next;
        if (child->round < round)
            dir_drop(w, child);
        else
            sweep(w, child, round);
    }
}

static void scan_end(struct watch *w, struct scan *scan)
{
    struct folder *f = &w->folder[scan->folder];
    f->scans--;
    f->poll_due_ms = watch_mono_ms() + f->poll_every_ms;
    if (f->is_lost) {
        scan_wait(f, scan);
        return;
    }
    if (!scan->top->is_dead)
        sweep(w, scan->top, scan->round);
    if (scan->is_told) {
        struct event *ev = event_new(EVENT_SCANNED, scan->folder, scan->path);
        ev->is_dir = true;
        ev->scan = scan->number;
        watch_say(w, ev);
    }
    scan_free(scan);
}

/* The deepest directory on the way to `path` that is known. */
static struct node *nearest(struct node *node, const char *path)
{
    const char *rest = path_below(path, node->name);
    while (rest && *rest) {
        size_t len = strcspn(rest, "/");
        AUTO(mem_freep) char *name = str_copy_n(rest, len);
        struct node *child = node_child(node, name);
        if (!child)
            break;
        node = child;
        rest += len + (rest[len] == '/');
    }
    return node;
}

static bool root_open(struct watch *w, int folder);

static void scan_begin(struct watch *w, struct scan *scan)
{
    struct folder *f = &w->folder[scan->folder];
    if (!root_open(w, scan->folder)) {
        scan_wait(f, scan);
        return;
    }
    f->scans++;
    scan->round = ++w->round;
    scan->top = node_hold(nearest(f->root, scan->path));
    scan->top->round = scan->round;
    dir_list(w, scan->top, scan, false, true);
}

static void scan_again(struct watch *w, int folder)
{
    struct folder *f = &w->folder[folder];
    struct scan *scan = take(&f->waiting);
    if (!scan)
        scan = scan_new(folder, f->path, 0, true);
    for (struct scan *next; scan; scan = next) {
        next = scan->next;
        scan->next = NULL;
        scan_begin(w, scan);
    }
}

/* --- roots ------------------------------------------------------------------------------------------ */

static void say_lost(struct watch *w, int folder, const char *path, int error)
{
    struct event *ev = event_new(EVENT_LOST, folder, path);
    ev->is_dir = true;
    watch_fail(&ev->err, error, "watch", path);
    watch_say(w, ev);
}

static void root_lose(struct watch *w, int folder, int error)
{
    struct folder *f = &w->folder[folder];
    if (!f->is_lost)
        say_lost(w, folder, f->path, error);
    f->is_lost = true;
    if (f->root)
        dir_drop(w, f->root);
}

/* Polled roots may lie on a server that is away: only scanners touch them. */
static bool root_look(struct watch *w, int folder, struct stat *st)
{
    struct folder *f = &w->folder[folder];
    int error = lstat(f->path, st) == 0 ? 0 : errno;
    if (error == 0 && S_ISDIR(st->st_mode))
        return true;
    root_lose(w, folder, error ? error : ENOTDIR);
    return false;
}

static bool root_open(struct watch *w, int folder)
{
    struct folder *f = &w->folder[folder];
    struct stat st = {0};
    if (f->root)
        return true;
    if (!f->is_polled && !root_look(w, folder, &st))
        return false;
    f->dev = st.st_dev; /* looked at before it is watched: a root that is replaced in between differs */
    f->ino = st.st_ino;
    bool is_known;
    f->root = dir_watch(w, NULL, folder, f->path, 0, &is_known);
    if (f->root)
        return true;
    root_lose(w, folder, ENOENT);
    return false;
}

void root_check(struct watch *w, int folder)
{
    struct folder *f = &w->folder[folder];
    struct stat st;
    if (f->is_lost || !root_look(w, folder, &st))
        return;
    if (f->root && f->dev == st.st_dev && f->ino == st.st_ino)
        return;
    if (f->root)
        dir_drop(w, f->root);
    scan_again(w, folder);
}

static void root_is_back(struct watch *w, int folder)
{
    struct folder *f = &w->folder[folder];
    f->is_lost = false;
    if (f->waiting)
        scan_again(w, folder);
}

void scan_look_after_roots(struct watch *w)
{
    int64_t now = watch_mono_ms();
    bool is_due = now >= w->roots_due_ms;
    if (is_due)
        w->roots_due_ms = now + ROOTS_EVERY_MS;
    for (size_t i = 0; i < w->folders; i++) {
        struct folder *f = &w->folder[i];
        if (f->is_lost && is_due && f->scans == 0)
            scan_again(w, (int)i);
        else if (!f->is_polled && is_due)
            root_check(w, (int)i);
        else if (f->is_polled && !f->is_lost && f->scans == 0 && now >= f->poll_due_ms)
            scan_begin(w, scan_new((int)i, f->path, 0, false));
    }
}

/* --- what comes to the watcher ---------------------------------------------------------------------- */

static void list_failed(struct watch *w, const struct task *task)
{
    struct node *node = task->node;
    node->is_unread = true;
    if (!node->parent)
        root_lose(w, task->folder, task->error);
    else if (task->error != ENOENT) /* that is: removed meanwhile */
        say_lost(w, task->folder, task->path, task->error);
}

/* From its end: the scanners take the newest first. Events must not pile up behind a large directory. */
static void list_done(struct watch *w, const struct task *task)
{
    struct node *node = task->node;
    node->is_unread = false;
    if (!node->parent)
        root_is_back(w, task->folder);
    for (size_t i = task->found.count; i-- > 0 && !node->is_dead;) {
        dir_follow_up(w, node, task->found.item[i], task->scan, task->is_new, task->is_whole);
        if (i % DRAIN_EVERY == DRAIN_EVERY - 1)
            raw_drain(w);
    }
}

static void scan_report(struct watch *w, struct task *task)
{
    if (task->node->is_dead)
        ; /* nobody wants to know any more */
    else if (task->error)
        list_failed(w, task);
    else
        list_done(w, task);
    node_unhold(task->node);
    if (task->scan && --task->scan->pending == 0)
        scan_end(w, task->scan);
}

void scan_task(struct watch *w, struct task *task)
{
    if (task->kind == TASK_SCAN)
        scan_begin(w, task->scan);
    else
        scan_report(w, task);
    task_free(task);
}
