/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * identity - keys, certificates, the JWT assertion and the life of an access token (protocol.md 1.1 to 1.5).
 *
 * One token for all uploaders, in memory only. token_get may block on the network: uploader threads and short-lived commands only.
 * The rest: any thread. The only place for OpenSSL's keys and certificates (digests: upload).
 */
#ifndef BRANDSYNC_IDENTITY_H
#define BRANDSYNC_IDENTITY_H

#include "base.h"
#include "ports.h"
#include "profile.h"

/* --- key and certificate: `key create`, `key show`, `key export` (protocol.md 1.2) --------------------- */

/* RSA, self-signed X.509v3, SHA-256, random serial, CN as given. Writes 0640 root:brandsync where that group exists and we are root, else 0600
 * (the certificate 0644). Refuses to overwrite unless `forced`. */
struct key_opts {
    int bits; /* 2048 .. 8192 */
    int days;
    bool forced;
    const char *common_name;
};
bool key_create(const char *key_file, const char *certificate_file, const struct key_opts *opts,
                struct err *e) MUST_CHECK;
struct key_info {
    int bits;
    char fingerprint_sha256[100]; /* of the certificate, AA:BB:... */
    char subject[200];
    int64_t not_before_ms, not_after_ms;
    bool is_pair; /* the certificate is of this key */
};
bool key_show(const char *key_file, const char *certificate_file, struct key_info *out, struct err *e) MUST_CHECK;
bool key_export_public(const char *key_file, struct buf *pem, struct err *e) MUST_CHECK; /* SubjectPublicKeyInfo PEM */
bool certificate_read(const char *certificate_file, struct buf *pem, struct err *e) MUST_CHECK;
int64_t certificate_expires_ms(const char *certificate_file); /* 0: cannot say */

/* --- assertion (RS256; claims iss sub aud exp and one per metascope, nothing else) --------------------- */

/* `exp_ms` wall clock. The result is a secret: it is as good as the key until it expires. */
bool assertion_make(const struct profile_identity *id, int64_t exp_ms, struct secret *jwt, struct err *e) MUST_CHECK;

/* --- token ------------------------------------------------------------------------------------------------ */

struct token_source;
/* All borrowed: they outlive the source. `seed` for the jitter, 0: from the kernel. Mode oauth or jwt. */
struct token_source *token_source_new(const struct profile_identity *id, const struct http *http,
                                      const struct clock *clock, uint64_t seed);
void token_source_free(struct token_source *t);
DEFINE_FREEP(token_source)

/* A copy of the present token and its generation. Fetches one when there is none or it ended; renews ahead (at 90 % of its life, less up
 * to 5 % jitter, at least 10 min before the end when it lives 20 min or more) while the others go on with the old one: one request at a
 * time whatever the number of callers. Life: the payload's created_at + expires_in when it decodes, else expires_in (over 1,000,000: ms,
 * else s), never more than 24 h, counted on the monotonic clock from the reply.
 * Errors: ERR_AUTH with CAUSE_AUTH_* and IMS's own words; ERR_TENANT with CAUSE_AUTH_UNREACHABLE when IMS cannot be reached, answers 429 or 5xx.
 * ERR_AUTH with CAUSE_PROFILE when the secret's or the key's file cannot be used. While the old token lives, a failed renewal is no error.
 * A refusal is remembered for the waiting callers; the next call after it asks again. `cancel` as in ports.h. */
bool token_get(struct token_source *t, const atomic_bool *cancel, struct secret *out, uint64_t *generation,
               struct err *e) MUST_CHECK;
/* The tenant answered 401 to this generation: forget it, unless a newer one is already here. */
void token_reject(struct token_source *t, uint64_t generation);

enum token_state { TOKEN_NONE, TOKEN_OK, TOKEN_REFUSED, TOKEN_STATES };
struct token_status {
    enum token_state state;
    int64_t expires_ms, fetched_ms;
    int64_t skew_ms;  /* this host ahead of IMS by its Date header */
    int64_t took_ms;  /* the last fetch */
    uint64_t fetches; /* that ended, however */
    struct err why;   /* the last fetch's failure; TOKEN_REFUSED: the refusal */
    char scopes[200]; /* as asked for */
};
void token_status(struct token_source *t, struct token_status *out);
const char *token_state_name(enum token_state s);

#endif
