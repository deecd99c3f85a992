/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* time - times, spans and sizes as people and programs read them. */
#include "base.h"

#include <inttypes.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

char *time_rfc3339(char *out, size_t size, int64_t ms)
{
    BUG_ON(size == 0);
    out[0] = '\0';
    int64_t rest = ms % 1000 + (ms % 1000 < 0 ? 1000 : 0);
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
    struct tm tm;
    if (ms == 0 || !gmtime_r(&seconds, &tm))
        return out;
    size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, size - len, ".%03dZ", (int)rest);
    return out;
}

/* Three digits at most: 4.1 MB, 41 MB, 412 MB. */
char *text_bytes(char *out, size_t size, int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    const char *sign = bytes < 0 ? "-" : "";
    uint64_t n = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes, unit = 1;
    size_t which = 0;
    while (n / unit >= 1000 || (which && (n + unit / 2) / unit >= 1000)) { /* 999.6 kB reads 1.0 MB */
        unit *= 1000;
        which++;
    }
    uint64_t tenths = n / unit * 10 + (n % unit * 10 + unit / 2) / unit;
    if (which == 0)
        snprintf(out, size, "%s%" PRIu64 " B", sign, n);
    else if (tenths < 100)
        snprintf(out, size, "%s%" PRIu64 ".%" PRIu64 " %s", sign, tenths / 10, tenths % 10, units[which]);
    else
        snprintf(out, size, "%s%" PRIu64 " %s", sign, (n + unit / 2) / unit, units[which]);
    return out;
}

/* Two units at most, the smaller one only when it is not zero. */
static char *two_units(char *out, size_t size, int64_t major, const char *major_unit, int64_t minor,
                       const char *minor_unit)
{
    int len = snprintf(out, size, "%" PRId64 " %s", major, major_unit);
    if (minor && len > 0 && (size_t)len < size)
        snprintf(out + len, size - (size_t)len, " %" PRId64 " %s", minor, minor_unit);
    return out;
}

char *text_span(char *out, size_t size, int64_t ms)
{
    ms = MAX(ms, 0);
    if (ms < 10 * SECOND_MS) {
        snprintf(out, size, "%d.%d s", (int)(ms / 1000), (int)(ms % 1000 / 100));
        return out;
    }
    if (ms < MINUTE_MS)
        return two_units(out, size, ms / SECOND_MS, "s", 0, "");
    if (ms < HOUR_MS)
        return two_units(out, size, ms / MINUTE_MS, "min", ms % MINUTE_MS / SECOND_MS, "s");
    if (ms < 2 * DAY_MS)
        return two_units(out, size, ms / HOUR_MS, "h", ms % HOUR_MS / MINUTE_MS, "min");
    return two_units(out, size, ms / DAY_MS, "days", 0, "");
}
