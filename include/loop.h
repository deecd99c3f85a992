/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * loop - the one thread that thinks: descriptors, timers, signals, mailboxes, and the service manager's readiness.
 *
 * Order: loop_signals_block() first thing in main, before any thread; loop_new; add descriptors, timers, mailboxes;
 * loop_run until loop_stop; loop_free. All calls in the loop's thread, except mailbox_put (any thread) and mailbox_take_wait.
 * The only place for epoll, eventfd, signalfd, timerfd and libsystemd. A turn over 100 ms is logged as a warning.
 */
#ifndef BRANDSYNC_LOOP_H
#define BRANDSYNC_LOOP_H

#include "base.h"

struct loop;

/* Blocks SIGINT SIGTERM SIGHUP SIGUSR1 SIGIO for this thread and all made after it, ignores SIGPIPE. */
void loop_signals_block(void);

struct loop *loop_new(struct err *e) MUST_CHECK;
void loop_free(struct loop *l);
DEFINE_FREEP(loop)
void loop_run(struct loop *l); /* until loop_stop; may be called again */
void loop_stop(struct loop *l);
/* One turn: waits at most `wait_ms` (-1: until something comes), handles what is ready. For tests and clean stops. */
void loop_turn(struct loop *l, int wait_ms);

/* `handler` runs when the descriptor is readable (or writable when wanted); `events` are EPOLLIN, EPOLLOUT, EPOLLHUP.
 * The caller keeps and closes the descriptor. */
bool loop_fd_add(struct loop *l, int fd, uint32_t events, void (*handler)(void *arg, uint32_t events), void *arg,
                 struct err *e) MUST_CHECK;
void loop_fd_want(struct loop *l, int fd, uint32_t events);
void loop_fd_remove(struct loop *l, int fd);

/* Signals arrive here, one call each. */
bool loop_on_signal(struct loop *l, void (*handler)(void *arg, int signal), void *arg, struct err *e) MUST_CHECK;

/* Timers are embedded in their owner and fire once, on the monotonic clock; set again to repeat. */
struct loop_timer {
    struct heap_node node;
    void (*handler)(void *arg);
    void *arg;
};
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t in_ms); /* moves it when already set */
void loop_timer_stop(struct loop *l, struct loop_timer *t);

/* Called once after each turn that handled something, and before the loop sleeps: for work that waits for "nothing more now". */
void loop_on_idle(struct loop *l, void (*handler)(void *arg), void *arg);

/* --- mailbox: whole values from other threads to one reader, bounded, in order per sender ------------- */

struct mailbox;
struct mailbox *mailbox_new(size_t capacity, struct err *e) MUST_CHECK;
/* Gives `value` away. false: full (the caller still owns it). Any thread. */
bool mailbox_put(struct mailbox *m, void *value) MUST_CHECK;
/* Waits for room. false: the mailbox was closed meanwhile. Not for the loop's thread. */
bool mailbox_put_wait(struct mailbox *m, void *value) MUST_CHECK;
void *mailbox_take(struct mailbox *m);      /* NULL: empty */
void *mailbox_take_wait(struct mailbox *m); /* waits; NULL: closed and empty. For worker threads */
int mailbox_fd(struct mailbox *m);          /* readable while not empty, and once closed: for loop_fd_add, or poll */
void mailbox_close(struct mailbox *m);      /* wakes all who wait; puts fail from now on */
void mailbox_free(struct mailbox *m, void (*free_value)(void *)); /* what is left is freed by free_value */
/* The reader's handler is called with each value, at most 256 a turn. */
bool loop_mailbox_add(struct loop *l, struct mailbox *m, void (*handler)(void *arg, void *value), void *arg,
                      struct err *e) MUST_CHECK;

/* --- service manager (sd_notify protocol, libsystemd); harmless without one --------------------------- */

void service_ready(const char *status);
void service_status(const char *status); /* "working: 412 assets left" */
void service_reloading(void);            /* with MONOTONIC_USEC */
void service_stopping(void);
void service_watchdog_feed(void);

#endif
