/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Certificates in OpenSSL's own types, for the files of identity.
 */
#ifndef BRANDSYNC_CERTIFICATE_H
#define BRANDSYNC_CERTIFICATE_H

#include "identity.h"

#include <openssl/bio.h>
#include <openssl/x509.h>

void bio_freep(BIO **bio);
void x509_freep(X509 **certificate);
bool bio_give(BIO *from, struct buf *to, struct err *e) MUST_CHECK; /* all of a memory BIO */

/* Self-signed over `key`, for the days and the name in `opts`. NULL: `e`. */
X509 *certificate_make(EVP_PKEY *key, const struct key_opts *opts, struct err *e) MUST_CHECK;
X509 *certificate_load(const char *certificate_file, struct err *e) MUST_CHECK;
bool certificate_pem(X509 *certificate, struct buf *pem, struct err *e) MUST_CHECK;
/* Fingerprint, subject, dates. */
bool certificate_describe(X509 *certificate, struct key_info *out, struct err *e) MUST_CHECK;

#endif
