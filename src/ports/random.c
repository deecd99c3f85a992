/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* random - splitmix64 (Steele, Lea, Flood 2014): for jitter and tests, never for secrets. */
#include "ports.h"

#include <sys/random.h>

void random_seed(struct random *r, uint64_t seed)
{
    if (seed == 0)
        BUG_ON(getrandom(&seed, sizeof(seed), 0) != sizeof(seed));
    r->state = seed;
}

uint64_t random_next(struct random *r)
{
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t random_below(struct random *r, int64_t limit)
{
    BUG_ON(limit <= 0);
    uint64_t all = (uint64_t)limit, uneven = -all % all; /* values below it would make some results likelier */
    uint64_t value;
    do
        value = random_next(r);
    while (value < uneven);
    return (int64_t)(value % all);
}
