/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * identity: key pairs and certificates in files, and the assertion signed with them.
 */
#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* One pair for all tests: making it takes a quarter of a second. */
static char dir[] = "/tmp/brandsync-key-XXXXXX";
static char *key_file, *certificate_file;
static const struct key_opts opts = {.bits = 2048, .days = 365, .common_name = "brandsync acme"};

static char *in_dir(const char *name)
{
    return path_join(dir, name);
}

static int make_pair(void **state UNUSED)
{
    struct err e = {0};
    if (!mkdtemp(dir))
        return -1;
    key_file = in_dir("acme.key");
    certificate_file = in_dir("acme.crt");
    return key_create(key_file, certificate_file, &opts, &e) ? 0 : -1;
}

static int remove_pair(void **state UNUSED)
{
    AUTO(mem_freep) char *command = str_printf("rm -rf %s", dir);
    free(key_file);
    free(certificate_file);
    return system(command);
}

static char *text_of(const char *path)
{
    struct err e = {0};
    struct buf text = BUF_INIT(1 << 16);
    assert_true(file_read(path, 1 << 16, &text, &e));
    return buf_take(&text);
}

static void put_text(const char *path, const char *text, mode_t mode)
{
    struct err e = {0};
    assert_true(file_replace(path, text, strlen(text), mode, &e));
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static X509 *certificate_of(const char *path)
{
    AUTO(mem_freep) char *text = text_of(path);
    BIO *in = BIO_new_mem_buf(text, -1);
    X509 *certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
    BIO_free(in);
    assert_non_null(certificate);
    return certificate;
}

/* --- pairs ------------------------------------------------------------------------------------------- */

static void a_new_pair_is_protected_and_shown(void **state UNUSED)
{
    struct err e = {0};
    struct key_info info;
    struct stat st;
    mode_t wanted = geteuid() == 0 && getgrnam("brandsync") ? 0640 : 0600;
    assert_int_equal(stat(key_file, &st), 0);
    assert_int_equal(st.st_mode & 07777, wanted);
    assert_int_equal(stat(certificate_file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);

    assert_true(key_show(key_file, certificate_file, &info, &e));
    assert_int_equal(info.bits, 2048);
    assert_true(info.is_pair);
    assert_string_equal(info.subject, "CN=brandsync acme");
    assert_int_equal(strlen(info.fingerprint_sha256), 32 * 3 - 1);
    assert_int_equal((info.not_after_ms - info.not_before_ms) / 1000, 365 * 86400);
    assert_int_equal(certificate_expires_ms(certificate_file), info.not_after_ms);
}

static void the_certificate_is_what_the_console_takes(void **state UNUSED)
{
    X509 *certificate = certificate_of(certificate_file);
    assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
    assert_int_equal(X509_get_signature_nid(certificate), NID_sha256WithRSAEncryption);
    assert_int_equal(X509_verify(certificate, X509_get0_pubkey(certificate)), 1);
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_int_equal(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    assert_non_null(X509_get0_subject_key_id(certificate));
    assert_true(ASN1_STRING_length(X509_get0_serialNumber(certificate)) == 20);
    X509_free(certificate);
}

static void two_pairs_differ_and_do_not_fit_each_other(void **state UNUSED)
{
    AUTO(mem_freep) char *other_key = in_dir("other.key"), *other_certificate = in_dir("other.crt");
    struct err e = {0};
    struct key_info info, mixed;
    assert_true(key_create(other_key, other_certificate, &opts, &e));
    assert_true(key_show(other_key, other_certificate, &info, &e));
    assert_true(key_show(other_key, certificate_file, &mixed, &e));
    assert_true(info.is_pair);
    assert_false(mixed.is_pair);
    assert_string_not_equal(info.fingerprint_sha256, mixed.fingerprint_sha256);
    assert_int_equal(ERR_peek_error(), 0);
}

static void nothing_is_overwritten_unless_forced(void **state UNUSED)
{
    AUTO(mem_freep) char *key = in_dir("forced.key"), *certificate = in_dir("forced.crt");
    struct err e = {0};
    struct key_opts forced = opts;
    forced.forced = true;
    put_text(certificate, "old", 0644);
    assert_false(key_create(key, certificate, &opts, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "forced.crt"));
    assert_false(exists(key));
    assert_true(key_create(key, certificate, &forced, &e));
    assert_true(key_create(key, certificate, &forced, &e));
    AUTO(mem_freep) char *left = in_dir("forced.key.kept");
    assert_false(exists(left));
}

static void a_pair_is_written_whole_or_not_at_all(void **state UNUSED)
{
    AUTO(mem_freep) char *key = in_dir("half.key"), *nowhere = in_dir("missing/half.crt");
    struct err e = {0};
    struct key_opts forced = opts;
    forced.forced = true;
    assert_false(key_create(key, nowhere, &opts, &e));
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_false(exists(key));

    put_text(key, "the old key", 0600);
    assert_false(key_create(key, nowhere, &forced, &e));
    AUTO(mem_freep) char *text = text_of(key);
    assert_string_equal(text, "the old key");
}

static void sizes_days_and_names_out_of_range_are_refused(void **state UNUSED)
{
    static const struct key_opts bad[] = {
        {.bits = 1024, .days = 1, .common_name = "a"},
        {.bits = 16384, .days = 1, .common_name = "a"},
        {.bits = 2048, .days = 0, .common_name = "a"},
        {.bits = 2048, .days = 99999, .common_name = "a"},
        {.bits = 2048, .days = 1, .common_name = ""},
        {.bits = 2048, .days = 1, .common_name = "\xff"},
        {.bits = 2048, .days = 1, .common_name = "12345678901234567890123456789012345678901234567890123456789012345"},
    };
    AUTO(mem_freep) char *key = in_dir("bad.key"), *certificate = in_dir("bad.crt");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err e = {0};
        assert_false(key_create(key, certificate, &bad[i], &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_false(exists(key));
    }
}

/* --- reading ----------------------------------------------------------------------------------------- */

static void the_exports_hold_public_things_only(void **state UNUSED)
{
    AUTO(buf_release) struct buf public = BUF_INIT(1 << 16), exported = BUF_INIT(1 << 16);
    AUTO(mem_freep) char *both = in_dir("both.pem"), *key = text_of(key_file), *certificate = text_of(certificate_file);
    AUTO(mem_freep) char *joined = str_printf("%s%s", key, certificate);
    struct err e = {0};
    assert_true(key_export_public(key_file, &public, &e));
    assert_true(str_starts(public.data, "-----BEGIN PUBLIC KEY-----\n"));
    put_text(both, joined, 0600);
    assert_true(certificate_read(both, &exported, &e));
    assert_string_equal(exported.data, certificate);
}

static void a_key_that_cannot_be_used_is_named(void **state UNUSED)
{
    AUTO(mem_freep)
    char *locked = in_dir("locked.key"), *junk = in_dir("junk.key"), *open = in_dir("open.key"), *ec = in_dir("ec.key");
    AUTO(mem_freep) char *good = text_of(key_file);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    BIO *out = BIO_new(BIO_s_mem()), *out_ec = BIO_new(BIO_s_mem());
    char *text;
    assert_true(PEM_write_bio_PKCS8PrivateKey(out, curve, EVP_aes_128_cbc(), "pass", 4, NULL, NULL));
    BIO_write(out, "", 1);
    BIO_get_mem_data(out, &text);
    put_text(locked, text, 0600);
    assert_true(PEM_write_bio_PrivateKey(out_ec, curve, NULL, NULL, 0, NULL, NULL));
    BIO_write(out_ec, "", 1);
    BIO_get_mem_data(out_ec, &text);
    put_text(ec, text, 0600);
    BIO_free(out);
    BIO_free(out_ec);
    EVP_PKEY_free(curve);
    put_text(junk, "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n", 0600);
    put_text(open, good, 0644);

    const struct {
        const char *file, *says;
    } rows[] = {{locked, "passphrase"},
                {junk, "not a key"},
                {open, "open to others"},
                {ec, "not an RSA key"},
                {dir, "not a regular file"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf pem = BUF_INIT(1000);
        struct err e = {0};
        assert_false(key_export_public(rows[i].file, &pem, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, rows[i].says));
        assert_int_equal(ERR_peek_error(), 0);
    }
}

static void a_certificate_that_is_none_has_no_end(void **state UNUSED)
{
    AUTO(mem_freep) char *empty = in_dir("empty.crt");
    AUTO(buf_release) struct buf pem = BUF_INIT(1000);
    struct err e = {0};
    put_text(empty, "", 0644);
    assert_int_equal(certificate_expires_ms(empty), 0);
    assert_int_equal(certificate_expires_ms("/nonexistent"), 0);
    assert_false(certificate_read(empty, &pem, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
}

/* --- the assertion ------------------------------------------------------------------------------------- */

static struct profile_identity identity(char **metascope, size_t count)
{
    return (struct profile_identity){
        .mode = IDENTITY_JWT,
        .server = (char *)"https://ims.example",
        .client_id = (char *)"0123abcd",
        .technical_account_id = (char *)"AA@techacct.adobe.com",
        .organization_id = (char *)"BB@AdobeOrg",
        .private_key_file = key_file,
        .metascopes = {metascope, count},
    };
}

static json_t *part_of(const char *begin, const char *end)
{
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 16);
    assert_true(text_unbase64url(&text, begin, (size_t)(end - begin)));
    json_t *value = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    return value;
}

static void assert_signed_by_certificate(const char *jwt, size_t signed_len)
{
    AUTO(buf_release) struct buf signature = BUF_INIT(1 << 16);
    const char *tail = jwt + signed_len + 1;
    assert_true(text_unbase64url(&signature, tail, strlen(tail)));
    X509 *certificate = certificate_of(certificate_file);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, X509_get0_pubkey(certificate)), 1);
    assert_int_equal(EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.len,
                                      (const unsigned char *)jwt, signed_len),
                     1);
    EVP_MD_CTX_free(context);
    X509_free(certificate);
}

static void the_assertion_says_what_ims_wants_and_no_more(void **state UNUSED)
{
    char *scopes[] = {(char *)"ent_brand_portal_sdk", (char *)"https://elsewhere.example/s/other"};
    struct profile_identity id = identity(scopes, 2);
    AUTO(secret_release) struct secret jwt = {0};
    struct err e = {0};
    assert_true(assertion_make(&id, 1700000000999, &jwt, &e));
    assert_int_equal(strlen(jwt.data), jwt.len);

    const char *dot = strchr(jwt.data, '.'), *last_dot = strrchr(jwt.data, '.');
    json_t *header = part_of(jwt.data, dot), *claims = part_of(dot + 1, last_dot);
    json_t *wanted_header = json_pack("{s:s, s:s}", "alg", "RS256", "typ", "JWT");
    json_t *wanted = json_pack("{s:i, s:s, s:s, s:s, s:b, s:b}", "exp", 1700000000, "iss", "BB@AdobeOrg", "sub",
                               "AA@techacct.adobe.com", "aud", "https://ims.example/c/0123abcd",
                               "https://ims.example/s/ent_brand_portal_sdk", 1, "https://elsewhere.example/s/other", 1);
    assert_true(json_equal(header, wanted_header));
    assert_true(json_equal(claims, wanted));
    assert_signed_by_certificate(jwt.data, (size_t)(last_dot - jwt.data));
    json_decref(header);
    json_decref(wanted_header);
    json_decref(claims);
    json_decref(wanted);
}

static void an_assertion_without_its_key_is_an_error(void **state UNUSED)
{
    struct profile_identity id = identity(NULL, 0);
    AUTO(secret_release) struct secret jwt = {0};
    struct err e = {0};
    id.private_key_file = (char *)"/nonexistent/key";
    assert_false(assertion_make(&id, 1, &jwt, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_null(jwt.data);
    id = identity(NULL, 0);
    id.organization_id = (char *)"\xff";
    assert_false(assertion_make(&id, 1, &jwt, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_pair_is_protected_and_shown),
        cmocka_unit_test(the_certificate_is_what_the_console_takes),
        cmocka_unit_test(two_pairs_differ_and_do_not_fit_each_other),
        cmocka_unit_test(nothing_is_overwritten_unless_forced),
        cmocka_unit_test(a_pair_is_written_whole_or_not_at_all),
        cmocka_unit_test(sizes_days_and_names_out_of_range_are_refused),
        cmocka_unit_test(the_exports_hold_public_things_only),
        cmocka_unit_test(a_key_that_cannot_be_used_is_named),
        cmocka_unit_test(a_certificate_that_is_none_has_no_end),
        cmocka_unit_test(the_assertion_says_what_ims_wants_and_no_more),
        cmocka_unit_test(an_assertion_without_its_key_is_an_error),
    };
    return cmocka_run_group_tests_name("identity_key", tests, make_pair, remove_pair);
}
