/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * One exchange with IMS: a form with the credential goes out, a grant or a refusal comes back (protocol.md 1.1, 1.4).
 */
#include "identity_internal.h"

enum {
    CONNECT_MS = 10000,
    TOTAL_MS = 30000,
    ASSERTION_LIFE_MS = 300000, /* what Adobe's own libraries use */
    SKEW_NOTICED_MS = 30000,
};

static void credential_release(struct credential *c)
{
    secret_release(&c->client_secret);
    secret_release(&c->jwt);
}

void grant_release(struct grant *g)
{
    secret_release(&g->token);
}

/* --- the form: built in wiped memory, since half of it is secret ---------------------------------------- */

static size_t form_escape(char *out, const char *text, size_t len)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *at = out;
    for (size_t i = 0; i < len; i++) {
        if (text[i] && strchr(plain, text[i]))
            *at++ = text[i];
        else
            at += snprintf(at, 4, "%%%02X", (unsigned char)text[i]);
    }
    return (size_t)(at - out);
}

static void form_add(struct secret *form, const char *key, const char *value, size_t len)
{
    size_t key_len = strlen(key);
    AUTO(secret_release) struct secret longer = {.len = form->len + key_len + 2 + 3 * len};
    longer.data = mem_alloc(longer.len + 1);
    char *at = longer.data;
    if (form->len > 0) {
        memcpy(at, form->data, form->len);
        at += form->len;
        *at++ = '&';
    }
    memcpy(at, key, key_len);
    at += key_len;
    *at++ = '=';
    at += form_escape(at, value, len);
    secret_set(form, longer.data, (size_t)(at - longer.data));
}

static void form_add_text(struct secret *form, const char *key, const char *value)
{
    form_add(form, key, value, strlen(value));
}

static void form_jwt(struct secret *form, const struct profile_identity *id, const struct credential *c)
{
    form_add_text(form, "client_id", id->client_id);
    form_add(form, "client_secret", c->client_secret.data, c->client_secret.len);
    form_add(form, "jwt_token", c->jwt.data, c->jwt.len);
}

static void form_oauth(struct secret *form, const struct profile_identity *id, const struct credential *c)
{
    AUTO(buf_release) struct buf scope = BUF_INIT(16 * 1024);
    for (size_t i = 0; i < id->scopes.count; i++)
        buf_printf(&scope, "%s%s", i > 0 ? "," : "", id->scopes.item[i]);
    form_add_text(form, "grant_type", "client_credentials");
    form_add_text(form, "client_id", id->client_id);
    form_add(form, "client_secret", c->client_secret.data, c->client_secret.len);
    form_add(form, "scope", scope.len > 0 ? scope.data : "", scope.len);
}

static const struct grant_kind {
    const char *path;
    void (*form)(struct secret *form, const struct profile_identity *id, const struct credential *c);
} kinds[] = {
    [IDENTITY_OAUTH] = {"/ims/token/v3", form_oauth},
    [IDENTITY_JWT] = {"/ims/exchange/jwt", form_jwt},
};

/* --- the request ------------------------------------------------------------------------------------------ */

/* A file that cannot be used is a credential that cannot be used: the tenant halts, and goes on once the file is good
 * again. */
static bool as_identity_trouble(struct err *e)
{
    e->kind = ERR_AUTH;
    return err_cause(e, CAUSE_PROFILE);
}

static bool credential_load(const struct profile_identity *id, int64_t exp_ms, struct credential *c, struct err *e)
{
    if (!secret_load(&c->client_secret, id->client_secret_file, e))
        return as_identity_trouble(e);
    if (id->mode == IDENTITY_JWT && !assertion_make(id, exp_ms, &c->jwt, e))
        return as_identity_trouble(e);
    return true;
}

static bool as_unreachable(const struct profile_identity *id, struct err *e)
{
    if (e->kind != ERR_TENANT)
        return false;
    e->cause = CAUSE_AUTH_UNREACHABLE;
    return err_wrap(e, "cannot reach '%s' for a token", id->server);
}

static bool perform(const struct profile_identity *id, const struct http *http, const atomic_bool *cancel,
                    const struct secret *form, struct http_reply *reply, struct err *e)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded",
                                          "Accept: application/json"};
    AUTO(mem_freep) char *url = str_printf("%s%s", id->server, kinds[id->mode].path);
    const struct http_opts opts = {
        .ca_file = id->ca_file, .proxy = id->proxy, .connect_ms = CONNECT_MS, .total_ms = TOTAL_MS};
    const struct http_request request = {
        .method = "POST",
        .url = url,
        .header = headers,
        .headers = ARRAY_LEN(headers),
        .body = form->data,
        .body_bytes = (int64_t)form->len,
    };
    void *client = http->open(http->arg, &opts, cancel);
    bool is_answered = http->perform(client, &request, reply, e);
    http->close(client);
    return is_answered || as_unreachable(id, e);
}

/* The body holds the token. */
static void reply_wipe(struct http_reply *reply)
{
    if (reply->body.data)
        explicit_bzero(reply->body.data, reply->body.size);
    http_reply_release(reply);
}

static bool exchange_once(const struct profile_identity *id, const struct http *http, const struct clock *clock,
                          const atomic_bool *cancel, struct grant *g, struct err *e)
{
    AUTO(credential_release) struct credential credential = {0};
    AUTO(secret_release) struct secret form = {0};
    AUTO(reply_wipe) struct http_reply reply = {0};
    if (!credential_load(id, wall_ms(clock) - g->skew_ms + ASSERTION_LIFE_MS, &credential, e))
        return false;
    kinds[id->mode].form(&form, id, &credential);
    if (!perform(id, http, cancel, &form, &reply, e))
        return false;
    int64_t now_ms = wall_ms(clock);
    if (reply.date_ms > 0)
        g->skew_ms = now_ms - reply.date_ms;
    return reply_read(id, &reply, &credential, now_ms, g, e);
}

bool exchange(const struct profile_identity *id, const struct http *http, const struct clock *clock,
              const atomic_bool *cancel, struct grant *g, struct err *e)
{
    if (id->mode >= ARRAY_LEN(kinds)) {
        err_set(e, ERR_AUTH,
                "identity.mode legacy-gateway: that gateway is gone and its token request was never public");
        return as_identity_trouble(e);
    }
    int64_t assumed_ms = g->skew_ms;
    if (exchange_once(id, http, clock, cancel, g, e))
        return true;
    if (e->cause != CAUSE_AUTH_CLOCK || llabs(g->skew_ms - assumed_ms) < SKEW_NOTICED_MS)
        return false;
    log_warning("clock-differs", "ahead_ms=%lld server=%s", (long long)g->skew_ms, QUOTED(id->server));
    return exchange_once(id, http, clock, cancel, g, e);
}
