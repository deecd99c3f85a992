/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What a local path means on the portal: its remote, or the reason why not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "plan.h"

static const char profile_text[] = "version: 1\n"
                                   "tenant: {url: 'https://acme.brand-portal.adobe.com/'}\n"
                                   "identity: {client_id: a, client_secret_file: /etc/s, scopes: [openid]}\n"
                                   "folders:\n"
                                   "  - path: /srv/all\n"
                                   "    existing: publish\n"
                                   "  - path: /srv/some\n"
                                   "    to: 2026/Q1.spring\n"
                                   "    existing: publish\n"
                                   "    empty_files: publish\n"
                                   "    include: ['**/*.jpg', '**/*.tmp', 'press/*.xmp']\n"
                                   "    exclude: ['**/drafts/**', old, '/top.jpg']\n"; /* line 12 */

static struct profile *profile;

static int load(void **state)
{
    (void)state;
    AUTO(problems_release) struct problems problems;
    profile = profile_parse("/etc/brandsync/acme.yaml", profile_text, strlen(profile_text), false, &problems);
    return profile ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    profile_free(profile);
    return 0;
}

static void each_path_has_its_verdict(void **state)
{
    static const struct {
        const char *path;
        enum verdict verdict;
        const char *text; /* remote, or a part of the reason */
    } rows[] = {
        {"/srv/all/a.jpg", PLAN_PUBLISH, "/content/dam/mac/acme/all/a.jpg"},
        {"/srv/all/Q1.x/ a?.jpg", PLAN_PUBLISH, "/content/dam/mac/acme/all/Q1-x/-a-.jpg"},
        {"/srv/some/x/a.jpg", PLAN_PUBLISH, "/content/dam/mac/acme/2026/Q1-spring/x/a.jpg"},
        {"/srv/some/a.jpg", PLAN_PUBLISH, "/content/dam/mac/acme/2026/Q1-spring/a.jpg"},
        {"/srv/some/x/top.jpg", PLAN_PUBLISH, "/content/dam/mac/acme/2026/Q1-spring/x/top.jpg"},
        {"/srv/some/press/a.xmp", PLAN_PUBLISH, "/content/dam/mac/acme/2026/Q1-spring/press/a.xmp"}, /* asked for */
        {"/srv/some/press/._a.xmp", PLAN_IGNORED, "it matches the built-in \"._*\""},
        {"/srv/some/a.xmp", PLAN_IGNORED, "it matches the built-in \"*.xmp\""},
        {"/srv/some/a.tmp", PLAN_IGNORED, "it matches the built-in \"*.tmp\""},
        {"/srv/some/a.png", PLAN_IGNORED, "no include matches it (acme.yaml:11)"},
        {"/srv/some/x/drafts/y/a.jpg", PLAN_IGNORED,
         "its directory x/drafts matches exclude \"**/drafts/**\" (acme.yaml:12)"},
        {"/srv/some/old/a.jpg", PLAN_IGNORED, "its directory old matches exclude \"old\" (acme.yaml:12)"},
        {"/srv/some/old", PLAN_IGNORED, "it matches exclude \"old\" (acme.yaml:12)"},
        {"/srv/some/top.jpg", PLAN_IGNORED, "it matches exclude \"/top.jpg\""},
        {"/srv/all/.git/objects/a.jpg", PLAN_IGNORED, "its directory .git matches the built-in \".*\" (a hidden name)"},
        {"/srv/all/@eaDir/a.jpg", PLAN_IGNORED,
         "its directory @eaDir matches the built-in \"@eaDir\" (Synology thumbnails)"},
        {"/srv/all/@eaDir", PLAN_PUBLISH, "/content/dam/mac/acme/all/@eaDir"}, /* a file of that name is a file */
        {"/srv/all", PLAN_IGNORED, "a watched folder itself"},
        {"/srv/all2/a.jpg", PLAN_NOT_WATCHED, "it lies in no folder"},
        {"/srv/all/../x.jpg", PLAN_NOT_WATCHED, "not a plain path"},
        {"/srv/all//x.jpg", PLAN_NOT_WATCHED, "not a plain path"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(plan_release) struct plan plan;
        plan_asset(profile, rows[i].path, 10, &plan);
        assert_int_equal(plan.verdict, rows[i].verdict);
        if (plan.verdict == PLAN_PUBLISH)
            assert_string_equal(plan.remote, rows[i].text);
        else if (!strstr(plan.reason, rows[i].text))
            fail_msg("%s: %s", rows[i].path, plan.reason);
    }
}

static void a_rule_says_where_it_stands(void **state)
{
    (void)state;
    AUTO(plan_release) struct plan excluded, built_in;
    plan_asset(profile, "/srv/some/old/a.jpg", 10, &excluded);
    plan_asset(profile, "/srv/all/a.part", 10, &built_in);
    assert_int_equal(excluded.place.line, 12);
    assert_int_equal(built_in.place.line, 0);
}

static void what_people_and_programs_leave_behind_is_ignored(void **state)
{
    static const char *const ignored[] = {
        ".DS_Store",   "._hero.jpg",   ".hidden",         ".nfs000000001",   "~$report.docx",
        "layout.idlk", "Thumbs.db",    "thumbs.DB",       "desktop.ini",     "Desktop.ini",
        "a.part",      "a.crdownload", "a.tmp",           "a.TMP",           "a.jpg~",
        "a.filepart",  "a.swp",        "_brandsync.yaml", ".brandsync.yaml", "press.collection.yaml",
        "a.xmp",       "a.XMP",        ".~lock.a.odt#",   "Icon\r",
    };
    static const char *const kept[] = {
        "a.jpg",           "tmp", "part",       "part.jpg", "DS_Store",      "~a.jpg", "brandsync.yaml",
        "collection.yaml", "xmp", "lost+found", "#recycle", "thumbs.db.jpg", "$a.jpg",
    };
    static const char *const ignored_dirs[] = {
        "@eaDir",
        "#recycle",
        "@Recycle",
        "#snapshot",
        "lost+found",
        "__MACOSX",
        "System Volume Information",
        "$RECYCLE.BIN",
        ".Trash-1000",
        ".AppleDouble",
        ".git",
        "@EADIR",
    };
    (void)state;
    AUTO(plan_release) struct plan why = {0};
    const struct profile_folder *all = &profile->folder[0];
    for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
        AUTO(mem_freep) char *path = path_join("/srv/all", ignored[i]);
        assert_true(plan_is_ignored(profile, all, path, false, &why));
    }
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        AUTO(mem_freep) char *path = path_join("/srv/all", kept[i]);
        assert_false(plan_is_ignored(profile, all, path, false, &why));
    }
    for (size_t i = 0; i < ARRAY_LEN(ignored_dirs); i++) {
        AUTO(mem_freep) char *path = path_join("/srv/all", ignored_dirs[i]);
        assert_true(plan_is_ignored(profile, all, path, true, &why));
    }
}

static void an_include_does_not_keep_us_out_of_directories(void **state)
{
    (void)state;
    AUTO(plan_release) struct plan why = {0};
    const struct profile_folder *some = &profile->folder[1];
    assert_false(plan_is_ignored(profile, some, "/srv/some/x", true, &why));
    assert_false(plan_is_ignored(profile, some, "/srv/some", true, &why));
    assert_true(plan_is_ignored(profile, some, "/srv/some/drafts", true, &why)); /* nothing below it could go */
    assert_false(plan_is_ignored(profile, some, "/srv/some/drafts.jpg", false, &why));
}

static void every_built_in_row_can_be_shown(void **state)
{
    (void)state;
    size_t count = 0;
    for (const struct ignore_row *row = plan_ignores; row->pattern; row++, count++) {
        const char *star = strchr(row->pattern, '*');
        assert_true(row->from[0]);
        assert_true(!star || star == row->pattern || star[1] == '\0'); /* the only places that are looked at */
        for (const struct ignore_row *other = plan_ignores; other < row; other++)
            assert_string_not_equal(other->pattern, row->pattern);
    }
    assert_true(count > 40);
}

static void check_held(const char *path, int64_t bytes, enum verdict verdict, int cause)
{
    AUTO(plan_release) struct plan plan;
    plan_asset(profile, path, bytes, &plan);
    assert_int_equal(plan.verdict, verdict);
    assert_int_equal(plan.cause, cause);
    if (verdict == PLAN_HELD)
        assert_true(plan.reason[0] && plan.remote && plan.remote_folder && plan.title);
}

static void files_that_cannot_arrive_whole_are_held(void **state)
{
    (void)state;
    check_held("/srv/all/a.jpg", 0, PLAN_HELD, CAUSE_ASSET_EMPTY);
    check_held("/srv/some/a.jpg", 0, PLAN_PUBLISH, CAUSE_NONE); /* empty_files: publish */
    check_held("/srv/all/a.jpg", -1, PLAN_PUBLISH, CAUSE_NONE);
    check_held("/srv/all/a.mov", DISTRIBUTION_MAX_BYTES, PLAN_PUBLISH, CAUSE_NONE);
    check_held("/srv/all/a.mov", DISTRIBUTION_MAX_BYTES + 1, PLAN_HELD, CAUSE_ASSET_TOO_LARGE);
}

static char *long_path(const char *part, size_t repeat, const char *last)
{
    struct buf path = BUF_INIT(10000);
    buf_str(&path, "/srv/all/");
    for (size_t i = 0; i < repeat; i++)
        buf_str(&path, part);
    buf_str(&path, last);
    return buf_take(&path);
}

static void names_and_paths_that_are_too_long_are_held(void **state)
{
    (void)state;
    AUTO(mem_freep) char *name_255 = long_path("a", 255, ""), *name_256 = long_path("a", 256, "");
    AUTO(mem_freep) char *folder_256 = long_path("a", 256, "/a.jpg");
    AUTO(mem_freep) char *grows = long_path("\xe0\xa5\x98", 80, ""); /* U+0958: 3 bytes here, 6 in NFC */
    check_held(name_255, 1, PLAN_PUBLISH, CAUSE_NONE);
    check_held(name_256, 1, PLAN_HELD, CAUSE_ASSET_NAME);
    check_held(folder_256, 1, PLAN_HELD, CAUSE_ASSET_NAME);
    check_held(grows, 1, PLAN_HELD, CAUSE_ASSET_NAME);

    size_t before = strlen("/content/dam/mac/acme/all/");
    AUTO(mem_freep) char *path_2000 = long_path("abcd/", (2000 - before) / 5, &"abcdef"[6 - (2000 - before) % 5]);
    AUTO(mem_freep) char *path_2001 = str_printf("%sx", path_2000);
    check_held(path_2000, 1, PLAN_PUBLISH, CAUSE_NONE);
    check_held(path_2001, 1, PLAN_HELD, CAUSE_ASSET_NAME);
}

static void an_asset_has_its_folder_and_title(void **state)
{
    (void)state;
    AUTO(plan_release) struct plan plan;
    plan_asset(profile, "/srv/some/Q&A/caf\xe9?.jpg", 10, &plan);
    assert_string_equal(plan.remote, "/content/dam/mac/acme/2026/Q1-spring/Q-A/caf--.jpg");
    assert_string_equal(plan.remote_folder, "/content/dam/mac/acme/2026/Q1-spring/Q-A");
    assert_string_equal(plan.title, "caf\xef\xbf\xbd?.jpg");
    assert_ptr_equal(plan.folder, &profile->folder[1]);
}

static void a_directory_is_a_folder_on_the_portal(void **state)
{
    static const struct {
        const char *path, *remote, *remote_folder, *title;
    } rows[] = {
        {"/srv/some", "/content/dam/mac/acme/2026/Q1-spring", "/content/dam/mac/acme/2026", "Q1.spring"},
        {"/srv/all", "/content/dam/mac/acme/all", "/content/dam/mac/acme", "all"},
        {"/srv/all/x.y/z+", "/content/dam/mac/acme/all/x-y/z-", "/content/dam/mac/acme/all/x-y", "z+"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(plan_release) struct plan plan;
        plan_folder(profile, rows[i].path, &plan);
        assert_int_equal(plan.verdict, PLAN_PUBLISH);
        assert_string_equal(plan.remote, rows[i].remote);
        assert_string_equal(plan.remote_folder, rows[i].remote_folder);
        assert_string_equal(plan.title, rows[i].title);
    }
    AUTO(plan_release) struct plan ignored, unwatched;
    plan_folder(profile, "/srv/some/drafts", &ignored);
    plan_folder(profile, "/srv", &unwatched);
    assert_int_equal(ignored.verdict, PLAN_IGNORED);
    assert_int_equal(unwatched.verdict, PLAN_NOT_WATCHED);
}

static void the_ending_says_the_mime_type(void **state)
{
    static const struct {
        const char *name, *type;
    } rows[] = {
        {"a.jpg", "image/jpeg"},
        {"A.JPEG", "image/jpeg"},
        {"x/y.z/a.png", "image/png"},
        {"a.tar.gz", "application/gzip"},
        {"a.psd", "image/vnd.adobe.photoshop"},
        {"a.indd", "application/x-indesign"},
        {"a.mp4", "video/mp4"},
        {"a.pdf", "application/pdf"},
        {"a.3gp", "video/3gpp"},
        {"a.zip", "application/zip"},
        {"a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {"a.unheard-of", "application/octet-stream"},
        {"jpg", "application/octet-stream"},
        {"x.jpg/a", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(plan_mime(rows[i].name), rows[i].type);
}

/* The table is searched by halves: every row must be found, so it must be in order. */
static void no_mime_row_is_out_of_order(void **state)
{
    static const char *const endings[] = {
        "3gp", "7z",   "ai",      "avif", "bmp",   "cr2",  "dng",  "eps", "epub", "gif",  "heic", "idml",
        "jp2", "jpe",  "jpf",     "json", "key",   "m2ts", "m4v",  "mkv", "mov",  "mp3",  "mpg",  "mts",
        "mxf", "nef",  "numbers", "otf",  "pages", "pct",  "pict", "pps", "ppt",  "pptx", "psb",  "ps",
        "raf", "raw",  "rtf",     "svg",  "svgz",  "swf",  "tga",  "tif", "tiff", "ts",   "ttf",  "txt",
        "wav", "webm", "webp",    "woff", "woff2", "xls",  "xlsx", "xml", "xmp",  "yaml", "zip",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        AUTO(mem_freep) char *name = str_printf("a.%s", endings[i]);
        assert_string_not_equal(plan_mime(name), "application/octet-stream");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_verdict),
        cmocka_unit_test(a_rule_says_where_it_stands),
        cmocka_unit_test(what_people_and_programs_leave_behind_is_ignored),
        cmocka_unit_test(an_include_does_not_keep_us_out_of_directories),
        cmocka_unit_test(every_built_in_row_can_be_shown),
        cmocka_unit_test(files_that_cannot_arrive_whole_are_held),
        cmocka_unit_test(names_and_paths_that_are_too_long_are_held),
        cmocka_unit_test(an_asset_has_its_folder_and_title),
        cmocka_unit_test(a_directory_is_a_folder_on_the_portal),
        cmocka_unit_test(the_ending_says_the_mime_type),
        cmocka_unit_test(no_mime_row_is_out_of_order),
    };
    return cmocka_run_group_tests_name("plan", tests, load, unload);
}
