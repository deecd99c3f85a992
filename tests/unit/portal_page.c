/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The page shows what is published, to each viewer what he may see, and nobody's names become HTML. */
#include "../../src/portal/portal.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ROOT "/content/dam/mac/acme"
#define NOW_MS INT64_C(4000000000000)
static const char png[] = "\x89PNG\r\n\x1a\nand more bytes";
static const char text[] = "<html><script>alert(1)</script>";

static char dir[64];
static struct page_site site;

/* --- given ------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st UNUSED, int flag UNUSED, struct FTW *ftw UNUSED)
{
    return remove(path);
}

static int open_store(void **state)
{
    (void)state;
    struct err e = {0};
    snprintf(dir, sizeof(dir), "/tmp/brandsync-page-XXXXXX");
    assert_non_null(mkdtemp(dir));
    site = (struct page_site){.store = store_open(dir, ROOT, &e), .tenant = "acme"};
    return site.store ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    store_close(site.store);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

/* `bytes` NULL: a folder. */
static void publish(const char *below, const char *name, const char *value, const char *bytes)
{
    struct err e = {0};
    struct store_put *put = mem_alloc(sizeof(*put));
    *put = (struct store_put){
        .path = str_printf(ROOT "/%s", below), .kind = bytes ? NODE_ASSET : NODE_FOLDER, .bytes = -1};
    if (name) {
        put->property = mem_alloc(sizeof(*put->property));
        put->property[put->properties++] = (struct property){str_copy(name), str_copy(value)};
    }
    if (bytes) {
        AUTO(fd_close) int fd = store_spool(site.store, &put->spooled, &e);
        assert_true(write_all(fd, bytes, strlen(bytes), &e));
        put->bytes = (int64_t)strlen(bytes);
        snprintf(put->sha256, sizeof(put->sha256), "%064d", 7);
    }
    AUTO(store_change_release) struct store_change change = {.put = put, .puts = 1, .request = 41};
    store_begin(site.store);
    assert_true(store_apply(site.store, &change, &e));
    store_end(site.store);
}

static void reply_release(struct page_reply *r)
{
    buf_release(&r->body);
    fd_close(&r->fd);
}

static struct page_reply get(const char *path, bool as_guest, const char *search)
{
    struct page_reply r = {.fd = -1, .body = BUF_INIT(1 << 24)};
    page_answer(&site, &(struct page_request){.path = path, .as_guest = as_guest, .search = search, .now_ms = NOW_MS},
                &r);
    return r;
}

static void expect(const char *path, bool as_guest, const char *search, const char *wanted, const char *unwanted)
{
    AUTO(reply_release) struct page_reply r = get(path, as_guest, search);
    assert_non_null(r.body.data);
    if (wanted && !strstr(r.body.data, wanted))
        fail_msg("%s lacks %s:\n%s", path, wanted, r.body.data);
    if (unwanted && strstr(r.body.data, unwanted))
        fail_msg("%s has %s:\n%s", path, unwanted, r.body.data);
}

/* --- tests ------------------------------------------------------------------------------------------- */

static void nothing_published_says_what_to_do(void **state)
{
    (void)state;
    expect("/", false, NULL, "Nothing published yet", NULL);
    expect("/", false, NULL, "cp ~/Pictures/*.jpg WATCHED-FOLDER/", NULL);
    site.watched = "/srv/my <assets>";
    expect("/", false, NULL, "cp ~/Pictures/*.jpg &apos;/srv/my &lt;assets&gt;&apos;/", "<assets>");
    publish("a.png", NULL, NULL, png);
    expect("/", false, NULL, "a.png", "Nothing published yet");
}

static void names_never_become_html(void **state)
{
    (void)state;
    static const char evil[] = "\"><script>x</script>&'";
    publish("f", "jcr:content/jcr:title", evil, NULL);
    publish("f/<b>\"'&.png", evil, evil, png);
    static const char *const paths[] = {"/", "/at/f", "/at/f/<b>\"'&.png"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        expect(paths[i], false, NULL, "&lt;", "<script");
        expect(paths[i], false, evil, NULL, "<script");
        expect(paths[i], false, NULL, NULL, "<b>\"");
    }
    expect("/at/f", false, NULL, "src=\"/asset/f/%3Cb%3E%22%27%26.png\"", NULL);
}

static void a_picture_is_shown_and_others_get_a_tile(void **state)
{
    (void)state;
    publish("a.png", NULL, NULL, png);
    publish("b.jpg", "jcr:content/metadata/dc:format", "image/jpeg", text); /* says so, is none */
    publish("c.svg", "jcr:content/metadata/dc:format", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    expect("/", false, NULL, "<img src=\"/asset/a.png\"", "/asset/b.jpg");
    expect("/", false, NULL, ">jpg</span>", "/asset/c.svg");
}

static void bytes_that_are_no_picture_are_only_downloaded(void **state)
{
    (void)state;
    publish("a.png", NULL, NULL, png);
    publish("b.html", "jcr:content/metadata/dc:format", "text/html", text);
    AUTO(reply_release) struct page_reply picture = get("/asset/a.png", false, NULL);
    AUTO(reply_release) struct page_reply page = get("/asset/b.html", false, NULL);
    assert_string_equal(picture.type, "image/png");
    assert_false(picture.is_download);
    assert_int_equal(picture.bytes, strlen(png));
    assert_true(picture.fd >= 0);
    assert_string_equal(page.type, "application/octet-stream");
    assert_true(page.is_download);
}

static void an_asset_shows_all_that_is_known(void **state)
{
    (void)state;
    publish("f", "jcr:content/publicFolder", "true", NULL);
    publish("f/a.png", "jcr:content/metadata/dc:title", "Key visual", png);
    static const char *const wanted[] = {
        "Key visual", "jcr:content/metadata/dc:title",
        "0000007",    ">41<",
        "22 (22 B)",  "public</span> <span class=\"quiet\">set by the folder</span> <a href=\"/at/f\">f</a>"};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        expect("/at/f/a.png", false, NULL, wanted[i], "not public");
}

static void a_guest_sees_what_is_public_and_is_told_of_the_rest(void **state)
{
    (void)state;
    publish("open", "jcr:content/publicFolder", "true", NULL);
    publish("open/a.png", NULL, NULL, png);
    publish("open/shut", "jcr:content/publicFolder", "false", NULL);
    publish("open/shut/s.png", NULL, NULL, png);
    publish("one", NULL, NULL, NULL);
    publish("one/b.png", NULL, NULL, png);
    publish("two", NULL, NULL, NULL);
    publish("two/deep", "jcr:content/publicFolder", "true", NULL); /* leads there, so `two` is shown */
    publish("two/deep/d.png", NULL, NULL, png);
    publish("two/t.png", NULL, NULL, png);
    expect("/", false, NULL, "5 assets", "not public.");
    expect("/", true, NULL, "2 assets", ">one<");
    expect("/", true, NULL, "1 folder is not public.", NULL);
    expect("/", true, NULL, "href=\"/at/two?as=guest\"", NULL);
    expect("/at/open", true, NULL, "/asset/open/a.png?as=guest", "s.png");
    expect("/at/two", true, NULL, "deep", "t.png");
    expect("/at/one", true, NULL, "Nothing in this folder is public", "b.png");
    expect("/", true, "png", "d.png", "b.png");
    static const char *const shut[] = {"/asset/one/b.png", "/at/one/b.png", "/asset/open/shut/s.png"};
    for (size_t i = 0; i < ARRAY_LEN(shut); i++) {
        AUTO(reply_release) struct page_reply guest = get(shut[i], true, NULL);
        AUTO(reply_release) struct page_reply administrator = get(shut[i], false, NULL);
        assert_int_equal(guest.status, 404);
        assert_int_equal(administrator.status, 200);
    }
}

static void a_search_looks_below_by_name_and_title(void **state)
{
    (void)state;
    publish("f", NULL, NULL, NULL);
    publish("f/Harbour.png", NULL, NULL, png);
    publish("f/x.png", "jcr:content/metadata/dc:title", "The harbour at dusk", png);
    publish("f/other.png", NULL, NULL, png);
    publish("g", NULL, NULL, NULL);
    publish("g/harbour-2.png", NULL, NULL, png);
    expect("/at/f", false, "harbour", "Harbour.png", "harbour-2.png");
    expect("/at/f", false, "harbour", "/at/f/x.png", "other.png");
    expect("/", false, "harbour", "harbour-2.png", NULL);
    expect("/", false, "<none>", "Nothing found", "<none>");
}

static void many_assets_come_in_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 125; i++) {
        AUTO(mem_freep) char *name = str_printf("%03d.png", i);
        publish(name, NULL, NULL, png);
    }
    expect("/", false, NULL, "1 to 120 of 125", NULL);
    expect("/", false, NULL, "href=\"?from=120\"", NULL);
    struct page_reply r = {.fd = -1, .body = BUF_INIT(1 << 24)};
    page_answer(&site, &(struct page_request){.path = "/", .from = 120, .now_ms = NOW_MS}, &r);
    assert_non_null(strstr(r.body.data, "121 to 125 of 125"));
    reply_release(&r);
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "/x", "/at/none", "/asset/none", "/asset/", "/at/../..", "/at/f//", "/asset/../nodes.log", "", "/at"};
    publish("f", NULL, NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO(reply_release) struct page_reply r = get(paths[i], false, NULL);
        if (r.status != 404 || r.fd >= 0)
            fail_msg("'%s': %d", paths[i], r.status);
    }
    AUTO(reply_release) struct page_reply with_slash = get("/at/f/", false, NULL);
    assert_int_equal(with_slash.status, 200);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(nothing_published_says_what_to_do),
        WITH_STORE(names_never_become_html),
        WITH_STORE(a_picture_is_shown_and_others_get_a_tile),
        WITH_STORE(bytes_that_are_no_picture_are_only_downloaded),
        WITH_STORE(an_asset_shows_all_that_is_known),
        WITH_STORE(a_guest_sees_what_is_public_and_is_told_of_the_rest),
        WITH_STORE(a_search_looks_below_by_name_and_title),
        WITH_STORE(many_assets_come_in_pages),
        WITH_STORE(what_is_not_there_is_not_found),
    };
    return cmocka_run_group_tests_name("portal_page", tests, NULL, NULL);
}
