/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ims - the tenant's own IMS: JWT exchange, OAuth server-to-server, bearer tokens (protocol.md 1.1, 1.4, 11). */
#include "portal.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

enum { TOKENS_MAX = 4096, JWT_MAX = 16384, REPLY_MAX = 8192, DAY_S = 86400 };

struct token {
    char *text, *client_id;
    int64_t expires_ms;
};

struct ims {
    char *dir, *file;
    int64_t token_life_ms;
    pthread_mutex_t mutex; /* guards all below */
    struct credentials credentials;
    struct stat seen; /* of the credentials' file as last read */
    struct map token; /* by its text */
};

/* --- refusals: protocol.md 1.1's table, with the texts seen in the wild ------------------------------ */

enum refusal {
    GRANTED,
    NO_CLIENT,
    NO_EXCHANGE,
    WRONG_SECRET,
    WRONG_AUDIENCE,
    NO_ASSERTION,
    NOT_DECODABLE,
    EXPIRED,
    TOO_FAR_AHEAD,
    EXP_NOT_INTEGER,
    JTI_NOT_INTEGER,
    WRONG_ALGORITHM,
    WRONG_SIGNATURE,
    NO_BINDING,
    NO_METASCOPE,
    FOREIGN_METASCOPE,
    BAD_SUB,
    BAD_ISS,
    BAD_EXP,
    BAD_JTI,
    WRONG_GRANT,
    NO_GRANT,
    UNKNOWN_OAUTH_CLIENT,
    WRONG_OAUTH_SECRET,
    WRONG_SCOPE,
    TOO_MANY_TOKENS,
};
static const struct {
    int status;
    const char *error, *text;
} refusals[] = {
    [NO_CLIENT] = {400, "invalid_client", "Could not find a client with this client_id"},
    [NO_EXCHANGE] = {401, "invalid_client", "The client is not allowed the exchange_jwt scope"},
    [WRONG_SECRET] = {401, "invalid_client", "The client_id and client_secret do not match"},
    [WRONG_AUDIENCE] = {400, "invalid_client", "The aud claim does not name this server and the client_id of the request"},
    [NO_ASSERTION] = {400, "invalid_token", "JWT token is missing"},
    [NOT_DECODABLE] = {400, "invalid_token", "JWT token could not be decoded"},
    [EXPIRED] = {400, "invalid_token", "JWT token has expired"},
    [TOO_FAR_AHEAD] = {400, "invalid_token", "The exp claim is more than 24 hours ahead"},
    [EXP_NOT_INTEGER] = {400, "invalid_token", "The exp claim must be an integer: seconds since 1970"},
    [JTI_NOT_INTEGER] = {400, "invalid_token", "The jti claim must be an integer"},
    [WRONG_ALGORITHM] = {400, "invalid_signature", "JWT algorithm is not the one registered: RS256"},
    [WRONG_SIGNATURE] = {400, "invalid_signature", "Could not match JWT signature to any of the bindings"},
    [NO_BINDING] = {400, "invalid_token", "Could not match JWT signature to any of the bindings"},
    [NO_METASCOPE] = {400, "invalid_scope", "The JWT contains no metascope of this server"},
    [FOREIGN_METASCOPE] = {400, "invalid_scope", "The metascopes in the JWT are not a subset of the metascopes in the binding."},
    [BAD_SUB] = {400, "bad_request", "The sub claim is not a technical account id"},
    [BAD_ISS] = {400, "bad_request", "The iss claim is not an organization id"},
    [BAD_EXP] = {400, "bad_request", "The exp claim is missing or not a time"},
    [BAD_JTI] = {400, "bad_request", "The jti claim must not be negative"},
    [WRONG_GRANT] = {400, "unsupported_grant_type", "grant_type must be client_credentials"},
    [NO_GRANT] = {400, "unauthorized_client", "The client is not allowed the grant client_credentials"},
    [UNKNOWN_OAUTH_CLIENT] = {400, "invalid_client", "invalid client_id parameter"},
    [WRONG_OAUTH_SECRET] = {400, "invalid_client", "invalid client_secret parameter"},
    [WRONG_SCOPE] = {400, "invalid_scope", "The scope is missing or not a subset of the credential's scopes"},
    [TOO_MANY_TOKENS] = {429, "too_many_requests", "Too many live tokens; keep a token and use it until it expires"},
};

static void reply_json(struct buf *reply, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    buf_clear(reply);
    buf_str(reply, text);
    free(text);
    json_decref(json);
}

static int refuse(enum refusal why, struct buf *reply)
{
    reply_json(reply, json_pack("{s:s, s:s}", "error", refusals[why].error, "error_description", refusals[why].text));
    return refusals[why].status;
}

/* --- one request for a token --------------------------------------------------------------------------- */

struct exchange {
    const struct ims_form *form;
    int64_t now_ms;
    const struct credentials *credentials;
    const struct credential *client;
    json_t *header, *claims;
    size_t signed_len; /* of jwt_token: header and payload with the dot between */
    struct buf signature;
    struct buf scopes; /* granted, separated by commas */
};

static void exchange_release(struct exchange *x)
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
    AUTO(mem_freep) char *wanted = str_printf("https://%s/c/%s", text_or_empty(x->form->authority), x->client->client_id);
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
    return str_eq(sub, x->client->technical_account_id) && str_eq(iss, x->client->organization_id) ? GRANTED : NO_BINDING;
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

static enum refusal (*const jwt_checks[])(struct exchange *) = {
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

static enum refusal (*const oauth_checks[])(struct exchange *) = {
    oauth_grant, oauth_client, oauth_secret, oauth_scope, NULL,
};

/* --- tokens -------------------------------------------------------------------------------------------- */

static void token_free(struct token *t)
{
    if (!t)
        return;
    mem_freep(&t->text);
    mem_freep(&t->client_id);
    mem_freep(&t);
}

static void drop_expired(struct ims *i, int64_t now_ms)
{
    struct token *t;
    for (size_t at = 0; (t = map_next(&i->token, &at));)
        if (t->expires_ms <= now_ms)
            token_free(map_remove(&i->token, t->text));
}

static void add_part(struct buf *text, json_t *json)
{
    char *raw = json_dumps(json, JSON_COMPACT);
    text_base64url(text, raw, strlen(raw));
    buf_char(text, '.');
    free(raw);
    json_decref(json);
}

/* Looks like IMS's: a JWS whose payload tells its times in milliseconds, as decimal strings. The third part is no
 * signature, only random: what counts is that the table knows it. */
static char *token_text(const struct exchange *x, int64_t life_ms)
{
    AUTO(mem_freep) char *created = str_printf("%" PRId64, x->now_ms);
    AUTO(mem_freep) char *life = str_printf("%" PRId64, life_ms);
    unsigned char noise[64];
    char id[33];
    BUG_ON(RAND_bytes(noise, sizeof(noise)) != 1);
    text_hex(id, noise, 16);
    struct buf text = BUF_INIT(REPLY_MAX);
    add_part(&text, json_pack("{s:s, s:s}", "alg", "RS256", "itt", "at"));
    add_part(&text, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", id, "type", "access_token", "client_id",
                              x->client->client_id, "user_id", x->client->technical_account_id, "scope", x->scopes.data,
                              "created_at", created, "expires_in", life));
    BUG_ON(RAND_bytes(noise, sizeof(noise)) != 1);
    text_base64url(&text, noise, sizeof(noise));
    return buf_take(&text);
}

static int issue(struct ims *i, const struct exchange *x, int64_t expires_in, struct buf *reply)
{
    drop_expired(i, x->now_ms);
    if (i->token.count >= TOKENS_MAX)
        return refuse(TOO_MANY_TOKENS, reply);
    struct token *t = mem_alloc(sizeof(*t));
    t->text = token_text(x, i->token_life_ms);
    t->client_id = str_copy(x->client->client_id);
    t->expires_ms = x->now_ms + i->token_life_ms;
    map_put(&i->token, t->text, t);
    reply_json(reply, json_pack("{s:s, s:s, s:I}", "token_type", "bearer", "access_token", t->text, "expires_in",
                                (json_int_t)expires_in));
    return 200;
}

bool ims_allows(struct ims *i, const char *authorization, int64_t now_ms, char **client_id_out)
{
    static const char scheme[] = "Bearer ";
    if (!authorization || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return false;
    pthread_mutex_lock(&i->mutex);
    const struct token *t = map_get(&i->token, authorization + sizeof(scheme) - 1);
    bool is_allowed = t && t->expires_ms > now_ms;
    if (is_allowed && client_id_out)
        *client_id_out = str_copy(t->client_id);
    pthread_mutex_unlock(&i->mutex);
    return is_allowed;
}

/* --- the two end points ---------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file is always replaced whole, so a new one has another inode. A broken one changes nothing. */
static bool refresh(struct ims *i, struct err *e)
{
    struct stat now = {0};
    struct credentials fresh;
    if (stat(i->file, &now) < 0)
        now = (struct stat){0};
    if (is_same_file(&now, &i->seen))
        return true;
    i->seen = now;
    if (!credentials_load(i->dir, &fresh, e))
        return false;
    credentials_release(&i->credentials);
    i->credentials = fresh;
    return true;
}

static int answer(struct ims *i, enum refusal (*const *check)(struct exchange *), const struct ims_form *form, int64_t now_ms,
                  int64_t expires_in, struct buf *reply)
{
    struct err e = {0};
    pthread_mutex_lock(&i->mutex);
    if (!refresh(i, &e))
        log_warning("credentials-unread", "why=%s", QUOTED(e.text));
    struct exchange x = {.form = form, .now_ms = now_ms, .credentials = &i->credentials, .signature = BUF_INIT(JWT_MAX),
                         .scopes = BUF_INIT(REPLY_MAX / 4)};
    enum refusal why = GRANTED;
    while (*check && !why)
        why = (*check++)(&x);
    int status = why ? refuse(why, reply) : issue(i, &x, expires_in, reply);
    exchange_release(&x);
    pthread_mutex_unlock(&i->mutex);
    return status;
}

int ims_exchange_jwt(struct ims *i, const struct ims_form *form, int64_t now_ms, struct buf *reply)
{
    return answer(i, jwt_checks, form, now_ms, i->token_life_ms, reply); /* milliseconds, as seen in practice */
}

int ims_token(struct ims *i, const struct ims_form *form, int64_t now_ms, struct buf *reply)
{
    return answer(i, oauth_checks, form, now_ms, i->token_life_ms / 1000, reply); /* seconds */
}

struct ims *ims_open(const char *dir, int64_t token_life_ms, struct err *e)
{
    struct ims *i = mem_alloc(sizeof(*i));
    pthread_mutex_init(&i->mutex, NULL);
    i->dir = str_copy(dir);
    i->file = path_join(dir, "credentials.json");
    i->token_life_ms = token_life_ms;
    if (refresh(i, e))
        return i;
    ims_close(i);
    return NULL;
}

void ims_close(struct ims *i)
{
    if (!i)
        return;
    struct token *t;
    for (size_t at = 0; (t = map_next(&i->token, &at));)
        token_free(map_remove(&i->token, t->text));
    map_release(&i->token);
    credentials_release(&i->credentials);
    pthread_mutex_destroy(&i->mutex);
    mem_freep(&i->dir);
    mem_freep(&i->file);
    mem_freep(&i);
}
