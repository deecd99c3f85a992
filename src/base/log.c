/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* log - one line per fact to standard error, where the journal listens. */
#include "base.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 3 * TEXT_SHOWN }; /* two quoted paths and the keys around them */

static _Atomic int shown_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&shown_level, (int)level);
}

/* One write(2) per line, so that lines of several threads never mix. Values were quoted by the caller; a raw control
 * byte that slipped through must still not forge a line. */
void log_fact(enum log_level level, const char *fact, const char *fmt, ...)
{
    if ((int)level > atomic_load(&shown_level))
        return;
    int saved_errno = errno;
    char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES]; /* as long: what was cut above ends in "...", too */
    int len = snprintf(raw, sizeof(raw), "%s ", fact);
    BUG_ON(len < 0 || (size_t)len >= sizeof(raw));
    va_list args;
    va_start(args, fmt);
    int added = vsnprintf(raw + len, sizeof(raw) - (size_t)len, fmt, args);
    va_end(args);
    if (added <= 0)
        raw[len - 1] = '\0'; /* no blank at the end */

    size_t at = isatty(STDERR_FILENO) ? 0 : (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
    text_safe(line + at, sizeof(line) - at - 1, raw);
    at += strlen(line + at);
    line[at++] = '\n';
    if (write(STDERR_FILENO, line, at) < 0)
        errno = 0; /* nobody is left to tell */
    errno = saved_errno;
}

void bug_found(const char *file, int line, const char *what)
{
    log_error("bug", "place=%s:%d condition=%s", file, line, QUOTED(what));
    abort();
}
