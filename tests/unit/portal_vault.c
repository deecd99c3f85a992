/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Content packages change the tenant as FileVault's importer would: no more, and no less where they are wrong. */
#include "portal_pack.h"

static bool import_bytes(struct tenant *t, const void *data, size_t len, size_t step, struct buf *names, struct err *e)
{
    struct vault *v = vault_new(t->store);
    bool is_done = true;
    *e = (struct err){0};
    for (size_t at = 0; is_done && at < len; at += step)
        is_done = vault_push(v, (const char *)data + at, MIN(step, len - at), e);
    is_done = is_done && vault_import(v, 5, names, e);
    vault_free(v);
    return is_done;
}

/* Ends the zip, imports and releases it. */
static void import(struct tenant *t, struct zip *z)
{
    struct err e;
    zip_end(z);
    if (!import_bytes(t, z->out.data, z->out.len, 1000, NULL, &e))
        fail_msg("%s", e.text);
    zip_release(z);
}

static void import_refused(struct tenant *t, struct zip *z, const char *why)
{
    struct err e;
    zip_end(z);
    assert_false(import_bytes(t, z->out.data, z->out.len, 1000, NULL, &e));
    assert_int_equal(e.kind, ERR_REFUSED);
    if (!strstr(e.text, why))
        fail_msg("'%s' is not in '%s'", why, e.text);
    zip_release(z);
}

/* A tenant with /f/a, /f/b and /g/c. */
static struct tenant tenant_with_neighbours(void)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_folder(&z, TENANT "/f", "jcr:title=\"F\" publicFolder=\"{Boolean}true\" keep=\"me\"");
    pack_asset(&z, TENANT "/f/a", "a");
    pack_asset(&z, TENANT "/f/b", "b");
    pack_asset(&z, TENANT "/g/c", "c");
    pack_filter(&z, FILTER(TENANT "/f") FILTER(TENANT "/g"));
    import(&t, &z);
    return t;
}

static size_t spooled_files(const struct tenant *t)
{
    char *tmp = tenant_path(t, "/tmp");
    size_t left = rmdir(tmp) == 0 ? 0 : 1; /* an empty directory can go */
    struct err e;
    assert_true(dir_make(tmp, 0700, &e));
    free(tmp);
    return left;
}

TEST(an_asset_arrives_with_bytes_and_properties)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    struct buf names = BUF_INIT(1000);
    struct err e;
    struct node n;
    zip_text(&z, "META-INF/vault/properties.xml",
             "<?xml version=\"1.0\"?><!DOCTYPE properties SYSTEM \"http://java.sun.com/dtd/properties.dtd\">"
             "<properties><entry key=\"name\">x</entry><entry key=\"packageFormatVersion\">2</entry></properties>");
    pack_asset(&z, TENANT "/new/a.jpg", "abc");
    pack_filter(&z, FILTER(TENANT "/new/a.jpg"));
    zip_end(&z);
    for (size_t step = 1; step < 10000; step *= 7) {
        buf_clear(&names);
        assert_true(import_bytes(&t, z.out.data, z.out.len, step, &names, &e));
        assert_string_equal(names.data + names.len - strlen(TENANT "/new/a.jpg\n"), TENANT "/new/a.jpg\n");
    }
    assert_original(&t, TENANT "/new/a.jpg", "abc");
    assert_true(store_get(t.store, TENANT "/new/a.jpg", &n));
    assert_string_equal(n.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(n.request, 5);
    node_release(&n);
    assert_property(&t, TENANT "/new/a.jpg", "jcr:primaryType", "dam:Asset");
    assert_property(&t, TENANT "/new/a.jpg", "jcr:content/metadata/dam:size", "3");
    assert_property(&t, TENANT "/new/a.jpg", "jcr:content/renditions/original/jcr:content/jcr:mimeType", "image/jpeg");
    assert_property(&t, TENANT "/new", "jcr:primaryType", "sling:Folder");
    assert_int_equal(spooled_files(&t), 0);
    buf_release(&names);
    zip_release(&z);
    tenant_release(&t);
}

static void pack_described(struct zip *z, const char *folder, const char *type)
{
    char *original = str_printf("%s/_jcr_content/renditions/original", folder), *dir = str_printf("%s.dir", original);
    char *entry = str_printf("jcr_root%s", original);
    char *inside = str_printf("jcr:primaryType=\"nt:file\"><jcr:content jcr:primaryType=\"nt:resource\" "
                              "jcr:mimeType=\"%s\"/>",
                              type);
    zip_text(z, entry, folder);
    pack_xml(z, dir, inside);
    pack_metadata(z, folder, "described");
    free(original);
    free(dir);
    free(entry);
    free(inside);
}

TEST(descriptions_of_originals_repeat_or_differ)
{
    static const char *const rows[][2] = {
        {TENANT "/x/1", "image/jpeg"}, {TENANT "/x/2", "image/jpeg"}, {TENANT "/x/3", "image/tiff"},
        {TENANT "/x/4", "image/jpeg"}, {TENANT "/x/5", "image/jpeg"}, {TENANT "/x/6", "image/apng"},
    };
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        pack_described(&z, rows[i][0], rows[i][1]);
    pack_filter(&z, FILTER(TENANT "/x"));
    import(&t, &z);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_original(&t, rows[i][0], rows[i][0]);
        assert_property(&t, rows[i][0], "jcr:content/renditions/original/jcr:primaryType", "nt:file");
        assert_property(&t, rows[i][0], "jcr:content/renditions/original/jcr:content/jcr:mimeType", rows[i][1]);
    }
    tenant_release(&t);
}

/* The second description is told from memory: that must not let it pass. */
TEST(a_repeated_description_is_still_checked)
{
    static const char same[] = "jcr:primaryType=\"nt:file\"><jcr:content jcr:primaryType=\"nt:resource\"/>";
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_xml(&z, TENANT "/a/_jcr_content/renditions/original.dir", same);
    pack_xml(&z, TENANT "/a/jcr%3acontent/renditions/original.dir", same);
    pack_filter(&z, FILTER(TENANT "/a"));
    import_refused(&t, &z, "describes it twice");
    assert_absent(&t, TENANT "/a");
    tenant_release(&t);
}

TEST(the_filter_may_come_first_or_last)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_filter(&z, FILTER(TENANT "/first"));
    pack_asset(&z, TENANT "/first", "1");
    import(&t, &z);
    z = zip_new();
    pack_metadata(&z, TENANT "/last", "2");
    pack_original(&z, TENANT "/last", "2", 1, DEFLATE_DESCRIPTOR);
    pack_filter(&z, FILTER(TENANT "/last"));
    import(&t, &z);
    assert_original(&t, TENANT "/first", "1");
    assert_original(&t, TENANT "/last", "2");
    tenant_release(&t);
}

TEST(neighbours_survive_a_narrow_filter)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_folder(&z, TENANT "/f", "jcr:title=\"not imported: no filter contains it\"");
    pack_asset(&z, TENANT "/f/a", "a2");
    pack_filter(&z, FILTER(TENANT "/f/a"));
    import(&t, &z);
    assert_original(&t, TENANT "/f/a", "a2");
    assert_original(&t, TENANT "/f/b", "b");
    assert_original(&t, TENANT "/g/c", "c");
    assert_property(&t, TENANT "/f", "jcr:content/jcr:title", "F");
    tenant_release(&t);
}

TEST(a_broad_filter_destroys_the_neighbours)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_folder(&z, TENANT "/f", "jcr:title=\"F2\"");
    pack_asset(&z, TENANT "/f/a", "a2");
    pack_filter(&z, FILTER(TENANT "/f"));
    import(&t, &z);
    tenant_restart(&t);
    assert_original(&t, TENANT "/f/a", "a2");
    assert_absent(&t, TENANT "/f/b");
    assert_original(&t, TENANT "/g/c", "c");
    assert_property(&t, TENANT "/f", "jcr:content/publicFolder", NULL);
    tenant_release(&t);
}

TEST(a_filter_root_without_content_deletes)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_filter(&z, FILTER(TENANT "/f/a") FILTER(TENANT "/f/never") FILTER(TENANT "/g"));
    import(&t, &z);
    assert_absent(&t, TENANT "/f/a");
    assert_absent(&t, TENANT "/g");
    assert_absent(&t, TENANT "/f/never");
    assert_original(&t, TENANT "/f/b", "b");
    tenant_release(&t);
}

TEST(a_folder_with_includes_for_itself_leaves_its_children)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_folder(&z, TENANT "/f", "jcr:title=\"F2\"");
    pack_filter(&z, "<filter root=\"" TENANT "/f\"><include pattern=\"" TENANT "/f\"/>"
                    "<include pattern=\"\\Q" TENANT "/f\\E/jcr:content(?:/.*)?\"/></filter>");
    import(&t, &z);
    assert_property(&t, TENANT "/f", "jcr:content/jcr:title", "F2");
    assert_property(&t, TENANT "/f", "jcr:content/keep", NULL);
    assert_original(&t, TENANT "/f/a", "a");
    assert_original(&t, TENANT "/f/b", "b");
    tenant_release(&t);
}

TEST(modes_differ_in_what_they_touch)
{
    static const struct {
        const char *mode, *title, *keep, *new, *bytes;
    } rows[] = {
        {"replace", "F2", NULL, "1", "a2"}, {"update_properties", "F2", "me", "1", "a2"},
        {"update", "F2", "me", "1", "a2"},  {"merge_properties", "F", "me", "1", "a"},
        {"merge", "F", "me", NULL, "a"},    {"UPDATE_PROPERTIES", "F2", "me", "1", "a2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tenant t = tenant_with_neighbours();
        struct zip z = zip_new();
        char *filter = str_printf("<filter root=\"" TENANT "/f\" mode=\"%s\"/>", rows[i].mode);
        pack_folder(&z, TENANT "/f", "jcr:title=\"F2\" new=\"1\"");
        pack_asset(&z, TENANT "/f/a", "a2");
        pack_asset(&z, TENANT "/f/new", "new");
        pack_filter(&z, filter);
        import(&t, &z);
        assert_property(&t, TENANT "/f", "jcr:content/jcr:title", rows[i].title);
        assert_property(&t, TENANT "/f", "jcr:content/keep", rows[i].keep);
        assert_property(&t, TENANT "/f", "jcr:content/new", rows[i].new);
        assert_original(&t, TENANT "/f/a", rows[i].bytes);
        assert_original(&t, TENANT "/f/new", "new");
        assert_int_equal(store_has(t.store, TENANT "/f/b"), i != 0);
        free(filter);
        tenant_release(&t);
    }
}

TEST(metadata_alone_leaves_the_original)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_metadata(&z, TENANT "/f/a", "new title");
    pack_filter(&z, FILTER(TENANT "/f/a/jcr:content/metadata"));
    import(&t, &z);
    assert_original(&t, TENANT "/f/a", "a");
    assert_property(&t, TENANT "/f/a", "jcr:content/metadata/dc:title", "new title");
    assert_property(&t, TENANT "/f/a", "jcr:content/renditions/original/jcr:content/jcr:mimeType", "image/jpeg");
    z = zip_new(); /* covers the asset, but brings no original: it goes, as it would there */
    pack_metadata(&z, TENANT "/f/a", "bare");
    pack_filter(&z, FILTER(TENANT "/f/a"));
    import(&t, &z);
    assert_int_equal(store_original(t.store, TENANT "/f/a"), -1);
    assert_property(&t, TENANT "/f/a", "jcr:content/metadata/dc:title", "bare");
    z = zip_new(); /* metadata that the package lacks goes */
    pack_filter(&z, FILTER(TENANT "/f/b/jcr:content/metadata"));
    import(&t, &z);
    assert_property(&t, TENANT "/f/b", "jcr:content/metadata/dc:title", NULL);
    assert_original(&t, TENANT "/f/b", "b");
    tenant_release(&t);
}

TEST(what_no_filter_contains_is_not_imported)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/in", "in");
    pack_asset(&z, TENANT "/out", "out");
    pack_asset(&z, TENANT "/x/drafts/1", "draft");
    pack_asset(&z, TENANT "/x/2", "final");
    pack_asset(&z, TENANT "/x/drafts/special", "back in");
    pack_filter(&z, FILTER(TENANT "/in") "<filter root=\"" TENANT "/x\"><exclude pattern=\".*/drafts/.*\"/>"
                                         "<include pattern=\".*/special(/.*)?\"/></filter>");
    import(&t, &z);
    assert_original(&t, TENANT "/in", "in");
    assert_absent(&t, TENANT "/out");
    assert_absent(&t, TENANT "/x/drafts/1");
    assert_original(&t, TENANT "/x/2", "final");
    assert_original(&t, TENANT "/x/drafts/special", "back in");
    assert_int_equal(spooled_files(&t), 0);
    tenant_release(&t);
}

TEST(the_first_filter_above_gives_the_mode)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_folder(&z, TENANT "/f", "jcr:title=\"F2\"");
    pack_asset(&z, TENANT "/f/a", "a2");
    pack_filter(&z, "<filter root=\"" TENANT "/f/a\"/><filter root=\"" TENANT "/f\" mode=\"merge_properties\"/>");
    import(&t, &z);
    assert_property(&t, TENANT "/f", "jcr:content/jcr:title", "F");
    assert_original(&t, TENANT "/f/a", "a2");
    assert_original(&t, TENANT "/f/b", "b");
    tenant_release(&t);
}

TEST(a_package_without_filter_is_refused)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/a", "a");
    import_refused(&t, &z, "has no META-INF/vault/filter.xml");
    assert_absent(&t, TENANT "/a");
    assert_int_equal(spooled_files(&t), 0);
    tenant_release(&t);
}

TEST(a_package_cut_between_entries_imports_nothing)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_filter(&z, FILTER(TENANT "/f")); /* first: with stock Sling a cut would now delete */
    pack_folder(&z, TENANT "/f", "jcr:title=\"F2\"");
    pack_asset(&z, TENANT "/f/a", "a2");
    pack_asset(&z, TENANT "/f/b", "b2");
    for (unsigned i = 0; i < z.entries; i++) {
        struct err e;
        assert_false(import_bytes(&t, z.out.data, z.boundary[i], 100, NULL, &e));
        assert_int_equal(e.kind, ERR_CHANGED);
        assert_original(&t, TENANT "/f/a", "a");
        assert_original(&t, TENANT "/f/b", "b");
        assert_property(&t, TENANT "/f", "jcr:content/jcr:title", "F");
    }
    assert_int_equal(spooled_files(&t), 0);
    zip_release(&z);
    tenant_release(&t);
}

TEST(odd_names_are_kept_as_they_are)
{
    static const struct {
        const char *platform, *path;
    } rows[] = {
        {"/100%25.jpg", "/100%.jpg"},
        {"/a%3fb%22c%3c%3e%5c.jpg", "/a?b\"c<>\\.jpg"},
        {"/_plain.jpg", "/_plain.jpg"},
        {"/__two_words.jpg", "/_two_words.jpg"},
        {"/three_under_scores.jpg", "/three_under_scores.jpg"},
        {"/K\xc3\xb6ln & 'S\xc3\xa3o'+(1),;=@~$!#.jpg", "/K\xc3\xb6ln & 'S\xc3\xa3o'+(1),;=@~$!#.jpg"},
        {"/%e9.jpg", "/\xc3\xa9.jpg"},
        {"/line\nbreak.jpg", "/line\nbreak.jpg"},
        {"/50%", "/50%"},
        {"/_cq_odd.jpg", "/cq:odd.jpg"},
        {"/photos.dir/x", "/photos/x"}, /* FileVault takes ".dir" off every directory */
    };
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip z = zip_new();
        char *platform = str_printf(TENANT "%s", rows[i].platform), *path = str_printf(TENANT "%s", rows[i].path);
        struct buf filter = BUF_INIT(1000);
        buf_str(&filter, "<filter root=\"");
        text_xml(&filter, path, strcspn(path, "\n"));
        if (strchr(path, '\n')) {
            buf_str(&filter, "&#10;");
            buf_str(&filter, strchr(path, '\n') + 1);
        }
        buf_str(&filter, "\"/>");
        pack_asset(&z, platform, "x");
        pack_filter(&z, filter.data);
        import(&t, &z);
        assert_original(&t, path, "x");
        buf_release(&filter);
        free(platform);
        free(path);
    }
    tenant_restart(&t);
    assert_original(&t, TENANT "/line\nbreak.jpg", "x");
    tenant_release(&t);
}

TEST(names_no_repository_takes_are_refused)
{
    static const char *const names[] = {"/a[1].jpg", "/a%7cb",        "/a*",        "/%2fetc", "/%2e%2e", "/ blank",
                                        "/blank ",   "/_foo_bar.jpg", "/a%3ab.jpg", "/%00x",   "/%zz"};
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zip z = zip_new();
        char *path = str_printf(TENANT "%s", names[i]);
        pack_asset(&z, path, "x");
        pack_filter(&z, FILTER(TENANT "/x"));
        import_refused(&t, &z, i < 7 ? "is no JCR name" : i < 9 ? "no registered namespace" : "is no JCR name");
        free(path);
    }
    tenant_release(&t);
}

TEST(empty_and_large_originals_arrive_whole)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    size_t len = 3 * 1024 * 1024 + 17;
    char *large = mem_alloc(len + 1);
    for (size_t i = 0; i < len; i++)
        large[i] = (char)('a' + i * i % 23);
    pack_original(&z, TENANT "/empty", "", 0, STORE);
    pack_metadata(&z, TENANT "/empty", "e");
    pack_original(&z, TENANT "/large", large, len, DEFLATE_DESCRIPTOR);
    pack_metadata(&z, TENANT "/large", "l");
    pack_filter(&z, FILTER(TENANT "/empty") FILTER(TENANT "/large"));
    import(&t, &z);
    assert_original(&t, TENANT "/empty", "");
    assert_original(&t, TENANT "/large", large);
    free(large);
    tenant_release(&t);
}

TEST(asset_and_folder_replace_each_other)
{
    struct tenant t = tenant_with_neighbours();
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/f", "now an asset");
    pack_folder(&z, TENANT "/g/c", "jcr:title=\"now a folder\"");
    pack_asset(&z, TENANT "/g/c/d", "below");
    pack_filter(&z, FILTER(TENANT "/f") FILTER(TENANT "/g/c"));
    import(&t, &z);
    tenant_restart(&t);
    assert_original(&t, TENANT "/f", "now an asset");
    assert_property(&t, TENANT "/f", "jcr:content/publicFolder", NULL);
    assert_false(store_has(t.store, TENANT "/f/a"));
    assert_property(&t, TENANT "/g/c", "jcr:primaryType", "sling:Folder");
    assert_property(&t, TENANT "/g/c", "jcr:content/metadata/dc:title", NULL);
    assert_original(&t, TENANT "/g/c/d", "below");
    z = zip_new(); /* in update mode the type stays */
    pack_folder(&z, TENANT "/f", "jcr:title=\"T\"");
    pack_filter(&z, "<filter root=\"" TENANT "/f\" mode=\"update_properties\"/>");
    import(&t, &z);
    assert_original(&t, TENANT "/f", "now an asset");
    assert_property(&t, TENANT "/f", "jcr:content/jcr:title", "T");
    tenant_release(&t);
}

TEST(a_collection_keeps_its_members)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_xml(&z, "/content/dam/collections/s/s1/spring",
             "jcr:primaryType=\"nt:unstructured\" sling:resourceType=\"dam/collection\" jcr:title=\"Spring\">"
             "<sling:members jcr:primaryType=\"nt:unstructured\" sling:resources=\"[/content/a,/content/b]\">"
             "<_x0031_.jpg jcr:primaryType=\"nt:unstructured\" sling:resource=\"/content/a\"/></sling:members>");
    pack_filter(&z, FILTER("/content/dam/collections/s/s1/spring"));
    import(&t, &z);
    struct node n;
    assert_true(store_get(t.store, "/content/dam/collections/s/s1/spring", &n));
    assert_int_equal(n.kind, NODE_OTHER);
    assert_string_equal(node_property(&n, "sling:members/sling:resources"), "[/content/a,/content/b]");
    assert_string_equal(node_property(&n, "sling:members/1.jpg/sling:resource"), "/content/a");
    node_release(&n);
    tenant_release(&t);
}

TEST(values_lose_type_and_escapes)
{
    static const struct {
        const char *xml, *value;
    } rows[] = {
        {"plain", "plain"},
        {"{Boolean}true", "true"},
        {"{Date}2026-11-24T14:53:04.000Z", "2026-11-24T14:53:04.000Z"},
        {"\\{not a type}", "{not a type}"},
        {"\\[not, an array]", "[not, an array]"},
        {"[a,b\\,c]", "[a,b\\,c]"},
        {"{Long}[1,2]", "[1,2]"},
        {"back\\\\slash", "back\\slash"},
        {"\\u0041\\u00e9", "A\xc3\xa9"},
        {"", ""},
        {"\\0", ""},
        {"&lt;&amp;&quot;&#10;", "<&\"\n"},
    };
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip z = zip_new();
        char *content = str_printf("value=\"%s\"", rows[i].xml);
        pack_folder(&z, TENANT "/f", content);
        pack_filter(&z, FILTER(TENANT "/f"));
        import(&t, &z);
        assert_property(&t, TENANT "/f", "jcr:content/value", rows[i].value);
        free(content);
    }
    tenant_release(&t);
}

TEST(bad_content_is_refused_with_its_reason)
{
    static const struct {
        const char *path, *inside, *why;
    } rows[] = {
        {"/a",
         "jcr:primaryType=\"dam:Asset\"><jcr:content jcr:primaryType=\"dam:AssetContent\"><renditions/></jcr:content>",
         "must not mention its renditions"},
        {"/a",
         "jcr:primaryType=\"dam:Asset\"><jcr:content jcr:primaryType=\"dam:AssetContent\">"
         "<renditions jcr:primaryType=\"nt:folder\"/></jcr:content>",
         "must not mention its renditions"},
        {"/a", "jcr:primaryType=\"dam:Asset\">", "dam:AssetContent"},
        {"/a", "jcr:title=\"x\">", "'jcr:primaryType' missing"},
        {"/a", "jcr:primaryType=\"sling:Folder\" cq:x=\"1\">", "unbound prefix"},
        {"/a", "xmlns:own=\"http://example.com/\" own:x=\"1\" jcr:primaryType=\"sling:Folder\">",
         "namespace is not registered"},
        {"/a", "jcr:primaryType=\"sling:Folder\"", "not well-formed"},
        {"/a", "jcr:primaryType=\"sling:Folder\"><b>", "mismatched tag"},
        {"/a", "jcr:primaryType=\"sling:Folder\"><b><c jcr:primaryType=\"nt:unstructured\"/></b>",
         "parent has no jcr:primaryType"},
        {"/a/_jcr_content/renditions/original.dir", "jcr:primaryType=\"nt:file\">", "jcr:data not found"},
    };
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip z = zip_new();
        char *path = str_printf(TENANT "%s", rows[i].path);
        pack_xml(&z, path, rows[i].inside);
        pack_filter(&z, FILTER(TENANT "/a"));
        import_refused(&t, &z, rows[i].why);
        assert_absent(&t, TENANT "/a");
        free(path);
    }
    tenant_release(&t);
}

TEST(a_bad_filter_is_refused_with_its_reason)
{
    static const struct {
        const char *filter, *why;
    } rows[] = {
        {FILTER(TENANT), "cannot be changed"},
        {FILTER("/content/dam"), "cannot be changed"},
        {FILTER("/"), "no root for a filter"},
        {"<filter/>", "no root for a filter"},
        {FILTER("/content/dam/other/a"), "not below the tenant's root"},
        {FILTER(TENANT "/../x"), "no root for a filter"},
        {"<filter root=\"" TENANT "/a\" mode=\"destroy\"/>", "'mode': 'destroy'"},
        {"<filter root=\"" TENANT "/a\"><only pattern=\"x\"/></filter>", "<include> or <exclude> expected"},
        {"<filter root=\"" TENANT "/a\"><include/></filter>", "pattern is missing"},
        {"<filter root=\"" TENANT "/a\"><include pattern=\"(\"/></filter>", "not understood"},
        {"<filter root=\"" TENANT "/a\"><include pattern=\"(?=x)\"/></filter>", "not understood"},
        {"<filter root=\"" TENANT "/a\"><include pattern=\"\\w\"/></filter>", "not understood"},
        {"<filter root=\"" TENANT "/a\"><include matchProperties=\"true\" pattern=\"x\"/></filter>", "properties"},
        {"<other/>", "<filter> expected"},
        {"</workspaceFilter><x>", "junk after document"},
    };
    struct tenant t = tenant_with_neighbours();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct zip z = zip_new();
        pack_asset(&z, TENANT "/a", "a");
        pack_filter(&z, rows[i].filter);
        import_refused(&t, &z, rows[i].why);
        assert_absent(&t, TENANT "/a");
        assert_original(&t, TENANT "/f/a", "a");
    }
    tenant_release(&t);
}

TEST(hostile_xml_is_refused)
{
    struct tenant t = tenant_new();
    struct buf deep = BUF_INIT(100000), large = BUF_INIT(4 << 20);
    struct zip z = zip_new();
    zip_text(&z, "jcr_root" TENANT "/a/.content.xml",
             "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><x>&b;</x>");
    import_refused(&t, &z, "document type definition");
    z = zip_new();
    zip_text(&z, "META-INF/vault/properties.xml", "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><properties>&a;</properties>");
    import_refused(&t, &z, "document type definition");
    z = zip_new();
    zip_text(&z, "META-INF/vault/properties.xml",
             "<properties><entry key=\"packageFormatVersion\">3</entry></properties>");
    import_refused(&t, &z, "content format version not supported: '3'");
    z = zip_new();
    buf_str(&deep, "<properties>");
    for (int i = 0; i < 100; i++)
        buf_str(&deep, "<entry>");
    zip_text(&z, "META-INF/vault/properties.xml", deep.data);
    import_refused(&t, &z, "nested too deeply");
    for (int i = 0; i < (2 << 20) / 16; i++)
        buf_str(&large, "                ");
    z = zip_new();
    pack_filter(&z, large.data);
    import_refused(&t, &z, "too much XML");
    buf_release(&deep);
    buf_release(&large);
    tenant_release(&t);
}

TEST(what_has_no_place_here_is_refused)
{
    static const char *const names[] = {"jcr_root" TENANT "/a.jpg",
                                        "jcr_root" TENANT "/a/_jcr_content/renditions/thumbnail.png",
                                        "jcr_root" TENANT "/_rep_policy.xml"};
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct zip z = zip_new();
        zip_text(&z, names[i], "x");
        pack_filter(&z, FILTER(TENANT "/a"));
        import_refused(&t, &z, "this tenant keeps nothing else");
    }
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/a", "1");
    pack_asset(&z, TENANT "/a", "2");
    pack_filter(&z, FILTER(TENANT "/a"));
    import_refused(&t, &z, "comes twice");
    z = zip_new(); /* an original in a folder */
    pack_folder(&z, TENANT "/a", "");
    zip_text(&z, "jcr_root" TENANT "/a/_jcr_content/renditions/original", "x");
    pack_filter(&z, FILTER(TENANT "/a"));
    import_refused(&t, &z, "wants a dam:Asset");
    z = zip_new(); /* two names, one node */
    zip_text(&z, "jcr_root" TENANT "/a/_jcr_content/renditions/original", "x");
    zip_text(&z, "jcr_root" TENANT "/a/jcr%3acontent/renditions/original", "y");
    import_refused(&t, &z, "two originals");
    assert_int_equal(spooled_files(&t), 0);
    tenant_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_asset_arrives_with_bytes_and_properties),
        cmocka_unit_test(descriptions_of_originals_repeat_or_differ),
        cmocka_unit_test(a_repeated_description_is_still_checked),
        cmocka_unit_test(the_filter_may_come_first_or_last),
        cmocka_unit_test(neighbours_survive_a_narrow_filter),
        cmocka_unit_test(a_broad_filter_destroys_the_neighbours),
        cmocka_unit_test(a_filter_root_without_content_deletes),
        cmocka_unit_test(a_folder_with_includes_for_itself_leaves_its_children),
        cmocka_unit_test(modes_differ_in_what_they_touch),
        cmocka_unit_test(metadata_alone_leaves_the_original),
        cmocka_unit_test(what_no_filter_contains_is_not_imported),
        cmocka_unit_test(the_first_filter_above_gives_the_mode),
        cmocka_unit_test(a_package_without_filter_is_refused),
        cmocka_unit_test(a_package_cut_between_entries_imports_nothing),
        cmocka_unit_test(odd_names_are_kept_as_they_are),
        cmocka_unit_test(names_no_repository_takes_are_refused),
        cmocka_unit_test(empty_and_large_originals_arrive_whole),
        cmocka_unit_test(asset_and_folder_replace_each_other),
        cmocka_unit_test(a_collection_keeps_its_members),
        cmocka_unit_test(values_lose_type_and_escapes),
        cmocka_unit_test(bad_content_is_refused_with_its_reason),
        cmocka_unit_test(a_bad_filter_is_refused_with_its_reason),
        cmocka_unit_test(hostile_xml_is_refused),
        cmocka_unit_test(what_has_no_place_here_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
