/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A clock that stands still until it is told. */
#include "clock.h"

static int64_t fake_wall_ms(void *arg)
{
    return atomic_load(&((struct fake_clock *)arg)->wall_ms);
}

static int64_t fake_mono_ms(void *arg)
{
    return atomic_load(&((struct fake_clock *)arg)->mono_ms);
}

void fake_clock_init(struct fake_clock *f, int64_t wall)
{
    atomic_init(&f->wall_ms, wall);
    atomic_init(&f->mono_ms, 1000000);
    f->clock = (struct clock){.wall_ms = fake_wall_ms, .mono_ms = fake_mono_ms, .arg = f};
}

void fake_clock_pass(struct fake_clock *f, int64_t ms)
{
    atomic_fetch_add(&f->wall_ms, ms);
    atomic_fetch_add(&f->mono_ms, ms);
}
