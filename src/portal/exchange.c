/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* exchange - the checks of a JWT exchange (protocol.md 1.1, 11) and of an OAuth server-to-server request (1.4). */
#include "exchange.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

enum { DAY_S = 86400 };

void exchange_release(struct exchange *x)
{
    json_decref(x->header);
    json_decref(x->claims);
    buf_release(&x->signature);
    buf_release(&x->scopes);
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_secret_right(const struct exchange *x)
{
    char digest[65];
    int matches = 0;
    credential_digest(digest, text_or_empty(x->form->client_secret));
    for (size_t i = 0; i < x->client->secret.count; i++)
        matches += strlen(x->client->secret.item[i]) == 64 && CRYPTO_memcmp(x->client->secret.item[i], digest, 64) == 0;
    return matches > 0;
}

static enum refusal grant_scope(struct exchange *x, const char *scope, enum refusal if_foreign)
{
    for (size_t i = 0; i < x->client->scope.count; i++) {
        if (!str_eq(x->client->scope.item[i], scope))
            continue;
        buf_printf(&x->scopes, "%s%s", x->scopes.len ? "," : "", scope);
        return GRANTED;
    }
    return if_foreign;
}

/* --- JWT: the checks in the order in which IMS names what is wrong ----------------------------------- */

static enum refusal jwt_client(struct exchange *x)
{
    x->client = credentials_find(x->credentials, text_or_empty(x->form->client_id));
    if (!x->client)
        return NO_CLIENT;
    return x->client->kind == CREDENTIAL_JWT ? GRANTED : NO_EXCHANGE;
}

static enum refusal jwt_secret(struct exchange *x)
{
    return is_secret_right(x) ? GRANTED : WRONG_SECRET;
}

static json_t *part_json(const char *text, size_t len)
{
    AUTO(buf_release) struct buf raw = BUF_INIT(JWT_MAX);
    if (!text_unbase64url(&raw, text, len) || raw.len == 0)
        return NULL;
    json_t *json = json_loadb(raw.data, raw.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static enum refusal jwt_decode(struct exchange *x)
{
    const char *jwt = text_or_empty(x->form->jwt_token);
    if (!*jwt)
        return NO_ASSERTION;
    size_t header = strcspn(jwt, ".");
    size_t payload = jwt[header] ? strcspn(jwt + header + 1, ".") : 0;
    x->signed_len = header + 1 + payload;
    if (strlen(jwt) > JWT_MAX || !jwt[header] || !jwt[x->signed_len])
        return NOT_DECODABLE;
    const char *signature = jwt + x->signed_len + 1;
    x->header = part_json(jwt, header);
    x->claims = part_json(jwt + header + 1, payload);
    /* `crit` names extensions that must be understood (RFC 7515 4.1.11): there are none here. */
    if (!x->header || !x->claims || json_object_get(x->header, "crit"))
        return NOT_DECODABLE;
    return text_unbase64url(&x->signature, signature, strlen(signature)) ? GRANTED : NOT_DECODABLE;
}

static enum refusal jwt_audience(struct exchange *x)
{
    AUTO(mem_freep)
    char *wanted = str_printf("https://%s/c/%s", text_or_empty(x->form->authority), x->client->client_id);
    const char *aud = json_string_value(json_object_get(x->claims, "aud"));
    return aud && str_eq(aud, wanted) ? GRANTED : WRONG_AUDIENCE;
}

static enum refusal jwt_algorithm(struct exchange *x)
{
    const char *alg = json_string_value(json_object_get(x->header, "alg"));
    return alg && str_eq(alg, "RS256") ? GRANTED : WRONG_ALGORITHM;
}

static bool is_signed_with(const struct exchange *x, EVP_PKEY *key)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_good = context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                   EVP_DigestVerify(context, (const unsigned char *)x->signature.data, x->signature.len,
                                    (const unsigned char *)x->form->jwt_token, x->signed_len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_good;
}

/* A certificate stops being good at its end, as the service's did (protocol.md 1.3). */
static bool is_bound(const struct exchange *x, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    time_t now_s = (time_t)(x->now_ms / 1000);
    bool is_good = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
                   X509_cmp_time(X509_get0_notAfter(certificate), &now_s) > 0 && is_signed_with(x, key);
    X509_free(certificate);
    BIO_free(bio);
    return is_good;
}

static enum refusal jwt_signature(struct exchange *x)
{
    for (size_t i = 0; x->signature.len > 0 && i < x->client->certificate.count; i++)
        if (is_bound(x, x->client->certificate.item[i]))
            return GRANTED;
    return WRONG_SIGNATURE;
}

static enum refusal jwt_times(struct exchange *x)
{
    const json_t *exp = json_object_get(x->claims, "exp"), *jti = json_object_get(x->claims, "jti");
    if (!exp || (json_is_integer(exp) && json_integer_value(exp) <= 0))
        return BAD_EXP;
    if (!json_is_integer(exp))
        return EXP_NOT_INTEGER;
    if (jti && !json_is_integer(jti))
        return JTI_NOT_INTEGER;
    if (json_integer_value(jti) < 0)
        return BAD_JTI;
    int64_t now_s = x->now_ms / 1000;
    if (json_integer_value(exp) <= now_s)
        return EXPIRED;
    return json_integer_value(exp) > now_s + DAY_S ? TOO_FAR_AHEAD : GRANTED;
}

static bool is_account(const char *text, const char *realm)
{
    size_t digits = 0;
    while (text && isxdigit((unsigned char)text[digits]))
        digits++;
    return digits > 0 && str_eq(text + digits, realm);
}

static enum refusal jwt_account(struct exchange *x)
{
    const char *sub = json_string_value(json_object_get(x->claims, "sub"));
    const char *iss = json_string_value(json_object_get(x->claims, "iss"));
    if (!is_account(sub, "@techacct.adobe.com"))
        return BAD_SUB;
    if (!is_account(iss, "@AdobeOrg"))
        return BAD_ISS;
    return str_eq(sub, x->client->technical_account_id) && str_eq(iss, x->client->organization_id) ? GRANTED
                                                                                                   : NO_BINDING;
}

static enum refusal jwt_metascopes(struct exchange *x)
{
    AUTO(mem_freep) char *prefix = str_printf("https://%s/s/", text_or_empty(x->form->authority));
    const char *claim;
    json_t *value;
    json_object_foreach (x->claims, claim, value) {
        if (!str_starts(claim, prefix) || !json_is_true(value))
            continue;
        enum refusal why = grant_scope(x, claim + strlen(prefix), FOREIGN_METASCOPE);
        if (why)
            return why;
    }
    return x->scopes.len ? GRANTED : NO_METASCOPE;
}

enum refusal (*const exchange_jwt[])(struct exchange *) = {
    jwt_client,    jwt_secret, jwt_decode,  jwt_audience,   jwt_algorithm,
    jwt_signature, jwt_times,  jwt_account, jwt_metascopes, NULL,
};

/* --- OAuth server-to-server --------------------------------------------------------------------------- */

static enum refusal oauth_grant(struct exchange *x)
{
    return str_eq(text_or_empty(x->form->grant_type), "client_credentials") ? GRANTED : WRONG_GRANT;
}

static enum refusal oauth_client(struct exchange *x)
{
    x->client = credentials_find(x->credentials, text_or_empty(x->form->client_id));
    if (!x->client)
        return UNKNOWN_OAUTH_CLIENT;
    return x->client->kind == CREDENTIAL_OAUTH ? GRANTED : NO_GRANT;
}

static enum refusal oauth_secret(struct exchange *x)
{
    return is_secret_right(x) ? GRANTED : WRONG_OAUTH_SECRET;
}

static enum refusal oauth_scope(struct exchange *x)
{
    const char *at = text_or_empty(x->form->scope);
    enum refusal why = GRANTED;
    while (*at && !why) {
        size_t len = strcspn(at, ", ");
        AUTO(mem_freep) char *scope = str_copy_n(at, len);
        if (len > 0)
            why = grant_scope(x, scope, WRONG_SCOPE);
        at += len + strspn(at + len, ", ");
    }
    return why || x->scopes.len ? why : WRONG_SCOPE;
}

enum refusal (*const exchange_oauth[])(struct exchange *) = {
    oauth_grant, oauth_client, oauth_secret, oauth_scope, NULL,
};
