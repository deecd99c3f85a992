/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The inside of transport: what a reply means (answer.c) and how it is asked for (transport.c). */
#ifndef BRANDSYNC_TRANSPORT_INTERNAL_H
#define BRANDSYNC_TRANSPORT_INTERNAL_H

#include "transport.h"

/* A reply's body, looked at once. Everything else in it is ignored. */
struct words {
    char message[160];
    bool is_imported; /* the importer's own message */
    bool is_digest;   /* expected and received: the bytes that arrived are not those that left */
};
void words_read(struct words *w, const struct http_reply *reply);

/* True: done. False: the class of this status as an error. */
bool answer_judge(const struct http_reply *reply, const struct words *w, struct err *e);

#endif
