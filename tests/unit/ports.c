/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Clock, random numbers, and files that can only be opened beneath their root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ports.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- clock and random -------------------------------------------------------------------------------------------- */

static void the_monotonic_clock_never_goes_back(void **state)
{
    (void)state;
    int64_t before = mono_ms(&real_clock);
    for (int i = 0; i < 1000; i++) {
        int64_t now = mono_ms(&real_clock);
        assert_true(now >= before);
        before = now;
    }
    assert_true(wall_ms(&real_clock) > INT64_C(1700000000000));
}

/* The first values of splitmix64 for seed 1234567, as its authors' test vector has them. */
static void one_seed_gives_one_sequence(void **state)
{
    (void)state;
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423)};
    struct random r;
    random_seed(&r, 1234567);
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        assert_true(random_next(&r) == want[i]);
}

static void seeds_from_the_kernel_differ(void **state)
{
    (void)state;
    struct random a, b;
    random_seed(&a, 0);
    random_seed(&b, 0);
    assert_true(a.state != b.state);
}

static void numbers_stay_below_their_limit_and_reach_all_of_it(void **state)
{
    (void)state;
    struct random r;
    int seen[7] = {0};
    random_seed(&r, 42);
    for (int i = 0; i < 7000; i++)
        seen[random_below(&r, 7)]++;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(random_below(&r, 1), 0);
}

/* --- files ----------------------------------------------------------------------------------------- */

static char top[] = "/tmp/brandsync-ports-XXXXXX";
static char *inside, *outside;

static void write_file(const char *dir, const char *name, const char *text)
{
    struct err e;
    AUTO(mem_freep) char *path = path_join(dir, name);
    assert_true(file_replace(path, text, strlen(text), 0644, &e));
}

static void link_to(const char *target, const char *name)
{
    AUTO(mem_freep) char *path = path_join(inside, name);
    assert_int_equal(symlink(target, path), 0);
}

static int given_a_folder(void **state)
{
    (void)state;
    struct err e;
    assert_non_null(mkdtemp(top));
    inside = path_join(top, "inside");
    outside = path_join(top, "outside");
    AUTO(mem_freep) char *sub = path_join(inside, "sub"), *pipe = path_join(inside, "pipe");
    assert_true(dir_make(sub, 0755, &e) && dir_make(outside, 0755, &e));
    write_file(inside, "a.jpg", "0123456789");
    write_file(sub, "b.jpg", "sub");
    write_file(outside, "secret", "secret");
    link_to("a.jpg", "link");
    link_to("../outside/secret", "link-out");
    link_to("sub", "sub-link");
    assert_int_equal(mkfifo(pipe, 0644), 0);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    AUTO(mem_freep) char *command = str_printf("rm -rf '%s'", top);
    mem_freep(&inside);
    mem_freep(&outside);
    return system(command);
}

static void a_file_is_opened_looked_at_and_read(void **state)
{
    (void)state;
    AUTO(fd_close) int root = -1;
    AUTO(fd_close) int fd = -1;
    struct seen seen, again;
    struct err e;
    char data[8];
    size_t got;
    assert_true(real_fs.open_root(NULL, inside, &root, &e));
    assert_true(real_fs.open_file(NULL, root, "a.jpg", &fd, &seen, &e));
    assert_int_equal(seen.bytes, 10);
    assert_true(real_fs.look(NULL, fd, &again, &e) && seen_equal(&seen, &again));
    assert_true(real_fs.read_at(NULL, fd, 4, data, sizeof(data), &got, &e));
    assert_int_equal(got, 6);
    assert_memory_equal(data, "456789", 6);
    assert_true(real_fs.read_at(NULL, fd, 10, data, sizeof(data), &got, &e));
    assert_int_equal(got, 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void nothing_but_a_regular_file_beneath_the_root_is_opened(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "link",    "link-out", "sub-link/b.jpg",          "../outside/secret", "/etc/passwd", "sub", "pipe", "none",
        "a.jpg/b", ".",        "sub/../../outside/secret"};
    AUTO(fd_close) int root = -1;
    struct err e;
    assert_true(real_fs.open_root(NULL, inside, &root, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = -1;
        struct seen seen;
        e = (struct err){0};
        assert_false(real_fs.open_file(NULL, root, rows[i], &fd, &seen, &e));
        assert_int_equal(fd, -1);
        assert_int_equal(e.kind, ERR_CHANGED);
        assert_int_equal(e.cause, CAUSE_FILE_GONE);
    }
}

static void a_root_that_is_gone_says_so(void **state)
{
    (void)state;
    AUTO(mem_freep) char *none = path_join(top, "none");
    int root = -1;
    struct err e;
    assert_false(real_fs.open_root(NULL, none, &root, &e));
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_int_equal(e.cause, CAUSE_FOLDER_GONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_monotonic_clock_never_goes_back),
        cmocka_unit_test(one_seed_gives_one_sequence),
        cmocka_unit_test(seeds_from_the_kernel_differ),
        cmocka_unit_test(numbers_stay_below_their_limit_and_reach_all_of_it),
        cmocka_unit_test(a_file_is_opened_looked_at_and_read),
        cmocka_unit_test(nothing_but_a_regular_file_beneath_the_root_is_opened),
        cmocka_unit_test(a_root_that_is_gone_says_so),
    };
    return cmocka_run_group_tests_name("ports", tests, given_a_folder, remove_folder);
}
