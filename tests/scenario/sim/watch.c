/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch - without a kernel: only what happens in a watched directory is told, and directories are watched before they are listed.
 * Events wait to be read, in their order; listings and looks are done at any moment between them.
 */
#include "sim.h"

struct task {
    int folder;
    char *path;
    uint64_t scan; /* 0: none */
    bool is_look, is_new;
};
struct watch {
    struct watch_opts opts;
    struct watch_folder folder[8];
    struct event **raw;
    size_t raws, raw_at;
    struct task *task;
    size_t tasks;
    uint64_t scans;
};

static struct watch *present;

static int folder_of(const struct watch *w, const char *path)
{
    for (size_t i = 0; i < w->opts.folders; i++)
        if (path_is_same_or_below(path, w->folder[i].path))
            return (int)i;
    return -1;
}

static bool is_ignored(const struct watch *w, const char *path, bool is_dir)
{
    return w->opts.is_ignored(w->opts.arg, folder_of(w, path), path, is_dir);
}

static void add_task(struct watch *w, struct task task)
{
    w->task = mem_grow(w->task, w->tasks + 1, sizeof(*w->task));
    w->task[w->tasks++] = task;
}

static void add_listing(struct watch *w, const char *path, uint64_t scan, bool is_new)
{
    tree_entry(path)->is_watched = true;
    add_task(w, (struct task){.folder = folder_of(w, path), .path = str_copy(path), .scan = scan, .is_new = is_new});
}

/* --- the room's calls -------------------------------------------------------------------------------------------- */

struct watch *watch_start(const struct watch_opts *opts, struct err *e UNUSED)
{
    struct watch *w = mem_alloc(sizeof(*w));
    w->opts = *opts;
    w->scans = 1;
    BUG_ON(opts->folders > ARRAY_LEN(w->folder));
    for (size_t i = 0; i < opts->folders; i++) {
        w->folder[i] = (struct watch_folder){.path = str_copy(opts->folder[i].path)};
        w->opts.folder = w->folder;
    }
    for (size_t i = 0; i < opts->folders; i++)
        add_listing(w, w->folder[i].path, 1, false);
    return present = w;
}

static void unwatch(const char *dir)
{
    size_t count;
    struct entry **list = tree_list(dir, &count);
    for (size_t i = 0; i < count; i++)
        if (list[i]->is_dir)
            unwatch(list[i]->path);
    free(list);
    if (tree_entry(dir))
        tree_entry(dir)->is_watched = false;
}

static void drop_raw(struct watch *w)
{
    for (; w->raw_at < w->raws; w->raw_at++)
        event_free(w->raw[w->raw_at]);
    w->raws = w->raw_at = 0;
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    drop_raw(w);
    free(w->raw);
    for (size_t i = 0; i < w->tasks; i++)
        free(w->task[i].path);
    free(w->task);
    for (size_t i = 0; i < w->opts.folders; i++) {
        unwatch(w->folder[i].path);
        free((char *)w->folder[i].path);
    }
    free(w);
    present = NULL;
}

uint64_t watch_scan(struct watch *w, int folder, const char *path)
{
    BUG_ON(!str_eq(path, w->folder[folder].path));
    add_listing(w, path, ++w->scans, false);
    return w->scans;
}

void watch_look(struct watch *w, int folder, const char *path)
{
    add_task(w, (struct task){.folder = folder, .path = str_copy(path), .is_look = true});
}

void watch_stats(struct watch *w UNUSED, struct watch_stats *out)
{
    *out = (struct watch_stats){.turned_mono_ms = mono_ms(&sim.clock.clock)};
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static struct event *new_event(struct watch *w, enum event_kind kind, int folder, const char *path)
{
    struct event *ev = event_new(kind, folder, path);
    ev->at_ms = wall_ms(&sim.clock.clock);
    BUG_ON(!w);
    return ev;
}

static void add_raw(struct watch *w, struct event *ev)
{
    w->raw = mem_grow(w->raw, w->raws + 1, sizeof(struct event *));
    w->raw[w->raws++] = ev;
}

static bool is_watched(const char *path)
{
    AUTO(mem_freep) char *dir = path_parent(path);
    const struct entry *n = tree_entry(dir);
    return n && n->is_watched;
}

static bool is_told(const char *path, bool is_dir)
{
    return present && is_watched(path) && !is_ignored(present, path, is_dir);
}

void watch_tell(enum event_kind kind, const char *path, bool is_dir)
{
    if (!is_told(path, is_dir))
        return;
    struct event *ev = new_event(present, kind, folder_of(present, path), path);
    ev->is_dir = is_dir;
    add_raw(present, ev);
    if (is_dir && kind == EVENT_MADE)
        add_listing(present, path, 0, true);
}

void watch_tell_rename(const char *from, const char *to, bool is_dir)
{
    bool has_from = is_told(from, is_dir), has_to = is_told(to, is_dir);
    if (has_from && (!has_to || is_dir))
        watch_tell(EVENT_MOVED_OUT, from, is_dir);
    if (is_dir && !has_to)
        unwatch(to);
    if (!has_to)
        return;
    struct event *ev = new_event(present, EVENT_MOVED_IN, folder_of(present, to), to);
    ev->is_dir = is_dir;
    ev->from = has_from ? str_copy(from) : NULL;
    add_raw(present, ev);
    if (is_dir)
        add_listing(present, to, 0, true);
}

void watch_lose_events(void)
{
    if (!present)
        return;
    drop_raw(present);
    for (size_t i = 0; i < present->opts.folders; i++)
        add_raw(present, new_event(present, EVENT_OVERFLOW, (int)i, present->folder[i].path));
}

/* --- listings and looks ------------------------------------------------------------------------------------------ */

static void say(struct watch *w, struct event *ev)
{
    BUG_ON(!mailbox_put(w->opts.out, ev));
}

static void say_piece(struct watch *w, const struct task *t, struct entry **list, size_t count, const char *after,
                      bool is_last)
{
    struct event *ev = new_event(w, EVENT_LISTING, t->folder, t->path);
    struct listing *l = ev->listing = mem_alloc(sizeof(*l));
    ev->is_dir = true;
    ev->scan = t->scan;
    *l = (struct listing){.after = str_copy(after), .is_first = !*after, .is_last = is_last, .is_new_dir = t->is_new};
    l->entry = mem_array(count + 1, sizeof(*l->entry));
    for (size_t i = 0; i < count; i++) {
        struct listing_entry *entry = &l->entry[l->count++];
        entry->name = str_copy(path_name(list[i]->path));
        entry->is_dir = list[i]->is_dir;
        entry->is_regular = !list[i]->is_dir;
        tree_seen(list[i], &entry->seen);
    }
    say(w, ev);
}

static void list_dir(struct watch *w, const struct task *t)
{
    size_t all, count = 0;
    struct entry **list = tree_list(t->path, &all);
    for (size_t i = 0; i < all; i++)
        if (!is_ignored(w, list[i]->path, list[i]->is_dir))
            list[count++] = list[i];
    for (size_t at = 0, len; at == 0 || at < count; at += len) {
        len = MIN(sim.piece, count - at);
        say_piece(w, t, list + at, len, at ? path_name(list[at - 1]->path) : "", at + len == count);
        if (len == 0)
            break;
    }
    for (size_t i = 0; i < count; i++)
        if (list[i]->is_dir)
            add_listing(w, list[i]->path, t->scan, t->is_new);
    free(list);
}

static void look(struct watch *w, const struct task *t)
{
    struct event *ev = new_event(w, EVENT_LOOKED, t->folder, t->path);
    const struct entry *n = tree_entry(t->path);
    if (n) {
        ev->exists = true;
        ev->is_regular = !n->is_dir;
        ev->is_closed = !n->is_dir && n->inode->writers == 0;
        tree_seen(n, &ev->seen);
    }
    say(w, ev);
}

static void end_scan(struct watch *w, int folder, uint64_t scan)
{
    for (size_t i = 0; i < w->tasks; i++)
        if (w->task[i].folder == folder && w->task[i].scan == scan)
            return;
    struct event *ev = new_event(w, EVENT_SCANNED, folder, w->folder[folder].path);
    ev->scan = scan;
    say(w, ev);
}

static bool do_task(struct watch *w)
{
    if (w->tasks == 0)
        return false;
    size_t at = (size_t)random_below(&sim.random, (int64_t)w->tasks);
    struct task t = w->task[at];
    w->task[at] = w->task[--w->tasks];
    if (t.is_look)
        look(w, &t);
    else if (tree_entry(t.path)) /* else it went meanwhile */
        list_dir(w, &t);
    if (t.scan)
        end_scan(w, t.folder, t.scan);
    free(t.path);
    return true;
}

static bool read_raw(struct watch *w)
{
    if (w->raw_at == w->raws)
        return false;
    say(w, w->raw[w->raw_at++]);
    if (w->raw_at == w->raws)
        w->raws = w->raw_at = 0;
    return true;
}

bool watch_step(void)
{
    if (!present)
        return false;
    if (random_below(&sim.random, 2))
        return read_raw(present) || do_task(present);
    return do_task(present) || read_raw(present);
}

bool watch_is_idle(void)
{
    return !present || (present->tasks == 0 && present->raws == present->raw_at);
}
