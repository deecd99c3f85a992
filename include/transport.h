/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * transport - speaks a tenant's protocol: one request, one verdict. First: Sling content distribution (protocol.md 4.5, 11) and the
 * replication test (4.1). Thread: its uploader's. Done is 200 with the importer's message, and nothing else.
 */
#ifndef BRANDSYNC_TRANSPORT_H
#define BRANDSYNC_TRANSPORT_H

#include "base.h"
#include "identity.h"
#include "ports.h"
#include "profile.h"

struct transport; /* one per uploader: keeps its connection */

struct transport *transport_new(const struct profile_tenant *tenant, const struct http *http, const struct clock *clock,
                                struct token_source *tokens, const atomic_bool *cancel);
void transport_free(struct transport *t);
DEFINE_FREEP(transport)

struct transport_body {
    int64_t bytes;
    bool (*read)(void *arg, void *data, size_t size, size_t *got, struct err *e);
    /* Starts the body anew: the token was renewed, or the digest was miscounted. false: it cannot be had again. */
    bool (*rewind)(void *arg, struct err *e);
    /* SHA-256 of the whole body in hex, and the body anew; asked for with tenant.digest: always. NULL: none is sent. */
    bool (*digest)(void *arg, char hex[65], struct err *e);
    void *arg;
};
struct transport_answer {
    int status;                 /* 0: none */
    char message[160];          /* the server's words, one line of plain text */
    int64_t build_ms, reply_ms; /* of the last request: until the last byte was sent, and from then to the reply */
};

/* The classes of answers of protocol.md 11 become error kinds: 401 twice ERR_AUTH; 403, 3xx ERR_REFUSED (CAUSE_AUTH_RIGHTS, _NOT_IMPORTER);
 * 404, 407, 408, 425, 429, 502, 503, 504, 511 and no reply ERR_TENANT; 400 with expected and received ERR_CHANGED; 413 ERR_REFUSED
 * (CAUSE_ASSET_TOO_LARGE); 500 ERR_RETRY (CAUSE_TENANT_ERROR); another 2xx ERR_TENANT (CAUSE_TENANT_NOT_IMPORTER); other 4xx ERR_REFUSED. */
bool transport_import(struct transport *t, const struct transport_body *body, struct transport_answer *answer,
                      struct err *e) MUST_CHECK;
/* DSTRPCK::DELETE. Refuses the tenant's root, what is above it and what is not below it. Deleting what is not there is done. */
bool transport_delete(struct transport *t, const char *remote, struct transport_answer *answer,
                      struct err *e) MUST_CHECK;
/* DSTRPCK::TEST to the importer; with tenant.replication_test also POST test_path with Action: Test. */
bool transport_test(struct transport *t, struct transport_answer *answer, struct err *e) MUST_CHECK;

#endif
