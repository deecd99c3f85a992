/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Numbers, spans, sizes and times, in and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <errno.h>

static void whole_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t min, max;
        bool is_right;
        int64_t want;
    } rows[] = {
        {"0", 0, 9, true, 0},
        {"7", 0, 9, true, 7},
        {"9", 0, 9, true, 9},
        {"10", 0, 9, false, 0},
        {"-1", 0, 9, false, 0},
        {"-1", -1, 9, true, -1},
        {"007", 0, 9, true, 7},
        {"-0", 0, 9, true, 0},
        {"9223372036854775807", INT64_MIN, INT64_MAX, true, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, true, INT64_MIN},
        {"9223372036854775808", INT64_MIN, INT64_MAX, false, 0},
        {"-9223372036854775809", INT64_MIN, INT64_MAX, false, 0},
        {"99999999999999999999999999", INT64_MIN, INT64_MAX, false, 0},
        {"", 0, 9, false, 0},
        {"-", -9, 9, false, 0},
        {"+1", 0, 9, false, 0},
        {" 1", 0, 9, false, 0},
        {"1 ", 0, 9, false, 0},
        {"1\n", 0, 9, false, 0},
        {"1x", 0, 9, false, 0},
        {"0x1", 0, 9, false, 0},
        {"1.0", 0, 9, false, 0},
        {"1e0", 0, 9, false, 0},
        {"--1", -9, 9, false, 0},
        {"- 1", -9, 9, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = 99;
        errno = EDOM;
        if (parse_int64(rows[i].text, rows[i].min, rows[i].max, &got) != rows[i].is_right)
            fail_msg("row %zu: '%s'", i, rows[i].text);
        assert_int_equal(got, rows[i].is_right ? rows[i].want : 99);
        assert_int_equal(errno, EDOM);
    }
}

struct amount {
    const char *text;
    int64_t want; /* -1: refused */
};

static void check_amounts(bool (*parse)(const char *, int64_t *), const struct amount *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t got = -1;
        bool is_right = parse(rows[i].text, &got);
        if (is_right != (rows[i].want >= 0) || got != rows[i].want)
            fail_msg("'%s' gave %lld", rows[i].text, (long long)got);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct amount rows[] = {
        {"250ms", 250},
        {"2s", 2000},
        {"15m", 900000},
        {"1h", 3600000},
        {"7d", 604800000},
        {"400d", 34560000000},
        {"0s", 0},
        {"0", -1},
        {"5", -1},
        {"", -1},
        {"s", -1},
        {"-1s", -1},
        {"+1s", -1},
        {"1.5h", -1},
        {"1 s", -1},
        {" 1s", -1},
        {"1s ", -1},
        {"1S", -1},
        {"1sec", -1},
        {"1h30m", -1},
        {"1w", -1},
        {"1M", -1},
        {"106751991167d", 9223372036828800000},
        {"106751991168d", -1},
        {"9223372036854775807ms", INT64_MAX},
        {"9223372036854775808ms", -1},
        {"99999999999999999999999999999999s", -1},
        {"000000000000000000000001s", -1},
    };
    check_amounts(parse_duration, rows, ARRAY_LEN(rows));
}

static void rates(void **state)
{
    (void)state;
    static const struct amount rows[] = {
        {"8MiB/s", 8388608},
        {"512KiB/s", 524288},
        {"100kB/s", 100000},
        {"1GiB/s", 1073741824},
        {"77B/s", 77},
        {"2GB/s", 2000000000},
        {"1TB/s", 1000000000000},
        {"1TiB/s", 1099511627776},
        {"4096/s", -1},
        {"-1MB/s", -1},
        {"4 MB/s", -1},
        {"4mb/s", -1},
        {"4KB/s", -1},
        {"4M/s", -1},
        {"1.5MB/s", -1},
        {"0x10/s", -1},
        {"8388607TiB/s", 9223370937343148032},
        {"8388608TiB/s", -1},
        {"4MB/s", 4000000},
        {"1KiB/s", 1024},
        {"0B/s", 0},
        {"4MB", -1},
        {"4/s", -1},
        {"/s", -1},
        {"", -1},
        {"4MB/h", -1},
        {"4MB/s ", -1},
        {"MB/s", -1},
        {"4MB/s/s", -1},
    };
    check_amounts(parse_rate, rows, ARRAY_LEN(rows));
}

static void the_word_that_was_meant(void **state)
{
    (void)state;
    static const char *const words[] = {"status", "pause", "resume", "publish", "plan", "retry", "include", "exclude"};
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"status", "status"},    {"stauts", "status"}, {"statsu", "status"}, {"pubish", "publish"},
        {"publishh", "publish"}, {"pasue", "pause"},   {"plam", "plan"},     {"inclde", "include"},
        {"exlude", "exclude"},   {"xyz", NULL},        {"", NULL},           {"lpan", "plan"},
        {"stxtxs", "status"},    {"xtxtxs", NULL},     {"clude", "include"}, {"ls", NULL},
        {"republished", NULL},   {"pl", NULL},         {"STATUS", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = text_nearest(rows[i].text, words, ARRAY_LEN(words));
        if (got != rows[i].want && !(got && rows[i].want && str_eq(got, rows[i].want)))
            fail_msg("'%s' gave '%s'", rows[i].text, got ? got : "nothing");
    }
    assert_null(text_nearest("status", words, 0));
    AUTO(mem_freep) char *endless = mem_alloc(100001);
    memset(endless, 's', 100000);
    assert_null(text_nearest(endless, words, ARRAY_LEN(words)));
}

static void times_for_programs(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, ""},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {1795531984120, "2026-11-24T14:53:04.120Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {2147483648000, "2038-01-19T03:14:08.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(RFC3339(rows[i].ms), rows[i].want);
}

static void sizes_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *want;
    } rows[] = {
        {0, "0 B"},
        {77, "77 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {1049, "1.0 kB"},
        {1050, "1.1 kB"},
        {9949, "9.9 kB"},
        {9950, "10 kB"},
        {20000, "20 kB"},
        {999499, "999 kB"},
        {999500, "1.0 MB"},
        {4100000, "4.1 MB"},
        {412000000, "412 MB"},
        {999999999, "1.0 GB"},
        {1500000000, "1.5 GB"},
        {12000000000000, "12 TB"},
        {INT64_MAX, "9.2 EB"},
        {-1500, "-1.5 kB"},
        {INT64_MIN, "-9.2 EB"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(BYTES(rows[i].bytes), rows[i].want);
}

static void spans_for_people(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *want;
    } rows[] = {
        {0, "0.0 s"},           {800, "0.8 s"},
        {899, "0.8 s"},         {9999, "9.9 s"},
        {10000, "10 s"},        {48000, "48 s"},
        {59999, "59 s"},        {60000, "1 min"},
        {192000, "3 min 12 s"}, {3599999, "59 min 59 s"},
        {3600000, "1 h"},       {11520000, "3 h 12 min"},
        {86400000, "24 h"},     {172799999, "47 h 59 min"},
        {172800000, "2 days"},  {INT64_MAX, "106751991167 days"},
        {-5, "0.0 s"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(SPAN(rows[i].ms), rows[i].want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers),
        cmocka_unit_test(durations),
        cmocka_unit_test(rates),
        cmocka_unit_test(the_word_that_was_meant),
        cmocka_unit_test(times_for_programs),
        cmocka_unit_test(sizes_for_people),
        cmocka_unit_test(spans_for_people),
    };
    return cmocka_run_group_tests_name("base: parse, time", tests, NULL, NULL);
}
