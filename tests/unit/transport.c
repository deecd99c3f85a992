/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One request, one verdict: against a scripted tenant and a scripted IMS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fakes/clock.h"
#include "../fakes/tokens.h"
#include "transport.h"

#define DONE "{\"message\":\"package imported successfully\"}"
#define ROOT "/content/dam/mac/acme"

static struct fake_clock clock_;
static struct fake_tokens tokens;
static struct fake_http portal;
static struct profile_tenant tenant;
static atomic_bool cancel;
static struct transport *transport;

static int given_a_tenant(void **state)
{
    (void)state;
    fake_clock_init(&clock_, 1764000000000);
    fake_tokens_init(&tokens, &clock_.clock);
    fake_http_init(&portal, 200, DONE);
    portal.clock = &clock_.clock;
    tenant = (struct profile_tenant){
        .url = str_copy("https://acme.portal.test"),
        .root = str_copy(ROOT),
        .importer_path = str_copy("/libs/importers/default"),
        .test_path = str_copy("/bin/receive?sling:authRequestLogin=1"),
    };
    atomic_store(&cancel, false);
    transport = transport_new(&tenant, &portal.http, &clock_.clock, tokens.source, &cancel);
    return 0;
}

static int then_it_goes(void **state)
{
    (void)state;
    transport_free(transport);
    fake_http_release(&portal);
    fake_tokens_release(&tokens);
    mem_freep(&tenant.url);
    mem_freep(&tenant.root);
    mem_freep(&tenant.importer_path);
    mem_freep(&tenant.test_path);
    strlist_release(&tenant.headers);
    return 0;
}

/* --- a body that counts how often it begins -------------------------------------------------------- */

struct body {
    const char *text;
    size_t at;
    int rewinds, digests;
};

static bool body_read(void *arg, void *data, size_t size, size_t *got, struct err *e)
{
    struct body *b = arg;
    (void)e;
    *got = MIN(size, strlen(b->text + b->at));
    memcpy(data, b->text + b->at, *got);
    b->at += *got;
    return true;
}

static bool body_rewind(void *arg, struct err *e)
{
    struct body *b = arg;
    (void)e;
    b->at = 0;
    b->rewinds++;
    return true;
}

static bool body_digest(void *arg, char hex[65], struct err *e)
{
    struct body *b = arg;
    (void)e;
    b->digests++;
    snprintf(hex, 65, "%s", "00112233");
    return true;
}

static bool import(struct body *b, struct transport_answer *answer, struct err *e)
{
    b->text = "the package";
    b->at = 0;
    const struct transport_body body = {
        .bytes = (int64_t)strlen(b->text), .read = body_read, .rewind = body_rewind, .digest = body_digest, .arg = b};
    return transport_import(transport, &body, answer, e);
}

/* --- promises -------------------------------------------------------------------------------------- */

static void an_import_is_a_post_with_a_token(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    assert_true(import(&b, &answer, &e));

    const struct fake_request *q = &portal.seen[0];
    assert_string_equal(q->method, "POST");
    assert_string_equal(q->url, "https://acme.portal.test/libs/importers/default");
    assert_string_equal(q->headers, "Content-Type: application/octet-stream\n");
    assert_string_equal(q->bearer, "token-1");
    assert_string_equal(q->body.data, "the package");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.message, "package imported successfully");
}

static void each_answer_has_its_class(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum err_kind kind;
        enum cause cause;
    } rows[] = {
        {200, "<html>Welcome to the hotel</html>", ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
        {200, "{\"message\":\"hello\"}", ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
        {200, "", ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
        {201, DONE, ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
        {204, "", ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
        {301, "", ERR_REFUSED, CAUSE_TENANT_NOT_IMPORTER},
        {307, "", ERR_REFUSED, CAUSE_TENANT_NOT_IMPORTER},
        {400, "{\"message\":\"no\"}", ERR_REFUSED, CAUSE_ASSET_REFUSED},
        {400, "{\"message\":\"corrupted\",\"digestAlgorithm\":\"SHA-256\",\"expected\":\"a\",\"received\":\"b\"}",
         ERR_CHANGED, CAUSE_FILE_CHANGED},
        {403, "", ERR_REFUSED, CAUSE_AUTH_RIGHTS},
        {404, "", ERR_TENANT, CAUSE_TENANT_PATH},
        {407, "", ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
        {408, "", ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
        {409, "", ERR_REFUSED, CAUSE_ASSET_REFUSED},
        {413, "", ERR_REFUSED, CAUSE_ASSET_TOO_LARGE},
        {425, "", ERR_TENANT, CAUSE_TENANT_BUSY},
        {429, "", ERR_TENANT, CAUSE_TENANT_BUSY},
        {500, "{\"message\":\"an unexpected error\"}", ERR_RETRY, CAUSE_TENANT_ERROR},
        {501, "", ERR_RETRY, CAUSE_TENANT_ERROR},
        {502, "", ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
        {503, "", ERR_TENANT, CAUSE_TENANT_BUSY},
        {504, "", ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
        {511, "", ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct body b = {0};
        struct transport_answer answer;
        struct err e = {0};
        fake_http_say(&portal, rows[i].status, rows[i].body)->retry_after_ms = 7000;
        assert_false(import(&b, &answer, &e));
        assert_int_equal(e.kind, rows[i].kind);
        assert_int_equal(e.cause, rows[i].cause);
        assert_int_equal(e.retry_after_ms, 7000);
        assert_int_equal(answer.status, rows[i].status);
    }
}

static void the_servers_words_are_one_bounded_line(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf body = BUF_INIT(10000);
    buf_str(&body, "{\"message\":\"line one\\nline two \\u001b[31m\\u0085");
    for (int i = 0; i < 200; i++)
        buf_str(&body, "\xc3\xa9");
    buf_str(&body, "\"}");
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_http_say(&portal, 400, body.data);
    assert_false(import(&b, &answer, &e));
    assert_true(str_starts(answer.message, "line one line two  [31m \xc3\xa9\xc3\xa9"));
    assert_true(text_is_utf8(answer.message, strlen(answer.message)));
    assert_in_range(strlen(answer.message), 157, 159);
    assert_true(str_starts(e.text, "400 \"line one"));
}

static void plain_text_is_quoted_and_html_is_not(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_http_say(&portal, 500, "out of space\n")->content_type = "text/plain;charset=utf-8";
    fake_http_say(&portal, 500, "<html>")->content_type = "text/html";
    assert_false(import(&b, &answer, &e));
    assert_string_equal(e.text, "500 \"out of space\"");
    assert_false(import(&b, &answer, &e));
    assert_string_equal(e.text, "500");
}

static void a_refused_token_is_renewed_once_and_the_body_sent_again(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_tokens_say(&tokens, "old");
    fake_tokens_say(&tokens, "new");
    fake_http_say(&portal, 401, "{}");
    assert_true(import(&b, &answer, &e));
    assert_int_equal(portal.requests, 2);
    assert_string_equal(portal.seen[0].bearer, "old");
    assert_string_equal(portal.seen[1].bearer, "new");
    assert_string_equal(portal.seen[1].body.data, "the package");
    assert_int_equal(b.rewinds, 1);
}

static void a_second_refusal_is_an_auth_error(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_http_say(&portal, 401, "{}");
    fake_http_say(&portal, 401, "{\"message\":\"go away\"}");
    assert_false(import(&b, &answer, &e));
    assert_int_equal(e.kind, ERR_AUTH);
    assert_int_equal(e.cause, CAUSE_AUTH_REFUSED);
    assert_string_equal(e.text, "401 \"go away\"");
    assert_int_equal(portal.requests, 2);
}

static void without_a_token_nothing_is_sent(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_http_say(&tokens.ims, 400, "{\"error\":\"invalid_client\"}");
    assert_false(import(&b, &answer, &e));
    assert_int_equal(e.kind, ERR_AUTH);
    assert_int_equal(portal.requests, 0);
}

static void no_reply_is_the_ports_error(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    fake_http_fail(&portal, ERR_TENANT, CAUSE_TENANT_TLS, "acme.portal.test is not trusted: expired");
    assert_false(import(&b, &answer, &e));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_int_equal(e.cause, CAUSE_TENANT_TLS);
    assert_int_equal(answer.status, 0);
}

static void digests_are_sent_only_when_asked_for(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    assert_true(import(&b, &answer, &e));
    assert_int_equal(b.digests, 0);
    tenant.digest = DIGEST_ALWAYS;
    assert_true(import(&b, &answer, &e));
    assert_int_equal(b.digests, 1);
    assert_string_equal(portal.seen[1].headers, "Content-Type: application/octet-stream\nDigest: SHA-256=00112233\n");
}

static void a_portal_that_miscounts_digests_gets_none_any_more(void **state)
{
    (void)state;
    struct body b = {0};
    struct transport_answer answer;
    struct err e;
    tenant.digest = DIGEST_ALWAYS;
    fake_http_say(&portal, 400,
                  "{\"message\":\"corrupted\",\"digestAlgorithm\":\"SHA-256\",\"expected\":\"a\",\"received\":\"b\"}");
    assert_true(import(&b, &answer, &e));
    assert_non_null(strstr(portal.seen[0].headers, "Digest"));
    assert_null(strstr(portal.seen[1].headers, "Digest"));
    assert_int_equal(b.rewinds, 1);

    assert_true(import(&b, &answer, &e));
    assert_null(strstr(portal.seen[2].headers, "Digest"));
    assert_int_equal(b.digests, 1);
}

static void the_profiles_headers_add_and_never_override(void **state)
{
    (void)state;
    struct transport_answer answer;
    struct err e;
    strlist_add(&tenant.headers, "x-api-key: 0123abcd");
    strlist_add(&tenant.headers, "content-type: text/evil");
    strlist_add(&tenant.headers, "Authorization: Basic x");
    strlist_add(&tenant.headers, "Content-Typewriter: fine");
    assert_true(transport_test(transport, &answer, &e));
    assert_string_equal(portal.seen[0].headers,
                        "Content-Type: application/octet-stream\nx-api-key: 0123abcd\nContent-Typewriter: fine\n");
}

static void a_delete_names_one_path(void **state)
{
    (void)state;
    struct transport_answer answer;
    struct err e;
    assert_true(transport_delete(transport, ROOT "/c/a b.jpg", &answer, &e));
    assert_string_equal(portal.seen[0].body.data, "DSTRPCK::DELETE|" ROOT "/c/a b.jpg");
}

static void what_must_never_be_deleted_is_not(void **state)
{
    (void)state;
    static const char *const rows[] = {ROOT,
                                       ROOT "/",
                                       "/content/dam/mac",
                                       "/",
                                       "",
                                       "/content/dam/mac/acme2/a.jpg",
                                       ROOT "/../acme",
                                       ROOT "/a.jpg::" ROOT,
                                       ROOT "/a\n",
                                       ROOT "//a"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct transport_answer answer;
        struct err e = {0};
        assert_false(transport_delete(transport, rows[i], &answer, &e));
        assert_int_equal(e.kind, ERR_REFUSED);
    }
    assert_int_equal(portal.requests, 0);
}

static void the_test_asks_the_importer_and_where_wanted_the_replication_agents_door(void **state)
{
    (void)state;
    struct transport_answer answer;
    struct err e;
    tenant.replication_test = true;
    fake_http_say(&portal, 200, DONE);
    fake_http_say(&portal, 200, "ReplicationAction TEST ok.")->content_type = "text/plain;charset=utf-8";
    assert_true(transport_test(transport, &answer, &e));
    assert_string_equal(portal.seen[0].body.data, "DSTRPCK::TEST|" ROOT);
    assert_string_equal(portal.seen[1].url, "https://acme.portal.test/bin/receive?sling:authRequestLogin=1");
    assert_string_equal(portal.seen[1].headers, "Action: Test\nPath: /content\nHandle: /content\nReferer: "
                                                "about:blank\nContent-Type: application/octet-stream\n");

    fake_http_say(&portal, 200, DONE);
    fake_http_say(&portal, 200, DONE);
    assert_false(transport_test(transport, &answer, &e));
    assert_int_equal(e.cause, CAUSE_TENANT_NOT_IMPORTER);
    assert_true(str_starts(e.text, "replication test: 200"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_a_tenant, then_it_goes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_import_is_a_post_with_a_token),
        TEST(each_answer_has_its_class),
        TEST(the_servers_words_are_one_bounded_line),
        TEST(plain_text_is_quoted_and_html_is_not),
        TEST(a_refused_token_is_renewed_once_and_the_body_sent_again),
        TEST(a_second_refusal_is_an_auth_error),
        TEST(without_a_token_nothing_is_sent),
        TEST(no_reply_is_the_ports_error),
        TEST(digests_are_sent_only_when_asked_for),
        TEST(a_portal_that_miscounts_digests_gets_none_any_more),
        TEST(the_profiles_headers_add_and_never_override),
        TEST(a_delete_names_one_path),
        TEST(what_must_never_be_deleted_is_not),
        TEST(the_test_asks_the_importer_and_where_wanted_the_replication_agents_door),
    };
    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
