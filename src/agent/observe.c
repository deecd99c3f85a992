/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* observe - events and listings -> change table. Scan + ledger is the truth; an event only says where to look. */
#include "agent_internal.h"

enum { OVERFLOW_DAMP_MS = 1000 };

static struct change_rules rules_of(const struct profile_folder *f)
{
    return (struct change_rules){.settle_ms = f->settle_ms, .settle_unseen_ms = f->settle_unseen_ms};
}

/* What a file found by a listing, or looked at, means beside what the ledger knows of it. */
static void compare(struct agent *a, int folder, const char *path, const struct seen *seen, const struct file_row *row,
                    bool is_first)
{
    const struct profile_folder *f = &a->profile->folder[folder];
    struct change_rules rules = rules_of(f);
    struct err e;

    if (row && row->state == FILE_UNPUBLISHED)
        return;
    if (row && seen_is_same_content(&row->seen, seen) && !(row->is_racy && row->state == FILE_PUBLISHED))
        return;
    if (!row && is_first && f->existing == EXISTING_SKIP) {
        struct file_row known = {.state = FILE_KNOWN, .seen = *seen, .bytes = seen->bytes};
        AUTO(mem_freep) char *remote = local_remote(a, path);
        if (remote && !ledger_file_put(a->ledger, path, remote, &known, &e))
            health_failed(a, &e);
        return;
    }
    change_found(a->changes, folder, path, seen, &rules, agent_now(a));
}

/* --- listings: merged with the ledger's rows of that directory, both in byte order -------------------------- */

struct merge {
    struct ledger_cursor *rows;
    const char *name; /* of `row`; NULL: no more */
    struct file_row row;
};

static void merge_step(struct merge *m)
{
    if (!ledger_next(m->rows, &m->name, &m->row))
        m->name = NULL;
}

static const struct file_row *merge_find(struct merge *m, const char *name)
{
    while (m->name && strcmp(m->name, name) < 0)
        merge_step(m);
    return m->name && str_eq(m->name, name) ? &m->row : NULL;
}

static void observe_listing(struct agent *a, const struct event *ev)
{
    const struct listing *l = ev->listing;
    const struct folder_live *live = &a->live[ev->folder];
    struct change_rules rules = rules_of(&a->profile->folder[ev->folder]);
    struct merge m = {.rows = ledger_dir_rows(a->ledger, ev->path, l->after)};

    if (l->is_new_dir && l->is_first)
        change_new_dir(a->changes, ev->folder, ev->path, &rules, agent_now(a));
    merge_step(&m);
    for (size_t i = 0; i < l->count; i++) {
        const struct listing_entry *entry = &l->entry[i];
        if (entry->is_dir || !entry->is_regular)
            continue;
        AUTO(mem_freep) char *path = path_join(ev->path, entry->name);
        compare(a, ev->folder, path, &entry->seen, merge_find(&m, entry->name), live->is_first && !l->is_new_dir);
    }
    ledger_cursor_free(m.rows);
}

/* --- scans and lost folders -------------------------------------------------------------------------------- */

static void folder_is_back(struct agent *a, int folder)
{
    struct folder_live *live = &a->live[folder];

    if (!live->is_halted)
        return;
    live->is_halted = false;
    log_info("folder-back", "path=%s", QUOTED(a->profile->folder[folder].path));
}

static void observe_scanned(struct agent *a, const struct event *ev)
{
    struct folder_live *live = &a->live[ev->folder];
    struct err e;

    if (live->scan != ev->scan)
        return;
    live->scan = 0;
    folder_is_back(a, ev->folder);
    if (live->is_first && !ledger_folder_begun(a->ledger, a->profile->folder[ev->folder].path, true, &e))
        health_failed(a, &e);
    live->is_first = false;
    if (live->wants_scan)
        observe_scan_soon(a, ev->folder, OVERFLOW_DAMP_MS);
    log_info("scanned", "folder=%s", QUOTED(a->profile->folder[ev->folder].path));
}

static void observe_lost(struct agent *a, const struct event *ev)
{
    struct folder_live *live = &a->live[ev->folder];
    bool is_root = str_eq(ev->path, a->profile->folder[ev->folder].path);

    if (is_root && live->is_halted)
        return;
    log_warning(is_root ? "folder-halted" : "directory-unreadable", "path=%s why=%s", QUOTED(ev->path),
                QUOTED(ev->err.text));
    if (!is_root)
        return;
    live->is_halted = true;
    live->why = ev->err;
}

static void observe_overflow(struct agent *a, const struct event *ev)
{
    log_warning("overflow", "folder=%s action=rescan", QUOTED(a->profile->folder[ev->folder].path));
    observe_scan_soon(a, ev->folder, OVERFLOW_DAMP_MS);
}

/* Scans of a folder never overlap: what is wanted during one begins after it, so that a storm of overflows cannot pile up. */
void observe_scan_soon(struct agent *a, int folder, int64_t in_ms)
{
    a->live[folder].wants_scan = true;
    if (a->live[folder].scan == 0)
        loop_timer_set(a->loop, &a->scan_timer, in_ms);
}

void observe_scan(void *agent)
{
    struct agent *a = agent;

    for (size_t i = 0; i < a->profile->folders; i++) {
        struct folder_live *live = &a->live[i];
        if (!live->wants_scan || live->scan != 0)
            continue;
        live->wants_scan = false;
        live->scan = watch_scan(a->watch, (int)i, a->profile->folder[i].path);
    }
}

/* --- single files -------------------------------------------------------------------------------------------- */

static void observe_file(struct agent *a, const struct event *ev)
{
    struct change_rules rules = rules_of(&a->profile->folder[ev->folder]);

    if (!ev->is_dir)
        change_event(a->changes, ev, &rules, agent_now(a));
    else if (ev->kind == EVENT_MADE || ev->kind == EVENT_MOVED_IN)
        change_new_dir(a->changes, ev->folder, ev->path, &rules, agent_now(a));
}

/* A look that was asked for by the change table, or by a receipt that found the file changed. */
static void observe_looked(struct agent *a, const struct event *ev)
{
    struct change_info info;
    struct file_row row;

    a->looks--;
    if (change_info(a->changes, ev->path, &info))
        observe_file(a, ev);
    else if (ev->exists && ev->is_regular)
        compare(a, ev->folder, ev->path, &ev->seen, ledger_file_get(a->ledger, ev->path, &row) ? &row : NULL, false);
}

static void (*const observers[EVENT_KINDS])(struct agent *a, const struct event *ev) = {
    [EVENT_MADE] = observe_file,       [EVENT_WRITTEN] = observe_file,    [EVENT_MOVED_IN] = observe_file,
    [EVENT_REMOVED] = observe_file,    [EVENT_MOVED_OUT] = observe_file,  [EVENT_LOOKED] = observe_looked,
    [EVENT_LISTING] = observe_listing, [EVENT_SCANNED] = observe_scanned, [EVENT_OVERFLOW] = observe_overflow,
    [EVENT_LOST] = observe_lost,
};

void observe_event(void *agent, void *event)
{
    AUTO(event_freep) struct event *ev = event;

    observers[ev->kind](agent, ev);
}

void observe_look(struct agent *a, int folder, const char *path)
{
    if (a->looks++ == 0)
        a->looks_ms = agent_now(a);
    watch_look(a->watch, folder, path);
}

void observe_settle(struct agent *a)
{
    for (;;) {
        struct change c = {0};
        enum change_step step = change_next(a->changes, agent_now(a), &c);
        if (step == CHANGE_LOOK)
            observe_look(a, c.folder, c.path);
        else if (step == CHANGE_READY)
            decide_change(a, &c);
        change_release(&c);
        if (step == CHANGE_NOTHING)
            break;
    }
    int64_t due_ms = change_due_ms(a->changes);
    if (due_ms == INT64_MAX)
        loop_timer_stop(a->loop, &a->settle_timer);
    else
        loop_timer_set(a->loop, &a->settle_timer, MAX(due_ms - agent_now(a), 0));
}
