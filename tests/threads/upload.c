/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Real uploader threads before a scripted tenant: every job gets one receipt, turns are equal, stopping is quick. Run
 * under tsan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fakes/clock.h"
#include "../fakes/tokens.h"
#include "upload.h"

#include <unistd.h>

#define ROOT "/content/dam/mac/acme"

enum { UPLOADERS = 4, BATCHES = 100, FILES = 5 };

static char top[40];
static struct fake_clock clock_;
static struct fake_tokens tokens;
static struct fake_http portal;
static struct profile_folder folder;
static struct profile profile;
static struct mailbox *results;
static struct uploaders *uploaders;
static struct err e;

static int given_four_uploaders(void **state)
{
    (void)state;
    snprintf(top, sizeof(top), "/tmp/brandsync-threads-XXXXXX");
    assert_non_null(mkdtemp(top));
    fake_clock_init(&clock_, 1764000000000);
    fake_tokens_init(&tokens, &clock_.clock);
    fake_http_init(&portal, 200, "{\"message\":\"package imported successfully\"}");
    portal.keeps_no_bodies = true;
    folder = (struct profile_folder){.path = top};
    profile = (struct profile){.folder = &folder, .folders = 1};
    profile.tenant.url = str_copy("https://acme.portal.test");
    profile.tenant.root = str_copy(ROOT);
    profile.tenant.importer_path = str_copy("/importer");
    results = mailbox_new(UPLOADERS, &e);
    const struct upload_opts opts = {.profile = &profile,
                                     .fs = &real_fs,
                                     .http = &portal.http,
                                     .clock = &clock_.clock,
                                     .tokens = tokens.source,
                                     .results = results};
    uploaders = uploaders_start(&opts, UPLOADERS, &e);
    assert_non_null(uploaders);
    return 0;
}

static void free_result(void *result)
{
    result_free(result);
}

static int then_they_go(void **state)
{
    (void)state;
    AUTO(mem_freep) char *command = str_printf("rm -rf '%s'", top);
    uploaders_free(uploaders);
    mailbox_free(results, free_result);
    fake_http_release(&portal);
    fake_tokens_release(&tokens);
    mem_freep(&profile.tenant.url);
    mem_freep(&profile.tenant.root);
    mem_freep(&profile.tenant.importer_path);
    return system(command);
}

static void given_files(size_t bytes)
{
    AUTO(mem_freep) char *data = mem_alloc(bytes);
    for (int i = 0; i < FILES; i++) {
        AUTO(mem_freep) char *path = str_printf("%s/%d.jpg", top, i);
        data[0] = (char)i;
        assert_true(file_replace(path, data, bytes, 0644, &e));
    }
}

static struct batch *batch_number(int64_t number)
{
    struct batch *b = mem_alloc(sizeof(*b));
    *b = (struct batch){.action = ACTION_PUBLISH, .count = FILES, .job = mem_array(FILES, sizeof(*b->job))};
    for (int i = 0; i < FILES; i++) {
        AUTO(mem_freep) char *path = str_printf("%s/%d.jpg", top, i);
        AUTO(mem_freep) char *remote = str_printf(ROOT "/%d/%d.jpg", (int)number, i);
        b->job[i] = job_new(ACTION_PUBLISH, path, remote);
        b->job[i]->folder = 0;
        b->job[i]->id = number * FILES + i + 1;
        b->job[i]->last_bytes = -1;
    }
    return b;
}

/* The loop's part: gives while somebody is free, takes one result, and so on. */
static void run_batches(int count, void (*see)(const struct result *result))
{
    int given = 0;
    for (int done = 0; done < count; done++) {
        for (int free; given < count && (free = uploader_idle_longest(uploaders, NULL, NULL));)
            uploader_give(uploaders, free, batch_number(given++));
        AUTO(result_freep) struct result *result = mailbox_take_wait(results);
        uploader_done(uploaders, result->uploader);
        see(result);
    }
}

static int receipts_of[BATCHES * FILES + 1], turns_of[UPLOADERS + 1];

static void count_receipts(const struct result *result)
{
    turns_of[result->uploader]++;
    for (size_t i = 0; i < result->count; i++) {
        assert_int_equal(result->receipt[i].outcome, OUTCOME_PUBLISHED);
        receipts_of[result->receipt[i].job->id]++;
    }
}

static void every_job_gets_one_receipt_and_everybody_has_a_turn(void **state)
{
    (void)state;
    given_files(20000);
    run_batches(BATCHES, count_receipts);
    for (int i = 1; i <= BATCHES * FILES; i++)
        assert_int_equal(receipts_of[i], 1);
    for (int i = 1; i <= UPLOADERS; i++)
        assert_true(turns_of[i] > 0);
    assert_int_equal(portal.requests, BATCHES);
    assert_true(atomic_load(&portal.body_bytes) > INT64_C(20000) * FILES * BATCHES);
}

static void the_one_idle_longest_is_next(void **state)
{
    (void)state;
    given_files(10);
    for (int i = 1; i <= UPLOADERS; i++) {
        assert_int_equal(uploader_idle_longest(uploaders, NULL, NULL), i);
        uploader_give(uploaders, i, batch_number(i));
        assert_false(uploader_is_free(uploaders, i));
    }
    assert_int_equal(uploader_idle_longest(uploaders, NULL, NULL), 0);
    static const int order[] = {3, 1, 4, 2};
    for (int i = 0; i < UPLOADERS; i++)
        result_free(mailbox_take_wait(results));
    for (size_t i = 0; i < ARRAY_LEN(order); i++)
        uploader_done(uploaders, order[i]);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_int_equal(uploader_idle_longest(uploaders, NULL, NULL), order[i]);
        uploader_give(uploaders, order[i], batch_number((int)i));
    }
    for (int i = 0; i < UPLOADERS; i++)
        result_free(mailbox_take_wait(results));
}

static bool not_two(void *arg, int uploader)
{
    (void)arg;
    return uploader != 2;
}

static void one_that_is_not_allowed_is_passed_over(void **state)
{
    (void)state;
    uploader_done(uploaders, 1);
    uploader_done(uploaders, 3);
    uploader_done(uploaders, 4);
    assert_int_equal(uploader_idle_longest(uploaders, NULL, NULL), 2);
    assert_int_equal(uploader_idle_longest(uploaders, not_two, NULL), 1);
}

static struct board halfway;

static void look_at_the_board(void *arg, int64_t body_read)
{
    (void)arg;
    if (body_read == 1 << 20) {
        fake_clock_pass(&clock_, 1000);
        uploader_board(uploaders, 1, &halfway);
    }
}

static void the_board_shows_how_far_it_is(void **state)
{
    (void)state;
    given_files(1 << 20);
    portal.meanwhile = look_at_the_board;
    uploader_give(uploaders, 1, batch_number(7));
    result_free(mailbox_take_wait(results));
    assert_int_equal(halfway.state, UPLOADER_ACTIVE);
    assert_string_equal(halfway.asset, ROOT "/7/0.jpg");
    assert_int_equal(halfway.assets, FILES);
    assert_int_equal(halfway.bytes_done, 1 << 20);
    assert_true(halfway.bytes_total > FILES << 20);
    assert_int_equal(halfway.rate, 1 << 20);
    struct board after;
    uploader_board(uploaders, 1, &after);
    assert_int_equal(after.state, UPLOADER_IDLE);
}

static void stop_at_the_first_piece(void *arg, int64_t body_read)
{
    (void)arg;
    (void)body_read;
    uploaders_cancel(uploaders);
}

static void see_cancelled(const struct result *result)
{
    for (size_t i = 0; i < result->count; i++)
        assert_int_equal(result->receipt[i].outcome, OUTCOME_CANCELLED);
}

static void stopping_ends_what_is_under_way(void **state)
{
    (void)state;
    given_files(1 << 20);
    portal.meanwhile = stop_at_the_first_piece;
    run_batches(UPLOADERS, see_cancelled);
    assert_int_equal(portal.requests, 0);
}

static void leaving_with_work_under_way_forgets_nothing(void **state)
{
    (void)state;
    given_files(1000);
    for (int i = 1; i <= UPLOADERS; i++)
        uploader_give(uploaders, i, batch_number(i)); /* then_they_go frees what comes, or what never began */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_four_uploaders, then_they_go)

int main(void)
{
    log_set_level(LOG_LEVEL_WARNING);
    const struct CMUnitTest tests[] = {
        TEST(every_job_gets_one_receipt_and_everybody_has_a_turn),
        TEST(the_one_idle_longest_is_next),
        TEST(one_that_is_not_allowed_is_passed_over),
        TEST(the_board_shows_how_far_it_is),
        TEST(stopping_ends_what_is_under_way),
        TEST(leaving_with_work_under_way_forgets_nothing),
    };
    return cmocka_run_group_tests_name("uploaders", tests, NULL, NULL);
}
