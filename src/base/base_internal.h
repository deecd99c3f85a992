/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the files of base share. */
#ifndef BRANDSYNC_BASE_INTERNAL_H
#define BRANDSYNC_BASE_INTERNAL_H

#include "base.h"

int hex_digit(char c); /* its value, -1: not one */

#endif
