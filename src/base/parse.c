/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* parse - numbers, spans and sizes from text: the whole text, in range, or refused. And the word that was meant. */
#include "base.h"

#include <errno.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"d", 24 * 60 * 60 * 1000}, {NULL, 0},
};
static const struct unit sizes[] = {
    {"B", 1},
    {"kB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000 * 1000 * 1000},
    {"TB", 1000LL * 1000 * 1000 * 1000},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
    {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool parse_int64(const char *text, int64_t min, int64_t max, int64_t *out)
{
    if (!is_digit(text[0]) && !(text[0] == '-' && is_digit(text[1])))
        return false;
    int saved_errno = errno;
    errno = 0;
    char *end;
    long long value = strtoll(text, &end, 10);
    bool is_right = errno == 0 && *end == '\0' && value >= min && value <= max;
    errno = saved_errno;
    if (is_right)
        *out = value;
    return is_right;
}

/* Digits and one of `units`, both needed. */
static bool parse_amount(const char *text, size_t len, const struct unit *units, int64_t *out)
{
    size_t digits = 0;
    while (digits < len && is_digit(text[digits]))
        digits++;
    char number[24];
    if (digits == 0 || digits >= sizeof(number))
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';

    const struct unit *unit = units;
    while (unit->name && (strlen(unit->name) != len - digits || memcmp(unit->name, text + digits, len - digits) != 0))
        unit++;
    int64_t amount;
    if (!unit->name || !parse_int64(number, 0, INT64_MAX / unit->factor, &amount))
        return false;
    *out = amount * unit->factor;
    return true;
}

bool parse_duration(const char *text, int64_t *ms)
{
    return parse_amount(text, strlen(text), durations, ms);
}

bool parse_rate(const char *text, int64_t *bytes_per_s)
{
    return str_ends(text, "/s") && parse_amount(text, strlen(text) - 2, sizes, bytes_per_s);
}

/* --- the word that was meant ------------------------------------------------------------------------ */

enum { WORD_MAX = 63 };

/* Letters to add, drop, change or swap with their neighbour (optimal string alignment). */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    uint8_t row[3][WORD_MAX + 1] = {0}; /* the row being made and the two before it */
    for (size_t i = 0; i <= a_len; i++) {
        uint8_t *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                now[j] = (uint8_t)(i + j);
                continue;
            }
            size_t best = last[j - 1] + (size_t)(a[i - 1] != b[j - 1]);
            best = MIN(best, MIN(last[j], now[j - 1]) + (size_t)1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, before[j - 2] + (size_t)1);
            now[j] = (uint8_t)best;
        }
    }
    return row[a_len % 3][b_len];
}

const char *text_nearest(const char *text, const char *const *words, size_t count)
{
    const char *nearest = NULL;
    size_t len = strlen(text), least = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t word_len = strlen(words[i]);
        if (MAX(len, word_len) > WORD_MAX)
            continue;
        size_t differ = distance(text, len, words[i], word_len);
        if (differ < least && differ * 3 <= MAX(len, word_len)) {
            least = differ;
            nearest = words[i];
        }
    }
    return nearest;
}
