/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The package as a stream: exact length, order of entries, the commit record last, what breaks it off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <zlib.h>

#include "package.h"

#define ROOT "/content/dam/mac/acme"

/* --- a source whose byte at `offset` of item `i` is known ------------------------------------------------------- */

struct source {
    int64_t bytes[8]; /* what each item really has */
    int64_t offset;
    size_t item;
    int commits;
    bool refuses_commit;
};

static char byte_at(size_t item, int64_t offset)
{
    return (char)(offset * 31 + offset / 65535 + (int64_t)item * 7);
}

static bool source_read(void *arg, size_t item, void *data, size_t size, size_t *got, struct err *e)
{
    struct source *s = arg;
    (void)e;
    if (item != s->item)
        s->offset = 0;
    s->item = item;
    *got = (size_t)MIN((int64_t)MIN(size, 40000), s->bytes[item] - s->offset);
    for (size_t i = 0; i < *got; i++)
        ((char *)data)[i] = byte_at(item, s->offset++);
    return true;
}

static bool source_sha1(void *arg, size_t item, char hex[41])
{
    (void)arg;
    memset(hex, 'a' + (int)item, 40);
    hex[40] = '\0';
    return true;
}

static bool source_commit(void *arg, struct err *e)
{
    struct source *s = arg;
    s->commits++;
    return s->refuses_commit ? err_set(e, ERR_CHANGED, "changed") : true;
}

static struct package_source source_of(struct source *s)
{
    *s = (struct source){.item = SIZE_MAX};
    return (struct package_source){.read = source_read, .sha1 = source_sha1, .commit = source_commit, .arg = s};
}

static struct package_item asset(const char *remote, int64_t bytes)
{
    return (struct package_item){
        .remote = remote, .title = "a title", .mime = "image/jpeg", .bytes = bytes, .modified_ms = 1764000000120};
}

static struct package_item folder(const char *remote, bool is_public)
{
    return (struct package_item){.is_folder = true,
                                 .remote = remote,
                                 .title = "Spring 2026",
                                 .is_public = is_public,
                                 .public_property = "publicFolder"};
}

static void read_all(struct package *p, size_t chunk, struct buf *out)
{
    AUTO(mem_freep) char *data = mem_alloc(chunk);
    size_t got;
    struct err e = {0};
    do {
        assert_true(package_read(p, data, chunk, &got, &e));
        assert_true(buf_add(out, data, got));
    } while (got > 0);
}

static void make(const struct package_item *item, size_t items, const struct package_source *source, size_t chunk,
                 struct buf *out)
{
    struct err e = {0};
    AUTO(package_freep) struct package *p = package_new(ROOT, item, items, source, &e);
    assert_non_null(p);
    read_all(p, chunk, out);
    assert_int_equal(out->len, package_bytes(p));
}

/* --- a reader of local entries, as a streaming importer sees them ---------------------------------- */

struct seen_entry {
    char name[300];
    char *data;
    int64_t bytes;
    int method;
};

static uint32_t le(const char *at, size_t bytes)
{
    uint32_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | (uint8_t)at[bytes];
    return value;
}

static void read_stored(struct seen_entry *s, const char *header, const char **at)
{
    s->bytes = le(header + 18, 4);
    assert_int_equal(le(header + 22, 4), s->bytes);
    s->data = mem_copy(*at, (size_t)s->bytes + 1);
    assert_int_equal(crc32(0, (const Bytef *)s->data, (uInt)s->bytes), le(header + 14, 4));
    *at += s->bytes;
}

static void read_deflated(struct seen_entry *s, const char **at, const char *end)
{
    enum { MAX_BYTES = 4 << 20 };
    z_stream z = {.next_in = (Bytef *)*at, .avail_in = (uInt)(end - *at), .avail_out = MAX_BYTES};
    s->data = mem_alloc(MAX_BYTES);
    z.next_out = (Bytef *)s->data;
    assert_int_equal(inflateInit2(&z, -MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    s->bytes = (int64_t)z.total_out;
    *at += z.total_in;
    assert_int_equal(le(*at, 4), 0x08074b50);
    assert_int_equal(le(*at + 4, 4), crc32(0, (const Bytef *)s->data, (uInt)s->bytes));
    assert_int_equal(le(*at + 8, 4), z.total_in);
    assert_int_equal(le(*at + 12, 4), s->bytes);
    *at += 16;
    inflateEnd(&z);
}

static size_t read_entries(const struct buf *zip, struct seen_entry *seen)
{
    size_t count = 0;
    const char *at = zip->data, *end = zip->data + zip->len;
    while (le(at, 4) == 0x04034b50) {
        struct seen_entry *s = &seen[count++];
        const char *header = at;
        assert_true(le(header + 6, 2) & 0x0800);
        s->method = (int)le(header + 8, 2);
        at += 30 + le(header + 26, 2) + le(header + 28, 2);
        memcpy(s->name, header + 30, le(header + 26, 2));
        if (s->method == 0)
            read_stored(s, header, &at);
        else
            read_deflated(s, &at, end);
    }
    for (size_t i = 0; i < count; i++, at += 46 + le(at + 28, 2) + le(at + 30, 2)) {
        assert_int_equal(le(at, 4), 0x02014b50);
        assert_memory_equal(zip->data + le(at + 42, 4) + 30, at + 46, le(at + 28, 2));
        assert_int_equal(le(at + 24, 4), seen[i].bytes);
    }
    assert_int_equal(le(at, 4), 0x06054b50);
    assert_int_equal(le(at + 10, 2), count);
    assert_ptr_equal(at + 22, end);
    return count;
}

static void forget(struct seen_entry *seen, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_freep(&seen[i].data);
}

/* --- promises -------------------------------------------------------------------------------------- */

static void the_entries_come_in_order_and_the_filter_last(void **state)
{
    (void)state;
    static const char *const names[] = {
        "META-INF/vault/properties.xml",
        "jcr_root" ROOT "/c/a.jpg/_jcr_content/renditions/original",
        "jcr_root" ROOT "/c/a.jpg/_jcr_content/renditions/original.dir/.content.xml",
        "jcr_root" ROOT "/c/a.jpg/.content.xml",
        "jcr_root" ROOT "/c/__b_c.jpg/_jcr_content/renditions/original",
        "jcr_root" ROOT "/c/__b_c.jpg/_jcr_content/renditions/original.dir/.content.xml",
        "jcr_root" ROOT "/c/__b_c.jpg/.content.xml",
        "META-INF/vault/filter.xml",
    };
    struct source s;
    struct package_source source = source_of(&s);
    struct package_item item[] = {asset(ROOT "/c/a.jpg", s.bytes[0] = 3), asset(ROOT "/c/_b_c.jpg", 0)};
    AUTO(buf_release) struct buf zip = BUF_INIT(1 << 20);
    make(item, 2, &source, 1000, &zip);

    struct seen_entry seen[20] = {0};
    size_t count = read_entries(&zip, seen);
    assert_int_equal(count, ARRAY_LEN(names));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(seen[i].name, names[i]);
    assert_int_equal(s.commits, 1);
    forget(seen, count);
}

static void every_size_arrives_whole_and_the_length_was_right(void **state)
{
    (void)state;
    static const int64_t sizes[] = {0,
                                    1,
                                    65534,
                                    65535,
                                    65536,
                                    PACKAGE_SMALL_BYTES - 1,
                                    PACKAGE_SMALL_BYTES,
                                    PACKAGE_SMALL_BYTES + 1,
                                    65535 * 17,
                                    65535 * 17 + 1};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct source s;
        struct package_source source = source_of(&s);
        struct package_item item = asset(ROOT "/c/a.jpg", s.bytes[0] = sizes[i]);
        AUTO(buf_release) struct buf zip = BUF_INIT(4 << 20);
        make(&item, 1, &source, 256 << 10, &zip);

        struct seen_entry seen[20] = {0};
        size_t count = read_entries(&zip, seen);
        assert_int_equal(seen[1].bytes, sizes[i]);
        assert_int_equal(seen[1].method, sizes[i] > PACKAGE_SMALL_BYTES ? 8 : 0);
        for (int64_t at = 0; at < sizes[i]; at++)
            assert_int_equal(seen[1].data[at], byte_at(0, at));
        forget(seen, count);
    }
}

static void the_size_of_the_reads_does_not_matter(void **state)
{
    (void)state;
    static const size_t chunks[] = {1, 7, 4096, 65540, 1 << 20};
    AUTO(buf_release) struct buf first = BUF_INIT(4 << 20);
    for (size_t i = 0; i < ARRAY_LEN(chunks); i++) {
        struct source s;
        struct package_source source = source_of(&s);
        struct package_item item[] = {asset(ROOT "/c/a.jpg", s.bytes[0] = 1234),
                                      asset(ROOT "/c/b.jpg", s.bytes[1] = 1300000)};
        AUTO(buf_release) struct buf zip = BUF_INIT(4 << 20);
        make(item, 2, &source, chunks[i], i ? &zip : &first);
        if (i > 0) {
            assert_int_equal(zip.len, first.len);
            assert_memory_equal(zip.data, first.data, zip.len);
        }
    }
}

static void a_refused_commit_lets_nothing_of_the_filter_out(void **state)
{
    (void)state;
    struct source s;
    struct package_source source = source_of(&s);
    struct package_item item = asset(ROOT "/c/a.jpg", s.bytes[0] = 100);
    struct err e = {0};
    s.refuses_commit = true;
    AUTO(package_freep) struct package *p = package_new(ROOT, &item, 1, &source, &e);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    char byte;
    size_t got;
    while (package_read(p, &byte, 1, &got, &e))
        assert_true(got == 1 && buf_add(&out, &byte, 1));

    assert_int_equal(e.kind, ERR_CHANGED);
    assert_null(memmem(out.data, out.len, "filter.xml", 10));
    assert_non_null(memmem(out.data, out.len, "dam:AssetContent", 16));
}

static void a_file_that_grew_or_shrank_breaks_the_package_off(void **state)
{
    (void)state;
    static const struct {
        int64_t said, has;
    } rows[] = {{100, 99},          {100, 101},         {0, 1},
                {2000000, 1999999}, {2000000, 2000001}, {PACKAGE_SMALL_BYTES, PACKAGE_SMALL_BYTES + 1}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct source s;
        struct package_source source = source_of(&s);
        struct package_item item = asset(ROOT "/c/a.jpg", rows[i].said);
        s.bytes[0] = rows[i].has;
        struct err e = {0};
        AUTO(package_freep) struct package *p = package_new(ROOT, &item, 1, &source, &e);
        AUTO(mem_freep) char *data = mem_alloc(1 << 16);
        size_t got = 1;
        while (package_read(p, data, 1 << 16, &got, &e) && got > 0) {
        }
        assert_int_equal(e.kind, ERR_CHANGED);
        assert_int_equal(e.cause, CAUSE_FILE_CHANGED);
        assert_int_equal(s.commits, 0);
    }
}

static void what_no_package_can_carry_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *remote;
        int64_t bytes;
        int cause;
    } rows[] = {
        {ROOT, 1, CAUSE_ASSET_NAME},
        {"/content/dam/mac", 1, CAUSE_ASSET_NAME},
        {"/content/dam/mac/acme2/a.jpg", 1, CAUSE_ASSET_NAME},
        {ROOT "/../other/a.jpg", 1, CAUSE_ASSET_NAME},
        {ROOT "//a.jpg", 1, CAUSE_ASSET_NAME},
        {ROOT "/jcr:content", 1, CAUSE_ASSET_NAME},
        {ROOT "/a\nb.jpg", 1, CAUSE_ASSET_NAME},
        {ROOT "/a\xff.jpg", 1, CAUSE_ASSET_NAME},
        {ROOT "/a.jpg", DISTRIBUTION_MAX_BYTES + 1, CAUSE_ASSET_TOO_LARGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct source s;
        struct package_source source = source_of(&s);
        struct package_item item = asset(rows[i].remote, rows[i].bytes);
        struct err e = {0};
        assert_null(package_new(ROOT, &item, 1, &source, &e));
        assert_int_equal(e.kind, ERR_REFUSED);
        assert_int_equal(e.cause, rows[i].cause);
    }
}

static void the_largest_file_has_an_exact_length_too(void **state)
{
    (void)state;
    struct source s;
    struct package_source source = source_of(&s);
    struct package_item small = asset(ROOT "/a.jpg", PACKAGE_SMALL_BYTES + 1),
                        large = asset(ROOT "/a.jpg", DISTRIBUTION_MAX_BYTES);
    struct err e = {0};
    AUTO(package_freep) struct package *p = package_new(ROOT, &small, 1, &source, &e);
    AUTO(package_freep) struct package *q = package_new(ROOT, &large, 1, &source, &e);
    int64_t blocks_small = 17, blocks_large = (DISTRIBUTION_MAX_BYTES + 65534) / 65535, digits = 3; /* of dam:size */
    assert_int_equal(package_bytes(q) - package_bytes(p),
                     DISTRIBUTION_MAX_BYTES - PACKAGE_SMALL_BYTES - 1 + 5 * (blocks_large - blocks_small) + digits);
}

static void folders_travel_without_content(void **state)
{
    (void)state;
    struct source s;
    struct package_source source = source_of(&s);
    struct package_item item[] = {folder(ROOT "/c", true), folder(ROOT "/c/spring", false)};
    AUTO(buf_release) struct buf zip = BUF_INIT(1 << 20);
    make(item, 2, &source, 4096, &zip);

    struct seen_entry seen[20] = {0};
    size_t count = read_entries(&zip, seen);
    assert_int_equal(count, 4);
    assert_string_equal(seen[1].name, "jcr_root" ROOT "/c/.content.xml");
    assert_true(seen[1].data && strstr(seen[1].data, "publicFolder=\"{Boolean}true\""));
    assert_true(seen[2].data && strstr(seen[2].data, "publicFolder=\"{Boolean}false\""));
    assert_string_equal(seen[3].name, "META-INF/vault/filter.xml");
    assert_int_equal(s.commits, 1);
    forget(seen, count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entries_come_in_order_and_the_filter_last),
        cmocka_unit_test(every_size_arrives_whole_and_the_length_was_right),
        cmocka_unit_test(the_size_of_the_reads_does_not_matter),
        cmocka_unit_test(a_refused_commit_lets_nothing_of_the_filter_out),
        cmocka_unit_test(a_file_that_grew_or_shrank_breaks_the_package_off),
        cmocka_unit_test(what_no_package_can_carry_is_refused),
        cmocka_unit_test(the_largest_file_has_an_exact_length_too),
        cmocka_unit_test(folders_travel_without_content),
    };
    return cmocka_run_group_tests_name("package", tests, NULL, NULL);
}
