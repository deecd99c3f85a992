/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The inside of HTTP: one request's way (http.c), whom TLS trusts (trust.c), what goes out and what an error means
 * (request.c). */
#ifndef BRANDSYNC_HTTP_INTERNAL_H
#define BRANDSYNC_HTTP_INTERNAL_H

#include "ports.h"

#include <curl/curl.h>

void trust_find_system_store(void);
/* The system's store plus `ca_file` (NULL: the store alone). */
bool trust_set(CURL *easy, const char *ca_file, struct err *e);

/* The lines to send; wiped when released, for one of them may hold the token. */
bool request_headers(const struct http_request *request, bool closes_connection, struct curl_slist **out,
                     struct err *e);
void request_headers_release(struct curl_slist **lines);

/* libcurl's failure as ours; `why` is its own sentence, or "". */
bool request_failed(CURLcode code, const char *host, const char *why, struct err *e);

#endif
