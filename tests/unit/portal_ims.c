/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* IMS grants what is right, and names what is wrong as protocol.md 1.1 has it. */
#include "../../src/portal/portal.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define NOW_S 1750000000
#define NOW_MS (NOW_S * INT64_C(1000))
#define LIFE_MS INT64_C(86400000)
#define AUTHORITY "127.0.0.1:38443"

enum key { BOUND, SECOND, FOREIGN, KEYS };

struct world {
    char dir[64];
    EVP_PKEY *key[KEYS];
    char *certificate_file[KEYS];
    struct ims *ims;
    char *jwt_id, *jwt_secret, *account, *organization;
    char *oauth_id, *oauth_secret;
};
static struct world w;

/* --- given ------------------------------------------------------------------------------------------- */

static void make_certificate(enum key which)
{
    w.key[which] = EVP_RSA_gen(2048);
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), which + 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 30 * 86400);
    X509_set_pubkey(certificate, w.key[which]);
    X509_sign(certificate, w.key[which], EVP_sha256());
    w.certificate_file[which] = str_printf("%s/%d.crt", w.dir, (int)which);
    FILE *file = fopen(w.certificate_file[which], "w");
    assert_true(PEM_write_X509(file, certificate));
    fclose(file);
    X509_free(certificate);
}

static void enrol(const struct registration *r, char **id, char **secret)
{
    struct err e = {0};
    struct credentials all;
    struct secret fresh = {0};
    size_t index;
    assert_true(credentials_register(w.dir, r, &all, &index, &fresh, &e));
    if (!*id) {
        *id = str_copy(all.item[index].client_id);
        *secret = str_copy(fresh.data);
        if (r->kind == CREDENTIAL_JWT) {
            w.account = str_copy(all.item[index].technical_account_id);
            w.organization = str_copy(all.item[index].organization_id);
        }
    }
    credentials_release(&all);
    secret_release(&fresh);
}

static int open_world(void **state)
{
    (void)state;
    struct err e = {0};
    snprintf(w.dir, sizeof(w.dir), "/tmp/brandsync-ims-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    for (int i = 0; i < KEYS; i++)
        make_certificate((enum key)i);
    enrol(&(struct registration){.kind = CREDENTIAL_JWT, .certificate_file = w.certificate_file[BOUND]}, &w.jwt_id,
          &w.jwt_secret);
    enrol(&(struct registration){.kind = CREDENTIAL_JWT,
                                 .client_id = w.jwt_id,
                                 .certificate_file = w.certificate_file[SECOND]},
          &w.jwt_id, &w.jwt_secret);
    enrol(&(struct registration){.kind = CREDENTIAL_OAUTH}, &w.oauth_id, &w.oauth_secret);
    w.ims = ims_open(w.dir, LIFE_MS, &e);
    return w.ims ? 0 : -1;
}

static int close_world(void **state)
{
    (void)state;
    char *text[] = {w.jwt_id, w.jwt_secret, w.account, w.organization, w.oauth_id, w.oauth_secret};
    static const char *const files[] = {"credentials.json", "credentials.lock"};
    ims_close(w.ims);
    for (size_t i = 0; i < KEYS; i++) {
        unlink(w.certificate_file[i]);
        mem_freep(&w.certificate_file[i]);
        EVP_PKEY_free(w.key[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(text); i++)
        mem_freep(&text[i]);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        AUTO(mem_freep) char *file = path_join(w.dir, files[i]);
        unlink(file);
    }
    rmdir(w.dir);
    return 0;
}

static void add_part(struct buf *jwt, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    text_base64url(jwt, text, strlen(text));
    free(text);
    json_decref(json);
}

/* `patch` changes claims: null takes one away. */
static json_t *patched(json_t *json, const char *patch)
{
    json_t *changes = json_loads(patch ? patch : "{}", 0, NULL), *value;
    const char *key;
    assert_non_null(changes);
    json_object_foreach (changes, key, value) {
        if (json_is_null(value))
            json_object_del(json, key);
        else
            json_object_set(json, key, value);
    }
    json_decref(changes);
    return json;
}

static char *assertion(enum key key, const char *header_patch, const char *claims_patch)
{
    AUTO(mem_freep) char *aud = str_printf("https://" AUTHORITY "/c/%s", w.jwt_id);
    struct buf jwt = BUF_INIT(20000);
    unsigned char signature[256];
    size_t len = sizeof(signature);
    add_part(&jwt, patched(json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT"), header_patch));
    buf_char(&jwt, '.');
    add_part(&jwt, patched(json_pack("{s:s, s:s, s:s, s:i, s:b}", "iss", w.organization, "sub", w.account, "aud", aud,
                                     "exp", NOW_S + 300, "https://" AUTHORITY "/s/ent_brand_portal_sdk", 1),
                           claims_patch));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, w.key[key]), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &len, (unsigned char *)jwt.data, jwt.len), 1);
    EVP_MD_CTX_free(context);
    buf_char(&jwt, '.');
    text_base64url(&jwt, signature, len);
    return buf_take(&jwt);
}

struct answer {
    int status;
    json_t *json;
};

static struct answer ask(int (*end_point)(struct ims *, const struct ims_form *, int64_t, struct buf *),
                         const struct ims_form *form, int64_t now_ms)
{
    AUTO(buf_release) struct buf reply = BUF_INIT(10000);
    struct answer a = {.status = end_point(w.ims, form, now_ms, &reply)};
    a.json = json_loads(reply.data, 0, NULL);
    assert_non_null(a.json);
    return a;
}

static const char *text_of(const struct answer *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->json, key));
    return text ? text : "";
}

static struct answer exchange(const char *jwt, int64_t now_ms)
{
    return ask(ims_exchange_jwt,
               &(struct ims_form){
                   .authority = AUTHORITY, .client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = jwt},
               now_ms);
}

static char *bearer_of(const struct answer *a)
{
    return str_printf("Bearer %s", text_of(a, "access_token"));
}

/* --- what is granted --------------------------------------------------------------------------------- */

static void a_right_assertion_gets_a_token_that_opens(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, NULL);
    struct answer a = exchange(jwt, NOW_MS);
    AUTO(mem_freep) char *bearer = bearer_of(&a);
    AUTO(mem_freep) char *client = NULL;
    assert_int_equal(a.status, 200);
    assert_string_equal(text_of(&a, "token_type"), "bearer");
    assert_int_equal(json_integer_value(json_object_get(a.json, "expires_in")), LIFE_MS); /* milliseconds */
    assert_true(ims_allows(w.ims, bearer, NOW_MS, &client));
    assert_string_equal(client, w.jwt_id);
    json_decref(a.json);
}

static void any_bound_certificate_is_good(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(SECOND, NULL, "{\"jti\": 7}");
    struct answer a = exchange(jwt, NOW_MS);
    assert_int_equal(a.status, 200);
    json_decref(a.json);
}

static void the_token_carries_its_times_as_text(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, NULL);
    struct answer a = exchange(jwt, NOW_MS);
    const char *payload = strchr(text_of(&a, "access_token"), '.') + 1;
    AUTO(buf_release) struct buf raw = BUF_INIT(4000);
    assert_true(text_unbase64url(&raw, payload, strcspn(payload, ".")));
    json_t *json = json_loads(raw.data, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "created_at")), "1750000000000");
    assert_string_equal(json_string_value(json_object_get(json, "expires_in")), "86400000");
    assert_string_equal(json_string_value(json_object_get(json, "client_id")), w.jwt_id);
    json_decref(json);
    json_decref(a.json);
}

static void a_token_dies_at_its_time_and_leaves_older_ones_alone(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, NULL);
    struct answer first = exchange(jwt, NOW_MS), second = exchange(jwt, NOW_MS + 1000);
    AUTO(mem_freep) char *old = bearer_of(&first);
    AUTO(mem_freep) char *young = bearer_of(&second);
    assert_string_not_equal(old, young);
    assert_true(ims_allows(w.ims, old, NOW_MS + LIFE_MS - 1, NULL));
    assert_false(ims_allows(w.ims, old, NOW_MS + LIFE_MS, NULL));
    assert_true(ims_allows(w.ims, young, NOW_MS + LIFE_MS, NULL));
    json_decref(first.json);
    json_decref(second.json);
}

static void what_is_no_live_token_opens_nothing(void **state)
{
    (void)state;
    static const char *const rows[] = {NULL, "", "Bearer", "Bearer ", "Bearer x.y.z", "Basic dTpw", "x.y.z"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_false(ims_allows(w.ims, rows[i], NOW_MS, NULL));
}

/* --- what is refused --------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    int status;
    const char *error, *text; /* text: a part of it, NULL: any */
    enum key key;
    const char *header, *claims;
} refused[] = {
    {"foreign aud", 400, "invalid_client", "aud", BOUND, NULL, "{\"aud\": \"https://" AUTHORITY "/c/other\"}"},
    {"no aud", 400, "invalid_client", "aud", BOUND, NULL, "{\"aud\": null}"},
    {"expired", 400, "invalid_token", "expired", BOUND, NULL, "{\"exp\": 1750000000}"},
    {"exp in milliseconds", 400, "invalid_token", "24 hours", BOUND, NULL, "{\"exp\": 1750000300000}"},
    {"exp over a day ahead", 400, "invalid_token", "24 hours", BOUND, NULL, "{\"exp\": 1750086401}"},
    {"exp a text", 400, "invalid_token", "integer", BOUND, NULL, "{\"exp\": \"1750000300\"}"},
    {"exp a fraction", 400, "invalid_token", "integer", BOUND, NULL, "{\"exp\": 1750000300.5}"},
    {"jti a UUID", 400, "invalid_token", "jti", BOUND, NULL, "{\"jti\": \"c0ffee00-0000-4000-8000-000000000000\"}"},
    {"foreign key", 400, "invalid_signature", "Could not match JWT signature to any of the bindings", FOREIGN, NULL,
     NULL},
    {"alg none", 400, "invalid_signature", "RS256", BOUND, "{\"alg\": \"none\"}", NULL},
    {"alg HS256", 400, "invalid_signature", "RS256", BOUND, "{\"alg\": \"HS256\"}", NULL},
    {"crit", 400, "invalid_token", "decoded", BOUND, "{\"crit\": [\"x\"]}", NULL},
    {"no metascope", 400, "invalid_scope", NULL, BOUND, NULL,
     "{\"https://" AUTHORITY "/s/ent_brand_portal_sdk\": null}"},
    {"metascope not true", 400, "invalid_scope", NULL, BOUND, NULL,
     "{\"https://" AUTHORITY "/s/ent_brand_portal_sdk\": \"true\"}"},
    {"metascope not bound", 400, "invalid_scope",
     "The metascopes in the JWT are not a subset of the metascopes in the binding.", BOUND, NULL,
     "{\"https://" AUTHORITY "/s/ent_dataservices_sdk\": true}"},
    {"sub malformed", 400, "bad_request", "sub", BOUND, NULL, "{\"sub\": \"somebody@example.com\"}"},
    {"sub missing", 400, "bad_request", "sub", BOUND, NULL, "{\"sub\": null}"},
    {"iss malformed", 400, "bad_request", "iss", BOUND, NULL, "{\"iss\": \"@AdobeOrg\"}"},
    {"exp missing", 400, "bad_request", "exp", BOUND, NULL, "{\"exp\": null}"},
    {"exp negative", 400, "bad_request", "exp", BOUND, NULL, "{\"exp\": -1}"},
    {"jti negative", 400, "bad_request", "jti", BOUND, NULL, "{\"jti\": -1}"},
    {"another's sub", 400, "invalid_token", "bindings", BOUND, NULL, "{\"sub\": \"0123@techacct.adobe.com\"}"},
};

static void every_row_of_the_error_table_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        AUTO(mem_freep) char *jwt = assertion(refused[i].key, refused[i].header, refused[i].claims);
        struct answer a = exchange(jwt, NOW_MS);
        if (a.status != refused[i].status || !str_eq(text_of(&a, "error"), refused[i].error) ||
            (refused[i].text && !strstr(text_of(&a, "error_description"), refused[i].text)))
            fail_msg("%s: %d %s \"%s\"", refused[i].what, a.status, text_of(&a, "error"),
                     text_of(&a, "error_description"));
        assert_null(json_object_get(a.json, "access_token"));
        json_decref(a.json);
    }
}

static void a_wrong_form_is_refused(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, NULL);
    AUTO(mem_freep) char *cut = str_copy_n(jwt, strlen(jwt) / 2);
    AUTO(mem_freep) char *changed = str_copy(jwt);
    strchr(changed, '.')[3] ^= 1; /* one bit of the payload */
    const struct {
        struct ims_form form;
        int status;
        const char *error;
    } rows[] = {
        {{.client_id = "nobody", .client_secret = w.jwt_secret, .jwt_token = jwt}, 400, "invalid_client"},
        {{.client_secret = w.jwt_secret, .jwt_token = jwt}, 400, "invalid_client"},
        {{.client_id = w.jwt_id, .client_secret = "wrong", .jwt_token = jwt}, 401, "invalid_client"},
        {{.client_id = w.jwt_id, .jwt_token = jwt}, 401, "invalid_client"},
        {{.client_id = w.oauth_id, .client_secret = w.oauth_secret, .jwt_token = jwt}, 401, "invalid_client"},
        {{.client_id = w.jwt_id, .client_secret = w.jwt_secret}, 400, "invalid_token"},
        {{.client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = "a.b"}, 400, "invalid_token"},
        {{.client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = "...."}, 400, "invalid_token"},
        {{.client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = cut}, 400, "invalid_token"},
        {{.client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = changed}, 400, "invalid_token"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct ims_form form = rows[i].form;
        form.authority = AUTHORITY;
        struct answer a = ask(ims_exchange_jwt, &form, NOW_MS);
        if (a.status != rows[i].status || !str_eq(text_of(&a, "error"), rows[i].error))
            fail_msg("row %zu: %d %s", i, a.status, text_of(&a, "error"));
        json_decref(a.json);
    }
}

static void an_assertion_for_another_host_is_refused(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, NULL);
    struct answer a = ask(
        ims_exchange_jwt,
        &(struct ims_form){
            .authority = "localhost:38443", .client_id = w.jwt_id, .client_secret = w.jwt_secret, .jwt_token = jwt},
        NOW_MS);
    assert_int_equal(a.status, 400);
    assert_string_equal(text_of(&a, "error"), "invalid_client");
    json_decref(a.json);
}

static void a_certificate_past_its_end_is_no_binding(void **state)
{
    (void)state;
    AUTO(mem_freep) char *jwt = assertion(BOUND, NULL, "{\"exp\": 4000000300}");
    struct answer a = exchange(jwt, INT64_C(4000000000000));
    assert_int_equal(a.status, 400);
    assert_string_equal(text_of(&a, "error"), "invalid_signature");
    json_decref(a.json);
}

/* --- OAuth ------------------------------------------------------------------------------------------- */

static void oauth_grants_scopes_in_seconds(void **state)
{
    (void)state;
    struct answer a = ask(ims_token,
                          &(struct ims_form){.grant_type = "client_credentials",
                                             .client_id = w.oauth_id,
                                             .client_secret = w.oauth_secret,
                                             .scope = "openid, AdobeID"},
                          NOW_MS);
    AUTO(mem_freep) char *bearer = bearer_of(&a);
    assert_int_equal(a.status, 200);
    assert_int_equal(json_integer_value(json_object_get(a.json, "expires_in")), LIFE_MS / 1000);
    assert_true(ims_allows(w.ims, bearer, NOW_MS, NULL));
    json_decref(a.json);
}

static void oauth_refuses_what_is_wrong(void **state)
{
    (void)state;
    const struct {
        struct ims_form form;
        const char *error;
    } rows[] = {
        {{.client_id = w.oauth_id, .client_secret = w.oauth_secret, .scope = "openid"}, "unsupported_grant_type"},
        {{.grant_type = "client_credentials",
          .client_id = "nobody",
          .client_secret = w.oauth_secret,
          .scope = "openid"},
         "invalid_client"},
        {{.grant_type = "client_credentials", .client_id = w.oauth_id, .client_secret = "wrong", .scope = "openid"},
         "invalid_client"},
        {{.grant_type = "client_credentials", .client_id = w.oauth_id, .client_secret = w.oauth_secret},
         "invalid_scope"},
        {{.grant_type = "client_credentials",
          .client_id = w.oauth_id,
          .client_secret = w.oauth_secret,
          .scope = "openid,admin"},
         "invalid_scope"},
        {{.grant_type = "client_credentials", .client_id = w.jwt_id, .client_secret = w.jwt_secret, .scope = "openid"},
         "unauthorized_client"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer a = ask(ims_token, &rows[i].form, NOW_MS);
        if (a.status != 400 || !str_eq(text_of(&a, "error"), rows[i].error))
            fail_msg("row %zu: %d %s", i, a.status, text_of(&a, "error"));
        json_decref(a.json);
    }
}

/* --- registering -------------------------------------------------------------------------------------- */

static void a_running_ims_sees_a_new_credential(void **state)
{
    (void)state;
    char *id = NULL, *secret = NULL;
    enrol(&(struct registration){.kind = CREDENTIAL_OAUTH, .client_id = "late", .scopes = "a"}, &id, &secret);
    struct answer a = ask(
        ims_token,
        &(struct ims_form){
            .grant_type = "client_credentials", .client_id = "late", .client_secret = secret, .scope = "a"},
        NOW_MS);
    assert_int_equal(a.status, 200);
    json_decref(a.json);
    mem_freep(&id);
    mem_freep(&secret);
}

static void two_secrets_live_at_once_and_the_third_ends_the_first(void **state)
{
    (void)state;
    char *secret[3] = {0};
    static const int wanted[3] = {400, 200, 200};
    for (size_t i = 0; i < 3; i++) {
        char *id = NULL;
        enrol(&(struct registration){.kind = CREDENTIAL_OAUTH, .client_id = "rotated"}, &id, &secret[i]);
        mem_freep(&id);
    }
    for (size_t i = 0; i < 3; i++) {
        struct answer a = ask(ims_token,
                              &(struct ims_form){.grant_type = "client_credentials",
                                                 .client_id = "rotated",
                                                 .client_secret = secret[i],
                                                 .scope = "openid"},
                              NOW_MS);
        assert_int_equal(a.status, wanted[i]);
        json_decref(a.json);
        mem_freep(&secret[i]);
    }
}

static void what_cannot_be_registered_is_refused(void **state)
{
    (void)state;
    AUTO(mem_freep) char *json = path_join(w.dir, "credentials.json");
    const struct registration rows[] = {
        {.kind = CREDENTIAL_OAUTH, .client_id = "../x"},          {.kind = CREDENTIAL_OAUTH, .client_id = ""},
        {.kind = CREDENTIAL_OAUTH, .client_id = w.jwt_id},        {.kind = CREDENTIAL_JWT, .certificate_file = json},
        {.kind = CREDENTIAL_JWT, .certificate_file = "/nowhere"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = {0};
        struct credentials all;
        struct secret secret = {0};
        size_t index;
        assert_false(credentials_register(w.dir, &rows[i], &all, &index, &secret, &e));
        assert_true(e.text[0]);
    }
}

static void no_secret_is_kept(void **state)
{
    (void)state;
    struct err e = {0};
    struct stat st;
    AUTO(mem_freep) char *file = path_join(w.dir, "credentials.json");
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    assert_true(file_read(file, 1 << 20, &text, &e));
    assert_null(strstr(text.data, w.jwt_secret));
    assert_null(strstr(text.data, w.oauth_secret));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_right_assertion_gets_a_token_that_opens),
        cmocka_unit_test(any_bound_certificate_is_good),
        cmocka_unit_test(the_token_carries_its_times_as_text),
        cmocka_unit_test(a_token_dies_at_its_time_and_leaves_older_ones_alone),
        cmocka_unit_test(what_is_no_live_token_opens_nothing),
        cmocka_unit_test(every_row_of_the_error_table_is_answered),
        cmocka_unit_test(a_wrong_form_is_refused),
        cmocka_unit_test(an_assertion_for_another_host_is_refused),
        cmocka_unit_test(a_certificate_past_its_end_is_no_binding),
        cmocka_unit_test(oauth_grants_scopes_in_seconds),
        cmocka_unit_test(oauth_refuses_what_is_wrong),
        cmocka_unit_test(a_running_ims_sees_a_new_credential),
        cmocka_unit_test(two_secrets_live_at_once_and_the_third_ends_the_first),
        cmocka_unit_test(what_cannot_be_registered_is_refused),
        cmocka_unit_test(no_secret_is_kept),
    };
    return cmocka_run_group_tests_name("portal_ims", tests, open_world, close_world);
}
