/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* uploaders - without threads: a batch is read, sent and answered in one step, once the time it takes has passed. */
#include "sim.h"

enum { SLOTS_MAX = 8 };

struct slot {
    struct upload_one *one;
    struct batch *batch;
    bool is_busy;
    int64_t due_ms;
    uint64_t idle_turn;
};
struct uploaders {
    struct slot slot[SLOTS_MAX];
    int count;
    struct mailbox *results;
    uint64_t turns;
    atomic_bool cancel;
};

static struct uploaders *present;

struct uploaders *uploaders_start(const struct upload_opts *opts, int count, struct err *e UNUSED)
{
    struct uploaders *u = mem_alloc(sizeof(*u));
    u->count = count;
    u->results = opts->results;
    for (int i = 0; i < count; i++)
        u->slot[i].one = upload_one_new(opts, i + 1, &u->cancel);
    return present = u;
}

void uploaders_free(struct uploaders *u)
{
    if (!u)
        return;
    for (int i = 0; i < u->count; i++) {
        batch_free(u->slot[i].batch);
        upload_one_free(u->slot[i].one);
    }
    free(u);
    present = NULL;
}

void uploaders_cancel(struct uploaders *u)
{
    atomic_store(&u->cancel, true);
}

int uploaders_count(const struct uploaders *u)
{
    return u->count;
}

bool uploader_is_free(const struct uploaders *u, int uploader)
{
    return !u->slot[uploader - 1].is_busy;
}

int uploader_idle_longest(const struct uploaders *u, bool (*allowed)(void *arg, int uploader), void *arg)
{
    int best = 0;
    for (int i = 1; i <= u->count; i++)
        if (uploader_is_free(u, i) && (!allowed || allowed(arg, i)) &&
            (!best || u->slot[i - 1].idle_turn < u->slot[best - 1].idle_turn))
            best = i;
    return best;
}

void uploader_give(struct uploaders *u, int uploader, struct batch *batch)
{
    struct slot *s = &u->slot[uploader - 1];
    BUG_ON(s->is_busy);
    s->is_busy = true;
    s->batch = batch;
    s->due_ms = mono_ms(&sim.clock.clock) + random_below(&sim.random, sim.request_ms + 1);
}

void uploader_done(struct uploaders *u, int uploader)
{
    u->slot[uploader - 1].is_busy = false;
    u->slot[uploader - 1].idle_turn = ++u->turns;
}

void uploader_board(struct uploaders *u, int uploader, struct board *out)
{
    *out = (struct board){.state = u->slot[uploader - 1].is_busy ? UPLOADER_ACTIVE : UPLOADER_IDLE};
}

int64_t uploaders_due_ms(void)
{
    int64_t due_ms = INT64_MAX;
    for (int i = 0; present && i < present->count; i++)
        if (present->slot[i].batch)
            due_ms = MIN(due_ms, present->slot[i].due_ms);
    return due_ms;
}

bool uploaders_step(void)
{
    int64_t now_ms = mono_ms(&sim.clock.clock);
    for (int i = 0; present && i < present->count; i++) {
        struct slot *s = &present->slot[i];
        bool is_cancelled = atomic_load(&present->cancel);
        if (!s->batch || (s->due_ms > now_ms && !is_cancelled))
            continue;
        BUG_ON(!mailbox_put(present->results, upload_run_one(s->one, take(&s->batch))));
        return true;
    }
    return false;
}
