/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The signed assertion that IMS exchanges for a token (protocol.md 1.1): exp is the only time in it, since a host whose
 * clock runs ahead would be refused for an iat or nbf, and jti is an integer that nobody asks for.
 */
#include "identity_internal.h"

#include <jansson.h>

enum { SIGNED_PART_MAX = 64 * 1024 };

static const char header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";

/* `true` under https://SERVER/s/SCOPE; a scope that was copied as a whole address stays one. */
static bool metascope_add(json_t *claims, const struct profile_identity *id, const char *scope)
{
    AUTO(mem_freep) char *key = strstr(scope, "://") ? str_copy(scope) : str_printf("%s/s/%s", id->server, scope);
    return json_object_set_new(claims, key, json_true()) == 0;
}

static char *claims_write(const struct profile_identity *id, int64_t exp_ms)
{
    AUTO(mem_freep) char *audience = str_printf("%s/c/%s", id->server, id->client_id);
    json_t *claims = json_pack("{s:I, s:s, s:s, s:s}", "exp", (json_int_t)(exp_ms / 1000), "iss", id->organization_id,
                               "sub", id->technical_account_id, "aud", audience);
    bool is_whole = claims != NULL;
    for (size_t i = 0; is_whole && i < id->metascopes.count; i++)
        is_whole = metascope_add(claims, id, id->metascopes.item[i]);
    char *text = is_whole ? json_dumps(claims, JSON_COMPACT) : NULL;
    json_decref(claims);
    return text;
}

static bool signed_part(const struct profile_identity *id, int64_t exp_ms, struct buf *out, struct err *e)
{
    AUTO(mem_freep) char *claims = claims_write(id, exp_ms);
    if (!claims)
        return err_set(e, ERR_CONFIG, "the ids of profile section 'identity' are not UTF-8");
    text_base64url(out, header, strlen(header));
    buf_char(out, '.');
    text_base64url(out, claims, strlen(claims));
    return buf_char(out, '.') || err_set(e, ERR_CONFIG, "the assertion is larger than %d bytes", SIGNED_PART_MAX);
}

/* EVP's base64 made base64url: other letters for two, no padding. */
static size_t base64url_in_place(char *text, size_t len)
{
    while (len > 0 && text[len - 1] == '=')
        len--;
    for (size_t i = 0; i < len; i++)
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    text[len] = '\0';
    return len;
}

/* `part` ends in the dot that the signature does not cover. Only the whole is a secret. */
static void append_signature(const struct buf *part, const unsigned char *signature, size_t len, struct secret *jwt)
{
    AUTO(secret_release) struct secret whole = {.len = part->len + (len + 2) / 3 * 4};
    whole.data = mem_alloc(whole.len + 1);
    memcpy(whole.data, part->data, part->len);
    char *tail = whole.data + part->len;
    int encoded = EVP_EncodeBlock((unsigned char *)tail, signature, (int)len);
    secret_set(jwt, whole.data, part->len + base64url_in_place(tail, (size_t)encoded));
}

static bool sign(EVP_PKEY *key, const struct buf *part, struct secret *jwt, struct err *e)
{
    unsigned char signature[2048]; /* a key of 16384 bits */
    size_t len = sizeof(signature);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_signed = context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                     EVP_DigestSign(context, signature, &len, (const unsigned char *)part->data, part->len - 1) == 1;
    EVP_MD_CTX_free(context);
    if (!is_signed)
        return err_openssl(e, ERR_LOCAL, "cannot sign the assertion");
    append_signature(part, signature, len, jwt);
    explicit_bzero(signature, sizeof(signature));
    return true;
}

bool assertion_make(const struct profile_identity *id, int64_t exp_ms, struct secret *jwt, struct err *e)
{
    AUTO(buf_release) struct buf part = BUF_INIT(SIGNED_PART_MAX);
    AUTO(pkey_freep) EVP_PKEY *key = key_load(id->private_key_file, e);
    return key && signed_part(id, exp_ms, &part, e) && sign(key, &part, jwt, e);
}
