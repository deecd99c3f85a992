/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The zip reader takes what Java's ZipInputStream takes, in pieces of any size, and nothing cut or miscounted. */
#include "portal_pack.h"

struct log {
    struct buf text; /* name:bytes of data;... */
    uLong crc;
};

static bool on_entry(void *arg, const char *name, int64_t declared, struct err *e UNUSED)
{
    struct log *l = arg;
    l->crc = crc32(0, NULL, 0);
    return buf_printf(&l->text, "%s(%s):", name, declared < 0 ? "?" : "said");
}

static bool on_data(void *arg, const void *data, size_t len, struct err *e UNUSED)
{
    struct log *l = arg;
    l->crc = crc32_z(l->crc, data, len);
    return true;
}

static bool on_end(void *arg, int64_t bytes, struct err *e UNUSED)
{
    struct log *l = arg;
    return buf_printf(&l->text, "%lld,%lx;", (long long)bytes, l->crc);
}

static const struct unzip_handler handler = {on_entry, on_data, on_end};

/* Reads all in pieces of `step` bytes; the caller frees what the entries were, NULL: refused. */
static char *read_zip(const void *zip, size_t len, size_t step, struct err *e)
{
    struct log l = {.text = BUF_INIT(1 << 20)};
    struct unzip *z = unzip_new(&handler, &l);
    bool is_good = true;
    *e = (struct err){0};
    for (size_t at = 0; at < len && is_good; at += step)
        is_good = unzip_push(z, (const char *)zip + at, MIN(step, len - at), e);
    is_good = is_good && unzip_finish(z, e);
    assert_true(is_good || e->kind != ERR_NONE);
    unzip_free(z);
    if (is_good)
        return buf_take(&l.text);
    buf_release(&l.text);
    return NULL;
}

static void assert_reads(const struct zip *z, const char *entries)
{
    static const size_t steps[] = {1, 2, 7, 30, 4096, SIZE_MAX / 2};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct err e;
        char *got = read_zip(z->out.data, z->out.len, steps[i], &e);
        if (!got)
            fail_msg("step %zu: %s", steps[i], e.text);
        assert_string_equal(got, entries);
        free(got);
    }
}

static void assert_refused(const struct zip *z, enum err_kind kind, const char *why)
{
    struct err e;
    assert_null(read_zip(z->out.data, z->out.len, 11, &e));
    assert_int_equal(e.kind, kind);
    if (!strstr(e.text, why))
        fail_msg("'%s' is not in '%s'", why, e.text);
}

TEST(every_kind_of_entry_is_read_in_pieces_of_any_size)
{
    struct zip z = zip_new();
    char *long_text = mem_alloc(200000);
    memset(long_text, 'x', 199999);
    zip_add(&z, "stored", "abc", 3, STORE);
    zip_add(&z, "dir/", "", 0, STORE);
    zip_add(&z, "deflated", "abc", 3, DEFLATE);
    zip_add(&z, "empty", "", 0, STORE);
    zip_add(&z, "empty deflated", "", 0, DEFLATE_DESCRIPTOR);
    zip_add(&z, "caf\xc3\xa9", long_text, 199999, DEFLATE_DESCRIPTOR);
    zip_end(&z);
    char *want = str_printf("stored(said):3,352441c2;dir/(said):0,0;deflated(said):3,352441c2;empty(said):0,0;"
                            "empty deflated(?):0,0;caf\xc3\xa9(?):199999,%lx;",
                            crc32_z(0, (const Bytef *)long_text, 199999));
    assert_reads(&z, want);
    free(want);
    free(long_text);
    zip_release(&z);
}

TEST(an_empty_zip_has_no_entries)
{
    struct zip z = zip_new();
    zip_end(&z);
    assert_reads(&z, "");
    zip_release(&z);
}

TEST(zip64_is_read)
{
    struct zip z = zip_new();
    put32(&z.out, 0x04034b50);
    add_header(&z.out, "big", STORE, crc32_z(0, (const Bytef *)"abc", 3), 0xFFFFFFFF, 0xFFFFFFFF);
    z.out.data[z.out.len - 2] = 20; /* the extra field's length */
    buf_str(&z.out, "big");
    put16(&z.out, 1);
    put16(&z.out, 16);
    put64(&z.out, 3);
    put64(&z.out, 3);
    buf_str(&z.out, "abc");
    size_t directory = z.out.len;
    put32(&z.out, 0x02014b50);
    put16(&z.out, 45);
    add_header(&z.out, "big", STORE, 0, 3, 3);
    for (int i = 0; i < 7; i++)
        put16(&z.out, 0);
    buf_str(&z.out, "big");
    put32(&z.out, 0x06064b50); /* zip64 end */
    put64(&z.out, 44);
    put32(&z.out, 0);
    put64(&z.out, 0);
    put64(&z.out, 1);
    put64(&z.out, 1);
    put64(&z.out, 0);
    put64(&z.out, directory);
    put32(&z.out, 0x07064b50); /* its locator */
    put64(&z.out, 0);
    put64(&z.out, 0);
    put32(&z.out, 0x06054b50);
    put32(&z.out, 0);
    put32(&z.out, 0xFFFFFFFF);
    put32(&z.out, 0xFFFFFFFF);
    put32(&z.out, 0xFFFFFFFF);
    put16(&z.out, 0);
    assert_reads(&z, "big(said):3,352441c2;");
    zip_release(&z);
}

TEST(a_zip_cut_anywhere_is_never_whole)
{
    struct zip z = zip_new();
    zip_add(&z, "a", "abc", 3, STORE);
    zip_add(&z, "b", "abcabcabc", 9, DEFLATE_DESCRIPTOR);
    zip_add(&z, "c", "", 0, STORE);
    zip_end(&z);
    for (size_t len = 0; len < z.out.len; len++) {
        struct err e;
        assert_null(read_zip(z.out.data, len, len ? len : 1, &e));
        assert_int_equal(e.kind, ERR_CHANGED);
    }
    zip_release(&z);
}

TEST(a_directory_that_counts_others_is_refused)
{
    struct zip z = zip_new();
    zip_add(&z, "a", "abc", 3, STORE);
    zip_add(&z, "b", "abc", 3, STORE);
    zip_end_saying(&z, 1);
    assert_refused(&z, ERR_CHANGED, "2 entries came");
    zip_release(&z);
    z = zip_new(); /* one entry is not in the directory */
    zip_add(&z, "a", "abc", 3, STORE);
    size_t one = z.central.len;
    zip_add(&z, "b", "abc", 3, STORE);
    z.central.len = one;
    zip_end_saying(&z, 2);
    assert_refused(&z, ERR_CHANGED, "central directory has 1");
    zip_release(&z);
}

TEST(what_java_refuses_is_refused)
{
    struct zip z = zip_new();
    zip_add(&z, "a", "abc", 3, STORE_DESCRIPTOR);
    zip_end(&z);
    assert_refused(&z, ERR_REFUSED, "only DEFLATED entries can have EXT descriptor");
    static const struct {
        size_t at;
        char byte;
        const char *why;
    } rows[] = {
        {6, 1, "encrypted"}, {8, 12, "compression method"}, {14, 1, "CRC"}, {0, 'X', "no zip"},
        {31, 'X', "CRC"},    {22, 2, "sizes differ"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        zip_release(&z);
        z = zip_new();
        zip_add(&z, "a", "abc", 3, STORE);
        zip_end(&z);
        z.out.data[rows[i].at] = rows[i].byte;
        assert_refused(&z, ERR_REFUSED, rows[i].why);
    }
    zip_release(&z);
}

TEST(a_descriptor_must_be_right)
{
    static const struct {
        size_t back; /* from the end of the entry */
        const char *why;
    } rows[] = {{16, "no data descriptor"}, {12, "CRC"}, {8, "compressed size"}, {4, "entry size"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip z = zip_new();
        zip_add(&z, "a", "abc", 3, DEFLATE_DESCRIPTOR);
        z.out.data[z.boundary[0] - rows[i].back] ^= 0x55;
        zip_end(&z);
        assert_refused(&z, ERR_REFUSED, rows[i].why);
        zip_release(&z);
    }
}

TEST(damaged_deflate_is_refused)
{
    struct zip z = zip_new();
    zip_add(&z, "a", "abcabcabc", 9, DEFLATE);
    z.out.data[31] = 7; /* a block type that does not exist */
    zip_end(&z);
    assert_refused(&z, ERR_REFUSED, "'a' is damaged");
    zip_release(&z);
}

TEST(names_that_lead_out_are_refused)
{
    static const char *const names[] = {"/etc/passwd", "../x", "a/../b", "a//b", "./a", "/", "\xff", "a/./b"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zip z = zip_new();
        zip_add(&z, names[i], "abc", 3, STORE);
        zip_end(&z);
        assert_refused(&z, ERR_REFUSED, "not valid");
        zip_release(&z);
    }
    struct zip z = zip_new();
    zip_add(&z, "dir/", "abc", 3, STORE);
    zip_end(&z);
    assert_refused(&z, ERR_REFUSED, "has data");
    zip_release(&z);
}

TEST(an_entry_over_2_GiB_is_refused_at_its_header)
{
    struct zip z = zip_new();
    put32(&z.out, 0x04034b50);
    add_header(&z.out, "film", STORE, 0, 0x80000000, 0x80000000);
    buf_str(&z.out, "film");
    assert_refused(&z, ERR_REFUSED, "larger than the importer can take");
    zip_release(&z);
}

TEST(a_deflated_entry_over_2_GiB_is_refused_when_it_gets_there)
{
    struct log l = {.text = BUF_INIT(1 << 20)};
    struct unzip *z = unzip_new(&handler, &l);
    struct buf head = BUF_INIT(4096), part = BUF_INIT(1 << 24);
    struct err e = {0};
    /* 16 MiB of zeros that end with a flush can be pushed again and again. */
    z_stream s = {0};
    uint8_t *zeros = mem_alloc(1 << 24), *packed = mem_alloc(1 << 20);
    assert_int_equal(deflateInit2(&s, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_in = zeros;
    s.avail_in = 1 << 24;
    s.next_out = packed;
    s.avail_out = 1 << 20;
    assert_int_equal(deflate(&s, Z_FULL_FLUSH), Z_OK);
    buf_add(&part, packed, s.total_out);
    put32(&head, 0x04034b50);
    add_header(&head, "film", DEFLATE_DESCRIPTOR, 0, 0, 0);
    buf_str(&head, "film");
    assert_true(unzip_push(z, head.data, head.len, &e));
    for (int i = 0; i < 127; i++)
        assert_true(unzip_push(z, part.data, part.len, &e));
    assert_false(unzip_push(z, part.data, part.len, &e));
    assert_non_null(strstr(e.text, "larger than the importer can take"));
    deflateEnd(&s);
    free(zeros);
    free(packed);
    buf_release(&head);
    buf_release(&part);
    buf_release(&l.text);
    unzip_free(z);
}

TEST(nothing_may_follow_the_end)
{
    struct zip z = zip_new();
    zip_add(&z, "a", "abc", 3, STORE);
    zip_end(&z);
    buf_char(&z.out, 'x');
    assert_refused(&z, ERR_REFUSED, "bytes after the end");
    zip_release(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_entry_is_read_in_pieces_of_any_size),
        cmocka_unit_test(an_empty_zip_has_no_entries),
        cmocka_unit_test(zip64_is_read),
        cmocka_unit_test(a_zip_cut_anywhere_is_never_whole),
        cmocka_unit_test(a_directory_that_counts_others_is_refused),
        cmocka_unit_test(what_java_refuses_is_refused),
        cmocka_unit_test(a_descriptor_must_be_right),
        cmocka_unit_test(damaged_deflate_is_refused),
        cmocka_unit_test(names_that_lead_out_are_refused),
        cmocka_unit_test(an_entry_over_2_GiB_is_refused_at_its_header),
        cmocka_unit_test(a_deflated_entry_over_2_GiB_is_refused_when_it_gets_there),
        cmocka_unit_test(nothing_may_follow_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
