/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* call - what libmicrohttpd calls for the TLS listener's requests; `arg` is the server's opts. */
#ifndef BRANDSYNC_PORTAL_CALL_H
#define BRANDSYNC_PORTAL_CALL_H

#include "portal.h"

#include <microhttpd.h>

#define TYPE_JSON "application/json;charset=utf-8"
#define TYPE_TEXT "text/plain;charset=utf-8"

enum MHD_Result call_on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                const char *version, const char *data, size_t *len, void **state);
void call_on_end(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why);

#endif
