/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The loop itself: descriptors by epoll, timers by a heap whose first key is epoll's time-out, and the idle call.
 */
#include "loop_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64, SLOW_TURN_MS = 100 };

/* What to call for a descriptor. `ticket` tells an event of this registration from one that was fetched for an earlier
 * owner of the same number: handlers may remove any descriptor, and add a new one in its place, within a turn. */
struct fd_slot {
    void (*handler)(void *arg, uint32_t events); /* NULL: free */
    void *arg;
    uint32_t ticket;
    uint32_t events;
};

struct loop {
    int epoll;
    int signals; /* -1: not asked for */
    void (*on_signal)(void *arg, int signal);
    void *signal_arg;
    struct fd_slot *slot; /* indexed by descriptor */
    size_t slots;
    uint32_t last_ticket;
    struct heap timers;
    struct mailbox_reader *readers;
    void (*on_idle)(void *arg);
    void *idle_arg;
    bool is_stopping;
};

static int64_t now_mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct loop *loop_new(struct err *e)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) {
        err_sys(e, errno, "cannot make an epoll descriptor");
        return NULL;
    }
    struct loop *l = mem_alloc(sizeof(*l));
    l->epoll = epoll;
    l->signals = -1;
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    mailbox_readers_free(l->readers);
    heap_release(&l->timers);
    free(l->slot);
    fd_close(&l->signals);
    fd_close(&l->epoll);
    free(l);
}

/* --- descriptors ------------------------------------------------------------------------------------ */

static struct fd_slot *slot_of(const struct loop *l, int fd)
{
    if (fd < 0 || (size_t)fd >= l->slots || !l->slot[fd].handler)
        return NULL;
    return &l->slot[fd];
}

static void slots_reach(struct loop *l, int fd)
{
    size_t wanted = (size_t)fd + 1;
    if (wanted <= l->slots)
        return;
    wanted = MAX(wanted, 2 * l->slots);
    l->slot = mem_grow(l->slot, wanted, sizeof(*l->slot));
    memset(l->slot + l->slots, 0, (wanted - l->slots) * sizeof(*l->slot));
    l->slots = wanted;
}

static int slot_tell(struct loop *l, int operation, int fd)
{
    const struct fd_slot *s = &l->slot[fd];
    struct epoll_event ev = {.events = s->events, .data.u64 = (uint64_t)s->ticket << 32 | (uint32_t)fd};
    return epoll_ctl(l->epoll, operation, fd, &ev);
}

bool loop_fd_add(struct loop *l, int fd, uint32_t events, void (*handler)(void *arg, uint32_t events), void *arg,
                 struct err *e)
{
    BUG_ON(fd < 0 || !handler || slot_of(l, fd));
    slots_reach(l, fd);
    l->slot[fd] = (struct fd_slot){.handler = handler, .arg = arg, .ticket = ++l->last_ticket, .events = events};
    if (slot_tell(l, EPOLL_CTL_ADD, fd) == 0)
        return true;
    l->slot[fd].handler = NULL;
    return err_sys(e, errno, "cannot watch descriptor %d", fd);
}

void loop_fd_want(struct loop *l, int fd, uint32_t events)
{
    struct fd_slot *s = slot_of(l, fd);
    BUG_ON(!s);
    if (s->events == events)
        return;
    s->events = events;
    BUG_ON(slot_tell(l, EPOLL_CTL_MOD, fd) != 0);
}

void loop_fd_remove(struct loop *l, int fd)
{
    struct fd_slot *s = slot_of(l, fd);
    if (!s)
        return;
    s->handler = NULL;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL); /* fails when the owner closed it first: it is gone already */
}

static void fd_handle(struct loop *l, const struct epoll_event *ev)
{
    struct fd_slot *s = slot_of(l, (int)(uint32_t)ev->data.u64);
    if (s && s->ticket == (uint32_t)(ev->data.u64 >> 32))
        s->handler(s->arg, ev->events);
}

/* --- timers ------------------------------------------------------------------------------------------ */

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t in_ms)
{
    BUG_ON(!t->handler);
    heap_put(&l->timers, &t->node, now_mono_ms() + MAX(in_ms, 0));
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
    heap_remove(&l->timers, &t->node);
}

/* At most as many as there were: one that sets itself to "now" waits for the next turn, so descriptors get theirs. */
static size_t timers_handle(struct loop *l)
{
    size_t handled = 0;
    int64_t now = now_mono_ms();
    for (size_t left = l->timers.count; left > 0; left--, handled++) {
        struct heap_node *first = heap_first(&l->timers);
        if (!first || first->key > now)
            break;
        struct loop_timer *t = container_of(first, struct loop_timer, node);
        heap_remove(&l->timers, first);
        t->handler(t->arg);
    }
    return handled;
}

static int time_to_wait_ms(const struct loop *l, int wait_ms)
{
    const struct heap_node *first = heap_first(&l->timers);
    if (!first)
        return wait_ms;
    int64_t in_ms = MIN(MAX(first->key - now_mono_ms(), 0), INT32_MAX);
    return wait_ms < 0 || in_ms < wait_ms ? (int)in_ms : wait_ms;
}

/* --- turns ------------------------------------------------------------------------------------------- */

static void turn_end(int64_t began_ms)
{
    int64_t took_ms = now_mono_ms() - began_ms;
    if (took_ms > SLOW_TURN_MS)
        log_warning("loop-slow", "ms=%lld", (long long)took_ms);
}

void loop_turn(struct loop *l, int wait_ms)
{
    struct epoll_event ready[EVENTS_PER_TURN];
    int count = epoll_wait(l->epoll, ready, EVENTS_PER_TURN, time_to_wait_ms(l, wait_ms));
    BUG_ON(count < 0 && errno != EINTR);

    int64_t began_ms = now_mono_ms();
    for (int i = 0; i < count; i++)
        fd_handle(l, &ready[i]);
    size_t fired = timers_handle(l);
    if (l->on_idle && (count > 0 || fired > 0))
        l->on_idle(l->idle_arg);
    turn_end(began_ms);
}

void loop_run(struct loop *l)
{
    if (l->on_idle && !l->is_stopping)
        l->on_idle(l->idle_arg); /* what was prepared before the first turn */
    while (!l->is_stopping)
        loop_turn(l, -1);
    l->is_stopping = false;
}

void loop_stop(struct loop *l)
{
    l->is_stopping = true;
}

void loop_on_idle(struct loop *l, void (*handler)(void *arg), void *arg)
{
    l->on_idle = handler;
    l->idle_arg = arg;
}

/* --- signals and mailboxes ----------------------------------------------------------------------------- */

static void signals_ready(void *arg, uint32_t events UNUSED)
{
    struct loop *l = arg;
    for (int number; (number = signals_take(l->signals)) != 0;)
        l->on_signal(l->signal_arg, number);
}

bool loop_on_signal(struct loop *l, void (*handler)(void *arg, int signal), void *arg, struct err *e)
{
    BUG_ON(l->signals >= 0);
    l->on_signal = handler;
    l->signal_arg = arg;
    return signals_open(&l->signals, e) && loop_fd_add(l, l->signals, EPOLLIN, signals_ready, l, e);
}

bool loop_mailbox_add(struct loop *l, struct mailbox *m, void (*handler)(void *arg, void *value), void *arg,
                      struct err *e)
{
    struct mailbox_reader *r = mailbox_reader_new(&l->readers, l, m, handler, arg);
    return loop_fd_add(l, mailbox_fd(m), EPOLLIN, mailbox_reader_ready, r, e);
}
