/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * mailbox between threads: nothing lost, nothing twice, order per sender, everybody woken by the close.
 */
#include "loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>

#include <cmocka.h>

enum { SENDERS = 4, VALUES = 20000 };

struct value {
    int sender;
    int number;
};

struct sender {
    pthread_t thread;
    struct mailbox *box;
    struct value *value; /* VALUES of them */
    int refused;
};

struct reader {
    struct loop *loop;
    int next[SENDERS];
    int total;
};

static struct mailbox *box(size_t capacity)
{
    struct err e = {0};
    struct mailbox *m = mailbox_new(capacity, &e);
    assert_non_null(m);
    return m;
}

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < VALUES; i++)
        if (!mailbox_put_wait(s->box, &s->value[i]))
            s->refused++;
    return NULL;
}

static void senders_start(struct sender *s, struct mailbox *m)
{
    for (int i = 0; i < SENDERS; i++) {
        s[i] = (struct sender){.box = m, .value = mem_array(VALUES, sizeof(struct value))};
        for (int n = 0; n < VALUES; n++)
            s[i].value[n] = (struct value){.sender = i, .number = n};
        assert_int_equal(pthread_create(&s[i].thread, NULL, send_all, &s[i]), 0);
    }
}

static int senders_join(struct sender *s)
{
    int refused = 0;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(s[i].thread, NULL);
        refused += s[i].refused;
        free(s[i].value);
    }
    return refused;
}

static void check_order(void *arg, void *value)
{
    struct reader *r = arg;
    const struct value *v = value;
    assert_int_equal(v->number, r->next[v->sender]++);
    if (++r->total == SENDERS * VALUES)
        loop_stop(r->loop);
}

static void the_loop_gets_every_value_in_order_per_sender(void **state UNUSED)
{
    static const size_t capacity[] = {1, 7, 1024};
    for (size_t i = 0; i < ARRAY_LEN(capacity); i++) {
        struct err e = {0};
        AUTO(loop_freep) struct loop *l = loop_new(&e);
        struct mailbox *m = box(capacity[i]);
        struct reader r = {.loop = l};
        struct sender s[SENDERS];
        assert_true(loop_mailbox_add(l, m, check_order, &r, &e));
        senders_start(s, m);
        loop_run(l);
        assert_int_equal(senders_join(s), 0);
        assert_int_equal(r.total, SENDERS * VALUES);
        mailbox_free(m, free);
    }
}

struct worker {
    pthread_t thread;
    struct mailbox *box;
    atomic_int *taken; /* per value */
};

static void *work_until_closed(void *arg)
{
    struct worker *w = arg;
    for (struct value *v; (v = mailbox_take_wait(w->box));)
        atomic_fetch_add(&w->taken[v->sender * VALUES + v->number], 1);
    return NULL;
}

static void workers_share_the_values_and_end_with_the_close(void **state UNUSED)
{
    struct mailbox *m = box(16);
    atomic_int *taken = mem_array(SENDERS * VALUES, sizeof(*taken));
    struct worker w[3];
    struct sender s[SENDERS];
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        w[i] = (struct worker){.box = m, .taken = taken};
        assert_int_equal(pthread_create(&w[i].thread, NULL, work_until_closed, &w[i]), 0);
    }
    senders_start(s, m);
    for (int i = 0; i < SENDERS; i++) /* their values stay until the workers ended */
        pthread_join(s[i].thread, NULL);
    mailbox_close(m);
    for (size_t i = 0; i < ARRAY_LEN(w); i++)
        pthread_join(w[i].thread, NULL);
    for (int i = 0; i < SENDERS * VALUES; i++)
        assert_int_equal(taken[i], 1);
    for (int i = 0; i < SENDERS; i++)
        free(s[i].value);
    free(taken);
    mailbox_free(m, free);
}

static void senders_that_wait_for_room_are_woken_by_the_close(void **state UNUSED)
{
    struct mailbox *m = box(2);
    struct sender s[SENDERS];
    senders_start(s, m);
    for (int i = 0; i < 10; i++)
        assert_non_null(mailbox_take_wait(m));
    mailbox_close(m);
    int left = 0;
    while (mailbox_take(m))
        left++;
    assert_int_equal(senders_join(s), SENDERS * VALUES - 10 - left);
    mailbox_free(m, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_gets_every_value_in_order_per_sender),
        cmocka_unit_test(workers_share_the_values_and_end_with_the_close),
        cmocka_unit_test(senders_that_wait_for_room_are_woken_by_the_close),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
