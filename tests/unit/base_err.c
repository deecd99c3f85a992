/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Errors, memory and our own mistakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Under a sanitizer, too, a refused allocation is NULL and not the sanitizer's own end. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void setting_returns_false_and_forgets_what_was(void **state)
{
    (void)state;
    struct err e = {.kind = ERR_AUTH, .sys = 7, .cause = 3, .retry_after_ms = 9, .text = "old"};
    assert_false(err_set(&e, ERR_REFUSED, "asset '%s' refused", "a.jpg"));
    assert_int_equal(e.kind, ERR_REFUSED);
    assert_int_equal(e.sys, 0);
    assert_int_equal(e.cause, 0);
    assert_int_equal(e.retry_after_ms, 0);
    assert_string_equal(e.text, "asset 'a.jpg' refused");
}

static void a_failed_call_names_its_reason(void **state)
{
    (void)state;
    struct err e;
    assert_false(err_sys(&e, ENOENT, "cannot open '%s'", "x"));
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_int_equal(e.sys, ENOENT);
    assert_string_equal(e.text, "cannot open 'x': No such file or directory");
}

static void context_is_added_outward_and_all_else_stays(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, ERR_RETRY, "no answer");
    e.retry_after_ms = 5000;
    assert_false(err_cause(&e, 4));
    assert_false(err_wrap(&e, "publish '%s'", "a"));
    assert_false(err_wrap(&e, "profile '%s'", "acme"));
    assert_string_equal(e.text, "profile 'acme': publish 'a': no answer");
    assert_int_equal(e.kind, ERR_RETRY);
    assert_int_equal(e.cause, 4);
    assert_int_equal(e.retry_after_ms, 5000);
}

static void arguments_may_come_from_the_error_itself(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, ERR_LOCAL, "inner");
    err_set(&e, ERR_CONFIG, "outer of %s", e.text);
    assert_string_equal(e.text, "outer of inner");
    err_wrap(&e, "again %s", e.text);
    assert_string_equal(e.text, "again outer of inner: outer of inner");
}

static void a_hostile_name_stays_one_safe_line(void **state)
{
    (void)state;
    struct err e;
    err_set(&e, ERR_LOCAL, "cannot open '%s'", "a\r\n\x1b[2J\xff\\");
    assert_string_equal(e.text, "cannot open 'a\\x0d\\n\\x1b[2J\\xff\\'");
    err_wrap(&e, "scan"); /* what is safe is not escaped a second time */
    assert_string_equal(e.text, "scan: cannot open 'a\\x0d\\n\\x1b[2J\\xff\\'");
}

static void a_long_text_ends_in_dots(void **state)
{
    (void)state;
    struct err e;
    AUTO(mem_freep) char *name = mem_alloc(5001);
    memset(name, 'n', 5000);
    err_set(&e, ERR_LOCAL, "%s", name);
    assert_in_range(strlen(e.text), sizeof(e.text) - 8, sizeof(e.text) - 1);
    assert_true(str_ends(e.text, "n..."));
    err_wrap(&e, "%s", name);
    assert_true(strlen(e.text) < sizeof(e.text) && str_ends(e.text, "..."));
}

static void every_kind_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a < ERR_KINDS; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(err_kind_name((enum err_kind)a), err_kind_name((enum err_kind)b));
    assert_string_equal(err_kind_name(ERR_CANCELLED), "cancelled");
}

/* Runs `body` in a child with standard error into `said`; returns the wait status. */
static int run_child(void (*body)(void), char *said, size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    for (ssize_t got; len < size - 1 && (got = read(ends[0], said + len, size - 1 - len)) > 0;)
        len += (size_t)got;
    said[len] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void want_too_many(void)
{
    volatile size_t count = SIZE_MAX / 2;
    mem_freep(&(void *){mem_array(count, 4)});
}

static void grow_too_far(void)
{
    volatile size_t count = SIZE_MAX / 2;
    mem_freep(&(void *){mem_grow(NULL, count, 4)});
}

static void without_memory_the_process_ends_with_71(void **state)
{
    (void)state;
    char said[4096];
    void (*const bodies[])(void) = {want_too_many, grow_too_far};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        int status = run_child(bodies[i], said, sizeof(said));
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 71);
        assert_non_null(strstr(said, "<3>out-of-memory\n"));
    }
}

static void be_wrong(void)
{
    BUG_ON(1 + 1 == 2);
}

static void a_mistake_of_ours_names_its_place_and_aborts(void **state)
{
    (void)state;
    char said[4096];
    int status = run_child(be_wrong, said, sizeof(said));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "<3>bug place=tests/unit/base_err.c:"));
    assert_non_null(strstr(said, "condition=\"1 + 1 == 2\"\n"));
}

static void memory_comes_zeroed_and_nothing_is_something(void **state)
{
    (void)state;
    AUTO(mem_freep) char *some = mem_array(3, 5);
    assert_memory_equal(some, (char[15]){0}, 15);
    AUTO(mem_freep) void *none = mem_alloc(0), *grown = mem_grow(NULL, 0, 0), *copy = mem_copy(NULL, 0);
    assert_true(none && grown && copy);
    some = mem_grow(some, 4, 5);
    memset(some + 15, 'x', 5);
    assert_memory_equal(some, (char[15]){0}, 15);
}

static void text_is_copied(void **state)
{
    (void)state;
    assert_null(str_copy(NULL));
    AUTO(mem_freep)
    char *whole = str_copy("abc"), *part = str_copy_n("abc", 2), *empty = str_copy_n(NULL, 0),
         *made = str_printf("%s-%d", "a", 7), *bytes = mem_copy("a\0b", 3);
    assert_string_equal(whole, "abc");
    assert_string_equal(part, "ab");
    assert_string_equal(empty, "");
    assert_string_equal(made, "a-7");
    assert_memory_equal(bytes, "a\0b", 3);
}

static void taking_leaves_nothing_behind(void **state)
{
    (void)state;
    char *mine = str_copy("x"), *yours = take(&mine);
    assert_null(mine);
    assert_string_equal(yours, "x");
    free(yours);
}

static void beginnings_and_ends(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
        bool starts, ends;
    } rows[] = {
        {"abc", "", true, true},       {"abc", "a", true, false}, {"abc", "c", false, true}, {"abc", "abc", true, true},
        {"abc", "abcd", false, false}, {"", "", true, true},      {"", "a", false, false},   {"aba", "a", true, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(str_starts(rows[i].text, rows[i].part), rows[i].starts);
        assert_int_equal(str_ends(rows[i].text, rows[i].part), rows[i].ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_returns_false_and_forgets_what_was),
        cmocka_unit_test(a_failed_call_names_its_reason),
        cmocka_unit_test(context_is_added_outward_and_all_else_stays),
        cmocka_unit_test(arguments_may_come_from_the_error_itself),
        cmocka_unit_test(a_hostile_name_stays_one_safe_line),
        cmocka_unit_test(a_long_text_ends_in_dots),
        cmocka_unit_test(every_kind_has_its_own_name),
        cmocka_unit_test(without_memory_the_process_ends_with_71),
        cmocka_unit_test(a_mistake_of_ours_names_its_place_and_aborts),
        cmocka_unit_test(memory_comes_zeroed_and_nothing_is_something),
        cmocka_unit_test(text_is_copied),
        cmocka_unit_test(taking_leaves_nothing_behind),
        cmocka_unit_test(beginnings_and_ends),
    };
    return cmocka_run_group_tests_name("base: err, mem", tests, NULL, NULL);
}
