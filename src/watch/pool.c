/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Tasks between the watcher and the scanners, and the scanners' threads. The lists have no ceiling, so that neither side
 * ever waits for the other; they stay short because the newest directory is listed first.
 */
#include "watch_internal.h"

#include <poll.h>

struct task *task_new(enum task_kind kind, int folder, const char *path)
{
    struct task *task = mem_alloc(sizeof(*task));
    task->kind = kind;
    task->folder = folder;
    task->path = str_copy(path);
    return task;
}

/* `scan` and `node` are the watcher's and stay. */
void task_free(struct task *task)
{
    free(task->path);
    event_free(task->event);
    strlist_release(&task->found);
    free(task);
}

static void list_add(struct task_list *list, struct task *task)
{
    task->next = NULL;
    if (!list->first)
        list->last = &list->first;
    *list->last = task;
    list->last = &task->next;
}

static struct task *list_take(struct task **first)
{
    struct task *task = *first;
    if (task)
        *first = task->next;
    return task;
}

void pool_put(struct pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->mutex);
    if (task->kind == TASK_LIST) {
        task->next = pool->dirs;
        pool->dirs = task;
    } else {
        list_add(&pool->quick, task);
    }
    pthread_cond_signal(&pool->has_work);
    pthread_mutex_unlock(&pool->mutex);
}

static void ring(struct pool *pool)
{
    static char bell;
    if (!mailbox_put(pool->bell, &bell))
        return; /* rung already */
}

void pool_report(struct pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->mutex);
    list_add(&pool->reports, task);
    pthread_mutex_unlock(&pool->mutex);
    ring(pool);
}

struct task *pool_reports(struct pool *pool)
{
    mailbox_take(pool->bell); /* before the list: what comes later rings again */
    pthread_mutex_lock(&pool->mutex);
    struct task *first = take(&pool->reports.first);
    pthread_mutex_unlock(&pool->mutex);
    return first;
}

bool pool_is_stopping(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    bool is_stopping = pool->is_stopping;
    pthread_mutex_unlock(&pool->mutex);
    return is_stopping;
}

/* The reader may be gone while we wait: the mailbox is tried again, not slept on. */
void pool_say(struct watch *w, struct event *ev)
{
    ev->at_ms = watch_wall_ms();
    while (!mailbox_put(w->out, ev)) {
        if (pool_is_stopping(&w->pool)) {
            event_free(ev);
            return;
        }
        poll(NULL, 0, 1);
    }
    atomic_fetch_add(&w->events, 1);
}

static struct task *wait_for_task(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->is_stopping && !pool->quick.first && !pool->dirs)
        pthread_cond_wait(&pool->has_work, &pool->mutex);
    struct task *task = NULL;
    if (!pool->is_stopping)
        task = list_take(pool->quick.first ? &pool->quick.first : &pool->dirs);
    pthread_mutex_unlock(&pool->mutex);
    return task;
}

static void *scanner(void *watch)
{
    struct watch *w = watch;
    struct lister lister = {.w = w};
    struct task *task;
    while ((task = wait_for_task(&w->pool))) {
        if (task->kind == TASK_LIST) {
            lister_list(&lister, task);
            pool_report(&w->pool, task);
            continue;
        }
        if (task->kind == TASK_LOOK)
            lister_look(w, task);
        else
            pool_say(w, take(&task->event));
        task_free(task);
    }
    lister_release(&lister);
    return NULL;
}

bool pool_open(struct watch *w, struct err *e)
{
    struct pool *pool = &w->pool;
    pool->bell = mailbox_new(1, e);
    if (!pool->bell)
        return false;
    for (; pool->scanners < SCANNERS; pool->scanners++) {
        int error = pthread_create(&pool->scanner[pool->scanners], NULL, scanner, w);
        if (error)
            return err_sys(e, error, "cannot start a scanner");
        pthread_setname_np(pool->scanner[pool->scanners], "scanner");
    }
    return true;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_mutex_unlock(&pool->mutex);
    if (pool->bell)
        ring(pool);
    while (pool->scanners > 0)
        pthread_join(pool->scanner[--pool->scanners], NULL);
}

static void free_tasks(struct task *first)
{
    struct task *task;
    while ((task = list_take(&first))) {
        node_unhold(task->node);
        if (task->scan && (task->kind == TASK_SCAN || --task->scan->pending == 0))
            scan_free(task->scan);
        task_free(task);
    }
}

static void nothing(void *value UNUSED)
{
}

/* After the threads have ended. */
void pool_release(struct pool *pool)
{
    free_tasks(pool->dirs);
    free_tasks(pool->quick.first);
    free_tasks(pool->reports.first);
    mailbox_free(pool->bell, nothing);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->mutex);
}
