/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* test - Test Connection: the way to the tenant as each uploader goes it, with a connection of its own. Works without an agent. */
#include "cmd_internal.h"
#include "transport.h"

#include <pthread.h>

enum { UPLOADERS_MAX = 8 };

const struct option_spec test_options[] = {
    {"uploader", 0, "N", "only this one"},
    {0},
};

struct trial {
    const struct profile *profile;
    struct token_source *tokens;
    pthread_t thread;
    int uploader;
    bool has_thread, is_good;
    int64_t took_ms;
    struct transport_answer answer;
    struct err err;
};

static void *try_out(void *trial)
{
    struct trial *t = trial;
    AUTO(transport_freep)
    struct transport *transport = transport_new(&t->profile->tenant, &real_http, &real_clock, t->tokens,
                                                &never_cancelled);
    int64_t from_ms = mono_ms(&real_clock);

    t->is_good = transport_test(transport, &t->answer, &t->err);
    t->took_ms = mono_ms(&real_clock) - from_ms;
    return NULL;
}

static void try_all(struct trial *trial, int count)
{
    for (int i = 0; i < count; i++) {
        trial[i].has_thread = pthread_create(&trial[i].thread, NULL, try_out, &trial[i]) == 0;
        if (!trial[i].has_thread)
            try_out(&trial[i]);
    }
    for (int i = 0; i < count; i++)
        if (trial[i].has_thread)
            pthread_join(trial[i].thread, NULL);
}

static const struct trial *first_failure(const struct trial *trial, int count)
{
    for (int i = 0; i < count; i++)
        if (!trial[i].is_good)
            return &trial[i];
    return NULL;
}

static void say_trial(const struct trial *t)
{
    if (t->is_good)
        printf("uploader %d  ok  %lld ms\n", t->uploader, (long long)t->took_ms);
    else
        printf("uploader %d  failed  %lld ms  %s\n", t->uploader, (long long)t->took_ms, SAFE(t->err.text));
}

static void print_trials_json(const struct trial *trial, int count)
{
    json_t *list = json_array();

    for (int i = 0; i < count; i++) {
        const struct trial *t = &trial[i];
        json_array_append_new(list, json_pack("{s:i, s:b, s:I, s:i, s:s?, s:s?}", "id", t->uploader, "good", t->is_good,
                                              "took_ms", (json_int_t)t->took_ms, "status", t->answer.status, "error",
                                              t->is_good ? NULL : SAFE(t->err.text), "cause",
                                              t->is_good ? NULL : cause_info(t->err.cause)->name));
    }
    AUTO(json_freep) json_t *object = json_pack("{s:o}", "uploaders", list);
    print_json(object);
}

static int tell(const struct cmd *c, const struct trial *trial, int count)
{
    const struct trial *failure = first_failure(trial, count);

    if (c->wants_json)
        print_trials_json(trial, count);
    for (int i = 0; i < count && !c->wants_json && !c->is_quiet; i++)
        say_trial(&trial[i]);
    if (failure)
        return cmd_fail_card(
            c, cause_info(failure->err.cause)->name[0] ? cause_info(failure->err.cause)->what : "the test failed",
            &failure->err, "nothing was published; the agent tries by itself");
    if (!c->wants_json && !c->is_quiet && count == 1)
        printf("replication succeeded on uploader %d.\n", trial->uploader);
    else if (!c->wants_json && !c->is_quiet)
        printf("replication succeeded on all %d uploaders.\n", count);
    return 0;
}

static int run_trials(struct cmd *c, int only)
{
    struct trial trial[UPLOADERS_MAX] = {0};
    AUTO(secret_release) struct secret token = {0};
    uint64_t generation;
    struct err e;
    int count = only ? 1 : MIN(c->profile->uploaders, UPLOADERS_MAX);

    http_global_init();
    AUTO(token_source_freep)
    struct token_source *tokens = token_source_new(&c->profile->identity, &real_http, &real_clock, 0);
    /* Before the rest, so that the times are the tenant's, and one refusal is told once. */
    if (!token_get(tokens, &never_cancelled, &token, &generation, &e))
        return cmd_fail_card(c, cause_info(e.cause)->what, &e, "nothing was sent to the tenant");
    for (int i = 0; i < count; i++)
        trial[i] = (struct trial){.profile = c->profile, .tokens = tokens, .uploader = only ? only : i + 1};
    try_all(trial, count);
    return tell(c, trial, count);
}

int test_run(struct cmd *c)
{
    struct err e;
    int only = 0, code = cmd_profile(c);

    if (code)
        return code;
    if (!args_int(&c->args, "uploader", 1, c->profile->uploaders, &only, &e))
        return cmd_fail(c, EX_USAGE, "%s", e.text);
    code = run_trials(c, only);
    if (code == 0)
        cmd_wake(c);
    return code;
}
