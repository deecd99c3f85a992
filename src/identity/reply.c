/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Reading what IMS answers: a token and how long it lives, or a refusal and its cause (protocol.md 1.1).
 */
#include "identity_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>

enum {
    DEPTH_MAX = 16,
    TOKEN_BYTES_MAX = 16 * 1024,
    MILLISECONDS_FROM = 1000000, /* no token lives 11 days: a larger expires_in is in milliseconds */
    LIFE_UNSAID_MS = 10 * 60 * 1000,
    LIFE_MAX_MS = 24 * 3600 * 1000,
    SKEW_SHOWN_MS = 60000,
    SKEW_TELLING_MS = 4 * 60 * 1000,
};

/* --- JSON from outside --------------------------------------------------------------------------------- */

/* The parser recurses once per level, on a thread's stack. */
static bool is_too_deep(const char *text, size_t len)
{
    int depth = 0;
    bool is_in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (is_in_string && c == '\\')
            i++;
        else if (c == '"')
            is_in_string = !is_in_string;
        else if (!is_in_string)
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth > DEPTH_MAX)
            return true;
    }
    return false;
}

static json_t *object_read(const struct buf *text)
{
    if (text->len == 0 || is_too_deep(text->data, text->len))
        return NULL;
    json_t *value = json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static void json_freep(json_t **value)
{
    json_decref(*value);
}

/* A number, or the decimal text that IMS puts into its tokens; 0: neither, or not positive. */
static int64_t number_of(const json_t *object, const char *key)
{
    static const int64_t most = INT64_MAX / 4;
    const json_t *value = json_object_get(object, key);
    int64_t number = 0;
    if (json_is_string(value))
        return parse_int64(json_string_value(value), 1, most, &number) ? number : 0;
    double said = json_number_value(value);
    return said >= 1 && said < (double)most ? (int64_t)said : 0;
}

/* --- how long a token lives ------------------------------------------------------------------------------ */

/* The payload's created_at + expires_in, seen from the server's present. false: the token shows none. */
static bool life_in_payload(const char *token, int64_t server_now_ms, int64_t *life_ms)
{
    AUTO(buf_release) struct buf payload = BUF_INIT(TOKEN_BYTES_MAX);
    const char *begin = strchr(token, '.');
    const char *end = begin ? strchr(begin + 1, '.') : NULL;
    if (!end || !text_unbase64url(&payload, begin + 1, (size_t)(end - begin - 1)))
        return false;
    AUTO(json_freep) json_t *claims = object_read(&payload);
    int64_t created_ms = number_of(claims, "created_at"), lives_ms = number_of(claims, "expires_in");
    if (created_ms == 0 || lives_ms == 0)
        return false;
    *life_ms = server_now_ms > 0 ? created_ms + lives_ms - server_now_ms : lives_ms;
    return true;
}

static int64_t life_of(const json_t *answer, const char *token, int64_t server_now_ms)
{
    int64_t life_ms = 0;
    if (!life_in_payload(token, server_now_ms, &life_ms)) {
        int64_t said = number_of(answer, "expires_in");
        life_ms = said == 0 ? LIFE_UNSAID_MS : said > MILLISECONDS_FROM ? said : said * 1000;
    }
    return MIN(life_ms, LIFE_MAX_MS);
}

/* --- refusals ---------------------------------------------------------------------------------------------- */

/* First row that fits. `word` is looked for in the description as a word of its own. */
static const struct refusal {
    const char *error, *word;
    enum cause cause;
} refusals[] = {
    {"invalid_client", NULL, CAUSE_AUTH_SECRET},
    {"invalid_scope", NULL, CAUSE_AUTH_SCOPE},
    {"invalid_signature", NULL, CAUSE_AUTH_SIGNATURE},
    {"invalid_token", "signature", CAUSE_AUTH_SIGNATURE}, /* "Could not match JWT signature to any of the bindings" */
    {"invalid_token", "expired", CAUSE_AUTH_CLOCK},
    {"invalid_token", "exp", CAUSE_AUTH_CLOCK},
    {"invalid_token", "expiration", CAUSE_AUTH_CLOCK},
    {"bad_request", "exp", CAUSE_AUTH_CLOCK},
};

static bool has_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)); at++)
        if ((at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[len]))
            return true;
    return false;
}

static enum cause cause_of(const char *error, const char *description)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (str_eq(error, refusals[i].error) && (!refusals[i].word || has_word(description, refusals[i].word)))
            return refusals[i].cause;
    return CAUSE_AUTH_REFUSED;
}

/* Adobe's own servers exchange no assertion since 1 March 2026 (protocol.md 1.3): whatever they say, that is why. */
static bool is_jwt_over(const struct profile_identity *id, int64_t now_ms)
{
    static const int64_t end_ms = INT64_C(1772323200000);
    return id->mode == IDENTITY_JWT && now_ms >= end_ms && str_ends(id->server, ".adobelogin.com");
}

/* IMS's words with what we sent blotted out. */
static char *words_of(const json_t *answer, const char *key, const struct credential *sent)
{
    const char *said = json_string_value(json_object_get(answer, key));
    char *words = str_copy(said ? said : "");
    const struct secret *hidden[] = {&sent->client_secret, &sent->jwt};
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
        for (char *at = words; hidden[i]->len > 0 && (at = strstr(at, hidden[i]->data)); at += hidden[i]->len)
            memset(at, '*', hidden[i]->len);
    return words;
}

static bool refuse(const struct profile_identity *id, int status, const char *error, const char *description,
                   int64_t skew_ms, int64_t now_ms, struct err *e)
{
    char clock_note[80] = "";
    char span[32];
    enum cause cause = cause_of(error, description);
    if (cause == CAUSE_AUTH_REFUSED && str_eq(error, "invalid_token") && llabs(skew_ms) > SKEW_TELLING_MS)
        cause = CAUSE_AUTH_CLOCK; /* it says no more, and the assertion had five minutes */
    if (cause == CAUSE_AUTH_CLOCK && llabs(skew_ms) > SKEW_SHOWN_MS)
        snprintf(clock_note, sizeof(clock_note), "; this host is %s %s IMS",
                 text_span(span, sizeof(span), llabs(skew_ms)), skew_ms > 0 ? "ahead of" : "behind");
    const char *quote = *description ? "\"" : "";
    err_set(e, ERR_AUTH, "%d %.40s%s%s%.110s%s%s", status, *error ? error : "without saying why", *quote ? " " : "",
            quote, description, quote, clock_note);
    return err_cause(e, is_jwt_over(id, now_ms) ? CAUSE_AUTH_JWT_ENDED : cause);
}

static bool wait_for_ims(const struct http_reply *reply, const char *what, struct err *e)
{
    err_set(e, ERR_TENANT, "IMS answers %d%s%s", reply->status, *what ? ": " : "", what);
    e->retry_after_ms = reply->retry_after_ms;
    return err_cause(e, CAUSE_AUTH_UNREACHABLE);
}

/* --- the whole ------------------------------------------------------------------------------------------------ */

/* It goes into a header: visible ASCII and nothing else. */
static bool is_token(const json_t *value)
{
    size_t len = json_string_length(value);
    const char *text = json_string_value(value);
    if (len == 0 || len > TOKEN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

static bool grant_fill(struct grant *g, const json_t *answer, const struct http_reply *reply, struct err *e)
{
    json_t *token = json_object_get(answer, "access_token");
    size_t len = json_string_length(token);
    secret_set(&g->token, json_string_value(token), len);
    explicit_bzero((char *)json_string_value(token), len); /* the parser's copy, which it would only free */
    g->life_ms = life_of(answer, g->token.data, reply->date_ms);
    return g->life_ms > 0 || wait_for_ims(reply, "a token that has ended already", e);
}

static bool is_passing(int status)
{
    return status < 200 || status / 100 == 3 || status == 408 || status == 425 || status == 429 || status >= 500;
}

bool reply_read(const struct profile_identity *id, const struct http_reply *reply, const struct credential *sent,
                int64_t now_ms, struct grant *g, struct err *e)
{
    AUTO(json_freep) json_t *answer = object_read(&reply->body);
    AUTO(mem_freep) char *error = words_of(answer, "error", sent);
    AUTO(mem_freep) char *description = words_of(answer, "error_description", sent);
    bool is_good = reply->status / 100 == 2;
    if (is_good && is_token(json_object_get(answer, "access_token")))
        return grant_fill(g, answer, reply, e);
    if (is_passing(reply->status))
        return wait_for_ims(reply, *description ? description : error, e);
    if (is_good && !*error)
        return wait_for_ims(reply, "without a token; something else than IMS answers", e);
    return refuse(id, reply->status, error, description, g->skew_ms, now_ms, e);
}
