/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* banned - calls that have a safer word in base.h: using one is a compile error. Included at the end of base.h. */
#ifndef BRANDSYNC_BANNED_H
#define BRANDSYNC_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Macros of the C library, by compiler and version. */
#undef alloca
#undef sprintf
#undef vsprintf
#undef strncpy
#undef strncat
#undef strcpy
#undef strcat
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets alloca asctime ctime gmtime localtime
#pragma GCC poison atoi atol atoll atof

#endif
