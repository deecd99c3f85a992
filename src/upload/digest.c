/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* digest - OpenSSL's digests. They fail for want of memory only. */
#include "upload_internal.h"

void digest_init(struct digest *d, const char *name)
{
    d->md = EVP_MD_fetch(NULL, name, NULL);
    d->ctx = EVP_MD_CTX_new();
    BUG_ON(!d->md || !d->ctx);
}

void digest_release(struct digest *d)
{
    EVP_MD_CTX_free(d->ctx);
    EVP_MD_free(d->md);
    *d = (struct digest){0};
}

void digest_begin(struct digest *d)
{
    BUG_ON(!EVP_DigestInit_ex2(d->ctx, d->md, NULL));
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    BUG_ON(!EVP_DigestUpdate(d->ctx, data, len));
}

void digest_end(struct digest *d, char *hex)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    BUG_ON(!EVP_DigestFinal_ex(d->ctx, bytes, &len));
    text_hex(hex, bytes, len);
}
