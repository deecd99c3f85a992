/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Scripted HTTP: says its replies in order, then its last word for ever, and keeps every request. Bodies are read in
 * chunks through the request's own callback, as libcurl does. Any number of clients in any thread.
 */
#ifndef BRANDSYNC_FAKE_HTTP_H
#define BRANDSYNC_FAKE_HTTP_H

#include "ports.h"

#include <pthread.h>

enum { FAKE_HTTP_SCRIPT = 64, FAKE_HTTP_SEEN = 1024 };

struct fake_reply {
    int status; /* 0: no reply, `err` instead */
    const char *body;
    const char *content_type; /* NULL: application/json */
    int64_t retry_after_ms;
    struct err err;
    bool is_dropped_first; /* the connection was stale: the body is rewound and read once more */
};

struct fake_request {
    char *method, *url, *headers, *bearer; /* headers: lines, each with '\n'; bearer: "" when there was none */
    struct buf body;
};

struct fake_http {
    pthread_mutex_t mutex;
    struct fake_reply script[FAKE_HTTP_SCRIPT], last;
    size_t scripted, said;
    struct fake_request seen[FAKE_HTTP_SEEN];
    size_t requests;
    size_t chunk;              /* bytes of the body asked for at once; default 64 KiB */
    const struct clock *clock; /* tells sent_mono_ms; default: the real one */
    bool keeps_no_bodies;      /* counts them only */
    _Atomic int64_t body_bytes;
    void (*meanwhile)(void *arg, int64_t body_read); /* after each chunk, in the caller's thread */
    void *arg;
    struct http http; /* give this away */
};

void fake_http_init(struct fake_http *f, int status, const char *body); /* the last word */
void fake_http_release(struct fake_http *f);
struct fake_reply *fake_http_say(struct fake_http *f, int status, const char *body); /* the next one; may be refined */
void fake_http_fail(struct fake_http *f, enum err_kind kind, int cause, const char *text);

#endif
