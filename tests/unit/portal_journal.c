/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The journal says exactly what was received, one JSON line each, and its numbers go on. */
#include "../../src/portal/portal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char file[64];

static int new_file(void **state)
{
    (void)state;
    snprintf(file, sizeof(file), "/tmp/brandsync-journal-XXXXXX");
    int fd = mkstemp(file);
    fd_close(&fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

static struct journal *open_it(void)
{
    struct err e = {0};
    struct journal *j = journal_open(file, &e);
    assert_non_null(j);
    return j;
}

static void read_it(struct buf *text)
{
    struct err e = {0};
    assert_true(file_read(file, 1 << 20, text, &e));
}

static void write_line(struct journal *j, const char *kind, int status, const char *assets)
{
    struct journal_line line = {.request = journal_next_request(j),
                                .bytes = 10,
                                .ms = 3,
                                .status = status,
                                .method = "POST",
                                .path = "/x",
                                .kind = kind,
                                .assets = assets};
    journal_write(j, &line);
}

static void append(const char *text)
{
    FILE *f = fopen(file, "a");
    fputs(text, f);
    fclose(f);
}

static void a_line_holds_the_whole_request(void **state)
{
    (void)state;
    struct journal *j = open_it();
    struct journal_line line = {.request = 7,
                                .bytes = 1234,
                                .ms = 56,
                                .status = 200,
                                .method = "POST",
                                .path = "/importer",
                                .kind = "add",
                                .client_id = "abc",
                                .detail = "a \"word\"\nmore",
                                .assets = "/dam/a.jpg\n/dam/f/\n"};
    journal_write(j, &line);
    journal_close(j);
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    read_it(&text);
    assert_ptr_equal(strchr(text.data, '\n'), text.data + text.len - 1); /* one line */
    json_t *json = json_loads(text.data, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "request")), 7);
    assert_int_equal(json_integer_value(json_object_get(json, "bytes")), 1234);
    assert_int_equal(json_integer_value(json_object_get(json, "ms")), 56);
    assert_string_equal(json_string_value(json_object_get(json, "client_id")), "abc");
    assert_string_equal(json_string_value(json_object_get(json, "detail")), "a \"word\"\nmore");
    json_t *assets = json_object_get(json, "assets");
    assert_int_equal(json_array_size(assets), 2);
    assert_string_equal(json_string_value(json_array_get(assets, 1)), "/dam/f/");
    json_decref(json);
}

static void bytes_that_are_no_text_are_escaped(void **state)
{
    (void)state;
    struct journal *j = open_it();
    journal_write(
        j, &(struct journal_line){.request = 1, .status = 404, .method = "POST", .path = "/\xff", .kind = "other"});
    journal_close(j);
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    read_it(&text);
    json_t *json = json_loads(text.data, 0, NULL);
    assert_non_null(strcasestr(json_string_value(json_object_get(json, "path")), "\\xff"));
    json_decref(json);
}

static void numbers_go_on_after_the_largest(void **state)
{
    (void)state;
    append("{\"request\":9}\n{\"request\":41}\n{\"request\":40}\n");
    struct journal *j = open_it();
    assert_int_equal(journal_next_request(j), 42);
    journal_skip_to(j, 50);
    journal_skip_to(j, 10);
    assert_int_equal(journal_next_request(j), 51);
    journal_close(j);
}

static void a_torn_line_is_ended_first(void **state)
{
    (void)state;
    append("{\"request\":3}\n{\"requ");
    struct journal *j = open_it();
    write_line(j, "other", 404, NULL);
    journal_close(j);
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    read_it(&text);
    const char *last = strstr(text.data, "{\"requ\n");
    assert_non_null(last);
    json_t *json = json_loads(strchr(last, '\n') + 1, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(json, "request")), 4);
    json_decref(json);
}

static void counters_add_up(void **state)
{
    (void)state;
    struct journal *j = open_it();
    write_line(j, "token", 200, NULL);
    write_line(j, "token", 400, NULL);
    write_line(j, "add", 200, "-/old.jpg\n/a.jpg\n/b.jpg\n/f/\n-/f2/");
    write_line(j, "add", 500, NULL);
    write_line(j, "delete", 200, "-/a.jpg");
    write_line(j, "test", 200, NULL);
    write_line(j, "replication-test", 200, NULL);
    write_line(j, "other", 0, NULL);
    char *text = journal_stats(j);
    journal_close(j);
    json_t *json = json_loads(text, 0, NULL);
    const struct {
        const char *name;
        int wanted;
    } rows[] = {{"requests", 8}, {"tokens", 1}, {"packages", 1}, {"assets", 2}, {"folders", 1},
                {"deletes", 1},  {"tests", 2},  {"refused", 2},  {"bytes", 80}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(json_integer_value(json_object_get(json, rows[i].name)), rows[i].wanted);
    json_t *status = json_object_get(json, "status");
    assert_int_equal(json_integer_value(json_object_get(status, "200")), 5);
    assert_int_equal(json_integer_value(json_object_get(status, "0")), 1);
    json_decref(json);
    mem_freep(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_holds_the_whole_request, new_file, remove_file),
        cmocka_unit_test_setup_teardown(bytes_that_are_no_text_are_escaped, new_file, remove_file),
        cmocka_unit_test_setup_teardown(numbers_go_on_after_the_largest, new_file, remove_file),
        cmocka_unit_test_setup_teardown(a_torn_line_is_ended_first, new_file, remove_file),
        cmocka_unit_test_setup_teardown(counters_add_up, new_file, remove_file),
    };
    return cmocka_run_group_tests_name("portal_journal", tests, NULL, NULL);
}
