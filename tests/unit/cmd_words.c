/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Numbers and times as people say and ask them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/cmd/cmd_internal.h"

static int64_t at(const char *rfc3339)
{
    int64_t ms;
    if (!time_parse_rfc3339(rfc3339, &ms))
        fail_msg("%s is no time", rfc3339);
    return ms;
}

static int in_berlin(void **state)
{
    (void)state;
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    return 0;
}

static void thousands_are_set_apart(void **state)
{
    (void)state;
    assert_string_equal(GROUPED(0), "0");
    assert_string_equal(GROUPED(999), "999");
    assert_string_equal(GROUPED(1000), "1,000");
    assert_string_equal(GROUPED(-1234567), "-1,234,567");
    assert_string_equal(GROUPED(-123), "-123");
    assert_string_equal(GROUPED(INT64_MIN), "-9,223,372,036,854,775,808");
    assert_string_equal(COUNT_OF(1, "asset"), "1 asset");
    assert_string_equal(COUNT_OF(0, "asset"), "0 assets");
    assert_string_equal(COUNT_OF(21377, "asset"), "21,377 assets");
}

static void times_are_said_from_today(void **state)
{
    (void)state;
    const int64_t now_ms = at("2026-11-24T14:53:04Z");
    static const struct {
        const char *time, *words, *brief;
    } rows[] = {
        {"2026-11-24T21:14:07Z", "today 22:14:07", "22:14:07"},
        {"2026-11-23T23:00:00Z", "today 00:00:00", "00:00:00"},
        {"2026-11-23T22:59:59Z", "yesterday 23:59", "yesterday 23:59"},
        {"2026-11-23T16:20:00Z", "yesterday 17:20", "yesterday 17:20"},
        {"2026-11-24T23:04:00Z", "tomorrow 00:04", "tomorrow 00:04"},
        {"2026-12-01T08:00:00Z", "Tue 1 Dec 09:00", "Tue 1 Dec 09:00"},
        {"2026-11-22T12:00:00Z", "Sun 22 Nov 13:00", "Sun 22 Nov 13:00"},
        {"2027-12-01T08:00:00Z", "Wed 1 Dec 2027 09:00", "Wed 1 Dec 2027 09:00"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(WHEN(at(rows[i].time), now_ms), rows[i].words);
        assert_string_equal(WHEN_SHORT(at(rows[i].time), now_ms), rows[i].brief);
    }
    assert_string_equal(WHEN(0, now_ms), "never");
}

/* 25 October 2026 has 25 hours in Berlin, 29 March 23. */
static void days_are_days_when_the_clocks_change(void **state)
{
    (void)state;
    assert_string_equal(WHEN(at("2026-10-24T22:30:00Z"), at("2026-10-25T22:30:00Z")), "today 00:30:00");
    assert_string_equal(WHEN(at("2026-10-24T21:30:00Z"), at("2026-10-25T22:30:00Z")), "yesterday 23:30");
    assert_string_equal(WHEN(at("2026-03-29T22:10:00Z"), at("2026-03-28T23:30:00Z")), "tomorrow 00:10");
}

static void rfc_3339_is_read_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } rows[] = {
        {"1970-01-01T00:00:01Z", 1000},
        {"2026-11-24T14:53:04.120Z", 1795531984120},
        {"2026-11-24T15:53:04.12+01:00", 1795531984120},
        {"2026-11-24T14:23:04.1200009-00:30", 1795531984120},
        {"2024-02-29T00:00:00Z", 1709164800000},
        {"2026-02-29T00:00:00Z", -1},
        {"2026-13-01T00:00:00Z", -1},
        {"2026-11-24T24:00:00Z", -1},
        {"2026-11-24T14:53:04", -1},
        {"2026-11-24T14:53:04.Z", -1},
        {"2026-11-24 14:53:04Z", -1},
        {"2026-11-24T14:53:04Zx", -1},
        {"2026-11-24T14:53", -1},
        {"", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t got = -1;
        bool is_read = time_parse_rfc3339(rows[i].text, &got);
        if (is_read != (rows[i].want >= 0) || (is_read && got != rows[i].want))
            fail_msg("%s: %lld", rows[i].text, (long long)got);
    }
}

static void since_takes_words_spans_and_times(void **state)
{
    (void)state;
    const int64_t now_ms = at("2026-11-24T14:53:04Z");
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"today", "2026-11-23T23:00:00Z"},
        {"yesterday", "2026-11-22T23:00:00Z"},
        {"10m", "2026-11-24T14:43:04Z"},
        {"2h", "2026-11-24T12:53:04Z"},
        {"2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"},
    };
    int64_t got;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(time_parse_since(rows[i].text, now_ms, &got));
        assert_int_equal(got, at(rows[i].want));
    }
    assert_false(time_parse_since("10", now_ms, &got));
    assert_false(time_parse_since("last week", now_ms, &got));
    assert_false(time_parse_since("", now_ms, &got));
}

static void times_inside_a_sentence_are_said_in_words(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(4096);

    time_say(&out, "2026-11-24T21:14:07.000Z, then 2026-11-23T16:20:00Z; not 2026-11-24", at("2026-11-24T14:53:04Z"));
    assert_string_equal(out.data, "today 22:14:07, then yesterday 17:20; not 2026-11-24");
}

static void short_times_are_milliseconds(void **state)
{
    (void)state;
    assert_string_equal(TOOK(0), "0 ms");
    assert_string_equal(TOOK(99), "99 ms");
    assert_string_equal(TOOK(100), "0.1 s");
    assert_string_equal(TOOK(1900), "1.9 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_are_set_apart),
        cmocka_unit_test(times_are_said_from_today),
        cmocka_unit_test(days_are_days_when_the_clocks_change),
        cmocka_unit_test(rfc_3339_is_read_whole_or_not_at_all),
        cmocka_unit_test(since_takes_words_spans_and_times),
        cmocka_unit_test(times_inside_a_sentence_are_said_in_words),
        cmocka_unit_test(short_times_are_milliseconds),
    };
    return cmocka_run_group_tests_name("cmd_words", tests, in_berlin, NULL);
}
