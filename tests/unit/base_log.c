/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The log. Standard error is a datagram socket here: each write(2) arrives as one message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int real_stderr, ends[2];

static int catch_stderr(void **state)
{
    (void)state;
    real_stderr = dup(STDERR_FILENO);
    bool is_ready = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0 && dup2(ends[1], STDERR_FILENO) >= 0;
    log_set_level(LOG_LEVEL_INFO);
    return is_ready ? 0 : -1;
}

static int release_stderr(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* The next message, "" when there is none. */
static const char *next_line(void)
{
    static char line[65536];
    ssize_t len = recv(ends[0], line, sizeof(line) - 1, 0);
    line[MAX(len, 0)] = '\0';
    return line;
}

static void a_fact_is_one_line_in_one_write(void **state)
{
    (void)state;
    log_info("published", "job=%d path=%s", 41, QUOTED("a b.jpg"));
    log_warning("slow", "ms=%d", 101);
    assert_string_equal(next_line(), "<6>published job=41 path=\"a b.jpg\"\n");
    assert_string_equal(next_line(), "<4>slow ms=101\n");
    assert_string_equal(next_line(), "");
}

static void a_fact_without_values_has_no_blank(void **state)
{
    (void)state;
    log_error("stopped", "%s", "");
    assert_string_equal(next_line(), "<3>stopped\n");
}

static void the_level_decides(void **state)
{
    (void)state;
    log_debug("seen", "n=%d", 1);
    assert_string_equal(next_line(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("seen", "n=%d", 2);
    assert_string_equal(next_line(), "<7>seen n=2\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("seen", "n=%d", 3);
    assert_string_equal(next_line(), "");
}

static void a_value_that_nobody_quoted_forges_no_line(void **state)
{
    (void)state;
    log_info("seen", "path=%s", "a\n<3>forged\x1b[31m\r\xc2\x9b");
    assert_string_equal(next_line(), "<6>seen path=a\\n<3>forged\\x1b[31m\\x0d\\xc2\\x9b\n");
    assert_string_equal(next_line(), "");
}

static void a_huge_line_ends_in_dots(void **state)
{
    (void)state;
    AUTO(mem_freep) char *huge = mem_alloc(100001);
    memset(huge, 'x', 100000);
    log_info("seen", "path=%s", huge);
    const char *line = next_line();
    assert_true(str_starts(line, "<6>seen path=xxx"));
    assert_true(str_ends(line, "xxx...\n"));
    assert_in_range(strlen(line), 2 * TEXT_SHOWN, 4 * TEXT_SHOWN);
    assert_string_equal(next_line(), "");
}

static void errno_survives(void **state)
{
    (void)state;
    errno = EDOM;
    log_info("seen", "n=%d", 1);
    assert_int_equal(errno, EDOM);
    close(STDERR_FILENO);
    log_info("seen", "n=%d", 2);
    assert_int_equal(errno, EDOM);
}

static void a_terminal_gets_no_priority(void **state)
{
    (void)state;
    AUTO(fd_close) int master = posix_openpt(O_RDWR | O_NOCTTY);
    char name[128], said[128];
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
        skip();
    AUTO(fd_close) int terminal = open(name, O_RDWR | O_NOCTTY);
    if (terminal < 0)
        skip();
    dup2(terminal, STDERR_FILENO);
    log_info("started", "pid=%d", 1);
    ssize_t len = read(master, said, sizeof(said) - 1);
    said[MAX(len, 0)] = '\0';
    assert_string_equal(said, "started pid=1\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fact_is_one_line_in_one_write, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(a_fact_without_values_has_no_blank, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(the_level_decides, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(a_value_that_nobody_quoted_forges_no_line, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(a_huge_line_ends_in_dots, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(errno_survives, catch_stderr, release_stderr),
        cmocka_unit_test_setup_teardown(a_terminal_gets_no_priority, catch_stderr, release_stderr),
    };
    return cmocka_run_group_tests_name("base: log", tests, NULL, NULL);
}
