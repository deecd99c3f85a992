/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* clock - what time it is. The monotonic one goes on while the machine sleeps. */
#include "ports.h"

#include <time.h>

static int64_t now_ms(clockid_t id)
{
    struct timespec t;
    BUG_ON(clock_gettime(id, &t) < 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t real_wall_ms(void *arg)
{
    (void)arg;
    return now_ms(CLOCK_REALTIME);
}

static int64_t real_mono_ms(void *arg)
{
    (void)arg;
    return now_ms(CLOCK_BOOTTIME);
}

const struct clock real_clock = {.wall_ms = real_wall_ms, .mono_ms = real_mono_ms};
