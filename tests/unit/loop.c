/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * loop: descriptors, timers, signals, mailboxes in one thread, and what the service manager hears.
 */
#include "loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct loop *loop;
    int a[2], b[2]; /* pipes */
    int calls;
    int number; /* a descriptor for a handler to play with */
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof(*f));
    struct err e = {0};
    f->loop = loop_new(&e);
    assert_non_null(f->loop);
    assert_int_equal(pipe2(f->a, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(pipe2(f->b, O_CLOEXEC | O_NONBLOCK), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    for (int i = 0; i < 2; i++) {
        fd_close(&f->a[i]);
        fd_close(&f->b[i]);
    }
    free(f);
    return 0;
}

static void add(struct fixture *f, int fd, uint32_t events, void (*handler)(void *arg, uint32_t events))
{
    struct err e = {0};
    assert_true(loop_fd_add(f->loop, fd, events, handler, f, &e));
}

static void poke(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void count_call(void *arg, uint32_t events UNUSED)
{
    struct fixture *f = arg;
    f->calls++;
}

/* --- descriptors ------------------------------------------------------------------------------------ */

static void a_readable_descriptor_is_handled_until_it_is_removed(void **state)
{
    struct fixture *f = *state;
    add(f, f->a[0], EPOLLIN, count_call);
    loop_turn(f->loop, 0);
    assert_int_equal(f->calls, 0);
    poke(f->a[1]);
    loop_turn(f->loop, -1);
    loop_turn(f->loop, -1);
    assert_int_equal(f->calls, 2);
    loop_fd_remove(f->loop, f->a[0]);
    loop_fd_remove(f->loop, f->a[0]);
    loop_turn(f->loop, 0);
    assert_int_equal(f->calls, 2);
}

static void what_is_wanted_can_change(void **state)
{
    struct fixture *f = *state;
    add(f, f->a[1], 0, count_call);
    loop_turn(f->loop, 0);
    assert_int_equal(f->calls, 0);
    loop_fd_want(f->loop, f->a[1], EPOLLOUT);
    loop_turn(f->loop, -1);
    assert_int_equal(f->calls, 1);
    loop_fd_want(f->loop, f->a[1], 0);
    loop_turn(f->loop, 0);
    assert_int_equal(f->calls, 1);
}

static void remove_both(void *arg, uint32_t events UNUSED)
{
    struct fixture *f = arg;
    f->calls++;
    loop_fd_remove(f->loop, f->a[0]);
    loop_fd_remove(f->loop, f->b[0]);
}

static void a_handler_may_remove_itself_and_others_in_a_turn(void **state)
{
    struct fixture *f = *state;
    add(f, f->a[0], EPOLLIN, remove_both);
    add(f, f->b[0], EPOLLIN, remove_both);
    poke(f->a[1]);
    poke(f->b[1]);
    loop_turn(f->loop, -1);
    loop_turn(f->loop, 0);
    assert_int_equal(f->calls, 1);
}

static void never(void *arg UNUSED, uint32_t events UNUSED)
{
    fail_msg("an event of an earlier owner reached a new one");
}

/* Whichever of the two is first puts a quiet pipe in the other's place. */
static void replace_other(void *arg, uint32_t events UNUSED)
{
    struct fixture *f = arg;
    int quiet[2];
    if (f->calls++ > 0)
        return;
    int other = f->number;
    char c;
    if (read(f->a[0], &c, 1) < 0)
        fail();
    loop_fd_remove(f->loop, other);
    assert_int_equal(pipe2(quiet, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(dup2(quiet[0], other), other);
    fd_close(&quiet[0]);
    fd_close(&f->b[1]);
    f->b[1] = quiet[1];
    add(f, other, EPOLLIN, never);
}

static void an_event_reaches_only_the_owner_it_was_for(void **state)
{
    struct fixture *f = *state;
    f->number = f->b[0];
    add(f, f->a[0], EPOLLIN, replace_other); /* ready first, so handled first */
    poke(f->a[1]);
    add(f, f->b[0], EPOLLIN, never);
    poke(f->b[1]);
    loop_turn(f->loop, -1);
    assert_int_equal(f->calls, 1);
}

static void a_descriptor_epoll_refuses_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_false(loop_fd_add(f->loop, fd, EPOLLIN, count_call, f, &e));
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_int_equal(e.sys, EPERM);
    fd_close(&fd);
}

/* --- timers ------------------------------------------------------------------------------------------ */

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    struct buf *log;
    char letter;
};

static void write_letter(void *arg)
{
    struct alarm *a = arg;
    buf_char(a->log, a->letter);
    if (a->letter == 'z')
        loop_stop(a->loop);
}

static void write_and_repeat(void *arg)
{
    struct alarm *a = arg;
    buf_char(a->log, a->letter);
    loop_timer_set(a->loop, &a->timer, 0);
}

static struct alarm alarm_of(struct fixture *f, struct buf *log, char letter)
{
    return (struct alarm){.loop = f->loop, .log = log, .letter = letter, .timer.handler = write_letter};
}

static void arm(struct alarm *a, int64_t in_ms)
{
    a->timer.arg = a;
    loop_timer_set(a->loop, &a->timer, in_ms);
}

static void timers_fire_once_in_order_of_time(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf log = BUF_INIT(100);
    struct alarm a = alarm_of(f, &log, 'a'), b = alarm_of(f, &log, 'b'), z = alarm_of(f, &log, 'z');
    arm(&z, 9);
    arm(&b, 5);
    arm(&a, 1);
    loop_run(f->loop);
    assert_string_equal(log.data, "abz");
}

static void a_timer_can_be_moved_and_stopped(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf log = BUF_INIT(100);
    struct alarm a = alarm_of(f, &log, 'a'), b = alarm_of(f, &log, 'b'), z = alarm_of(f, &log, 'z');
    arm(&a, 0);
    arm(&b, 3600000);
    arm(&z, 6);
    loop_timer_stop(f->loop, &a.timer);
    loop_timer_stop(f->loop, &a.timer);
    loop_timer_set(f->loop, &b.timer, 2);
    loop_run(f->loop);
    assert_string_equal(log.data, "bz");
}

static void a_timer_that_repeats_at_once_leaves_room_for_descriptors(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf log = BUF_INIT(100);
    struct alarm a = alarm_of(f, &log, 'a');
    a.timer.handler = write_and_repeat;
    arm(&a, -5);
    add(f, f->a[0], EPOLLIN, count_call);
    poke(f->a[1]);
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop, -1);
    assert_string_equal(log.data, "aaa");
    assert_int_equal(f->calls, 3);
    loop_timer_stop(f->loop, &a.timer);
}

/* --- turns ------------------------------------------------------------------------------------------- */

static void count_idle(void *arg)
{
    struct fixture *f = arg;
    f->number++;
}

static void idle_follows_each_turn_that_did_something(void **state)
{
    struct fixture *f = *state;
    loop_on_idle(f->loop, count_idle, f);
    loop_turn(f->loop, 0);
    assert_int_equal(f->number, 0);
    add(f, f->a[0], EPOLLIN, count_call);
    poke(f->a[1]);
    loop_turn(f->loop, -1);
    assert_int_equal(f->number, 1);
    loop_turn(f->loop, -1);
    assert_int_equal(f->number, 2);
}

static void stop_now(void *arg, uint32_t events UNUSED)
{
    struct fixture *f = arg;
    f->calls++;
    loop_stop(f->loop);
}

static void the_loop_runs_until_stopped_and_can_run_again(void **state)
{
    struct fixture *f = *state;
    add(f, f->a[0], EPOLLIN, stop_now);
    poke(f->a[1]);
    loop_run(f->loop);
    loop_run(f->loop);
    assert_int_equal(f->calls, 2);
    loop_stop(f->loop);
    loop_run(f->loop); /* asked to stop before it began */
    assert_int_equal(f->calls, 2);
}

static void note_signal(void *arg, int number)
{
    struct fixture *f = arg;
    f->calls++;
    f->number = number;
}

static void signals_arrive_as_calls(void **state)
{
    static const int sent[] = {SIGHUP, SIGTERM, SIGINT, SIGUSR1, SIGIO};
    struct fixture *f = *state;
    struct err e = {0};
    assert_true(loop_on_signal(f->loop, note_signal, f, &e));
    for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
        kill(getpid(), sent[i]);
        loop_turn(f->loop, -1);
        assert_int_equal(f->number, sent[i]);
    }
    assert_int_equal(f->calls, ARRAY_LEN(sent));
    raise(SIGPIPE); /* ignored: a broken connection is an errno */
}

/* --- mailboxes --------------------------------------------------------------------------------------- */

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static struct mailbox *box(size_t capacity)
{
    struct err e = {0};
    struct mailbox *m = mailbox_new(capacity, &e);
    assert_non_null(m);
    return m;
}

static void a_mailbox_keeps_order_and_refuses_more_than_it_holds(void **state UNUSED)
{
    char value[4];
    struct mailbox *m = box(3);
    assert_false(is_readable(mailbox_fd(m)));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_true(mailbox_put(m, &value[i]));
        assert_false(mailbox_put(m, &value[3]));
        assert_true(is_readable(mailbox_fd(m)));
        assert_ptr_equal(mailbox_take(m), &value[0]);
        assert_true(mailbox_put_wait(m, &value[3]));
        for (int i = 1; i < 4; i++)
            assert_ptr_equal(mailbox_take_wait(m), &value[i]);
        assert_null(mailbox_take(m));
        assert_false(is_readable(mailbox_fd(m)));
    }
    mailbox_free(m, free);
}

static void a_closed_mailbox_gives_what_it_has_and_takes_no_more(void **state UNUSED)
{
    char value[2];
    struct mailbox *m = box(2);
    assert_true(mailbox_put(m, &value[0]));
    mailbox_close(m);
    mailbox_close(m);
    assert_false(mailbox_put(m, &value[1]));
    assert_false(mailbox_put_wait(m, &value[1]));
    assert_ptr_equal(mailbox_take_wait(m), &value[0]);
    assert_null(mailbox_take_wait(m));
    assert_true(is_readable(mailbox_fd(m))); /* wakes who polls */
    mailbox_free(m, free);
}

static void what_is_left_in_a_mailbox_is_freed(void **state UNUSED)
{
    struct mailbox *m = box(2);
    assert_true(mailbox_put(m, str_copy("left")));
    mailbox_free(m, free);
    mailbox_free(NULL, free);
}

static void count_value(void *arg, void *value)
{
    struct fixture *f = arg;
    f->calls++;
    f->number += *(char *)value;
}

static void the_loop_takes_at_most_256_values_a_turn(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    char one = 1;
    struct mailbox *m = box(1000);
    assert_true(loop_mailbox_add(f->loop, m, count_value, f, &e));
    for (int i = 0; i < 300; i++)
        assert_true(mailbox_put(m, &one));
    loop_turn(f->loop, -1);
    assert_int_equal(f->calls, 256);
    loop_turn(f->loop, -1);
    assert_int_equal(f->number, 300);
    mailbox_close(m);
    loop_turn(f->loop, -1);
    f->number = 0;
    loop_on_idle(f->loop, count_idle, f);
    loop_turn(f->loop, 0); /* a closed and empty box wakes the loop no more */
    assert_int_equal(f->number, 0);
    mailbox_free(m, free);
}

/* --- service manager --------------------------------------------------------------------------------- */

static int listen_as_manager(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(at);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t)), 0); /* the kernel picks an abstract name */
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    char name[64];
    snprintf(name, sizeof(name), "@%.*s", (int)(len - sizeof(sa_family_t) - 1), at.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_heard(int fd, const char *wanted)
{
    char text[1024] = "";
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_memory_equal(text, wanted, strlen(wanted) + (str_ends(wanted, "=") ? 0 : 1));
}

static void the_service_manager_hears_the_states(void **state UNUSED)
{
    AUTO(fd_close) int fd = listen_as_manager();
    service_ready("working: 3 assets left\nMAINPID=1");
    assert_heard(fd, "READY=1\nSTATUS=working: 3 assets left MAINPID=1");
    service_status("idle");
    assert_heard(fd, "STATUS=idle");
    service_reloading();
    assert_heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
    service_stopping();
    assert_heard(fd, "STOPPING=1");
    service_watchdog_feed();
    assert_heard(fd, "WATCHDOG=1");
    unsetenv("NOTIFY_SOCKET");
    service_ready("nobody listens");
}

#define IN_LOOP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LOOP(a_readable_descriptor_is_handled_until_it_is_removed),
        IN_LOOP(what_is_wanted_can_change),
        IN_LOOP(a_handler_may_remove_itself_and_others_in_a_turn),
        IN_LOOP(an_event_reaches_only_the_owner_it_was_for),
        IN_LOOP(a_descriptor_epoll_refuses_is_an_error),
        IN_LOOP(timers_fire_once_in_order_of_time),
        IN_LOOP(a_timer_can_be_moved_and_stopped),
        IN_LOOP(a_timer_that_repeats_at_once_leaves_room_for_descriptors),
        IN_LOOP(idle_follows_each_turn_that_did_something),
        IN_LOOP(the_loop_runs_until_stopped_and_can_run_again),
        IN_LOOP(signals_arrive_as_calls),
        cmocka_unit_test(a_mailbox_keeps_order_and_refuses_more_than_it_holds),
        cmocka_unit_test(a_closed_mailbox_gives_what_it_has_and_takes_no_more),
        cmocka_unit_test(what_is_left_in_a_mailbox_is_freed),
        IN_LOOP(the_loop_takes_at_most_256_values_a_turn),
        cmocka_unit_test(the_service_manager_hears_the_states),
    };
    loop_signals_block();
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
