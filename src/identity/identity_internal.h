/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the files of identity share: keys from files, OpenSSL's words as errors, and one exchange with IMS.
 */
#ifndef BRANDSYNC_IDENTITY_INTERNAL_H
#define BRANDSYNC_IDENTITY_INTERNAL_H

#include "identity.h"

#include <openssl/evp.h>

/* "what: OpenSSL's reason"; OpenSSL's error queue is empty afterwards. */
bool err_openssl(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

void pkey_freep(EVP_PKEY **key);
/* An RSA key of at least 2048 bits from a file that nobody else may read. NULL: `e`. */
EVP_PKEY *key_load(const char *key_file, struct err *e) MUST_CHECK;

/* What one exchange with IMS gave. */
struct grant {
    struct secret token;
    int64_t life_ms; /* from the reply on */
    int64_t skew_ms; /* this host ahead of IMS; stays as it was when IMS did not say the time */
};
void grant_release(struct grant *g);

/* What one exchange with IMS sends. */
struct credential {
    struct secret client_secret;
    struct secret jwt; /* mode jwt */
};

/* One request; a second one when IMS says that the assertion ended and its Date shows that our clock is wrong.
 * `g->skew_ms` holds what was learnt before. The secret and the key are read from their files each time, so that a
 * changed one works at once. */
bool exchange(const struct profile_identity *id, const struct http *http, const struct clock *clock,
              const atomic_bool *cancel, struct grant *g, struct err *e) MUST_CHECK;

/* What a reply of IMS means. `sent` never comes back in an error's text, even when IMS echoes it. */
bool reply_read(const struct profile_identity *id, const struct http_reply *reply, const struct credential *sent,
                int64_t now_ms, struct grant *g, struct err *e) MUST_CHECK;

#endif
