/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Buffers with a ceiling, lists of strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

static void what_is_added_is_text_at_any_time(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(1000);
    assert_true(buf_add(&b, "", 0));
    assert_string_equal(b.data, "");
    assert_true(buf_str(&b, "ab") && buf_char(&b, 'c') && buf_printf(&b, "%d", 42) && buf_add(&b, "\0z", 2));
    assert_int_equal(b.len, 7);
    assert_memory_equal(b.data, "abc42\0z", 8);
}

static void the_ceiling_is_exact(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        AUTO(buf_release) struct buf b = BUF_INIT(max);
        for (size_t i = 0; i < max; i++)
            assert_true(i % 2 ? buf_char(&b, 'x') : buf_printf(&b, "x"));
        assert_false(b.is_over);
        assert_false(buf_char(&b, 'x'));
        assert_true(b.is_over);
        assert_int_equal(b.len, max);
    }
}

static void after_the_ceiling_nothing_more_is_added(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(4);
    buf_str(&b, "ab");
    assert_false(buf_printf(&b, "%s", "cde"));
    assert_false(buf_char(&b, 'c')); /* would fit, but leave a hole */
    assert_string_equal(b.data, "ab");
    buf_clear(&b);
    assert_true(buf_str(&b, "abcd"));
    assert_string_equal(b.data, "abcd");
}

static void an_absurd_length_is_over_the_ceiling(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(SIZE_MAX);
    buf_str(&b, "ab");
    assert_false(buf_add(&b, "x", SIZE_MAX - 1));
    assert_true(b.is_over);
}

static void taking_gives_text_even_from_nothing(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    AUTO(mem_freep) char *nothing = buf_take(&b);
    assert_string_equal(nothing, "");
    buf_str(&b, "abc");
    AUTO(mem_freep) char *text = buf_take(&b);
    assert_string_equal(text, "abc");
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 10);
}

static void growing_keeps_every_byte(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
}

static void a_list_owns_its_copies(void **state)
{
    (void)state;
    struct strlist l = {0};
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        strlist_add(&l, name);
    }
    assert_int_equal(l.count, 1000);
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%d", i);
        assert_string_equal(l.item[i], name);
    }
    strlist_release(&l);
    assert_null(l.item);
    strlist_add(&l, "again");
    assert_string_equal(l.item[0], "again");
    strlist_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_is_text_at_any_time),
        cmocka_unit_test(the_ceiling_is_exact),
        cmocka_unit_test(after_the_ceiling_nothing_more_is_added),
        cmocka_unit_test(an_absurd_length_is_over_the_ceiling),
        cmocka_unit_test(taking_gives_text_even_from_nothing),
        cmocka_unit_test(growing_keeps_every_byte),
        cmocka_unit_test(a_list_owns_its_copies),
    };
    return cmocka_run_group_tests_name("base: buf, strlist", tests, NULL, NULL);
}
