/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A clock that stands still until it is told: both hands move together. May be read in any thread. */
#ifndef BRANDSYNC_FAKE_CLOCK_H
#define BRANDSYNC_FAKE_CLOCK_H

#include "ports.h"

struct fake_clock {
    _Atomic int64_t wall_ms, mono_ms;
    struct clock clock; /* give this away */
};
void fake_clock_init(struct fake_clock *f, int64_t wall_ms);
void fake_clock_pass(struct fake_clock *f, int64_t ms);

#endif
