/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* uploaders - the threads: one slot each for the next batch, never a backlog; results leave by the mailbox. */
#include "upload_internal.h"

#include <sys/resource.h>
#include <unistd.h>

enum { NICE = 5 };

struct slot {
    struct upload_one *one;
    struct mailbox *results;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t hand_mutex; /* for these two: */
    struct batch *batch;
    bool is_stopping;
    pthread_cond_t handed;

    bool is_busy;       /* the loop's thread alone */
    uint64_t idle_turn; /* when it became idle, counted in batches done */
};

struct uploaders {
    struct slot *slot;
    int count;
    uint64_t turns;
    atomic_bool cancel;
};

/* --- in the thread --------------------------------------------------------------------------------- */

static struct batch *wait_for_batch(struct slot *s)
{
    pthread_mutex_lock(&s->hand_mutex);
    while (!s->batch && !s->is_stopping)
        pthread_cond_wait(&s->handed, &s->hand_mutex);
    struct batch *batch = take(&s->batch);
    pthread_mutex_unlock(&s->hand_mutex);
    return batch;
}

static void *work(void *arg)
{
    struct slot *s = arg;
    char name[16];
    snprintf(name, sizeof(name), "uploader-%d", s->one->number);
    pthread_setname_np(pthread_self(), name);
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICE); /* a unit may forbid it: then all are equal */

    for (struct batch *batch; (batch = wait_for_batch(s));) {
        struct result *result = upload_run_one(s->one, batch);
        if (!mailbox_put_wait(s->results, result))
            result_free(result);
    }
    return NULL;
}

/* --- in the loop's thread -------------------------------------------------------------------------- */

static bool start(struct slot *s, const struct upload_opts *opts, int number, const atomic_bool *cancel, struct err *e)
{
    s->one = upload_one_new(opts, number, cancel);
    s->results = opts->results;
    pthread_mutex_init(&s->hand_mutex, NULL);
    pthread_cond_init(&s->handed, NULL);
    int error = pthread_create(&s->thread, NULL, work, s);
    s->has_thread = error == 0;
    return s->has_thread || err_sys(e, error, "cannot start uploader %d", number);
}

struct uploaders *uploaders_start(const struct upload_opts *opts, int count, struct err *e)
{
    struct uploaders *u = mem_alloc(sizeof(*u));
    u->slot = mem_array((size_t)count, sizeof(*u->slot));
    while (u->count < count) {
        u->count++;
        if (!start(&u->slot[u->count - 1], opts, u->count, &u->cancel, e)) {
            uploaders_free(u);
            return NULL;
        }
    }
    return u;
}

static void stop(struct slot *s)
{
    pthread_mutex_lock(&s->hand_mutex);
    s->is_stopping = true;
    pthread_cond_signal(&s->handed);
    pthread_mutex_unlock(&s->hand_mutex);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    batch_free(s->batch);
    upload_one_free(s->one);
    pthread_cond_destroy(&s->handed);
    pthread_mutex_destroy(&s->hand_mutex);
}

void uploaders_free(struct uploaders *u)
{
    if (!u)
        return;
    uploaders_cancel(u);
    for (int i = 0; i < u->count; i++)
        stop(&u->slot[i]);
    mem_freep(&u->slot);
    mem_freep(&u);
}

void uploaders_cancel(struct uploaders *u)
{
    atomic_store(&u->cancel, true);
}

int uploaders_count(const struct uploaders *u)
{
    return u->count;
}

static struct slot *slot_of(const struct uploaders *u, int uploader)
{
    BUG_ON(uploader < 1 || uploader > u->count);
    return &u->slot[uploader - 1];
}

bool uploader_is_free(const struct uploaders *u, int uploader)
{
    return !slot_of(u, uploader)->is_busy;
}

int uploader_idle_longest(const struct uploaders *u, bool (*allowed)(void *arg, int uploader), void *arg)
{
    int best = 0;
    for (int i = 1; i <= u->count; i++) {
        if (!uploader_is_free(u, i) || (allowed && !allowed(arg, i)))
            continue;
        if (!best || slot_of(u, i)->idle_turn < slot_of(u, best)->idle_turn)
            best = i;
    }
    return best;
}

void uploader_give(struct uploaders *u, int uploader, struct batch *batch)
{
    struct slot *s = slot_of(u, uploader);
    BUG_ON(s->is_busy);
    s->is_busy = true;
    pthread_mutex_lock(&s->hand_mutex);
    s->batch = batch;
    pthread_cond_signal(&s->handed);
    pthread_mutex_unlock(&s->hand_mutex);
}

void uploader_done(struct uploaders *u, int uploader)
{
    struct slot *s = slot_of(u, uploader);
    s->is_busy = false;
    s->idle_turn = ++u->turns;
}

void uploader_board(struct uploaders *u, int uploader, struct board *out)
{
    board_copy(slot_of(u, uploader)->one, out);
}
