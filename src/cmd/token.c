/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* token check - does IMS give us a token? One exchange with the profile's credential; the token itself is never shown. */
#include "cmd_internal.h"
#include "identity.h"

static void say_token(const struct cmd *c, const struct token_status *t)
{
    printf("Token retrieved successfully.  Scopes %s; valid until %s; clock differs by %s; %lld ms\n", SAFE(t->scopes),
           WHEN(t->expires_ms, c->now_ms), SPAN(llabs(t->skew_ms)), (long long)t->took_ms);
}

static void print_token_json(const struct token_status *t)
{
    AUTO(json_freep)
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "state", token_state_name(t->state), "scopes",
                               SAFE(t->scopes), "expires_at", RFC3339(t->expires_ms), "skew_ms", (json_int_t)t->skew_ms,
                               "took_ms", (json_int_t)t->took_ms);
    print_json(object);
}

int token_check_run(struct cmd *c)
{
    AUTO(secret_release) struct secret token = {0};
    struct token_status status;
    uint64_t generation;
    struct err e;
    int code = cmd_profile(c);

    if (code)
        return code;
    http_global_init();
    AUTO(token_source_freep)
    struct token_source *source = token_source_new(&c->profile->identity, &real_http, &real_clock, 0);
    if (!token_get(source, &never_cancelled, &token, &generation, &e))
        return cmd_fail_card(c, cause_info(e.cause)->what, &e, "nothing was sent to the tenant");
    token_status(source, &status);
    if (c->wants_json)
        print_token_json(&status);
    else
        say_token(c, &status);
    cmd_wake(c);
    return 0;
}
