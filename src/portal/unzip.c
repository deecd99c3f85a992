/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * unzip - a zip read as a stream of local entries, the way java.util.zip.ZipInputStream reads it.
 *
 * Small records are collected byte by byte until a step has what it wants; an entry's data flows through. Java stops at
 * the first central header, so that a body cut between two entries passes as a whole, smaller package; here the
 * directory and its end record are read too and must count what was seen.
 */
#include "portal.h"
#include <inttypes.h>
#include <zlib.h>

enum {
    SIGNATURE_LOCAL = 0x04034b50,
    SIGNATURE_DESCRIPTOR = 0x08074b50,
    SIGNATURE_CENTRAL = 0x02014b50,
    SIGNATURE_END64 = 0x06064b50,
    SIGNATURE_LOCATOR64 = 0x07064b50,
    SIGNATURE_END = 0x06054b50,
};
enum { STORED = 0, DEFLATED = 8, FLAG_ENCRYPTED = 1, FLAG_DESCRIPTOR = 8 };
enum { SIGNATURE_BYTES = 4, INFLATED_BYTES = 64 * 1024, RECORD_MAX = 3 * 65535 };
/* FileVault's importer counts in an int: a larger entry would arrive empty or cut, with a 200 (product.md 4). */
#define ENTRY_MAX_BYTES INT64_C(2147483647)
#define MAX32 UINT64_C(0xFFFFFFFF)

struct entry {
    char *name;
    bool is_directory, has_descriptor;
    unsigned method;
    uint32_t crc;
    uint64_t bytes, packed;
};

struct unzip {
    const struct unzip_handler *handler;
    void *arg;
    bool (*step)(struct unzip *z, const uint8_t *record, struct err *e); /* called with the `want` bytes of `held` */
    bool (*flow)(struct unzip *z, const uint8_t *data, size_t len, size_t *used, struct err *e); /* NULL: collecting */
    struct buf held;
    size_t want, name_len, extra_len;
    struct entry said, seen; /* what the headers say, what came */
    uint64_t at, entries, central, central_at;
    uint64_t entries64, central_at64;
    bool has_end64;
    bool is_done;
    size_t phase; /* row of records[]: they come in this order */
    struct err failed;
    z_stream inflater;
    uint8_t inflated[INFLATED_BYTES];
};

static uint32_t get16(const uint8_t *p)
{
    return (uint32_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static bool refused(struct err *e, const char *why)
{
    return err_set(e, ERR_REFUSED, "zip: %s", why);
}

/* Next, collect `want` bytes and call `step` with them. */
static bool expect(struct unzip *z, size_t want, bool (*step)(struct unzip *, const uint8_t *, struct err *),
                   struct err *e)
{
    buf_clear(&z->held);
    z->want = want;
    z->step = step;
    z->flow = NULL;
    return want > 0 || step(z, (const uint8_t *)"", e);
}

/* --- the data of an entry ---------------------------------------------------------------------------------------- */

static bool signature(struct unzip *z, const uint8_t *record, struct err *e);

static bool entry_end(struct unzip *z, struct err *e)
{
    const struct entry *said = &z->said, *seen = &z->seen;
    if (said->bytes != seen->bytes)
        return err_set(e, ERR_REFUSED,
                       "zip: invalid entry size of '%s' (expected %" PRIu64 " but got %" PRIu64 " bytes)", said->name,
                       said->bytes, seen->bytes);
    if (said->packed != seen->packed)
        return err_set(e, ERR_REFUSED,
                       "zip: invalid entry compressed size of '%s' (expected %" PRIu64 " but got %" PRIu64 " bytes)",
                       said->name, said->packed, seen->packed);
    if (said->crc != seen->crc)
        return err_set(e, ERR_REFUSED, "zip: invalid entry CRC of '%s' (expected 0x%x but got 0x%x)", said->name,
                       said->crc, seen->crc);
    z->entries++;
    return z->handler->end(z->arg, (int64_t)seen->bytes, e) && expect(z, SIGNATURE_BYTES, signature, e);
}

static bool too_large(const struct unzip *z, struct err *e)
{
    return err_set(e, ERR_REFUSED, "zip: '%s' is larger than the importer can take (2 GiB - 1)", z->said.name);
}

static bool deliver(struct unzip *z, const uint8_t *data, size_t len, struct err *e)
{
    struct entry *seen = &z->seen;
    if (len == 0)
        return true;
    seen->bytes += len;
    if (seen->bytes > ENTRY_MAX_BYTES)
        return too_large(z, e);
    if (z->said.is_directory)
        return err_set(e, ERR_REFUSED, "zip: the directory '%s' has data", z->said.name);
    seen->crc = (uint32_t)crc32_z(seen->crc, data, len);
    return z->handler->data(z->arg, data, len, e);
}

static bool flow_stored(struct unzip *z, const uint8_t *data, size_t len, size_t *used, struct err *e)
{
    *used = (size_t)MIN(z->said.bytes - z->seen.bytes, len);
    z->at += *used;
    z->seen.packed += *used;
    if (!deliver(z, data, *used, e))
        return false;
    return z->seen.bytes < z->said.bytes || entry_end(z, e);
}

/* With signature, CRC and sizes. Java decides by the counted bytes alone how wide the sizes are (premises.md 1). */
static size_t descriptor_width(const struct unzip *z)
{
    return z->seen.bytes > MAX32 || z->seen.packed > MAX32 ? 8 : 4;
}

static bool descriptor(struct unzip *z, const uint8_t *record, struct err *e)
{
    bool is_wide = descriptor_width(z) == 8;
    if (get32(record) != SIGNATURE_DESCRIPTOR)
        return err_set(e, ERR_REFUSED, "zip: no data descriptor after '%s'", z->said.name);
    z->said.crc = get32(record + 4);
    z->said.packed = is_wide ? get64(record + 8) : get32(record + 8);
    z->said.bytes = is_wide ? get64(record + 16) : get32(record + 12);
    return entry_end(z, e);
}

static bool flow_deflated(struct unzip *z, const uint8_t *data, size_t len, size_t *used, struct err *e)
{
    uInt given = (uInt)MIN(len, INT32_MAX);
    int result;
    z->inflater.next_in = (z_const Bytef *)data;
    z->inflater.avail_in = given;
    do {
        z->inflater.next_out = z->inflated;
        z->inflater.avail_out = INFLATED_BYTES;
        result = inflate(&z->inflater, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return err_set(e, ERR_REFUSED, "zip: '%s' is damaged: %s", z->said.name,
                           z->inflater.msg ? z->inflater.msg : zError(result));
        if (!deliver(z, z->inflated, INFLATED_BYTES - z->inflater.avail_out, e))
            return false;
    } while (result == Z_OK && (z->inflater.avail_in > 0 || z->inflater.avail_out == 0));
    *used = given - z->inflater.avail_in;
    z->at += *used;
    z->seen.packed += *used;
    if (result != Z_STREAM_END)
        return true;
    return z->said.has_descriptor ? expect(z, 8 + 2 * descriptor_width(z), descriptor, e) : entry_end(z, e);
}

/* --- local headers ----------------------------------------------------------------------------------------------- */

static bool name_is_safe(const char *name, size_t len)
{
    AUTO(mem_freep) char *plain = str_copy_n(name, len > 0 && name[len - 1] == '/' ? len - 1 : len);
    return text_is_utf8(name, len) && plain[0] != '\0' && plain[0] != '/' && path_is_clean(plain);
}

/* The zip64 field holds the sizes whose 32-bit place says 0xFFFFFFFF, in this order. */
static void read_zip64(struct entry *said, const uint8_t *extra, size_t len)
{
    uint64_t *size[] = {&said->bytes, &said->packed};
    while (len >= 4 && len - 4 >= get16(extra + 2)) {
        size_t field = get16(extra + 2);
        const uint8_t *value = extra + 4;
        for (size_t i = 0; i < ARRAY_LEN(size) && get16(extra) == 1 && value + 8 <= extra + 4 + field; i++) {
            if (*size[i] != MAX32)
                continue;
            *size[i] = get64(value);
            value += 8;
        }
        extra += 4 + field;
        len -= 4 + field;
    }
}

static bool entry_begin(struct unzip *z, struct err *e)
{
    const struct entry *said = &z->said;
    if (!said->has_descriptor && said->bytes > ENTRY_MAX_BYTES)
        return too_large(z, e);
    if (said->method == STORED && said->bytes != said->packed)
        return err_set(e, ERR_REFUSED, "zip: '%s' is stored, but its two sizes differ", said->name);
    if (!z->handler->entry(z->arg, said->name, said->has_descriptor ? -1 : (int64_t)said->bytes, e))
        return false;
    if (said->method == STORED && said->bytes == 0)
        return entry_end(z, e);
    z->flow = said->method == STORED ? flow_stored : flow_deflated;
    return said->method == STORED || inflateReset(&z->inflater) == Z_OK || refused(e, "cannot reset zlib");
}

static bool local_name(struct unzip *z, const uint8_t *record, struct err *e)
{
    if (!name_is_safe((const char *)record, z->name_len))
        return err_set(e, ERR_REFUSED, "zip: the entry name '%.*s' is not valid", (int)z->name_len, z->held.data);
    free(z->said.name);
    z->said.name = str_copy_n((const char *)record, z->name_len);
    z->said.is_directory = str_ends(z->said.name, "/");
    z->seen = (struct entry){0};
    read_zip64(&z->said, record + z->name_len, z->extra_len);
    return entry_begin(z, e);
}

static bool local_header(struct unzip *z, const uint8_t *record, struct err *e)
{
    unsigned flags = get16(record + 2);
    z->said.method = get16(record + 4);
    z->said.has_descriptor = flags & FLAG_DESCRIPTOR;
    z->said.crc = get32(record + 10);
    z->said.packed = get32(record + 14);
    z->said.bytes = get32(record + 18);
    z->name_len = get16(record + 22);
    z->extra_len = get16(record + 24);
    if (flags & FLAG_ENCRYPTED)
        return refused(e, "encrypted ZIP entry not supported");
    if (z->said.method != STORED && z->said.method != DEFLATED)
        return refused(e, "unsupported compression method");
    if (z->said.has_descriptor && z->said.method != DEFLATED)
        return refused(e, "only DEFLATED entries can have EXT descriptor");
    if (z->name_len == 0)
        return refused(e, "an entry has no name");
    return expect(z, z->name_len + z->extra_len, local_name, e);
}

/* --- the central directory and its end --------------------------------------------------------------------------- */

static bool record_end(struct unzip *z, const uint8_t *record UNUSED, struct err *e)
{
    return expect(z, SIGNATURE_BYTES, signature, e);
}

static bool central_header(struct unzip *z, const uint8_t *record, struct err *e)
{
    size_t rest = (size_t)get16(record + 24) + get16(record + 26) + get16(record + 28);
    z->central++;
    return expect(z, rest, record_end, e);
}

static bool end64(struct unzip *z, const uint8_t *record, struct err *e)
{
    uint64_t rest = get64(record) - 44;
    if (rest > RECORD_MAX)
        return refused(e, "the zip64 end record has a wrong size");
    z->has_end64 = true;
    z->entries64 = get64(record + 28);
    z->central_at64 = get64(record + 44);
    return expect(z, (size_t)rest, record_end, e);
}

static bool after_end(struct unzip *z UNUSED, const uint8_t *record UNUSED, struct err *e)
{
    return refused(e, "there are bytes after the end");
}

static bool comment_end(struct unzip *z, const uint8_t *record UNUSED, struct err *e)
{
    z->is_done = true;
    return expect(z, 1, after_end, e);
}

static bool end_record(struct unzip *z, const uint8_t *record, struct err *e)
{
    uint64_t entries = get16(record + 6), at = get32(record + 12);
    if (entries == 0xFFFF && z->has_end64)
        entries = z->entries64;
    if (at == MAX32 && z->has_end64)
        at = z->central_at64;
    if (entries != z->entries || z->central != z->entries)
        return err_set(e, ERR_CHANGED,
                       "zip: %" PRIu64 " entries came, the central directory has %" PRIu64 " and its end says %" PRIu64,
                       z->entries, z->central, entries);
    if (at != z->central_at)
        return err_set(e, ERR_CHANGED, "zip: the central directory stands at %" PRIu64 ", its end says %" PRIu64,
                       z->central_at, at);
    return expect(z, get16(record + 16), comment_end, e);
}

static const struct record {
    uint32_t signature;
    size_t bytes; /* after the signature */
    bool (*step)(struct unzip *z, const uint8_t *record, struct err *e);
} records[] = {
    {SIGNATURE_LOCAL, 26, local_header},   {SIGNATURE_CENTRAL, 42, central_header}, {SIGNATURE_END64, 52, end64},
    {SIGNATURE_LOCATOR64, 16, record_end}, {SIGNATURE_END, 18, end_record},
};

static bool signature(struct unzip *z, const uint8_t *record, struct err *e)
{
    for (size_t i = z->phase; i < ARRAY_LEN(records); i++) {
        if (get32(record) != records[i].signature)
            continue;
        if (z->phase == 0 && i > 0)
            z->central_at = z->at - SIGNATURE_BYTES;
        z->phase = i;
        return expect(z, records[i].bytes, records[i].step, e);
    }
    return refused(e, z->at == SIGNATURE_BYTES ? "this is no zip" : "a record has no known signature");
}

/* --- from outside ------------------------------------------------------------------------------------------------ */

static bool collect(struct unzip *z, const uint8_t *data, size_t len, size_t *used, struct err *e)
{
    *used = MIN(len, z->want - z->held.len);
    z->at += *used;
    buf_add(&z->held, data, *used);
    return z->held.len < z->want || z->step(z, (const uint8_t *)z->held.data, e);
}

bool unzip_push(struct unzip *z, const void *data, size_t len, struct err *e)
{
    const uint8_t *at = data;
    while (len > 0 && z->failed.kind == ERR_NONE) {
        size_t used = 0;
        if (!(z->flow ? z->flow : collect)(z, at, len, &used, e))
            z->failed = *e;
        at += used;
        len -= used;
    }
    if (z->failed.kind != ERR_NONE)
        *e = z->failed;
    return z->failed.kind == ERR_NONE;
}

bool unzip_finish(struct unzip *z, struct err *e)
{
    if (z->failed.kind != ERR_NONE)
        *e = z->failed;
    else if (!z->is_done)
        err_set(e, ERR_CHANGED, "zip: cut after %" PRIu64 " whole entries, the central directory is missing",
                z->entries);
    return z->failed.kind == ERR_NONE && z->is_done;
}

struct unzip *unzip_new(const struct unzip_handler *handler, void *arg)
{
    struct unzip *z = mem_alloc(sizeof *z);
    struct err e;
    z->handler = handler;
    z->arg = arg;
    z->held = (struct buf)BUF_INIT(RECORD_MAX);
    BUG_ON(inflateInit2(&z->inflater, -MAX_WBITS) != Z_OK);
    BUG_ON(!expect(z, SIGNATURE_BYTES, signature, &e));
    return z;
}

void unzip_free(struct unzip *z)
{
    if (!z)
        return;
    inflateEnd(&z->inflater);
    buf_release(&z->held);
    free(z->said.name);
    free(z);
}
