/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the files of base share. */
#ifndef BRANDSYNC_BASE_INTERNAL_H
#define BRANDSYNC_BASE_INTERNAL_H

#include "base.h"

/* Copies `raw`; every byte that could steer a terminal or forge a line becomes \xHH. Longer ends in "...". Nothing is
 * quoted: for whole lines, whose parts were quoted before. */
char *text_safe(char *out, size_t size, const char *raw);

int hex_digit(char c); /* its value, -1: not one */

#endif
