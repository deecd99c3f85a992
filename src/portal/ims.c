/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ims - the tenant's own IMS: JWT exchange, OAuth server-to-server, bearer tokens (protocol.md 1.1, 1.4, 11). */
#include "exchange.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

enum { TOKENS_MAX = 4096 };

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

/* protocol.md 1.1's table, with the texts seen in the wild. */
static const struct {
    int status;
    const char *error, *text;
} refusals[] = {
    [NO_CLIENT] = {400, "invalid_client", "Could not find a client with this client_id"},
    [NO_EXCHANGE] = {401, "invalid_client", "The client is not allowed the exchange_jwt scope"},
    [WRONG_SECRET] = {401, "invalid_client", "The client_id and client_secret do not match"},
    [WRONG_AUDIENCE] = {400, "invalid_client",
                        "The aud claim does not name this server and the client_id of the request"},
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
    [FOREIGN_METASCOPE] = {400, "invalid_scope",
                           "The metascopes in the JWT are not a subset of the metascopes in the binding."},
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
    struct buf text = BUF_INIT(IMS_REPLY_MAX);
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

static int answer(struct ims *i, enum refusal (*const *check)(struct exchange *), const struct ims_form *form,
                  int64_t now_ms, int64_t expires_in, struct buf *reply)
{
    struct err e = {0};
    pthread_mutex_lock(&i->mutex);
    if (!refresh(i, &e))
        log_warning("credentials-unread", "why=%s", QUOTED(e.text));
    struct exchange x = {.form = form,
                         .now_ms = now_ms,
                         .credentials = &i->credentials,
                         .signature = BUF_INIT(JWT_MAX),
                         .scopes = BUF_INIT(IMS_REPLY_MAX / 4)};
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
    return answer(i, exchange_jwt, form, now_ms, i->token_life_ms, reply); /* milliseconds, as seen in practice */
}

int ims_token(struct ims *i, const struct ims_form *form, int64_t now_ms, struct buf *reply)
{
    return answer(i, exchange_oauth, form, now_ms, i->token_life_ms / 1000, reply); /* seconds */
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
