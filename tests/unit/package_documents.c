/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Names, documents and records inside a package, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/package/package_internal.h"

/* The table in FileVault's own PlatformNameFormat; where its code says otherwise (_cq:test.jpg), its code. */
static void names_follow_filevaults_table(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"test.jpg", "test.jpg"},
        {"cq:content", "_cq_content"},
        {"cq:test_image.jpg", "_cq_test_image.jpg"},
        {"test_image.jpg", "test_image.jpg"},
        {"_testimage.jpg", "_testimage.jpg"},
        {"_test_image.jpg", "__test_image.jpg"},
        {"cq:test:image.jpg", "_cq_test%3aimage.jpg"},
        {"_cq_:test.jpg", "__cq_%3atest.jpg"},
        {"_cq:test.jpg", "_cq%3atest.jpg"},
        {"cq_:test.jpg", "cq_%3atest.jpg"},
        {"jcr:content", "_jcr_content"},
        {":a", "%3aa"},
        {"_", "_"},
        {"__", "___"},
        {"50%.jpg", "50%25.jpg"},
        {"a\\b<c>d|e\"f?g", "a%5cb%3cc%3ed%7ce%22f%3fg"},
        {"d\xc3\xa9j\xc3\xa0 vu.jpg", "d\xc3\xa9j\xc3\xa0 vu.jpg"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        package_platform_name(&out, rows[i][0]);
        assert_string_equal(out.data, rows[i][1]);
    }
}

static void a_directory_named_dir_keeps_its_name(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(1000);
    vault_path(&out, "/content/x.dir/.dir/a.jpg");
    assert_string_equal(out.data, "jcr_root/content/x.dir.dir/.dir.dir/a.jpg");
}

static void an_assets_document_says_what_is_known(void **state)
{
    (void)state;
    const struct package_item item = {.remote = "/content/dam/a.jpg",
                                      .title = "A & B",
                                      .mime = "image/jpeg",
                                      .bytes = 77,
                                      .modified_ms = 1764000000120};
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    vault_asset(&out, &item, "0123");
    assert_string_equal(
        out.data,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<jcr:root xmlns:dam=\"http://www.day.com/dam/1.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\""
        " xmlns:jcr=\"http://www.jcp.org/jcr/1.0\" xmlns:nt=\"http://www.jcp.org/jcr/nt/1.0\" "
        "jcr:primaryType=\"dam:Asset\">\n"
        "<jcr:content jcr:primaryType=\"dam:AssetContent\" jcr:lastModified=\"{Date}2025-11-24T16:00:00.120Z\">\n"
        "<metadata jcr:primaryType=\"nt:unstructured\" dc:format=\"image/jpeg\" dc:title=\"A &amp; B\""
        " dam:size=\"{Long}77\" dam:sha1=\"0123\"/>\n</jcr:content>\n</jcr:root>\n");
    assert_null(strstr(out.data, "renditions"));

    buf_clear(&out);
    vault_asset(&out, &item, NULL);
    assert_null(strstr(out.data, "sha1"));
}

static void an_original_carries_its_type(void **state)
{
    (void)state;
    const struct package_item item = {.mime = "image/png", .modified_ms = 0};
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    vault_original(&out, &item);
    assert_non_null(strstr(
        out.data,
        "jcr:primaryType=\"nt:file\">\n<jcr:content jcr:primaryType=\"nt:resource\" jcr:mimeType=\"image/png\"/>"));
}

static void no_title_can_leave_its_attribute_or_its_type(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain, with [brackets] {inside}", "plain, with [brackets] {inside}"},
        {"[a,b]", "\\[a,b]"},
        {"{Long}5", "\\{Long}5"},
        {"back\\slash", "back\\\\slash"},
        {"\\0", "\\\\0"},
        {"\"/><evil a='", "&quot;/&gt;&lt;evil a=&apos;"},
        {"two\nlines\tand a tab\x01", "two\\u000alines\\u0009and a tab\\u0001"},
        {"not \xff utf-8", "not \xef\xbf\xbd utf-8"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct package_item item = {.title = rows[i][0], .public_property = "publicFolder"};
        AUTO(buf_release) struct buf out = BUF_INIT(10000), want = BUF_INIT(10000);
        vault_folder(&out, &item);
        buf_printf(&want, " jcr:title=\"%s\" publicFolder=", rows[i][1]);
        assert_non_null(strstr(out.data, want.data));
    }
}

static void filters_cover_no_more_than_their_items(void **state)
{
    (void)state;
    const struct package_item item[] = {
        {.is_folder = true, .remote = "/content/dam/c"},
        {.is_folder = true, .remote = "/content/dam/c/a+b (1)"},
        {.remote = "/content/dam/c/x&y.jpg"},
    };
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    vault_filter(&out, item, ARRAY_LEN(item));
    assert_string_equal(
        out.data, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<workspaceFilter version=\"1.0\">\n"
                  "<filter root=\"/content/dam/c/a+b (1)\" mode=\"update_properties\">"
                  "<include pattern=\"/content/dam/c/a\\+b \\(1\\)\"/>"
                  "<include pattern=\"/content/dam/c/a\\+b \\(1\\)/jcr:content(/.*)?\"/></filter>\n"
                  "<filter root=\"/content/dam/c/x&amp;y.jpg\" mode=\"replace\"/>\n"
                  "<filter root=\"/content/dam/c\" mode=\"update_properties\"><include pattern=\"/content/dam/c\"/>"
                  "<include pattern=\"/content/dam/c/jcr:content(/.*)?\"/></filter>\n"
                  "</workspaceFilter>\n");
}

static void properties_are_javas(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    vault_properties(&out);
    assert_non_null(strstr(out.data, "<!DOCTYPE properties SYSTEM \"http://java.sun.com/dtd/properties.dtd\">"));
    static const char *const needed[] = {"name", "group", "version", "packageType", "packageFormatVersion"};
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        AUTO(mem_freep) char *entry = str_printf("<entry key=\"%s\">", needed[i]);
        assert_non_null(strstr(out.data, entry));
    }
}

/* --- zip64: premises.md 1, rule 3 --------------------------------------------------------------------------------- */

struct record {
    int64_t bytes, offset;
    bool is_blocks;
    size_t local, descriptor, central; /* lengths, for a name of one byte */
};

static void zip64_stands_where_java_expects_it_and_nowhere_else(void **state)
{
    (void)state;
    const int64_t full = INT64_C(0xFFFFFFFF), blocks_fit = INT64_C(4294639630); /* the most whose blocks fit 32 bits */
    const struct record rows[] = {
        {5, 0, false, 31, 0, 47},
        {full - 1, 0, false, 31, 0, 47},
        {full, 0, false, 31, 0, 67},
        {full + 1, 0, false, 51, 0, 67},
        {5, full - 1, false, 31, 0, 47},
        {5, full, false, 31, 0, 59},
        {5, 0, true, 31, 16, 47},
        {blocks_fit - 1, 0, true, 31, 16, 47},
        {blocks_fit, 0, true, 31, 16, 67},
        {blocks_fit + 1, 0, true, 51, 24, 67},
        {full + 11, full + 1, true, 51, 24, 75},
    };
    AUTO(buf_release) struct buf name = BUF_INIT(10);
    buf_str(&name, "a");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct zip_entry z = {.bytes = rows[i].bytes, .offset = rows[i].offset, .is_blocks = rows[i].is_blocks};
        AUTO(buf_release) struct buf local = BUF_INIT(1000), descriptor = BUF_INIT(1000), central = BUF_INIT(1000);
        zip_local(&local, &z, &name);
        zip_descriptor(&descriptor, &z);
        zip_central(&central, &z, &name);
        assert_int_equal(local.len, rows[i].local);
        assert_int_equal(descriptor.len, rows[i].descriptor);
        assert_int_equal(central.len, rows[i].central);
        assert_int_equal(local.data[4], rows[i].local > 31 ? 45 : 20); /* version needed */
    }
}

static void stored_blocks_take_five_bytes_each(void **state)
{
    (void)state;
    static const int64_t rows[][2] = {{0, 5}, {1, 6}, {65535, 65540}, {65536, 65546}, {4294639630, 4294967295}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(zip_data_bytes(&(struct zip_entry){.bytes = rows[i][0], .is_blocks = true}), rows[i][1]);
}

static void the_end_grows_with_what_it_counts(void **state)
{
    (void)state;
    static const struct {
        int64_t entries, offset, bytes;
        size_t len;
    } rows[] = {{1, 1, 1, 22},          {65534, 1, 1, 22},      {65535, 1, 1, 98},
                {1, 4294967294, 1, 22}, {1, 4294967295, 1, 98}, {1, 1, 4294967295, 98}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        zip_end(&out, rows[i].entries, rows[i].offset, rows[i].bytes);
        assert_int_equal(out.len, rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_filevaults_table),
        cmocka_unit_test(a_directory_named_dir_keeps_its_name),
        cmocka_unit_test(an_assets_document_says_what_is_known),
        cmocka_unit_test(an_original_carries_its_type),
        cmocka_unit_test(no_title_can_leave_its_attribute_or_its_type),
        cmocka_unit_test(filters_cover_no_more_than_their_items),
        cmocka_unit_test(properties_are_javas),
        cmocka_unit_test(zip64_stands_where_java_expects_it_and_nowhere_else),
        cmocka_unit_test(stored_blocks_take_five_bytes_each),
        cmocka_unit_test(the_end_grows_with_what_it_counts),
    };
    return cmocka_run_group_tests_name("package documents", tests, NULL, NULL);
}
