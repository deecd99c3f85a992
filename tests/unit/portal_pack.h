/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* portal_pack - zips and content packages for the portal's tests, byte by byte; and a directory to keep a tenant in. */
#ifndef PORTAL_PACK_H
#define PORTAL_PACK_H

#include "../../src/portal/portal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <ftw.h>
#include <unistd.h>
#include <zlib.h>

#define TEST(name) static void name(void **state UNUSED)
#define TENANT "/content/dam/mac/acme"

enum how { STORE, DEFLATE, DEFLATE_DESCRIPTOR, STORE_DESCRIPTOR };
enum { ZIP_MAX = 64 * 1024 * 1024 };

struct zip {
    struct buf out, central;
    unsigned entries;
    size_t boundary[64]; /* where each entry ends */
};

static inline void put16(struct buf *b, unsigned v)
{
    buf_char(b, (char)(v & 0xFF));
    buf_char(b, (char)(v >> 8 & 0xFF));
}

static inline void put32(struct buf *b, size_t v)
{
    put16(b, v & 0xFFFF);
    put16(b, v >> 16 & 0xFFFF);
}

static inline void put64(struct buf *b, uint64_t v)
{
    put32(b, v & 0xFFFFFFFF);
    put32(b, v >> 32);
}

static inline struct zip zip_new(void)
{
    return (struct zip){.out = BUF_INIT(ZIP_MAX), .central = BUF_INIT(ZIP_MAX)};
}

static inline void zip_release(struct zip *z)
{
    buf_release(&z->out);
    buf_release(&z->central);
}

static inline void add_deflated(struct buf *out, const void *data, size_t len)
{
    z_stream s = {0};
    size_t room = len + len / 10 + 100;
    uint8_t *packed = mem_alloc(room);
    assert_int_equal(deflateInit2(&s, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_in = (z_const Bytef *)data;
    s.avail_in = (uInt)len;
    s.next_out = packed;
    s.avail_out = (uInt)room;
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    buf_add(out, packed, s.total_out);
    deflateEnd(&s);
    free(packed);
}

/* version ... extra length: the same in local and central headers */
static inline void add_header(struct buf *b, const char *name, enum how how, size_t crc, size_t packed, size_t len)
{
    bool has_descriptor = how == DEFLATE_DESCRIPTOR || how == STORE_DESCRIPTOR;
    put16(b, 20);
    put16(b, has_descriptor ? 0x0808 : 0x0800);
    put16(b, how == STORE || how == STORE_DESCRIPTOR ? 0 : 8);
    put32(b, 0);
    put32(b, crc);
    put32(b, packed);
    put32(b, len);
    put16(b, (unsigned)strlen(name));
    put16(b, 0);
}

static inline void zip_add(struct zip *z, const char *name, const void *data, size_t len, enum how how)
{
    struct buf packed = BUF_INIT(ZIP_MAX);
    size_t crc = crc32_z(0, data, len), at = z->out.len;
    bool has_descriptor = how == DEFLATE_DESCRIPTOR || how == STORE_DESCRIPTOR;
    if (how == STORE || how == STORE_DESCRIPTOR)
        buf_add(&packed, data, len);
    else
        add_deflated(&packed, data, len);
    put32(&z->out, 0x04034b50);
    add_header(&z->out, name, how, has_descriptor ? 0 : crc, has_descriptor ? 0 : packed.len, has_descriptor ? 0 : len);
    buf_str(&z->out, name);
    buf_add(&z->out, packed.data, packed.len);
    if (has_descriptor) {
        put32(&z->out, 0x08074b50);
        put32(&z->out, crc);
        put32(&z->out, packed.len);
        put32(&z->out, len);
    }
    put32(&z->central, 0x02014b50);
    put16(&z->central, 20);
    add_header(&z->central, name, how, crc, packed.len, len);
    put16(&z->central, 0); /* comment, disk, attributes */
    put16(&z->central, 0);
    put16(&z->central, 0);
    put32(&z->central, 0);
    put32(&z->central, at);
    buf_str(&z->central, name);
    if (z->entries < ARRAY_LEN(z->boundary))
        z->boundary[z->entries] = z->out.len;
    z->entries++;
    buf_release(&packed);
}

static inline void zip_text(struct zip *z, const char *name, const char *text)
{
    zip_add(z, name, text, strlen(text), STORE);
}

/* `entries`: what the end record says */
static inline void zip_end_saying(struct zip *z, unsigned entries)
{
    size_t at = z->out.len;
    buf_add(&z->out, z->central.data, z->central.len);
    put32(&z->out, 0x06054b50);
    put32(&z->out, 0);
    put16(&z->out, entries);
    put16(&z->out, entries);
    put32(&z->out, z->central.len);
    put32(&z->out, at);
    put16(&z->out, 0);
}

static inline void zip_end(struct zip *z)
{
    zip_end_saying(z, z->entries);
}

/* --- content packages: paths are given as they stand below jcr_root ---------------------------------------------- */

#define NAMESPACES                                                                                                     \
    "xmlns:jcr=\"http://www.jcp.org/jcr/1.0\" xmlns:nt=\"http://www.jcp.org/jcr/nt/1.0\" "                             \
    "xmlns:sling=\"http://sling.apache.org/jcr/sling/1.0\" xmlns:dam=\"http://www.day.com/dam/1.0\" "                  \
    "xmlns:dc=\"http://purl.org/dc/elements/1.1/\""

static inline void pack_xml(struct zip *z, const char *path, const char *inside)
{
    char *name = str_printf("jcr_root%s/.content.xml", path);
    char *xml = str_printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<jcr:root " NAMESPACES " %s</jcr:root>\n",
                           inside);
    zip_text(z, name, xml);
    free(name);
    free(xml);
}

/* The asset's XML only. */
static inline void pack_metadata(struct zip *z, const char *path, const char *title)
{
    char *inside = str_printf("jcr:primaryType=\"dam:Asset\"><jcr:content jcr:primaryType=\"dam:AssetContent\">"
                              "<metadata jcr:primaryType=\"nt:unstructured\" dc:format=\"image/jpeg\" dc:title=\"%s\" "
                              "dam:size=\"{Long}%zu\"/></jcr:content>",
                              title, strlen(title));
    pack_xml(z, path, inside);
    free(inside);
}

static inline void pack_original(struct zip *z, const char *path, const void *data, size_t len, enum how how)
{
    char *name = str_printf("jcr_root%s/_jcr_content/renditions/original", path);
    zip_add(z, name, data, len, how);
    free(name);
    name = str_printf("%s/_jcr_content/renditions/original.dir", path);
    pack_xml(z, name,
             "jcr:primaryType=\"nt:file\"><jcr:content jcr:primaryType=\"nt:resource\" jcr:mimeType=\"image/jpeg\"/>");
    free(name);
}

/* An asset whose bytes and title are `text`. */
static inline void pack_asset(struct zip *z, const char *path, const char *text)
{
    pack_original(z, path, text, strlen(text), STORE);
    pack_metadata(z, path, text);
}

static inline void pack_folder(struct zip *z, const char *path, const char *content)
{
    char *inside = str_printf("jcr:primaryType=\"sling:Folder\"><jcr:content jcr:primaryType=\"nt:unstructured\" %s/>",
                              content);
    pack_xml(z, path, inside);
    free(inside);
}

/* `filters`: the elements inside of workspaceFilter */
static inline void pack_filter(struct zip *z, const char *filters)
{
    char *xml = str_printf("<?xml version=\"1.0\"?><workspaceFilter version=\"1.0\">%s</workspaceFilter>", filters);
    zip_text(z, "META-INF/vault/filter.xml", xml);
    free(xml);
}

#define FILTER(path) "<filter root=\"" path "\"/>"

/* --- a place for a tenant ---------------------------------------------------------------------------------------- */

struct tenant {
    char dir[64];
    struct store *store;
};

static inline void tenant_start(struct tenant *t)
{
    struct err e;
    t->store = store_open(t->dir, TENANT, &e);
    if (!t->store)
        fail_msg("store_open: %s", e.text);
}

static inline void tenant_restart(struct tenant *t)
{
    store_close(t->store);
    tenant_start(t);
}

static inline struct tenant tenant_new(void)
{
    struct tenant t = {.dir = "/tmp/brandsync-portal-XXXXXX"};
    assert_non_null(mkdtemp(t.dir));
    tenant_start(&t);
    return t;
}

static inline int remove_one(const char *path, const struct stat *s UNUSED, int type UNUSED, struct FTW *at UNUSED)
{
    return remove(path);
}

static inline void tenant_release(struct tenant *t)
{
    store_close(t->store);
    nftw(t->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline char *tenant_path(const struct tenant *t, const char *path)
{
    return str_printf("%s%s", t->dir, path);
}

/* The bytes of an original as they lie on disk, NULL if there are none. */
static inline char *original_text(const struct tenant *t, const char *path)
{
    struct buf text = BUF_INIT(ZIP_MAX);
    struct err e;
    char *file = tenant_path(t, path);
    bool is_there = file_read(file, ZIP_MAX, &text, &e);
    free(file);
    if (is_there)
        return buf_take(&text);
    buf_release(&text);
    return NULL;
}

static inline void assert_original(const struct tenant *t, const char *path, const char *text)
{
    struct node n;
    char *bytes = original_text(t, path);
    assert_non_null(bytes);
    assert_string_equal(bytes, text);
    free(bytes);
    assert_true(store_get(t->store, path, &n));
    assert_int_equal(n.kind, NODE_ASSET);
    assert_int_equal(n.bytes, strlen(text));
    node_release(&n);
}

static inline void assert_property(const struct tenant *t, const char *path, const char *name, const char *value)
{
    struct node n;
    assert_true(store_get(t->store, path, &n));
    const char *is = node_property(&n, name);
    if (value) {
        assert_non_null(is);
        assert_string_equal(is, value);
    } else {
        assert_null(is);
    }
    node_release(&n);
}

static inline void assert_absent(const struct tenant *t, const char *path)
{
    char *file = tenant_path(t, path);
    assert_false(store_has(t->store, path));
    assert_int_not_equal(access(file, F_OK), 0);
    free(file);
}

#endif
