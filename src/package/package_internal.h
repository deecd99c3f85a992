/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The package's inside: the order and the stream (package.c), the container's records (zip.c), the documents in it
 * (vault.c).
 */
#ifndef BRANDSYNC_PACKAGE_INTERNAL_H
#define BRANDSYNC_PACKAGE_INTERNAL_H

#include "package.h"

/* --- zip.c: records of a zip as Java's ZipInputStream reads it (premises.md 1); pure ----------------------------- */

enum { ZIP_BLOCK_BYTES = 65535, ZIP_BLOCK_HEADER_BYTES = 5 };

/* Known before the first byte, but for the CRC, which stands in the local header of a STORED entry alone. */
struct zip_entry {
    int64_t bytes;  /* of the content */
    int64_t offset; /* of the local header */
    uint32_t crc;
    bool is_blocks; /* stored blocks inside deflate, with a data descriptor; else STORED */
};
int64_t zip_data_bytes(const struct zip_entry *z); /* what the content takes in the archive */
void zip_local(struct buf *out, const struct zip_entry *z, const struct buf *name);
void zip_block(struct buf *out, size_t bytes, bool is_last);     /* the header of one stored block */
void zip_descriptor(struct buf *out, const struct zip_entry *z); /* nothing for a STORED entry */
void zip_central(struct buf *out, const struct zip_entry *z, const struct buf *name);
void zip_end(struct buf *out, int64_t entries, int64_t directory_offset, int64_t directory_bytes);

/* --- vault.c: names and documents of a FileVault package (protocol.md 7.2, 7.3, 11); pure ------------------------- */

void vault_path(struct buf *out, const char *remote); /* "jcr_root/content/dam/..." */
void vault_properties(struct buf *out);
void vault_filter(struct buf *out, const struct package_item *item, size_t items);
void vault_folder(struct buf *out, const struct package_item *item);
void vault_asset(struct buf *out, const struct package_item *item, const char *sha1 /* NULL: none */);
void vault_original(struct buf *out, const struct package_item *item); /* what the file itself cannot say: its type */

#endif
