/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The inside of upload: the threads (uploaders.c), one batch in one thread (one.c), what travels in one package
 * (shipment.c), its files (asset.c), and OpenSSL's digests (digest.c).
 */
#ifndef BRANDSYNC_UPLOAD_INTERNAL_H
#define BRANDSYNC_UPLOAD_INTERNAL_H

#include "package.h"
#include "transport.h"
#include "upload.h"

#include <openssl/evp.h>
#include <pthread.h>

/* --- digest.c -------------------------------------------------------------------------------------- */

/* Fetched once and used for file after file. */
struct digest {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};
void digest_init(struct digest *d, const char *name);
void digest_release(struct digest *d);
void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t len);
void digest_end(struct digest *d, char *hex); /* 2 * bytes + 1 */

/* --- one.c ----------------------------------------------------------------------------------------- */

struct upload_one {
    struct upload_opts opts;
    int number;
    const atomic_bool *cancel;
    struct transport *transport;
    struct digest sha256, sha1;
    int64_t package; /* the last request's number */
    pthread_mutex_t board_mutex;
    struct board board;
    int64_t unshown_bytes; /* sent, and not on the board yet */
};
void board_begin(struct upload_one *u, const char *remote, size_t assets, int64_t bytes_total);
void board_add(struct upload_one *u, int64_t bytes);
void board_copy(struct upload_one *u, struct board *out);

/* An item's end: the outcome that belongs to the error's kind. */
void receipt_fail(struct upload_one *u, struct receipt *r, const struct err *e);
void receipt_end(struct upload_one *u, struct receipt *r, enum outcome outcome);
void receipt_answered(struct receipt *r, const struct transport_answer *answer);

/* --- asset.c --------------------------------------------------------------------------------------- */

/* What travels for one receipt: an open file, or (fd -1) a folder. */
struct asset {
    struct receipt *receipt;
    int fd;
    int64_t offset; /* how far it was read */
    bool is_at_end;
    char sha1[41];
    char fingerprint[65]; /* of a pass before sending; "": none was made */
    struct err err;       /* what is wrong with this one */
};
bool asset_open(struct asset *a, const struct fs *fs, int root, const char *below, struct err *e);
void asset_close(struct asset *a);
/* Reads on, and digests what it reads; *got 0: the end, and the receipt has its SHA-256. */
bool asset_read(struct asset *a, struct upload_one *u, void *data, size_t size, size_t *got, struct err *e);
void asset_rewind(struct asset *a);
/* Still as it was when it was opened? Remembers in a->err when not. */
bool asset_is_same(struct asset *a, const struct fs *fs);
/* The same size as what is published, from a change that nobody asked for by name: reading it may save sending it. */
bool asset_may_be_unchanged(const struct asset *a);
bool asset_fingerprint(struct asset *a, struct upload_one *u, bool *is_unchanged, struct err *e);

/* --- shipment.c ------------------------------------------------------------------------------------ */

/* Publishes all receipts of `result` in one request, but for those that turn out not to go. */
void ship_assets(struct upload_one *u, struct result *result);
void ship_folders(struct upload_one *u, struct result *result);

#endif
