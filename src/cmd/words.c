/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* words - numbers and times as people say and ask them, in the time zone of the process. */
#include "cmd_internal.h"

#include <ctype.h>
#include <inttypes.h>

/* --- numbers ------------------------------------------------------------------------------------------- */

char *number_grouped(char *out, size_t size, int64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
    size_t at = 0;

    for (int i = 0; i < len && at + 2 < size; i++) {
        if (i > (n < 0) && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}

char *number_of(char *out, size_t size, int64_t n, const char *thing)
{
    snprintf(out, size, "%s %s%s", GROUPED(n), thing, n == 1 ? "" : "s");
    return out;
}

/* --- saying times ----------------------------------------------------------------------------------------- */

static struct tm local_of(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm = {0};

    localtime_r(&seconds, &tm);
    return tm;
}

/* Noon of a day as a count of days: noons of neighbours are 23 to 25 hours apart, whatever the clock change. */
static int64_t days_between(struct tm from, struct tm to)
{
    struct tm *noon[] = {&from, &to};
    time_t at[2];

    for (size_t i = 0; i < 2; i++) {
        noon[i]->tm_hour = 12;
        noon[i]->tm_min = noon[i]->tm_sec = 0;
        noon[i]->tm_isdst = -1;
        at[i] = mktime(noon[i]);
    }
    int64_t hours = (at[1] - at[0]) / 3600;
    return (hours + (hours >= 0 ? 12 : -12)) / 24;
}

/* clang-tidy and gcc want literal formats: one row, one call. */
static void say_day(char *out, size_t size, const struct tm *tm, bool is_this_year)
{
    char week_day[8], month[8];

    strftime(week_day, sizeof(week_day), "%a", tm);
    strftime(month, sizeof(month), "%b", tm);
    if (is_this_year)
        snprintf(out, size, "%s %d %s", week_day, tm->tm_mday, month);
    else
        snprintf(out, size, "%s %d %s %d", week_day, tm->tm_mday, month, tm->tm_year + 1900);
}

char *time_words(char *out, size_t size, int64_t ms, int64_t now_ms)
{
    struct tm tm = local_of(ms), now = local_of(now_ms);
    int64_t days = days_between(now, tm);
    char day[32];

    if (ms == 0)
        snprintf(out, size, "never");
    else if (days == 0)
        snprintf(out, size, "today %02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
    else if (days == -1 || days == 1)
        snprintf(out, size, "%s %02d:%02d", days < 0 ? "yesterday" : "tomorrow", tm.tm_hour, tm.tm_min);
    else {
        say_day(day, sizeof(day), &tm, tm.tm_year == now.tm_year);
        snprintf(out, size, "%s %02d:%02d", day, tm.tm_hour, tm.tm_min);
    }
    return out;
}

char *time_short(char *out, size_t size, int64_t ms, int64_t now_ms)
{
    static const char today[] = "today ";

    time_words(out, size, ms, now_ms);
    if (str_starts(out, today))
        memmove(out, out + strlen(today), strlen(out + strlen(today)) + 1);
    return out;
}

char *span_took(char *out, size_t size, int64_t ms)
{
    if (ms < 0 || ms >= 100)
        return text_span(out, size, ms);
    snprintf(out, size, "%" PRId64 " ms", ms);
    return out;
}

/* --- reading times ---------------------------------------------------------------------------------------- */

/* Does `text` begin as `shape` says, a 0 standing for any digit? Returns its length then. */
static size_t begins_like(const char *text, const char *shape)
{
    size_t len = 0;

    for (; shape[len]; len++)
        if (shape[len] == '0' ? !isdigit((unsigned char)text[len]) : text[len] != shape[len])
            return 0;
    return len;
}

static int two_digits(const char *text)
{
    return (text[0] - '0') * 10 + text[1] - '0';
}

static bool seconds_of(const char *text, int64_t *seconds)
{
    struct tm tm = {
        .tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900,
        .tm_mon = two_digits(text + 5) - 1,
        .tm_mday = two_digits(text + 8),
        .tm_hour = two_digits(text + 11),
        .tm_min = two_digits(text + 14),
        .tm_sec = two_digits(text + 17),
    };
    struct tm kept = tm;
    *seconds = timegm(&tm); /* puts 31 April to 1 May: then the text was no time */
    return tm.tm_mon == kept.tm_mon && tm.tm_mday == kept.tm_mday && tm.tm_hour == kept.tm_hour &&
           tm.tm_min == kept.tm_min && tm.tm_sec == kept.tm_sec;
}

/* The time `text` begins with; returns its length, 0: there is none. */
static size_t read_rfc3339(const char *text, int64_t *ms)
{
    size_t len = begins_like(text, "0000-00-00T00:00:00");
    int64_t seconds, millis = 0, scale = 100, zone = 0;

    if (len == 0 || !seconds_of(text, &seconds))
        return 0;
    if (text[len] == '.' && isdigit((unsigned char)text[len + 1]))
        for (len++; isdigit((unsigned char)text[len]); len++, scale /= 10)
            millis += (text[len] - '0') * scale;
    if (begins_like(text + len, "+00:00") || begins_like(text + len, "-00:00")) {
        zone = (two_digits(text + len + 1) * 60 + two_digits(text + len + 4)) * (text[len] == '+' ? 60 : -60);
        len += 6;
    } else if (text[len++] != 'Z') {
        return 0;
    }
    *ms = (seconds - zone) * 1000 + millis;
    return len;
}

bool time_parse_rfc3339(const char *text, int64_t *ms)
{
    size_t len = read_rfc3339(text, ms);
    return len > 0 && text[len] == '\0';
}

static int64_t midnight_ms(int64_t now_ms, int days)
{
    struct tm tm = local_of(now_ms);

    tm.tm_mday += days;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_isdst = -1;
    return (int64_t)mktime(&tm) * 1000;
}

bool time_parse_since(const char *text, int64_t now_ms, int64_t *ms)
{
    int64_t back_ms;

    if (str_eq(text, "today") || str_eq(text, "yesterday")) {
        *ms = midnight_ms(now_ms, str_eq(text, "today") ? 0 : -1);
        return true;
    }
    if (parse_duration(text, &back_ms)) {
        *ms = now_ms - back_ms;
        return true;
    }
    return time_parse_rfc3339(text, ms);
}

void time_say(struct buf *out, const char *sentence, int64_t now_ms)
{
    while (*sentence) {
        int64_t ms;
        size_t len = read_rfc3339(sentence, &ms);
        if (len > 0)
            buf_str(out, WHEN(ms, now_ms));
        else
            buf_char(out, *sentence);
        sentence += MAX(len, 1);
    }
}
