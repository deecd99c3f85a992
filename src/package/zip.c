/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * zip - the records around the content, little endian, field by field as APPNOTE.TXT 4.3 lists them.
 *
 * Java reads a data descriptor's sizes as 64 bits exactly when a size does not fit 32; zip64 fields stand then and
 * only then (tried on Java 17 and 25, premises.md 1). Every time stamp is the format's first, so that one content
 * makes one package.
 */
#include "package_internal.h"

#include <endian.h>

enum {
    FLAG_DESCRIPTOR = 0x0008,
    FLAG_UTF8 = 0x0800,
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    VERSION_USUAL = 20,
    VERSION_ZIP64 = 45,
    MADE_BY_UNIX = 3 << 8,
    DATE_1980_01_01 = 0x0021,
    EXTRA_ZIP64 = 0x0001,
    END_ZIP64_BYTES = 56,
};
static const int64_t max32 = INT64_C(0xFFFFFFFF);
static const int64_t max16 = INT64_C(0xFFFF);

static void put(struct buf *out, uint64_t value, size_t bytes)
{
    uint64_t le = htole64(value);
    buf_add(out, &le, bytes);
}

static void put16(struct buf *out, int64_t value)
{
    put(out, (uint64_t)value, 2);
}

static void put32(struct buf *out, int64_t value)
{
    put(out, (uint64_t)value, 4);
}

static void put64(struct buf *out, int64_t value)
{
    put(out, (uint64_t)value, 8);
}

int64_t zip_data_bytes(const struct zip_entry *z)
{
    if (!z->is_blocks)
        return z->bytes;
    int64_t blocks = (z->bytes + ZIP_BLOCK_BYTES - 1) / ZIP_BLOCK_BYTES;
    return z->bytes + ZIP_BLOCK_HEADER_BYTES * MAX(1, blocks);
}

static bool is_zip64(const struct zip_entry *z)
{
    return zip_data_bytes(z) > max32; /* never less than the content */
}

/* Version, flags, method, time: the same in both headers. */
static void put_manner(struct buf *out, const struct zip_entry *z, bool needs_zip64)
{
    put16(out, needs_zip64 ? VERSION_ZIP64 : VERSION_USUAL);
    put16(out, FLAG_UTF8 | (z->is_blocks ? FLAG_DESCRIPTOR : 0));
    put16(out, z->is_blocks ? METHOD_DEFLATE : METHOD_STORED);
    put16(out, 0);
    put16(out, DATE_1980_01_01);
}

/* Where the descriptor will say them, the local header has zeros - or all ones, when they will be 64 bits. */
static void put_local_sizes(struct buf *out, const struct zip_entry *z)
{
    int64_t unknown = is_zip64(z) ? max32 : 0;
    put32(out, z->is_blocks ? 0 : z->crc);
    put32(out, z->is_blocks ? unknown : MIN(z->bytes, max32));
    put32(out, z->is_blocks ? unknown : MIN(z->bytes, max32));
}

void zip_local(struct buf *out, const struct zip_entry *z, const struct buf *name)
{
    put32(out, 0x04034b50);
    put_manner(out, z, is_zip64(z));
    put_local_sizes(out, z);
    put16(out, (int64_t)name->len);
    put16(out, is_zip64(z) ? 20 : 0);
    buf_add(out, name->data, name->len);
    if (!is_zip64(z))
        return;
    put16(out, EXTRA_ZIP64);
    put16(out, 16);
    put64(out, z->is_blocks ? 0 : z->bytes);
    put64(out, z->is_blocks ? 0 : z->bytes);
}

void zip_block(struct buf *out, size_t bytes, bool is_last)
{
    buf_char(out, is_last ? 1 : 0); /* BFINAL, then BTYPE 00 and padding to the byte */
    put16(out, (int64_t)bytes);
    put16(out, ~(int64_t)bytes);
}

void zip_descriptor(struct buf *out, const struct zip_entry *z)
{
    if (!z->is_blocks)
        return;
    size_t width = is_zip64(z) ? 8 : 4;
    put32(out, 0x08074b50);
    put32(out, z->crc);
    put(out, (uint64_t)zip_data_bytes(z), width);
    put(out, (uint64_t)z->bytes, width);
}

void zip_central(struct buf *out, const struct zip_entry *z, const struct buf *name)
{
    /* here all ones mean "see the extra field" */
    bool has_sizes64 = zip_data_bytes(z) >= max32, has_offset64 = z->offset >= max32;
    int64_t extra = (has_sizes64 ? 16 : 0) + (has_offset64 ? 8 : 0);

    put32(out, 0x02014b50);
    put16(out, MADE_BY_UNIX | VERSION_ZIP64);
    put_manner(out, z, extra > 0);
    put32(out, z->crc);
    put32(out, has_sizes64 ? max32 : zip_data_bytes(z));
    put32(out, has_sizes64 ? max32 : z->bytes);
    put16(out, (int64_t)name->len);
    put16(out, extra ? extra + 4 : 0);
    put16(out, 0); /* comment */
    put16(out, 0); /* disk */
    put16(out, 0); /* internal attributes */
    put32(out, INT64_C(0100644) << 16);
    put32(out, has_offset64 ? max32 : z->offset);
    buf_add(out, name->data, name->len);
    if (!extra)
        return;
    put16(out, EXTRA_ZIP64);
    put16(out, extra);
    if (has_sizes64) {
        put64(out, z->bytes);
        put64(out, zip_data_bytes(z));
    }
    if (has_offset64)
        put64(out, z->offset);
}

static void put_end64(struct buf *out, int64_t entries, int64_t directory_offset, int64_t directory_bytes)
{
    put32(out, 0x06064b50);
    put64(out, END_ZIP64_BYTES - 12);
    put16(out, MADE_BY_UNIX | VERSION_ZIP64);
    put16(out, VERSION_ZIP64);
    put32(out, 0);
    put32(out, 0);
    put64(out, entries);
    put64(out, entries);
    put64(out, directory_bytes);
    put64(out, directory_offset);

    put32(out, 0x07064b50); /* the locator */
    put32(out, 0);
    put64(out, directory_offset + directory_bytes);
    put32(out, 1);
}

void zip_end(struct buf *out, int64_t entries, int64_t directory_offset, int64_t directory_bytes)
{
    if (entries >= max16 || directory_offset >= max32 || directory_bytes >= max32)
        put_end64(out, entries, directory_offset, directory_bytes);
    put32(out, 0x06054b50);
    put16(out, 0);
    put16(out, 0);
    put16(out, MIN(entries, max16));
    put16(out, MIN(entries, max16));
    put32(out, MIN(directory_bytes, max32));
    put32(out, MIN(directory_offset, max32));
    put16(out, 0);
}
