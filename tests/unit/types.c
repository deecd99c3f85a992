/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The values' name tables are complete, and copies share nothing. */
#include "types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void every_enum_value_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < EVENT_KINDS; i++)
        assert_non_null(event_kind_name((enum event_kind)i));
    for (int i = 0; i < JOB_ACTIONS; i++)
        assert_non_null(job_action_name((enum job_action)i));
    for (int i = 0; i < JOB_STATES; i++)
        assert_non_null(job_state_name((enum job_state)i));
    for (int i = 0; i < OUTCOMES; i++)
        assert_non_null(outcome_name((enum outcome)i));
}

static void names_are_read_back(void **state)
{
    (void)state;
    for (int i = 0; i < OUTCOMES; i++) {
        enum outcome back;
        assert_true(outcome_parse(outcome_name((enum outcome)i), &back));
        assert_int_equal(back, i);
    }
    enum job_action action;
    assert_false(job_action_parse("publishing", &action));
}

static void every_cause_has_a_name_a_sentence_and_a_cure(void **state)
{
    (void)state;
    for (int i = CAUSE_NONE + 1; i < CAUSES; i++) {
        const struct cause_info *info = cause_info(i);
        assert_non_null(info->name);
        assert_non_null(strchr(info->name, '.'));
        assert_true(strlen(info->what) > 8);
        assert_true(strlen(info->fix) > 8);
        for (int other = CAUSE_NONE + 1; other < i; other++)
            assert_string_not_equal(info->name, cause_info(other)->name);
    }
    assert_string_equal(cause_info(-1)->name, "");
    assert_string_equal(cause_info(CAUSES)->name, "");
}

static void a_copied_job_shares_nothing(void **state)
{
    (void)state;
    AUTO(job_freep) struct job *job = job_new(ACTION_PUBLISH, "/a/b", "/content/dam/x/b");
    job->title = str_copy("b");
    AUTO(job_freep) struct job *copy = job_copy(job);
    copy->path[1] = 'z';
    assert_string_equal(job->path, "/a/b");
    assert_string_equal(copy->title, "b");
}

static void a_different_device_is_the_same_content(void **state)
{
    (void)state;
    struct seen a = {.dev = 1, .ino = 2, .bytes = 3, .mtime_ns = 4, .ctime_ns = 5}, b = a;
    b.dev = 9;
    assert_true(seen_is_same_content(&a, &b));
    assert_false(seen_equal(&a, &b));
    b.ctime_ns++;
    assert_false(seen_is_same_content(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_enum_value_has_a_name),
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(every_cause_has_a_name_a_sentence_and_a_cure),
        cmocka_unit_test(a_copied_job_shares_nothing),
        cmocka_unit_test(a_different_device_is_the_same_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
