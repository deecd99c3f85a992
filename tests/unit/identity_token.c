/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * identity: the exchange with IMS and the life of a token, against a scripted IMS and a clock that stands still.
 */
#include "identity.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, THREADS = 8 };

#define CANARY "CANARY+s3cr3t/&=%"
#define CANARY_IN_FORM "CANARY%2Bs3cr3t%2F%26%3D%25"

static const int64_t noon = INT64_C(1750000000000);

/* --- a scripted IMS --------------------------------------------------------------------------------------- */

struct answer {
    int status; /* 0: the network fails */
    const char *body;
    int64_t retry_after_ms, date_ms;
};

struct ims {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    const struct answer *answer; /* one after the other; the last one for ever */
    size_t answers, requests;
    char *url, *form, *headers; /* of the last request */
    struct http_opts opts;
    const atomic_bool *cancel;
    int entered, wanted; /* a reply is held back until so many callers came */
    bool is_held;        /* ... or until this is false */
    int inside;          /* requests being answered */
    atomic_llong wall, mono;
    struct http http;
    struct clock clock;
};

static struct ims ims;
static char dir[] = "/tmp/brandsync-token-XXXXXX";
static char *secret_file, *log_file, *key_file, *certificate_file;

static void *ims_open(void *arg UNUSED, const struct http_opts *opts, const atomic_bool *cancel)
{
    ims.opts = *opts;
    ims.cancel = cancel;
    return &ims;
}

static void ims_close(void *client UNUSED)
{
}

static void ims_remember(const struct http_request *request)
{
    free(ims.url);
    free(ims.form);
    free(ims.headers);
    ims.url = str_printf("%s %s", request->method, request->url);
    ims.form = str_copy_n(request->body, (size_t)request->body_bytes);
    struct buf lines = BUF_INIT(1000);
    for (size_t i = 0; i < request->headers; i++)
        buf_printf(&lines, "%s\n", request->header[i]);
    ims.headers = buf_take(&lines);
}

static bool is_told_to_stop(void)
{
    return ims.cancel && atomic_load(ims.cancel);
}

static void ims_hold(void)
{
    struct timespec until;
    while ((ims.is_held || ims.entered < ims.wanted) && !is_told_to_stop()) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec = (until.tv_nsec + 1000000) % 1000000000; /* a wrap waits no second: it is over at once */
        pthread_cond_timedwait(&ims.moved, &ims.mutex, &until);
    }
}

static bool ims_answer(const struct answer *a, struct http_reply *reply, struct err *e)
{
    *reply = (struct http_reply){.body = BUF_INIT(1 << 16)};
    if (is_told_to_stop())
        return err_set(e, ERR_CANCELLED, "stopping");
    if (a->status == 0) {
        err_set(e, ERR_TENANT, "cannot connect: refused");
        return err_cause(e, CAUSE_TENANT_UNREACHABLE);
    }
    reply->status = a->status;
    reply->retry_after_ms = a->retry_after_ms;
    reply->date_ms = a->date_ms;
    return buf_str(&reply->body, a->body);
}

static bool ims_perform(void *client UNUSED, const struct http_request *request, struct http_reply *reply,
                        struct err *e)
{
    pthread_mutex_lock(&ims.mutex);
    const struct answer *a = &ims.answer[MIN(ims.requests, ims.answers - 1)];
    ims.requests++;
    ims.inside++;
    ims_remember(request);
    pthread_cond_broadcast(&ims.moved);
    ims_hold();
    bool is_answered = ims_answer(a, reply, e);
    ims.inside--;
    pthread_mutex_unlock(&ims.mutex);
    return is_answered;
}

static int64_t ims_wall(void *arg UNUSED)
{
    return atomic_load(&ims.wall);
}

static int64_t ims_mono(void *arg UNUSED)
{
    return atomic_load(&ims.mono);
}

static void script(const struct answer *answer, size_t answers)
{
    ims.answer = answer;
    ims.answers = answers;
    ims.requests = 0;
    ims.entered = ims.wanted = 0;
    atomic_store(&ims.wall, noon);
    atomic_store(&ims.mono, 5000);
}
#define SCRIPT(...) script((const struct answer[]){__VA_ARGS__}, ARRAY_LEN(((const struct answer[]){__VA_ARGS__})))
#define GRANT(token, life)                                                                                             \
    {                                                                                                                  \
        200, "{\"token_type\":\"bearer\",\"access_token\":\"" token "\",\"expires_in\":" life "}", 0, 0                \
    }

static void pass(int64_t ms)
{
    atomic_fetch_add(&ims.mono, ms);
    atomic_fetch_add(&ims.wall, ms);
}

/* --- the client ---------------------------------------------------------------------------------------------- */

static char *scope_items[] = {(char *)"openid", (char *)"AdobeID", (char *)"a b"};
static char *metascope_items[] = {(char *)"ent_brand_portal_sdk"};
static struct profile_identity oauth, jwt;

static struct token_source *source_of(const struct profile_identity *id)
{
    return token_source_new(id, &ims.http, &ims.clock, 7);
}

static void assert_token(struct token_source *t, const char *wanted, uint64_t wanted_generation)
{
    AUTO(secret_release) struct secret token = {0};
    uint64_t generation = 0;
    struct err e = {0};
    assert_true(token_get(t, NULL, &token, &generation, &e));
    assert_string_equal(token.data, wanted);
    assert_int_equal(generation, wanted_generation);
}

static struct err refusal_of(struct token_source *t)
{
    AUTO(secret_release) struct secret token = {0};
    uint64_t generation = 0;
    struct err e = {0};
    assert_false(token_get(t, NULL, &token, &generation, &e));
    assert_null(token.data);
    return e;
}

static void put_text(const char *path, const char *text, mode_t mode)
{
    struct err e = {0};
    assert_true(file_replace(path, text, strlen(text), mode, &e));
}

static int setup_all(void **state UNUSED)
{
    static const struct key_opts opts = {.bits = 2048, .days = 1, .common_name = "test"};
    struct err e = {0};
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(dir))
        return -1;
    secret_file = path_join(dir, "secret");
    log_file = path_join(dir, "log");
    key_file = path_join(dir, "key");
    certificate_file = path_join(dir, "crt");
    pthread_mutex_init(&ims.mutex, NULL);
    pthread_cond_init(&ims.moved, NULL);
    ims.http = (struct http){.open = ims_open, .perform = ims_perform, .close = ims_close};
    ims.clock = (struct clock){.wall_ms = ims_wall, .mono_ms = ims_mono};
    oauth = (struct profile_identity){
        .mode = IDENTITY_OAUTH,
        .server = (char *)"https://ims.example",
        .client_id = (char *)"0123abcd",
        .client_secret_file = secret_file,
        .scopes = {scope_items, ARRAY_LEN(scope_items)},
    };
    jwt = oauth;
    jwt.mode = IDENTITY_JWT;
    jwt.technical_account_id = (char *)"AA@techacct.adobe.com";
    jwt.organization_id = (char *)"BB@AdobeOrg";
    jwt.private_key_file = key_file;
    jwt.metascopes = (struct strlist){metascope_items, 1};
    return key_create(key_file, certificate_file, &opts, &e) ? 0 : -1;
}

static int teardown_all(void **state UNUSED)
{
    AUTO(mem_freep) char *command = str_printf("rm -rf %s", dir);
    free(secret_file);
    free(log_file);
    free(key_file);
    free(certificate_file);
    free(ims.url);
    free(ims.form);
    free(ims.headers);
    return system(command);
}

static int setup(void **state UNUSED)
{
    put_text(secret_file, CANARY "\n", 0600);
    return 0;
}

/* --- what is asked --------------------------------------------------------------------------------------------- */

static void oauth_asks_with_a_form(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "86399"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    assert_token(t, "T1", 1);
    assert_string_equal(ims.url, "POST https://ims.example/ims/token/v3");
    assert_string_equal(ims.form, "grant_type=client_credentials&client_id=0123abcd&client_secret=" CANARY_IN_FORM
                                  "&scope=openid%2CAdobeID%2Ca%20b");
    assert_non_null(strstr(ims.headers, "Content-Type: application/x-www-form-urlencoded\n"));
    assert_true(ims.opts.total_ms > 0);
}

static void jwt_asks_with_an_assertion(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "86399000"));
    AUTO(token_source_freep) struct token_source *t = source_of(&jwt);
    assert_token(t, "T1", 1);
    assert_string_equal(ims.url, "POST https://ims.example/ims/exchange/jwt");
    assert_true(str_starts(ims.form, "client_id=0123abcd&client_secret=" CANARY_IN_FORM
                                     "&jwt_token=eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."));
}

static void a_changed_secret_works_at_the_next_fetch(void **state UNUSED)
{
    SCRIPT({401, "{\"error\":\"invalid_client\"}", 0, 0}, GRANT("T1", "60"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    refusal_of(t);
    put_text(secret_file, "new", 0600);
    assert_token(t, "T1", 1);
    assert_non_null(strstr(ims.form, "&client_secret=new&"));
}

static void a_secret_others_may_read_is_not_sent(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "60"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    chmod(secret_file, 0644);
    struct err e = refusal_of(t);
    assert_int_equal(e.kind, ERR_AUTH);
    assert_int_equal(e.cause, CAUSE_PROFILE);
    assert_int_equal(ims.requests, 0);
}

/* --- how long it lives ------------------------------------------------------------------------------------------ */

static char *token_with(const char *payload)
{
    AUTO(buf_release) struct buf middle = BUF_INIT(4096);
    text_base64url(&middle, payload, strlen(payload));
    return str_printf("h.%s.s", middle.data);
}

static void the_life_of_a_token_is_read_with_care(void **state UNUSED)
{
    static const struct {
        const char *payload, *expires_in;
        int64_t date_after_ms; /* the Date header less created_at; 0: no header */
        int64_t life_ms;
    } rows[] = {
        {NULL, "3600", 0, HOUR},
        {NULL, "1000000", 0, 24 * HOUR},
        {NULL, "3600000", 0, HOUR},
        {NULL, "86399999", 0, 24 * HOUR - 1},
        {NULL, "999999999999", 0, 24 * HOUR},
        {NULL, "1e300", 0, 10 * MINUTE},
        {NULL, "\"3600\"", 0, HOUR},
        {NULL, "null", 0, 10 * MINUTE},
        {NULL, "-5", 0, 10 * MINUTE},
        {"{\"created_at\":\"1750000000000\",\"expires_in\":\"7200000\"}", "3600", 0, 2 * HOUR},
        {"{\"created_at\":\"1750000000000\",\"expires_in\":\"7200000\"}", "3600", HOUR, HOUR},
        {"{\"created_at\":1750000000000,\"expires_in\":7200000}", "3600", 0, 2 * HOUR},
        {"{\"created_at\":\"1750000000000\",\"expires_in\":\"990000000\"}", "3600", 0, 24 * HOUR},
        {"{\"created_at\":\"1750000000000\"}", "3600", 0, HOUR},
        {"{\"created_at\":\"x\",\"expires_in\":\"7200000\"}", "3600", 0, HOUR},
        {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "3600", 0, HOUR},
        {"not json", "3600", 0, HOUR},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *token = rows[i].payload ? token_with(rows[i].payload) : str_copy("opaque");
        AUTO(mem_freep)
        char *body = str_printf("{\"access_token\":\"%s\",\"expires_in\":%s}", token, rows[i].expires_in);
        SCRIPT({200, body, 0, rows[i].date_after_ms ? noon + rows[i].date_after_ms : 0});
        AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
        struct token_status status;
        assert_token(t, token, 1);
        token_status(t, &status);
        assert_int_equal(status.expires_ms - noon, rows[i].life_ms);
    }
}

static void a_token_that_ended_before_it_came_is_no_token(void **state UNUSED)
{
    AUTO(mem_freep) char *token = token_with("{\"created_at\":\"1749990000000\",\"expires_in\":\"1000\"}");
    AUTO(mem_freep) char *body = str_printf("{\"access_token\":\"%s\"}", token);
    SCRIPT({200, body, 0, noon});
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    struct err e = refusal_of(t);
    assert_int_equal(e.kind, ERR_TENANT);
}

static void a_token_is_renewed_ahead_with_jitter(void **state UNUSED)
{
    static const struct {
        const char *expires_in;
        int64_t early_ms, late_ms; /* no renewal yet; surely renewed */
    } rows[] = {
        {"86400", 20 * HOUR + 24 * MINUTE, 21 * HOUR + 36 * MINUTE},
        {"3600", 50 * MINUTE - 1, 50 * MINUTE},
        {"1200", 10 * MINUTE - 1, 10 * MINUTE},
        {"600", 8 * MINUTE + 30000, 9 * MINUTE},
        {"20", 17000, 18000},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *first = str_printf("{\"access_token\":\"T1\",\"expires_in\":%s}", rows[i].expires_in);
        SCRIPT({200, first, 0, 0}, GRANT("T2", "3600"));
        AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
        assert_token(t, "T1", 1);
        pass(rows[i].early_ms - 1);
        assert_token(t, "T1", 1);
        pass(rows[i].late_ms - rows[i].early_ms + 1);
        assert_token(t, "T2", 2);
        assert_int_equal(ims.requests, 2);
    }
}

static int64_t renewal_with_seed(uint64_t seed)
{
    SCRIPT(GRANT("T1", "100"), GRANT("T2", "100"));
    AUTO(token_source_freep) struct token_source *t = token_source_new(&oauth, &ims.http, &ims.clock, seed);
    assert_token(t, "T1", 1);
    for (int64_t ms = 0;; ms += 10, pass(10)) {
        AUTO(secret_release) struct secret token = {0};
        uint64_t generation;
        struct err e = {0};
        assert_true(token_get(t, NULL, &token, &generation, &e));
        if (generation == 2)
            return ms;
    }
}

static void two_hosts_do_not_renew_at_the_same_moment(void **state UNUSED)
{
    int64_t one = renewal_with_seed(1), two = renewal_with_seed(2);
    assert_int_not_equal(one, two);
    assert_int_equal(one, renewal_with_seed(1));
}

static void the_wall_clock_ends_no_token(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    assert_token(t, "T1", 1);
    atomic_fetch_add(&ims.wall, INT64_C(315360000000));
    assert_token(t, "T1", 1);
    atomic_store(&ims.wall, 0);
    assert_token(t, "T1", 1);
    assert_int_equal(ims.requests, 1);
}

static void a_living_token_outlasts_an_outage_of_ims(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "3600"), {503, "", 120000, 0}, {0, NULL, 0, 0});
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    struct token_status status;
    assert_token(t, "T1", 1);
    pass(50 * MINUTE);
    assert_token(t, "T1", 1);
    assert_int_equal(ims.requests, 2);
    pass(119999);
    assert_token(t, "T1", 1);
    assert_int_equal(ims.requests, 2); /* Retry-After is honoured */
    pass(1);
    assert_token(t, "T1", 1);
    assert_int_equal(ims.requests, 3);
    token_status(t, &status);
    assert_int_equal(status.state, TOKEN_OK);
    assert_int_equal(status.why.kind, ERR_TENANT);
    pass(8 * MINUTE);
    assert_int_equal(refusal_of(t).kind, ERR_TENANT);
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

#define WORDS(error, description) "{\"error\":\"" error "\",\"error_description\":\"" description "\"}"

static void each_answer_has_its_cause(void **state UNUSED)
{
    static const struct {
        struct answer answer;
        enum err_kind kind;
        enum cause cause;
        const char *text;
    } rows[] = {
        {{400, WORDS("invalid_client", "Client authentication failed"), 0, 0},
         ERR_AUTH,
         CAUSE_AUTH_SECRET,
         "400 invalid_client \"Client authentication failed\""},
        {{401, WORDS("invalid_client", "x"), 0, 0}, ERR_AUTH, CAUSE_AUTH_SECRET, "401 invalid_client \"x\""},
        {{200, WORDS("invalid_client", "x"), 0, 0}, ERR_AUTH, CAUSE_AUTH_SECRET, "200 invalid_client \"x\""},
        {{400, WORDS("invalid_scope", "x"), 0, 0}, ERR_AUTH, CAUSE_AUTH_SCOPE, "400 invalid_scope \"x\""},
        {{400, WORDS("invalid_signature", "x"), 0, 0}, ERR_AUTH, CAUSE_AUTH_SIGNATURE, NULL},
        {{400, WORDS("invalid_token", "Could not match JWT signature to any of the bindings"), 0, 0},
         ERR_AUTH,
         CAUSE_AUTH_SIGNATURE,
         NULL},
        {{400, WORDS("invalid_token", "JWT has expired"), 0, 0},
         ERR_AUTH,
         CAUSE_AUTH_CLOCK,
         "400 invalid_token \"JWT has expired\""},
        {{400, WORDS("invalid_token", "claim 'exp' is missing"), 0, 0}, ERR_AUTH, CAUSE_AUTH_CLOCK, NULL},
        {{400, WORDS("invalid_token", "unexpected content"), 0, 0}, ERR_AUTH, CAUSE_AUTH_REFUSED, NULL},
        {{400, "{\"error\":\"bad_request\"}", 0, 0}, ERR_AUTH, CAUSE_AUTH_REFUSED, "400 bad_request"},
        {{404, "<html>", 0, 0}, ERR_AUTH, CAUSE_AUTH_REFUSED, "404 without saying why"},
        {{400, WORDS("invalid_client", "a\\u001b[31m\\nb"), 0, 0},
         ERR_AUTH,
         CAUSE_AUTH_SECRET,
         "400 invalid_client \"a\\x1b[31m\\nb\""},
        {{429, WORDS("too_many", "Slow down"), 7000, 0},
         ERR_TENANT,
         CAUSE_AUTH_UNREACHABLE,
         "IMS answers 429: Slow down"},
        {{500, WORDS("invalid_client", "x"), 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{503, "", 9000, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, "IMS answers 503"},
        {{302, "", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{0, NULL, 0, 0},
         ERR_TENANT,
         CAUSE_AUTH_UNREACHABLE,
         "cannot reach 'https://ims.example' for a token: cannot connect: refused"},
        {{200, "<html>Welcome to our hotel</html>", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{200, "{\"access_token\":\"\"}", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{200, "{\"access_token\":\"a\\r\\nX: y\"}", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{200, "{\"access_token\":\"a\",\"access_token\":\"b\"}", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
        {{200, "{\"access_token\":\"a\",\"x\":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}", 0, 0},
         ERR_TENANT,
         CAUSE_AUTH_UNREACHABLE,
         NULL},
        {{200, "[\"access_token\"]", 0, 0}, ERR_TENANT, CAUSE_AUTH_UNREACHABLE, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        script(&rows[i].answer, 1);
        AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
        struct token_status status;
        struct err e = refusal_of(t);
        token_status(t, &status);
        assert_int_equal(e.kind, rows[i].kind);
        assert_int_equal(e.cause, rows[i].cause);
        assert_int_equal(e.retry_after_ms, rows[i].answer.retry_after_ms);
        assert_int_equal(status.state, e.kind == ERR_AUTH ? TOKEN_REFUSED : TOKEN_NONE);
        assert_int_equal(ims.requests, 1);
        if (rows[i].text)
            assert_string_equal(e.text, rows[i].text);
    }
}

static void adobes_own_servers_take_no_assertion_any_more(void **state UNUSED)
{
    static const struct answer refused = {400, WORDS("invalid_client", "x"), 0, 0};
    struct profile_identity adobe = jwt;
    adobe.server = (char *)"https://ims-na1.adobelogin.com";
    script(&refused, 1);
    AUTO(token_source_freep) struct token_source *t = source_of(&adobe);
    atomic_store(&ims.wall, INT64_C(1772323199000));
    assert_int_equal(refusal_of(t).cause, CAUSE_AUTH_SECRET);
    atomic_store(&ims.wall, INT64_C(1772323200000));
    assert_int_equal(refusal_of(t).cause, CAUSE_AUTH_JWT_ENDED);
    adobe.mode = IDENTITY_OAUTH;
    assert_int_equal(refusal_of(t).cause, CAUSE_AUTH_SECRET);
    adobe.mode = IDENTITY_LEGACY_GATEWAY;
    assert_int_equal(refusal_of(t).cause, CAUSE_PROFILE);
}

static int64_t exp_of_last_assertion(void)
{
    AUTO(buf_release) struct buf text = BUF_INIT(4096);
    const char *begin = strchr(strstr(ims.form, "jwt_token="), '.') + 1;
    assert_true(text_unbase64url(&text, begin, (size_t)(strchr(begin, '.') - begin)));
    json_t *claims = json_loadb(text.data, text.len, 0, NULL);
    int64_t exp_s = json_integer_value(json_object_get(claims, "exp"));
    json_decref(claims);
    return exp_s;
}

static void a_slow_clock_is_made_up_for_once(void **state UNUSED)
{
    SCRIPT({400, WORDS("invalid_token", "JWT has expired"), 0, noon + HOUR}, GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&jwt);
    struct token_status status;
    assert_token(t, "T1", 1);
    assert_int_equal(ims.requests, 2);
    assert_int_equal(exp_of_last_assertion(), (noon + HOUR) / 1000 + 300);
    token_status(t, &status);
    assert_int_equal(status.skew_ms, -HOUR);
}

static void a_clock_that_cannot_be_made_up_for_is_told(void **state UNUSED)
{
    SCRIPT({400, WORDS("invalid_token", ""), 0, noon - 372000});
    AUTO(token_source_freep) struct token_source *t = source_of(&jwt);
    struct err e = refusal_of(t);
    assert_int_equal(e.cause, CAUSE_AUTH_CLOCK);
    assert_string_equal(e.text, "400 invalid_token; this host is 6 min 12 s ahead of IMS");
    assert_int_equal(ims.requests, 2);
    refusal_of(t);
    assert_int_equal(ims.requests, 3); /* nothing new was learnt */
}

/* --- generations -------------------------------------------------------------------------------------------------- */

static void a_rejected_token_is_fetched_anew(void **state UNUSED)
{
    SCRIPT(GRANT("T1", "3600"), GRANT("T2", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    assert_token(t, "T1", 1);
    token_reject(t, 1);
    assert_token(t, "T2", 2);
    token_reject(t, 1); /* a second uploader's late answer to the old one */
    assert_token(t, "T2", 2);
    assert_int_equal(ims.requests, 2);
}

static void the_status_tells_what_is_known(void **state UNUSED)
{
    SCRIPT({401, WORDS("invalid_client", "no"), 0, noon - 2000}, GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    struct token_status status;
    token_status(t, &status);
    assert_int_equal(status.state, TOKEN_NONE);
    assert_string_equal(status.scopes, "openid AdobeID a b");
    refusal_of(t);
    token_status(t, &status);
    assert_int_equal(status.state, TOKEN_REFUSED);
    assert_int_equal(status.why.cause, CAUSE_AUTH_SECRET);
    assert_int_equal(status.skew_ms, 2000);
    assert_token(t, "T1", 1);
    token_status(t, &status);
    assert_int_equal(status.state, TOKEN_OK);
    assert_int_equal(status.fetched_ms, noon);
    assert_int_equal(status.expires_ms, noon + HOUR);
    assert_int_equal(status.fetches, 2);
    assert_int_equal(status.why.kind, ERR_NONE);
    assert_string_equal(token_state_name(status.state), "ok");
}

/* --- secrets ------------------------------------------------------------------------------------------ */

static void no_secret_is_told_or_logged(void **state UNUSED)
{
    AUTO(buf_release) struct buf log = BUF_INIT(1 << 16);
    AUTO(fd_close) int saved = dup(STDERR_FILENO);
    int file = open(log_file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct err e = {0}, failed;
    log_set_level(LOG_LEVEL_DEBUG);
    dup2(file, STDERR_FILENO);
    {
        SCRIPT(GRANT("TOKENCANARY", "3600"), {400, WORDS("invalid_client", CANARY " and " CANARY " are wrong"), 0, 0});
        AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
        assert_token(t, "TOKENCANARY", 1);
        pass(55 * MINUTE);
        assert_token(t, "TOKENCANARY", 1);
        token_reject(t, 1);
        failed = refusal_of(t);
    }
    dup2(saved, STDERR_FILENO);
    fd_close(&file);
    log_set_level(LOG_LEVEL_ERROR);
    assert_true(file_read(log_file, 1 << 16, &log, &e));
    assert_non_null(strstr(log.data, "token generation=1 "));
    assert_non_null(strstr(log.data, "token-not-renewed why="));
    assert_null(strstr(log.data, "CANARY"));
    assert_null(strstr(failed.text, "CANARY"));
    assert_non_null(strstr(failed.text, "are wrong"));
}

/* --- threads ------------------------------------------------------------------------------------------ */

struct caller {
    pthread_t thread;
    struct token_source *source;
    const atomic_bool *cancel;
    struct secret token;
    uint64_t generation;
    bool has_token;
    struct err e;
};

static void *ask(void *arg)
{
    struct caller *c = arg;
    pthread_mutex_lock(&ims.mutex);
    ims.entered++;
    pthread_cond_broadcast(&ims.moved);
    pthread_mutex_unlock(&ims.mutex);
    c->has_token = token_get(c->source, c->cancel, &c->token, &c->generation, &c->e);
    return NULL;
}

static void start(struct caller *c, struct token_source *t, const atomic_bool *cancel)
{
    *c = (struct caller){.source = t, .cancel = cancel};
    assert_int_equal(pthread_create(&c->thread, NULL, ask, c), 0);
}

static void finish(struct caller *c)
{
    pthread_join(c->thread, NULL);
    secret_release(&c->token);
}

static void hold(bool is_held)
{
    pthread_mutex_lock(&ims.mutex);
    ims.is_held = is_held;
    pthread_cond_broadcast(&ims.moved);
    pthread_mutex_unlock(&ims.mutex);
}

static void wait_until_inside(size_t requests)
{
    pthread_mutex_lock(&ims.mutex);
    while (ims.requests < requests || ims.inside == 0)
        pthread_cond_wait(&ims.moved, &ims.mutex);
    pthread_mutex_unlock(&ims.mutex);
}

static void many_who_ask_at_once_make_one_request(void **state UNUSED)
{
    struct caller c[THREADS];
    SCRIPT(GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    ims.wanted = THREADS;
    for (int i = 0; i < THREADS; i++)
        start(&c[i], t, NULL);
    for (int i = 0; i < THREADS; i++) {
        finish(&c[i]);
        assert_true(c[i].has_token);
        assert_int_equal(c[i].generation, 1);
    }
    assert_int_equal(ims.requests, 1);
}

static void the_others_go_on_while_one_renews(void **state UNUSED)
{
    struct caller renewer;
    SCRIPT(GRANT("T1", "3600"), GRANT("T2", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    assert_token(t, "T1", 1);
    pass(55 * MINUTE);
    hold(true);
    start(&renewer, t, NULL);
    wait_until_inside(2);
    assert_token(t, "T1", 1); /* does not wait for the request that is held back */
    hold(false);
    finish(&renewer);
    assert_int_equal(renewer.generation, 2);
    assert_token(t, "T2", 2);
    assert_int_equal(ims.requests, 2);
}

static void a_refusal_is_shared_by_all_who_wait(void **state UNUSED)
{
    struct caller c[THREADS];
    SCRIPT({401, WORDS("invalid_client", "no"), 0, 0});
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    ims.wanted = THREADS;
    for (int i = 0; i < THREADS; i++)
        start(&c[i], t, NULL);
    for (int i = 0; i < THREADS; i++) {
        finish(&c[i]);
        assert_false(c[i].has_token);
        assert_int_equal(c[i].e.cause, CAUSE_AUTH_SECRET);
    }
    size_t before = ims.requests;
    assert_true(before <= THREADS);
    refusal_of(t);
    assert_int_equal(ims.requests, before + 1);
}

static void one_who_is_stopped_does_not_stop_the_others(void **state UNUSED)
{
    atomic_bool cancel = false;
    struct caller stopped, other;
    SCRIPT(GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    hold(true);
    start(&stopped, t, &cancel);
    wait_until_inside(1);
    start(&other, t, NULL);
    atomic_store(&cancel, true);
    finish(&stopped);
    assert_false(stopped.has_token);
    assert_int_equal(stopped.e.kind, ERR_CANCELLED);
    hold(false);
    finish(&other);
    assert_true(other.has_token);
}

static void one_who_waits_can_be_stopped(void **state UNUSED)
{
    atomic_bool cancel = false;
    struct caller fetcher, waiter;
    SCRIPT(GRANT("T1", "3600"));
    AUTO(token_source_freep) struct token_source *t = source_of(&oauth);
    hold(true);
    start(&fetcher, t, NULL);
    wait_until_inside(1);
    start(&waiter, t, &cancel);
    atomic_store(&cancel, true);
    finish(&waiter);
    assert_int_equal(waiter.e.kind, ERR_CANCELLED);
    hold(false);
    finish(&fetcher);
    assert_true(fetcher.has_token);
}

#define WITH_SECRET(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SECRET(oauth_asks_with_a_form),
        WITH_SECRET(jwt_asks_with_an_assertion),
        WITH_SECRET(a_changed_secret_works_at_the_next_fetch),
        WITH_SECRET(a_secret_others_may_read_is_not_sent),
        WITH_SECRET(the_life_of_a_token_is_read_with_care),
        WITH_SECRET(a_token_that_ended_before_it_came_is_no_token),
        WITH_SECRET(a_token_is_renewed_ahead_with_jitter),
        WITH_SECRET(two_hosts_do_not_renew_at_the_same_moment),
        WITH_SECRET(the_wall_clock_ends_no_token),
        WITH_SECRET(a_living_token_outlasts_an_outage_of_ims),
        WITH_SECRET(each_answer_has_its_cause),
        WITH_SECRET(adobes_own_servers_take_no_assertion_any_more),
        WITH_SECRET(a_slow_clock_is_made_up_for_once),
        WITH_SECRET(a_clock_that_cannot_be_made_up_for_is_told),
        WITH_SECRET(a_rejected_token_is_fetched_anew),
        WITH_SECRET(the_status_tells_what_is_known),
        WITH_SECRET(no_secret_is_told_or_logged),
        WITH_SECRET(many_who_ask_at_once_make_one_request),
        WITH_SECRET(the_others_go_on_while_one_renews),
        WITH_SECRET(a_refusal_is_shared_by_all_who_wait),
        WITH_SECRET(one_who_is_stopped_does_not_stop_the_others),
        WITH_SECRET(one_who_waits_can_be_stopped),
    };
    return cmocka_run_group_tests_name("identity_token", tests, setup_all, teardown_all);
}
