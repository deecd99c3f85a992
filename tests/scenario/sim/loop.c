/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* loop - stands in for the real one: timers on the fake clock, and one thing a step, in any order that the real one might take. */
#include "sim.h"

enum { READERS_MAX = 8 };

struct reader {
    struct mailbox *mailbox; /* NULL: free */
    void (*handler)(void *arg, void *value);
    void *arg;
};
struct loop {
    struct heap timers;
    struct reader reader[READERS_MAX];
    void (*on_idle)(void *arg);
    void *idle_arg;
    void (*on_signal)(void *arg, int signal);
    void *signal_arg;
    bool has_handled, is_stopped;
};

struct loop *loop_new(struct err *e UNUSED)
{
    struct loop *l = mem_alloc(sizeof(*l));
    l->has_handled = true; /* the first turn is idle's */
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    heap_release(&l->timers);
    free(l);
}

void loop_run(struct loop *l UNUSED)
{
    fail_msg("the simulation steps by itself");
}

void loop_stop(struct loop *l)
{
    l->is_stopped = true;
}

bool loop_is_stopped(const struct loop *l)
{
    return l->is_stopped;
}

/* --- descriptors: the control socket's; nobody connects ---------------------------------------------------------- */

bool loop_fd_add(struct loop *l UNUSED, int fd UNUSED, uint32_t events UNUSED,
                 void (*handler)(void *arg, uint32_t events) UNUSED, void *arg UNUSED, struct err *e UNUSED)
{
    return true;
}

void loop_fd_want(struct loop *l UNUSED, int fd UNUSED, uint32_t events UNUSED)
{
}

void loop_fd_remove(struct loop *l, int fd)
{
    for (size_t i = 0; i < READERS_MAX; i++)
        if (l->reader[i].mailbox && mailbox_fd(l->reader[i].mailbox) == fd)
            l->reader[i].mailbox = NULL;
}

bool loop_mailbox_add(struct loop *l, struct mailbox *m, void (*handler)(void *arg, void *value), void *arg,
                      struct err *e UNUSED)
{
    size_t i = 0;
    while (l->reader[i].mailbox)
        BUG_ON(++i == READERS_MAX);
    l->reader[i] = (struct reader){.mailbox = m, .handler = handler, .arg = arg};
    return true;
}

bool loop_on_signal(struct loop *l, void (*handler)(void *arg, int signal), void *arg, struct err *e UNUSED)
{
    l->on_signal = handler;
    l->signal_arg = arg;
    return true;
}

void loop_signal(struct loop *l, int signal)
{
    l->on_signal(l->signal_arg, signal);
    loop_touch(l);
}

void loop_touch(struct loop *l)
{
    l->has_handled = true;
}

void loop_on_idle(struct loop *l, void (*handler)(void *arg), void *arg)
{
    l->on_idle = handler;
    l->idle_arg = arg;
}

/* --- timers ------------------------------------------------------------------------------------------------------ */

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t in_ms)
{
    heap_put(&l->timers, &t->node, mono_ms(&sim.clock.clock) + MAX(in_ms, 0));
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
    heap_remove(&l->timers, &t->node);
}

int64_t loop_due_ms(const struct loop *l)
{
    const struct heap_node *first = heap_first(&l->timers);
    return first ? first->key : INT64_MAX;
}

/* --- steps ------------------------------------------------------------------------------------------------------- */

static bool read_one(struct loop *l, struct reader *r)
{
    void *value = r->mailbox ? mailbox_take(r->mailbox) : NULL;
    if (!value)
        return false;
    l->has_handled = true;
    r->handler(r->arg, value);
    return true;
}

static bool fire_one(struct loop *l)
{
    struct heap_node *first = heap_first(&l->timers);
    if (!first || first->key > mono_ms(&sim.clock.clock))
        return false;
    struct loop_timer *t = container_of(first, struct loop_timer, node);
    heap_remove(&l->timers, first);
    l->has_handled = true;
    t->handler(t->arg);
    return true;
}

static bool be_idle(struct loop *l)
{
    if (!l->has_handled)
        return false;
    l->has_handled = false;
    l->on_idle(l->idle_arg);
    return true;
}

bool loop_step(struct loop *l)
{
    enum { KINDS = READERS_MAX + 2 };
    size_t first = (size_t)random_below(&sim.random, KINDS);
    bool is_done = false;

    for (size_t i = 0; i < KINDS && !is_done; i++) {
        size_t kind = (first + i) % KINDS;
        is_done = kind < READERS_MAX ? read_one(l, &l->reader[kind]) : kind == READERS_MAX ? fire_one(l) : be_idle(l);
    }
    return is_done;
}
