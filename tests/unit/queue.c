/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The queue's promises one by one: order, gates, packages, back-off, again. */
#include "queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MIB (INT64_C(1) << 20)

static const struct queue_opts four = {
    .uploaders = 4, .retry_first_ms = 2000, .retry_max_ms = 300000, .package_assets = 200, .attempts = 10, .seed = 7};

static struct job *job_for(enum job_action action, const char *remote, int64_t id)
{
    struct job *job = job_new(action, remote, remote);
    job->id = id;
    job->ready_ms = 1000 + id;
    job->seen.bytes = 1000;
    return job;
}

static void add(struct queue *q, enum job_action action, const char *remote, int64_t id)
{
    assert_int_equal(queue_add(q, job_for(action, remote, id), NULL), QUEUE_NEW);
}

static void add_sized(struct queue *q, const char *remote, int64_t id, int64_t bytes)
{
    struct job *job = job_for(ACTION_PUBLISH, remote, id);
    job->seen.bytes = bytes;
    queue_add(q, job, NULL);
}

static void add_many(struct queue *q, const char *folder, int count)
{
    for (int i = 0; i < count; i++) {
        AUTO(mem_freep) char *remote = str_printf("%s/%04d", folder, i);
        add(q, ACTION_PUBLISH, remote, 1 + i);
    }
}

/* The last names of a batch, "a b c"; "-" for nothing. */
static char *names_of(const struct batch *b)
{
    struct buf text = BUF_INIT(100000);
    for (size_t i = 0; b && i < b->count; i++)
        buf_printf(&text, "%s%s", i ? " " : "", path_name(b->job[i]->remote));
    return b ? buf_take(&text) : str_copy("-");
}

static void assert_takes(struct queue *q, const char *names, int64_t now_ms)
{
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, now_ms);
    AUTO(mem_freep) char *taken = names_of(b);
    assert_string_equal(taken, names);
}

static enum queue_fate settle(struct queue *q, const char *remote, enum outcome outcome, enum err_kind kind,
                              int64_t now_ms)
{
    struct receipt r = {.remote = (char *)remote, .outcome = outcome, .err.kind = kind};
    return queue_settle(q, &r, now_ms, NULL);
}

static void settle_batch(struct queue *q, const struct batch *b, enum outcome outcome, enum err_kind kind,
                         int64_t package, int64_t now_ms)
{
    for (size_t i = 0; i < b->count; i++) {
        struct receipt r = {.remote = b->job[i]->remote, .outcome = outcome, .err.kind = kind, .package = package};
        queue_settle(q, &r, now_ms, NULL);
    }
}

/* --- one per remote ------------------------------------------------------------------------------------ */

static void a_second_job_for_a_remote_takes_the_place_of_the_first(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 5);
    struct job *newer = job_for(ACTION_PUBLISH, "/r/a", 9);
    newer->seen.bytes = 77;
    free(newer->path);
    newer->path = str_copy("/elsewhere/a");
    assert_int_equal(queue_add(q, newer, &kept), QUEUE_REPLACED);
    assert_int_equal(kept->id, 5);
    assert_int_equal(kept->ready_ms, 1005);
    assert_int_equal(kept->seen.bytes, 77);
    assert_string_equal(kept->path, "/elsewhere/a");
    assert_takes(q, "a", 0);
    assert_takes(q, "-", 0);
}

static void a_command_is_not_lost_to_a_newer_observation(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    struct job *asked = job_for(ACTION_PUBLISH, "/r/a", 1), *seen = job_for(ACTION_PUBLISH, "/r/a", 1);
    asked->is_asked = true;
    asked->asked_by = str_copy("anna");
    seen->asked_by = str_copy("(watched)");
    queue_add(q, asked, NULL);
    queue_add(q, seen, &kept);
    assert_true(kept->is_asked);
    assert_string_equal(kept->asked_by, "anna");
}

static void a_job_being_sent_goes_again_with_the_newer_content(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        enum err_kind kind;
        int tries;
    } rows[] = {
        {OUTCOME_PUBLISHED, ERR_NONE, 0},  {OUTCOME_CHANGED, ERR_CHANGED, 0}, {OUTCOME_RETRY, ERR_RETRY, 1},
        {OUTCOME_REFUSED, ERR_REFUSED, 1}, {OUTCOME_RETRY, ERR_TENANT, 0},    {OUTCOME_CANCELLED, ERR_CANCELLED, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct job *kept;
        AUTO(queue_freep) struct queue *q = queue_new(&four);
        add(q, ACTION_PUBLISH, "/r/a", 5);
        assert_takes(q, "a", 0);
        struct job *newer = job_for(ACTION_PUBLISH, "/r/a", 0);
        newer->seen.bytes = 88;
        assert_int_equal(queue_add(q, newer, &kept), QUEUE_AGAIN);
        assert_int_equal(kept->id, 5);
        assert_true(kept->is_again);
        assert_takes(q, "-", 0); /* never two in flight */
        struct receipt r = {.remote = (char *)"/r/a", .outcome = rows[i].outcome, .err.kind = rows[i].kind};
        assert_int_equal(queue_settle(q, &r, 50, &kept), QUEUE_REPEAT);
        assert_int_equal(kept->state, JOB_READY);
        assert_int_equal(kept->seen.bytes, 88);
        assert_int_equal(kept->tries, rows[i].tries);
        assert_false(kept->is_again);
        assert_takes(q, "a", 50);
        assert_int_equal(settle(q, "/r/a", OUTCOME_PUBLISHED, ERR_NONE, 60), QUEUE_DONE);
        assert_null(queue_find(q, "/r/a"));
    }
}

static void an_unpublish_may_follow_a_publish_under_way(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    assert_takes(q, "a", 0);
    assert_int_equal(queue_add(q, job_for(ACTION_UNPUBLISH, "/r/a", 1), NULL), QUEUE_AGAIN);
    assert_int_equal(settle(q, "/r/a", OUTCOME_PUBLISHED, ERR_NONE, 1), QUEUE_REPEAT);
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 1);
    assert_int_equal(b->action, ACTION_UNPUBLISH);
}

static void a_held_job_without_id_takes_the_id_of_the_one_that_follows(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    struct job *held = job_for(ACTION_PUBLISH, "/r/a", 0);
    held->state = JOB_HELD;
    held->tries = 3;
    queue_add(q, held, NULL);
    assert_takes(q, "-", INT64_MAX - 1);
    queue_add(q, job_for(ACTION_PUBLISH, "/r/a", 4), &kept);
    assert_int_equal(kept->id, 4);
    assert_int_equal(kept->tries, 0);
    assert_int_equal(kept->ready_ms, 1004); /* it was not ready all that time */
    assert_takes(q, "a", 0);
}

/* --- order ----------------------------------------------------------------------------------------------- */

static void what_is_urgent_goes_first_then_by_priority_and_age(void **state)
{
    (void)state;
    static const struct {
        enum job_action action;
        const char *remote;
        enum priority priority;
        int64_t ready_ms;
        bool is_urgent;
    } rows[] = {
        {ACTION_PUBLISH, "/r/1/low-old", PRIORITY_LOW, 1, false},
        {ACTION_PUBLISH, "/r/2/normal-old", PRIORITY_NORMAL, 2, false},
        {ACTION_PUBLISH, "/r/3/normal-young", PRIORITY_NORMAL, 50, false},
        {ACTION_PUBLISH, "/r/4/high-young", PRIORITY_HIGH, 90, false},
        {ACTION_PUBLISH, "/r/5/low-urgent", PRIORITY_LOW, 80, true},
        {ACTION_COLLECTION, "/c/x/collection", PRIORITY_NORMAL, 10, false},
        {ACTION_FOLDER, "/q/f", PRIORITY_LOW, 99, false},
        {ACTION_UNPUBLISH, "/r/6/gone-young", PRIORITY_LOW, 100, false},
        {ACTION_UNPUBLISH, "/r/6/gone-old", PRIORITY_LOW, 99, false},
    };
    static const char *const order[] = {"gone-old",   "gone-young", "f",          "low-urgent",
                                        "high-young", "normal-old", "collection", "normal-young",
                                        "low-old",    "-"};
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct job *job = job_for(rows[i].action, rows[i].remote, (int64_t)i + 1);
        job->priority = rows[i].priority;
        job->ready_ms = rows[i].ready_ms;
        job->is_urgent = rows[i].is_urgent;
        queue_add(q, job, NULL);
    }
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        assert_takes(q, order[i], 0);
}

static void assets_wait_for_the_folders_above_them(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a/b/asset", 1);
    add(q, ACTION_PUBLISH, "/r/ab/free", 2);
    add(q, ACTION_FOLDER, "/r/a", 3);
    add(q, ACTION_PUBLISH, "/r/a/late", 4);
    add_sized(q, "/r/a/b/c/big", 5, 40 * MIB);
    assert_takes(q, "a", 0);
    assert_takes(q, "free", 0); /* a neighbour whose name only begins alike */
    assert_takes(q, "-", 0);
    settle(q, "/r/a", OUTCOME_RETRY, ERR_RETRY, 0);
    assert_takes(q, "-", 0);
    assert_takes(q, "a", 2001);
    settle(q, "/r/a", OUTCOME_REFUSED, ERR_REFUSED, 2001);
    assert_takes(q, "-", INT64_MAX - 1); /* all wait with that one reason */
    queue_add(q, job_for(ACTION_FOLDER, "/r/a", 3), NULL);
    assert_takes(q, "a", 3000);
    assert_int_equal(settle(q, "/r/a", OUTCOME_PUBLISHED, ERR_NONE, 3000), QUEUE_DONE);
    assert_takes(q, "asset", 3000);
    assert_takes(q, "late", 3000);
    assert_takes(q, "big", 3000);
}

static void parents_go_before_or_together_with_their_children(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_FOLDER, "/r/a/b/c", 1);
    add(q, ACTION_FOLDER, "/r/a/b", 2);
    add(q, ACTION_FOLDER, "/r/a", 3);
    add(q, ACTION_FOLDER, "/r/z/between/y", 4);
    assert_takes(q, "a b c y", 0);
    settle(q, "/r/a", OUTCOME_RETRY, ERR_TENANT, 0);
    settle(q, "/r/a/b/c", OUTCOME_RETRY, ERR_TENANT, 0);
    add(q, ACTION_FOLDER, "/r/a/b/d", 5);
    assert_takes(q, "a", 0); /* b is still on its way: what is below it waits */
    settle(q, "/r/a/b", OUTCOME_PUBLISHED, ERR_NONE, 0);
    assert_takes(q, "-", 0); /* for a */
    settle(q, "/r/a", OUTCOME_PUBLISHED, ERR_NONE, 0);
    assert_takes(q, "c d", 0);
}

/* --- packages -------------------------------------------------------------------------------------------- */

static void a_package_is_of_one_folder_and_of_sixteen_megabytes(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add_sized(q, "/r/a/1", 1, 6 * MIB);
    add_sized(q, "/r/b/2", 2, 1);
    add_sized(q, "/r/a/3", 3, 6 * MIB);
    add_sized(q, "/r/a/4", 4, 6 * MIB);
    add_sized(q, "/r/a/5", 5, 20 * MIB);
    add(q, ACTION_COLLECTION, "/r/a/6", 6);
    add_sized(q, "/r/a/7", 7, 1);
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 0);
    AUTO(mem_freep) char *names = names_of(b);
    assert_string_equal(names, "1 3");
    assert_int_equal(b->bytes, 12 * MIB);
    assert_false(b->is_big);
    assert_int_equal(b->job[0]->state, JOB_SENDING);
    static const char *const rest[] = {"2", "4", "5", "6", "7", "-"};
    for (size_t i = 0; i < ARRAY_LEN(rest); i++)
        assert_takes(q, rest[i], 0);
}

static void a_package_leaves_work_for_idle_uploaders(void **state)
{
    (void)state;
    static const struct {
        int ready, others_idle;
        size_t first, second;
    } rows[] = {
        {1, 3, 1, 0},     {20, 3, 20, 0},   {21, 3, 20, 1},   {40, 1, 20, 20},
        {100, 3, 25, 25}, {100, 1, 50, 50}, {100, 0, 50, 50}, {1000, 3, 50, 50},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(queue_freep) struct queue *q = queue_new(&four);
        add_many(q, "/r/a", rows[i].ready);
        AUTO(batch_freep) struct batch *first = queue_take(q, rows[i].others_idle, 0);
        AUTO(batch_freep) struct batch *second = queue_take(q, MAX(0, rows[i].others_idle - 1), 0);
        assert_int_equal(first->count, rows[i].first);
        assert_int_equal(second ? second->count : 0, rows[i].second);
    }
}

static void shut_assets_do_not_make_a_package_larger(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add_many(q, "/r/shut/a", 300);
    add(q, ACTION_FOLDER, "/r/shut", 400);
    add_many(q, "/r/open", 40);
    assert_takes(q, "shut", 0);
    AUTO(batch_freep) struct batch *b = queue_take(q, 1, 0);
    assert_int_equal(b->count, 20);
}

static void big_files_leave_one_uploader_to_the_small(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    for (int i = 0; i < 6; i++) {
        AUTO(mem_freep) char *remote = str_printf("/r/a/big%d", i);
        add_sized(q, remote, 1 + i, QUEUE_BIG_BYTES + 1);
    }
    add_sized(q, "/r/a/small", 100, QUEUE_BIG_BYTES);
    assert_takes(q, "big0", 0);
    assert_takes(q, "big1", 0);
    assert_takes(q, "big2", 0);
    assert_takes(q, "small", 0);
    assert_takes(q, "big3", 0); /* nothing small waits: all may be big */
    add_sized(q, "/r/b/small2", 101, 1);
    settle(q, "/r/a/big0", OUTCOME_PUBLISHED, ERR_NONE, 0);
    assert_takes(q, "small2", 0); /* three big ones are still on their way */
    settle(q, "/r/a/big1", OUTCOME_PUBLISHED, ERR_NONE, 0);
    add_sized(q, "/r/b/small3", 102, 1);
    assert_takes(q, "big4", 0);
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 0);
    assert_false(b->is_big);
}

static void a_single_uploader_still_sends_big_files(void **state)
{
    (void)state;
    struct queue_opts one = four;
    one.uploaders = 1;
    AUTO(queue_freep) struct queue *q = queue_new(&one);
    add_sized(q, "/r/a/big", 1, 2 * QUEUE_BIG_BYTES);
    add_sized(q, "/r/a/small", 2, 1);
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 0);
    assert_true(b->is_big);
}

static void the_package_limit_follows_the_replies(void **state)
{
    (void)state;
    static const struct {
        int64_t build_ms, reply_ms;
        size_t count;
        enum outcome outcome;
        int times, limit;
    } rows[] = {
        {10, 500, 50, OUTCOME_PUBLISHED, 20, 150}, /* slow replies: up to the most */
        {500, 10, 50, OUTCOME_PUBLISHED, 1, 112},
        {500, 10, 50, OUTCOME_PUBLISHED, 20, 50}, /* quick ones: down to 50 */
        {10, 500, 1, OUTCOME_PUBLISHED, 20, 50},  /* single assets say nothing */
        {10, 60000, 50, OUTCOME_RETRY, 20, 50},   /* nor do failures */
    };
    struct queue_opts opts = four;
    opts.package_assets = 150;
    AUTO(queue_freep) struct queue *q = queue_new(&opts);
    assert_int_equal(queue_package_limit(q), 50);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct receipt receipts[50];
        for (size_t n = 0; n < ARRAY_LEN(receipts); n++)
            receipts[n] = (struct receipt){.outcome = rows[i].outcome};
        struct result result = {
            .receipt = receipts, .count = rows[i].count, .build_ms = rows[i].build_ms, .reply_ms = rows[i].reply_ms};
        for (int n = 0; n < rows[i].times; n++)
            queue_learn(q, &result);
        assert_int_equal(queue_package_limit(q), rows[i].limit);
    }
    opts.package_assets = 1;
    AUTO(queue_freep) struct queue *single = queue_new(&opts);
    assert_int_equal(queue_package_limit(single), 1);
    add_many(single, "/r/a", 2);
    assert_takes(single, "0000", 0);
}

/* --- refusals and waits -------------------------------------------------------------------------------------- */

static void a_refused_job_waits_longer_each_time_then_fails(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    int64_t now_ms = 0;
    for (int tries = 1; tries < four.attempts; tries++) {
        int64_t cap_ms = MIN(four.retry_max_ms, four.retry_first_ms << (tries - 1));
        assert_takes(q, "a", now_ms);
        struct receipt r = {.remote = (char *)"/r/a", .outcome = OUTCOME_RETRY};
        err_set(&r.err, ERR_RETRY, "refusal %d", tries);
        assert_int_equal(queue_settle(q, &r, now_ms, &kept), QUEUE_REPEAT);
        assert_int_equal(kept->state, JOB_WAITING);
        assert_int_equal(kept->tries, tries);
        assert_string_equal(kept->why.text, r.err.text);
        assert_in_range(kept->due_ms - now_ms, 0, cap_ms);
        assert_int_equal(queue_due_ms(q), kept->due_ms);
        assert_takes(q, kept->due_ms > now_ms ? "-" : "a", kept->due_ms - 1);
        now_ms = MAX(now_ms, queue_due_ms(q));
    }
    assert_takes(q, "a", now_ms);
    assert_int_equal(settle(q, "/r/a", OUTCOME_RETRY, ERR_RETRY, now_ms), QUEUE_REPEAT);
    assert_int_equal(queue_find(q, "/r/a")->state, JOB_FAILED);
    assert_takes(q, "-", INT64_MAX - 1);
    assert_int_equal(queue_due_ms(q), INT64_MAX);
}

static void what_is_wrong_here_is_tried_for_ever(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    for (int i = 0; i < 3 * four.attempts; i++) {
        assert_takes(q, "a", i * four.retry_max_ms);
        settle(q, "/r/a", OUTCOME_RETRY, ERR_LOCAL, i * four.retry_max_ms);
        assert_int_equal(queue_find(q, "/r/a")->state, JOB_WAITING);
    }
}

static void retry_after_is_honoured(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    assert_takes(q, "a", 0);
    struct receipt r = {
        .remote = (char *)"/r/a", .outcome = OUTCOME_RETRY, .err = {.kind = ERR_RETRY, .retry_after_ms = 60000}};
    queue_settle(q, &r, 100, &kept);
    assert_int_equal(kept->due_ms, 60100);
}

static void the_tenants_trouble_costs_no_tries(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        enum err_kind kind;
    } rows[] = {{OUTCOME_RETRY, ERR_TENANT},
                {OUTCOME_RETRY, ERR_AUTH},
                {OUTCOME_REFUSED, ERR_AUTH},
                {OUTCOME_CANCELLED, ERR_NONE},
                {OUTCOME_RETRY, ERR_CANCELLED}};
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_takes(q, "a", 5);
        assert_int_equal(settle(q, "/r/a", rows[i].outcome, rows[i].kind, 5), QUEUE_REPEAT);
        assert_int_equal(queue_find(q, "/r/a")->state, JOB_READY);
        assert_int_equal(queue_find(q, "/r/a")->tries, 0);
    }
}

static void a_retried_job_keeps_its_place_by_age(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a/old", 1);
    assert_takes(q, "old", 0);
    add(q, ACTION_PUBLISH, "/r/b/young", 2);
    settle(q, "/r/a/old", OUTCOME_RETRY, ERR_RETRY, 0);
    assert_takes(q, "old", 2001);
    assert_takes(q, "young", 2001);
}

static void newer_content_goes_now_but_keeps_the_tries(void **state)
{
    (void)state;
    const struct job *kept;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    assert_takes(q, "a", 0);
    struct receipt r = {
        .remote = (char *)"/r/a", .outcome = OUTCOME_RETRY, .err = {.kind = ERR_RETRY, .retry_after_ms = 60000}};
    queue_settle(q, &r, 0, NULL);
    assert_takes(q, "-", 1);
    assert_int_equal(queue_add(q, job_for(ACTION_PUBLISH, "/r/a", 1), &kept), QUEUE_REPLACED);
    assert_int_equal(kept->tries, 1);
    assert_int_equal(queue_due_ms(q), INT64_MAX);
    assert_takes(q, "a", 1);
}

static void waking_ends_retries_but_not_dates_or_holds(void **state)
{
    (void)state;
    static const enum job_state states[] = {JOB_WAITING, JOB_SCHEDULED, JOB_HELD, JOB_FAILED, JOB_WAITING};
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        AUTO(mem_freep) char *remote = str_printf("/r/%zu/%zu", i, i);
        struct job *job = job_for(ACTION_PUBLISH, remote, (int64_t)i + 1);
        job->state = states[i];
        job->due_ms = 5000;
        queue_add(q, job, NULL);
    }
    assert_takes(q, "-", 4999);
    queue_wake(q, 10);
    assert_takes(q, "0", 10);
    assert_takes(q, "4", 10);
    assert_takes(q, "-", 10);
    assert_int_equal(queue_due_ms(q), 5000);
    assert_takes(q, "1", 5000);
}

/* One of fifty makes every package it is in fail; whose fault it is shows by splitting. */
static void only_the_bad_one_of_a_package_fails(void **state)
{
    (void)state;
    static const struct {
        enum outcome outcome;
        enum err_kind kind;
        int most_requests;
    } rows[] = {{OUTCOME_RETRY, ERR_RETRY, 60}, {OUTCOME_REFUSED, ERR_REFUSED, 40}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int requests = 0, published = 0;
        int64_t now_ms = 0;
        AUTO(queue_freep) struct queue *q = queue_new(&four);
        add_many(q, "/r/a", 50);
        for (; queue_find(q, "/r/a/0033")->state != JOB_FAILED; requests++) {
            AUTO(batch_freep) struct batch *b = queue_take(q, 0, now_ms);
            if (!b) {
                now_ms = queue_due_ms(q);
                assert_true(now_ms < INT64_MAX);
                continue;
            }
            AUTO(mem_freep) char *names = names_of(b);
            bool is_bad = strstr(names, "0033") != NULL;
            published += is_bad ? 0 : (int)b->count;
            settle_batch(q, b, is_bad ? rows[i].outcome : OUTCOME_PUBLISHED, is_bad ? rows[i].kind : ERR_NONE,
                         requests + 1, now_ms);
        }
        while (true) {
            AUTO(batch_freep) struct batch *b = queue_take(q, 0, now_ms);
            if (!b)
                break;
            published += (int)b->count;
            settle_batch(q, b, OUTCOME_PUBLISHED, ERR_NONE, 0, now_ms);
        }
        assert_int_equal(published, 49);
        assert_true(requests < rows[i].most_requests);
    }
}

static void a_refused_package_comes_back_as_one_and_without_strangers(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add_many(q, "/r/a", 30);
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 0);
    assert_int_equal(b->count, 30);
    settle_batch(q, b, OUTCOME_RETRY, ERR_RETRY, 1, 0);
    add_sized(q, "/r/a/stranger", 31, 1);
    assert_takes(q, "stranger", -1);
    AUTO(batch_freep) struct batch *again = queue_take(q, 0, queue_due_ms(q));
    assert_int_equal(again->count, 30);
    assert_int_equal(again->job[0]->tries, 0);
}

static void jitter_replays_by_seed(void **state)
{
    (void)state;
    int64_t due_ms[3];
    for (int round = 0; round < 3; round++) {
        struct queue_opts opts = four;
        opts.seed = round < 2 ? 99 : 100;
        AUTO(queue_freep) struct queue *q = queue_new(&opts);
        add(q, ACTION_PUBLISH, "/r/a", 1);
        due_ms[round] = 0;
        for (int i = 0; i < 8; i++) {
            assert_takes(q, "a", 0);
            settle(q, "/r/a", OUTCOME_RETRY, ERR_RETRY, 0);
            due_ms[round] = due_ms[round] * 31 + queue_due_ms(q);
            queue_wake(q, 0);
        }
    }
    assert_int_equal(due_ms[0], due_ms[1]);
    assert_int_not_equal(due_ms[0], due_ms[2]);
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

static void dropping_spares_what_is_being_sent(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    assert_takes(q, "a", 0);
    queue_drop(q, "/r/a");
    assert_non_null(queue_find(q, "/r/a"));
    settle(q, "/r/a", OUTCOME_CANCELLED, ERR_CANCELLED, 0);
    queue_drop(q, "/r/a");
    queue_drop(q, "/r/never");
    assert_null(queue_find(q, "/r/a"));
    assert_takes(q, "-", INT64_MAX - 1);
}

static void a_dropped_folder_opens_what_is_below(void **state)
{
    (void)state;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    struct job *folder = job_for(ACTION_FOLDER, "/r/a", 1);
    folder->state = JOB_FAILED;
    queue_add(q, folder, NULL);
    add(q, ACTION_PUBLISH, "/r/a/b/x", 2);
    assert_takes(q, "-", 0);
    queue_drop(q, "/r/a");
    assert_takes(q, "x", 0);
}

static void a_receipt_for_nothing_is_harmless(void **state)
{
    (void)state;
    const struct job *kept;
    struct receipt r = {.remote = (char *)"/r/a", .outcome = OUTCOME_RETRY, .err.kind = ERR_RETRY};
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    assert_int_equal(queue_settle(q, &r, 0, &kept), QUEUE_DONE);
    assert_null(kept);
    add(q, ACTION_PUBLISH, "/r/a", 1);
    assert_int_equal(queue_settle(q, &r, 0, &kept), QUEUE_DONE); /* it was never taken */
    assert_takes(q, "a", 0);
}

static bool sum_ids(void *arg, const struct job *job)
{
    *(int64_t *)arg += job->id;
    return true;
}

static void counts_are_by_state_and_folder(void **state)
{
    (void)state;
    static const struct {
        enum job_state state;
        int folder;
        int64_t ready_ms;
    } rows[] = {{JOB_READY, 0, 50},    {JOB_READY, 2, 40}, {JOB_READY, 0, 60},  {JOB_WAITING, 0, 1},
                {JOB_SCHEDULED, 0, 1}, {JOB_HELD, 2, 1},   {JOB_FAILED, -1, 1}, {JOB_READY, -1, 70}};
    struct queue_counts all, first, none;
    int64_t ids = 0;
    AUTO(queue_freep) struct queue *q = queue_new(&four);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *remote = str_printf("/r/%zu/x", i);
        struct job *job = job_for(ACTION_PUBLISH, remote, (int64_t)i + 1);
        job->state = rows[i].state;
        job->folder = rows[i].folder;
        job->ready_ms = rows[i].ready_ms;
        job->due_ms = 1000;
        queue_add(q, job, NULL);
    }
    AUTO(batch_freep) struct batch *b = queue_take(q, 0, 0); /* the oldest, of folder 2 */
    assert_int_equal(b->job[0]->ready_ms, 40);
    queue_counts(q, -1, &all);
    queue_counts(q, 0, &first);
    queue_counts(q, 9, &none);
    assert_int_equal(all.ready, 3);
    assert_int_equal(all.sending, 1);
    assert_int_equal(all.waiting, 1);
    assert_int_equal(all.scheduled, 1);
    assert_int_equal(all.held, 1);
    assert_int_equal(all.failed, 1);
    assert_int_equal(all.bytes, 5000);
    assert_int_equal(all.oldest_ready_ms, 50);
    assert_int_equal(first.ready, 2);
    assert_int_equal(first.sending, 0);
    assert_int_equal(none.ready + none.failed, 0);
    assert_int_equal(none.oldest_ready_ms, 0);
    queue_each(q, sum_ids, &ids);
    assert_int_equal(ids, 36);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_job_for_a_remote_takes_the_place_of_the_first),
        cmocka_unit_test(a_command_is_not_lost_to_a_newer_observation),
        cmocka_unit_test(a_job_being_sent_goes_again_with_the_newer_content),
        cmocka_unit_test(an_unpublish_may_follow_a_publish_under_way),
        cmocka_unit_test(a_held_job_without_id_takes_the_id_of_the_one_that_follows),
        cmocka_unit_test(what_is_urgent_goes_first_then_by_priority_and_age),
        cmocka_unit_test(assets_wait_for_the_folders_above_them),
        cmocka_unit_test(parents_go_before_or_together_with_their_children),
        cmocka_unit_test(a_package_is_of_one_folder_and_of_sixteen_megabytes),
        cmocka_unit_test(a_package_leaves_work_for_idle_uploaders),
        cmocka_unit_test(shut_assets_do_not_make_a_package_larger),
        cmocka_unit_test(big_files_leave_one_uploader_to_the_small),
        cmocka_unit_test(a_single_uploader_still_sends_big_files),
        cmocka_unit_test(the_package_limit_follows_the_replies),
        cmocka_unit_test(a_refused_job_waits_longer_each_time_then_fails),
        cmocka_unit_test(what_is_wrong_here_is_tried_for_ever),
        cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(the_tenants_trouble_costs_no_tries),
        cmocka_unit_test(a_retried_job_keeps_its_place_by_age),
        cmocka_unit_test(newer_content_goes_now_but_keeps_the_tries),
        cmocka_unit_test(waking_ends_retries_but_not_dates_or_holds),
        cmocka_unit_test(only_the_bad_one_of_a_package_fails),
        cmocka_unit_test(a_refused_package_comes_back_as_one_and_without_strangers),
        cmocka_unit_test(jitter_replays_by_seed),
        cmocka_unit_test(dropping_spares_what_is_being_sent),
        cmocka_unit_test(a_dropped_folder_opens_what_is_below),
        cmocka_unit_test(a_receipt_for_nothing_is_harmless),
        cmocka_unit_test(counts_are_by_state_and_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
