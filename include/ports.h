/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * ports - the doors to outside, as structs of functions: clock, files, HTTP, random. The real ones live here, fakes in tests/fakes.
 *
 * A room that needs one takes it as a parameter. The only place for libcurl.
 */
#ifndef BRANDSYNC_PORTS_H
#define BRANDSYNC_PORTS_H

#include "base.h"
#include "types.h"

#include <stdatomic.h>

/* --- clock: any thread --------------------------------------------------------------------------------- */

struct clock {
    int64_t (*wall_ms)(void *arg);
    int64_t (*mono_ms)(void *arg);
    void *arg;
};
extern const struct clock real_clock;
static inline int64_t wall_ms(const struct clock *c)
{
    return c->wall_ms(c->arg);
}
static inline int64_t mono_ms(const struct clock *c)
{
    return c->mono_ms(c->arg);
}

/* --- random: one seeded generator (splitmix64); real seed from getrandom -------------------------------- */

struct random {
    uint64_t state;
};
void random_seed(struct random *r, uint64_t seed); /* 0: from the kernel */
uint64_t random_next(struct random *r);
int64_t random_below(struct random *r, int64_t limit); /* 0 .. limit - 1; limit > 0 */

/* --- files: opened beneath a root, never followed out of it (reliability.md T3) -------------------------- */

struct fs {
    /* Opens the root directory of a folder. */
    bool (*open_root)(void *arg, const char *path, int *fd, struct err *e);
    /* openat2 with RESOLVE_BENEATH | NO_SYMLINKS | NO_MAGICLINKS, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC.
     * `below` is relative to the root. Anything but a regular file is refused. err.cause: CAUSE_FILE_GONE, _PERMISSION, _UNREADABLE. */
    bool (*open_file)(void *arg, int root, const char *below, int *fd, struct seen *seen, struct err *e);
    bool (*look)(void *arg, int fd, struct seen *seen, struct err *e); /* fstat of an open descriptor */
    /* Reads up to len bytes at offset; *got 0: end of file. */
    bool (*read_at)(void *arg, int fd, int64_t offset, void *data, size_t len, size_t *got, struct err *e);
    void *arg;
};
extern const struct fs real_fs; /* refuses with ERR_CONFIG on kernels without openat2 (before 5.6) */

/* --- HTTP ------------------------------------------------------------------------------------------------- */

/* One client = one kept connection, used by one thread. TLS always verified (system store plus ca_file), at least 1.2.
 * Redirects are never followed. Replies are bounded: headers 64 KiB, body max_reply, decompressed size counted. */
struct http_opts {
    const char *ca_file;                 /* NULL: system store only */
    const char *proxy;                   /* NULL: none; the environment is not asked */
    const char *client_certificate_file; /* PEM with certificate and key; NULL: none */
    bool close_connection;               /* send Connection: close */
    /* 0: 30 s to connect; none for the whole; 60 s in which not a byte was sent; 5 min from the last byte sent to the reply's end. */
    int64_t connect_ms, total_ms, stall_ms, reply_ms;
};

struct http_request {
    const char *method; /* "POST" */
    const char *url;
    const char *const *header; /* "Name: value" lines; CR, LF or NUL in one is refused here, the one chokepoint (T5) */
    size_t headers;
    const struct secret *bearer; /* NULL: none; sent as Authorization, wiped from our copies */
    const void *body;            /* when read_body is NULL */
    int64_t body_bytes;          /* a true Content-Length, always; never chunked */
    /* Streams the body. false with e: the request is broken off and that error is the request's. */
    bool (*read_body)(void *arg, void *data, size_t size, size_t *got, struct err *e);
    /* Begins the body anew, when a kept connection turns out to be closed; NULL: cannot. false: the same as from read_body. */
    bool (*rewind_body)(void *arg, struct err *e);
    void *arg;
    size_t max_reply;    /* 0: 64 KiB */
    int64_t bytes_per_s; /* upload limit, 0: none */
};

struct http_reply {
    int status;
    struct buf body;
    char content_type[80];
    int64_t retry_after_ms; /* from Retry-After in seconds or as a date; 0: not said; at most one hour */
    int64_t date_ms;        /* the server's Date, 0: none */
    int64_t sent_mono_ms;   /* when the last body byte was handed to the connection */
};

/* true: a whole reply arrived, whatever its status (release it). false: the reply is empty; ERR_TENANT (DNS, connect, TLS, time-out, cut reply; cause
 * CAUSE_TENANT_UNREACHABLE or CAUSE_TENANT_TLS), ERR_CANCELLED, or the error of read_body. */
struct http {
    void *(*open)(void *arg, const struct http_opts *opts,
                  const atomic_bool *cancel); /* a client; *cancel true ends its request within a second; NULL: never */
    bool (*perform)(void *client, const struct http_request *request, struct http_reply *reply, struct err *e);
    void (*close)(void *client);
    void *arg;
};
extern const struct http real_http;
void http_global_init(void); /* once, before the first thread */
void http_reply_release(struct http_reply *r);

#endif
