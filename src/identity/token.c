/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The life of the one token: fetched by whoever needs it first, renewed ahead by one while the others go on, forgotten
 * when the tenant refuses it. Ages are counted on the monotonic clock: a jump of the wall clock ends no token
 * (reliability.md T15).
 */
#include "identity_internal.h"

#include <pthread.h>

enum {
    RENEW_BEFORE_MS = 10 * 60 * 1000, /* for tokens that live twice that */
    RENEW_AGAIN_MS = 60 * 1000,       /* after a renewal ahead failed */
    WAIT_SLICE_MS = 200,              /* how soon a waiting caller sees its cancel flag */
};

struct token_source {
    const struct profile_identity *id;
    const struct http *http;
    const struct clock *clock;

    pthread_mutex_t mutex; /* guards all below; never held during a fetch */
    pthread_cond_t fetched;
    bool is_fetching;
    uint64_t attempts;  /* fetches that ended, however */
    struct err failure; /* of the last one */
    struct random random;
    struct secret token; /* none: data is NULL */
    uint64_t generation;
    int64_t renew_mono_ms, end_mono_ms;
    int64_t fetched_ms, took_ms, skew_ms;
};

struct token_source *token_source_new(const struct profile_identity *id, const struct http *http,
                                      const struct clock *clock, uint64_t seed)
{
    struct token_source *t = mem_alloc(sizeof(*t));
    t->id = id;
    t->http = http;
    t->clock = clock;
    random_seed(&t->random, seed);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&t->fetched, &attributes);
    pthread_condattr_destroy(&attributes);
    return t;
}

void token_source_free(struct token_source *t)
{
    if (!t)
        return;
    secret_release(&t->token);
    pthread_cond_destroy(&t->fetched);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

/* --- all with the mutex held ----------------------------------------------------------------------------- */

static bool is_good(const struct token_source *t, int64_t now_mono_ms)
{
    return t->token.data && now_mono_ms < t->end_mono_ms;
}

static int64_t renewal_ms(struct random *r, int64_t life_ms)
{
    int64_t at_ms = life_ms / 10 * 9 - random_below(r, life_ms / 20 + 1);
    return life_ms >= 2 * RENEW_BEFORE_MS ? MIN(at_ms, life_ms - RENEW_BEFORE_MS) : at_ms;
}

static void keep_token(struct token_source *t, const struct grant *g, int64_t now_mono_ms)
{
    secret_copy(&t->token, &g->token);
    t->generation++;
    t->renew_mono_ms = now_mono_ms + renewal_ms(&t->random, g->life_ms);
    t->end_mono_ms = now_mono_ms + g->life_ms;
    t->fetched_ms = wall_ms(t->clock);
    t->failure = (struct err){0};
    log_info("token", "generation=%llu lives_ms=%lld took_ms=%lld", (unsigned long long)t->generation,
             (long long)g->life_ms, (long long)t->took_ms);
}

/* A token that still lives is used to its end; only its renewal waits. */
static void keep_failure(struct token_source *t, const struct err *e, int64_t now_mono_ms)
{
    t->failure = *e;
    if (!is_good(t, now_mono_ms) || e->kind == ERR_CANCELLED)
        return;
    t->renew_mono_ms = now_mono_ms + MAX(e->retry_after_ms, RENEW_AGAIN_MS);
    log_warning("token-not-renewed", "why=%s", QUOTED(e->text));
}

/* The mutex is let go for the exchange itself. */
static bool fetch(struct token_source *t, const atomic_bool *cancel)
{
    struct err e = {0};
    AUTO(grant_release) struct grant g = {.skew_ms = t->skew_ms};
    t->is_fetching = true;
    pthread_mutex_unlock(&t->mutex);
    int64_t began_ms = mono_ms(t->clock);
    bool is_granted = exchange(t->id, t->http, t->clock, cancel, &g, &e);
    int64_t now_mono_ms = mono_ms(t->clock);
    pthread_mutex_lock(&t->mutex);
    t->is_fetching = false;
    t->attempts++;
    t->took_ms = now_mono_ms - began_ms;
    t->skew_ms = g.skew_ms;
    if (is_granted)
        keep_token(t, &g, now_mono_ms);
    else
        keep_failure(t, &e, now_mono_ms);
    pthread_cond_broadcast(&t->fetched);
    return is_granted || is_good(t, now_mono_ms);
}

static void wait_a_slice(struct token_source *t)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_SLICE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&t->fetched, &t->mutex, &until);
}

static bool is_cancelled(const atomic_bool *cancel)
{
    return cancel && atomic_load(cancel);
}

/* false: the caller was told to stop before the present fetch ended. */
static bool wait_for_fetch(struct token_source *t, const atomic_bool *cancel)
{
    uint64_t present = t->attempts;
    while (t->attempts == present && !is_cancelled(cancel))
        wait_a_slice(t);
    return t->attempts != present;
}

static bool fail_as_fetched(const struct token_source *t, struct err *e)
{
    *e = t->failure;
    return false;
}

/* Ends with a token to use, or with `e`. A caller that waited shares the failure it waited for, but not that of a
 * fetcher who was told to stop: then it fetches itself. */
static bool have_token(struct token_source *t, const atomic_bool *cancel, struct err *e)
{
    for (;;) {
        int64_t now_mono_ms = mono_ms(t->clock);
        bool has_good = is_good(t, now_mono_ms);
        if (has_good && (t->is_fetching || now_mono_ms < t->renew_mono_ms))
            return true;
        if (is_cancelled(cancel))
            return err_set(e, ERR_CANCELLED, "stopping");
        if (!t->is_fetching)
            return fetch(t, cancel) || fail_as_fetched(t, e);
        if (wait_for_fetch(t, cancel) && t->failure.kind != ERR_NONE && t->failure.kind != ERR_CANCELLED)
            return fail_as_fetched(t, e);
    }
}

/* --- any thread ---------------------------------------------------------------------------------------------- */

bool token_get(struct token_source *t, const atomic_bool *cancel, struct secret *out, uint64_t *generation,
               struct err *e)
{
    pthread_mutex_lock(&t->mutex);
    bool has_token = have_token(t, cancel, e);
    if (has_token) {
        secret_copy(out, &t->token);
        *generation = t->generation;
    }
    pthread_mutex_unlock(&t->mutex);
    return has_token;
}

void token_reject(struct token_source *t, uint64_t generation)
{
    pthread_mutex_lock(&t->mutex);
    if (generation == t->generation)
        secret_release(&t->token);
    pthread_mutex_unlock(&t->mutex);
}

static void scopes_write(const struct profile_identity *id, char *out, size_t size)
{
    const struct strlist *scopes = id->mode == IDENTITY_JWT ? &id->metascopes : &id->scopes;
    AUTO(buf_release) struct buf text = BUF_INIT(16 * 1024);
    for (size_t i = 0; i < scopes->count; i++)
        buf_printf(&text, "%s%s", i > 0 ? " " : "", scopes->item[i]);
    snprintf(out, size, "%s", text.data ? text.data : "");
}

void token_status(struct token_source *t, struct token_status *out)
{
    *out = (struct token_status){0};
    scopes_write(t->id, out->scopes, sizeof(out->scopes));
    pthread_mutex_lock(&t->mutex);
    int64_t now_mono_ms = mono_ms(t->clock);
    bool has_good = is_good(t, now_mono_ms);
    out->state = has_good ? TOKEN_OK : t->failure.kind == ERR_AUTH ? TOKEN_REFUSED : TOKEN_NONE;
    out->expires_ms = has_good ? wall_ms(t->clock) + t->end_mono_ms - now_mono_ms : 0;
    out->fetched_ms = t->fetched_ms;
    out->skew_ms = t->skew_ms;
    out->took_ms = t->took_ms;
    out->fetches = t->attempts;
    out->why = t->failure;
    pthread_mutex_unlock(&t->mutex);
}

const char *token_state_name(enum token_state s)
{
    static const char *const names[TOKEN_STATES] = {
        [TOKEN_NONE] = "none", [TOKEN_OK] = "ok", [TOKEN_REFUSED] = "refused"};
    BUG_ON((unsigned)s >= TOKEN_STATES);
    return names[s];
}
