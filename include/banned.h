/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* banned - calls that have a safer word in base.h: using one is a compile error. Included at the end of base.h. */
#ifndef BRANDSYNC_BANNED_H
#define BRANDSYNC_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets asctime ctime gmtime localtime
#pragma GCC poison atoi atol atoll atof

#endif
