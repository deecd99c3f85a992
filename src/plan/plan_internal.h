/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* plan_internal - what the files of plan share. */
#ifndef BRANDSYNC_PLAN_INTERNAL_H
#define BRANDSYNC_PLAN_INTERNAL_H

#include "plan.h"

/* The first built-in row that matches this name; NULL: none. */
const struct ignore_row *plan_ignore_row(const char *name, bool is_dir);

#endif
