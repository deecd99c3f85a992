/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The importer's replies are those of Sling's, but nothing is imported before the whole body was seen to be right. */
#include "portal_pack.h"
#include <jansson.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>

enum { ALL = -2 }; /* content length: that of the body */

struct result {
    int status;
    char *message, *kind, *assets;
    json_t *reply;
};

static void result_release(struct result *r)
{
    json_decref(r->reply);
    free(r->message);
    free(r->kind);
    free(r->assets);
}

static struct result post(struct tenant *t, const void *body, size_t len, int64_t content_length, const char *digest)
{
    struct importer *im = importer_new(t->store);
    struct import *i = import_begin(im, 3, content_length == ALL ? (int64_t)len : content_length, digest);
    struct buf reply = BUF_INIT(10000), assets = BUF_INIT(10000), detail = BUF_INIT(10000);
    struct result r = {0};
    const char *kind = NULL;
    for (size_t at = 0; at < len; at += 5)
        import_push(i, (const char *)body + at, MIN(5, len - at));
    r.status = import_finish(i, &reply, &kind, &assets, &detail);
    r.reply = json_loadb(reply.data, reply.len, 0, NULL);
    assert_non_null(r.reply);
    r.message = str_copy(json_string_value(json_object_get(r.reply, "message")));
    r.kind = str_copy(kind);
    r.assets = buf_take(&assets);
    assert_true(r.status == 200 || detail.len > 0);
    buf_release(&reply);
    buf_release(&detail);
    import_free(i);
    importer_free(im);
    return r;
}

static void assert_posts(struct tenant *t, const struct zip *z, const char *digest)
{
    AUTO(result_release) struct result r = post(t, z->out.data, z->out.len, ALL, digest);
    if (r.status != 200)
        fail_msg("%d %s", r.status, r.message);
    assert_string_equal(r.message, "package imported successfully");
    assert_string_equal(r.kind, "add");
}

static void assert_text(struct tenant *t, const char *text, int status, const char *message)
{
    AUTO(result_release) struct result r = post(t, text, strlen(text), ALL, NULL);
    if (r.status != status || !strstr(r.message, message))
        fail_msg("%s: %d %s", text, r.status, r.message);
}

static struct zip one_asset(const char *text)
{
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/f/a", text);
    pack_filter(&z, FILTER(TENANT "/f/a"));
    zip_end(&z);
    return z;
}

static char *sha256_header(const struct zip *z)
{
    uint8_t hash[32];
    char hex[65];
    SHA256((const uint8_t *)z->out.data, z->out.len, hash);
    text_hex(hex, hash, sizeof hash);
    return str_printf("SHA-256=%s", hex);
}

TEST(a_package_is_imported_and_said_so)
{
    struct tenant t = tenant_new();
    struct zip z = one_asset("abc");
    AUTO(result_release) struct result r = post(&t, z.out.data, z.out.len, ALL, NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.message, "package imported successfully");
    assert_int_equal(json_object_size(r.reply), 1);
    assert_string_equal(r.kind, "add");
    assert_string_equal(r.assets, TENANT "/f/\n" TENANT "/f/a\n");
    assert_original(&t, TENANT "/f/a", "abc");
    zip_release(&z);
    z = one_asset("chunked");
    AUTO(result_release) struct result chunked = post(&t, z.out.data, z.out.len, -1, NULL);
    assert_int_equal(chunked.status, 200);
    zip_release(&z);
    tenant_release(&t);
}

TEST(a_body_that_is_not_whole_is_400_and_imports_nothing)
{
    struct tenant t = tenant_new();
    struct zip z = one_asset("abc");
    for (size_t len = 0; len < z.out.len; len++) {
        AUTO(result_release)
        struct result r = post(&t, z.out.data, len, len % 2 ? (int64_t)len : (int64_t)z.out.len, NULL);
        assert_int_equal(r.status, 400);
        assert_non_null(strstr(r.message, "not whole"));
    }
    assert_absent(&t, TENANT "/f");
    zip_release(&z);
    tenant_release(&t);
}

TEST(a_wrong_digest_is_400_and_imports_nothing)
{
    struct tenant t = tenant_new();
    struct zip z = one_asset("abc");
    char *right = sha256_header(&z);
    assert_posts(&t, &z, right);
    for (char *c = right + 8; *c; c++)
        *c = (char)(*c >= 'a' ? *c - 32 : *c);
    assert_posts(&t, &z, right); /* upper case too */
    zip_release(&z);
    z = one_asset("other");
    AUTO(result_release) struct result r = post(&t, z.out.data, z.out.len, ALL, right);
    char *received = sha256_header(&z);
    assert_int_equal(r.status, 400);
    assert_string_equal(r.message, "Received distribution package is corrupted");
    assert_string_equal(json_string_value(json_object_get(r.reply, "digestAlgorithm")), "SHA-256");
    assert_string_equal(json_string_value(json_object_get(r.reply, "expected")), right + 8);
    assert_string_equal(json_string_value(json_object_get(r.reply, "received")), received + 8);
    assert_original(&t, TENANT "/f/a", "abc");
    free(right);
    free(received);
    zip_release(&z);
    tenant_release(&t);
}

TEST(each_algorithm_is_compared)
{
    static const struct {
        const char *digest;
        int status;
    } rows[] = {
        {"MD5=ad7bb24060ac9887a26db406355354fc", 200},
        {"MD5=ad7bb24060ac9887a26db406355354f0", 400},
        {"SHA-1=00", 400},
        {"SHA-384=00", 400},
        {"SHA-512=00", 400},
        {"SHA-256=", 200}, /* no digest at all, as in Sling */
        {"SHA-256=base64/+", 200},
        {"CRC32=00", 200},
    };
    struct tenant t = tenant_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(result_release) struct result r = post(&t, "DSTRPCK::TEST|/a", 16, ALL, rows[i].digest);
        if (r.status != rows[i].status)
            fail_msg("%s: %d %s", rows[i].digest, r.status, json_string_value(json_object_get(r.reply, "received")));
    }
    tenant_release(&t);
}

TEST(a_refused_package_is_500_with_the_reason)
{
    struct tenant t = tenant_new();
    struct zip z = zip_new();
    pack_asset(&z, TENANT "/f/a", "abc");
    pack_filter(&z, FILTER(TENANT));
    zip_end(&z);
    AUTO(result_release) struct result r = post(&t, z.out.data, z.out.len, ALL, NULL);
    assert_int_equal(r.status, 500);
    assert_true(str_starts(r.message, "an unexpected error has occurred during distribution import. Error: "));
    assert_non_null(strstr(r.message, "cannot be changed"));
    zip_release(&z);
    AUTO(result_release) struct result html = post(&t, "<html>captive portal</html>", 27, ALL, NULL);
    assert_int_equal(html.status, 500);
    tenant_release(&t);
}

TEST(test_installs_nothing)
{
    struct tenant t = tenant_new();
    AUTO(result_release) struct result r = post(&t, "DSTRPCK::TEST|" TENANT "/a", 14 + strlen(TENANT "/a"), ALL, NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.kind, "test");
    assert_string_equal(r.assets, "");
    assert_text(&t, "DSTRPCK::TEST|::", 200, "package imported successfully");
    assert_text(&t, "DSTRPCK:TEST|/a,/b", 200, "package imported successfully");
    size_t count;
    free(store_list(t.store, TENANT, true, &count));
    assert_int_equal(count, 0);
    tenant_release(&t);
}

TEST(delete_is_recursive_and_a_missing_path_is_fine)
{
    struct tenant t = tenant_new();
    struct zip z = one_asset("abc");
    assert_posts(&t, &z, NULL);
    assert_text(&t, "DSTRPCK::DELETE|" TENANT "/never::" TENANT "/f/none", 200, "package imported successfully");
    assert_original(&t, TENANT "/f/a", "abc");
    const char *text = "DSTRPCK::DELETE|" TENANT "/f/a::" TENANT "/never";
    AUTO(result_release) struct result r = post(&t, text, strlen(text), ALL, NULL);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.kind, "delete");
    assert_string_equal(r.assets, "-" TENANT "/f/a\n");
    assert_absent(&t, TENANT "/f/a");
    assert_true(store_has(t.store, TENANT "/f"));
    assert_posts(&t, &z, NULL);
    assert_text(&t, "DSTRPCK:DELETE|" TENANT "/f," TENANT "/g", 200, "package imported successfully");
    assert_absent(&t, TENANT "/f");
    zip_release(&z);
    tenant_release(&t);
}

TEST(delete_of_root_or_outside_is_refused_whole)
{
    static const char *const texts[] = {
        "DSTRPCK::DELETE|" TENANT,
        "DSTRPCK::DELETE|/content",
        "DSTRPCK::DELETE|/",
        "DSTRPCK::DELETE|/content/dam/mac/other/a",
        "DSTRPCK::DELETE|" TENANT "/f/../..",
        "DSTRPCK::DELETE|" TENANT "/f/a::" TENANT,
        "DSTRPCK::DELETE|" TENANT "/f/a/jcr:content/metadata",
    };
    struct tenant t = tenant_new();
    struct zip z = one_asset("abc");
    assert_posts(&t, &z, NULL);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_text(&t, texts[i], 500, "an unexpected error has occurred during distribution import. Error: ");
        assert_original(&t, TENANT "/f/a", "abc");
    }
    zip_release(&z);
    tenant_release(&t);
}

TEST(other_bodies_are_refused)
{
    struct tenant t = tenant_new();
    assert_text(&t, "DSTRPACKMETA\xac\xed", 500, "DSTRPACKMETA");
    assert_text(&t, "DSTRPCK::PULL|/a", 500, "'PULL' is not supported");
    assert_text(&t, "DSTRPCK::DELETE|/a|/b", 500, "no distribution package");
    assert_text(&t, "DSTRPCK", 400, "not whole");
    assert_text(&t, "", 400, "not whole");
    tenant_release(&t);
}

enum { THREADS = 4, ROUNDS = 25 };

static void *post_many(void *arg)
{
    struct tenant *t = arg;
    static atomic_int next;
    int thread = atomic_fetch_add(&next, 1);
    for (int i = 0; i < ROUNDS; i++) {
        char path[100], filter[200];
        struct zip z = zip_new();
        snprintf(path, sizeof path, TENANT "/shared/%d-%d", thread, i);
        snprintf(filter, sizeof filter, "<filter root=\"%s\"/>", path);
        pack_asset(&z, path, path);
        pack_filter(&z, filter);
        zip_end(&z);
        assert_posts(t, &z, NULL);
        zip_release(&z);
    }
    return NULL;
}

TEST(four_at_a_time_lose_nothing)
{
    struct tenant t = tenant_new();
    pthread_t thread[THREADS];
    size_t count;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, post_many, &t), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    tenant_restart(&t);
    struct node *node = store_list(t.store, TENANT "/shared", false, &count);
    assert_int_equal(count, THREADS * ROUNDS);
    for (size_t i = 0; i < count; i++) {
        assert_original(&t, node[i].path, node[i].path);
        node_release(&node[i]);
    }
    free(node);
    tenant_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_package_is_imported_and_said_so),
        cmocka_unit_test(a_body_that_is_not_whole_is_400_and_imports_nothing),
        cmocka_unit_test(a_wrong_digest_is_400_and_imports_nothing),
        cmocka_unit_test(each_algorithm_is_compared),
        cmocka_unit_test(a_refused_package_is_500_with_the_reason),
        cmocka_unit_test(test_installs_nothing),
        cmocka_unit_test(delete_is_recursive_and_a_missing_path_is_fine),
        cmocka_unit_test(delete_of_root_or_outside_is_refused_whole),
        cmocka_unit_test(other_bodies_are_refused),
        cmocka_unit_test(four_at_a_time_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
