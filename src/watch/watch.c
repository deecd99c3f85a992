/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch - the public calls and the watcher thread's round: events, tasks, what is due, sleep.
 */
#include "watch_internal.h"

#include <errno.h>
#include <poll.h>

enum { ROUND_MS = 10000, HALF_WAIT_MS = 20, OWED_WAIT_MS = 50 };

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

int64_t watch_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t watch_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

bool watch_ignores(const struct watch *w, int folder, const char *path, bool is_dir)
{
    return w->is_ignored && w->is_ignored(w->arg, folder, path, is_dir);
}

void watch_fail(struct err *e, int error, const char *verb, const char *path)
{
    bool is_gone = error == ENOENT || error == ENOTDIR || error == ELOOP;
    bool is_denied = error == EACCES || error == EPERM;
    err_sys(e, error, "cannot %s '%s'", verb, path);
    err_cause(e, is_gone ? CAUSE_FOLDER_GONE : is_denied ? CAUSE_FILE_PERMISSION : CAUSE_FILE_UNREADABLE);
}

/* --- to the loop ------------------------------------------------------------------------------------ */

void watch_emit(struct watch *w, struct event *ev)
{
    ev->at_ms = watch_wall_ms();
    if (mailbox_put(w->out, ev)) {
        atomic_fetch_add(&w->events, 1);
        return;
    }
    w->folder[ev->folder].owes_overflow = true;
    event_free(ev);
}

void watch_say(struct watch *w, struct event *ev)
{
    struct task *task = task_new(TASK_SAY, ev->folder, NULL);
    task->event = ev;
    pool_put(&w->pool, task);
}

static bool pay_overflows(struct watch *w)
{
    bool owes = false;
    for (size_t i = 0; i < w->folders; i++) {
        struct folder *f = &w->folder[i];
        if (!f->owes_overflow)
            continue;
        struct event *ev = event_new(EVENT_OVERFLOW, (int)i, f->path);
        f->owes_overflow = false;
        watch_emit(w, ev); /* owes again when there is no room yet */
        if (f->owes_overflow)
            owes = true;
        else
            atomic_fetch_add(&w->overflows, 1);
    }
    return !owes;
}

/* --- the watcher's round ---------------------------------------------------------------------------- */

static int sleep_ms(const struct watch *w, bool is_drained, bool is_paid)
{
    int64_t now = watch_mono_ms();
    int64_t wait = MIN(ROUND_MS, w->roots_due_ms - now);
    for (size_t i = 0; i < w->folders; i++)
        if (w->folder[i].is_polled && !w->folder[i].is_lost && w->folder[i].scans == 0)
            wait = MIN(wait, w->folder[i].poll_due_ms - now);
    if (w->half)
        wait = MIN(wait, HALF_WAIT_MS);
    if (!is_paid)
        wait = MIN(wait, OWED_WAIT_MS);
    return is_drained ? (int)MAX(wait, 0) : 0;
}

static void take_tasks(struct watch *w)
{
    for (struct task *task = pool_reports(&w->pool), *next; task; task = next) {
        next = task->next;
        scan_task(w, task);
        raw_drain(w);
    }
}

static void *watcher(void *watch)
{
    struct watch *w = watch;
    while (!pool_is_stopping(&w->pool)) {
        atomic_store(&w->turned_mono_ms, watch_mono_ms());
        take_tasks(w);
        scan_look_after_roots(w);
        bool is_drained = raw_drain(w);
        if (is_drained)
            raw_settle_halves(w);
        bool is_paid = pay_overflows(w);
        struct pollfd wait[] = {{.fd = w->fd, .events = POLLIN}, {.fd = mailbox_fd(w->pool.bell), .events = POLLIN}};
        poll(wait, ARRAY_LEN(wait), sleep_ms(w, is_drained, is_paid));
    }
    return NULL;
}

/* --- the public calls ------------------------------------------------------------------------------- */

static void copy_folders(struct watch *w, const struct watch_opts *opts)
{
    w->folders = opts->folders;
    w->folder = mem_array(opts->folders, sizeof(*w->folder));
    for (size_t i = 0; i < opts->folders; i++)
        w->folder[i] = (struct folder){
            .path = str_copy(opts->folder[i].path),
            .is_polled = opts->folder[i].is_polled,
            .poll_every_ms = opts->folder[i].poll_every_ms,
            .poll_due_ms = INT64_MAX,
        };
}

static void ask_scan(struct watch *w, int folder, const char *path, uint64_t number)
{
    struct task *task = task_new(TASK_SCAN, folder, NULL);
    task->scan = scan_new(folder, path, number, true);
    pool_report(&w->pool, task);
}

static bool threads_start(struct watch *w, struct err *e)
{
    if (!pool_open(w, e))
        return false;
    atomic_store(&w->number, 1);
    for (size_t i = w->folders; i-- > 0;)
        ask_scan(w, (int)i, w->folder[i].path, 1);
    int error = pthread_create(&w->thread, NULL, watcher, w);
    if (error)
        return err_sys(e, error, "cannot start the watcher");
    w->has_thread = true;
    pthread_setname_np(w->thread, "watcher");
    return true;
}

struct watch *watch_start(const struct watch_opts *opts, struct err *e)
{
    struct watch *w = mem_alloc(sizeof(*w));
    w->out = opts->out;
    w->is_ignored = opts->is_ignored;
    w->arg = opts->arg;
    pthread_mutex_init(&w->pool.mutex, NULL);
    pthread_cond_init(&w->pool.has_work, NULL);
    copy_folders(w, opts);
    w->turned_mono_ms = w->roots_due_ms = watch_mono_ms();
    w->fd = lib_open(&w->tree, e);
    if (w->fd >= 0 && threads_start(w, e))
        return w;
    watch_stop(w);
    return NULL;
}

static void folders_free(struct watch *w)
{
    for (size_t i = 0; i < w->folders; i++) {
        struct folder *f = &w->folder[i];
        if (f->root)
            dir_drop(w, f->root);
        for (struct scan *scan; (scan = f->waiting); scan_free(scan))
            f->waiting = scan->next;
        free(f->path);
    }
    free(w->folder);
}

void watch_stop(struct watch *w)
{
    if (!w)
        return;
    pool_stop(&w->pool);
    if (w->has_thread)
        pthread_join(w->thread, NULL);
    raw_release(w);
    pool_release(&w->pool);
    folders_free(w);
    if (w->fd >= 0)
        lib_close();
    free(w);
}

uint64_t watch_scan(struct watch *w, int folder, const char *path)
{
    uint64_t number = atomic_fetch_add(&w->number, 1) + 1;
    ask_scan(w, folder, path, number);
    return number;
}

void watch_look(struct watch *w, int folder, const char *path)
{
    pool_put(&w->pool, task_new(TASK_LOOK, folder, path));
}

void watch_stats(struct watch *w, struct watch_stats *out)
{
    *out = (struct watch_stats){
        .directories = w->directories,
        .refused = w->refused,
        .events = w->events,
        .overflows = w->overflows,
        .turned_mono_ms = w->turned_mono_ms,
    };
}
