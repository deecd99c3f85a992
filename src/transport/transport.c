/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* transport - one request to the importer or to the replication test, one verdict; a token refused is renewed once. */
#include "transport_internal.h"

enum { HEADERS_MAX = 64 };

struct transport {
    const struct profile_tenant *tenant;
    const struct http *http;
    const struct clock *clock;
    struct token_source *tokens;
    const atomic_bool *cancel;
    void *client;
    bool miscounts_digests; /* the tenant refused a right one */
};

struct transport *transport_new(const struct profile_tenant *tenant, const struct http *http, const struct clock *clock,
                                struct token_source *tokens, const atomic_bool *cancel)
{
    struct transport *t = mem_alloc(sizeof(*t));
    *t = (struct transport){.tenant = tenant, .http = http, .clock = clock, .tokens = tokens, .cancel = cancel};
    const struct http_opts opts = {
        .ca_file = tenant->ca_file,
        .proxy = tenant->proxy,
        .client_certificate_file = tenant->client_certificate_file,
        .close_connection = tenant->close_connection,
    };
    t->client = http->open(http->arg, &opts, cancel);
    return t;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    t->http->close(t->client);
    mem_freep(&t);
}

/* --- headers ------------------------------------------------------------------------------------------------------ */

struct headers {
    const char *line[HEADERS_MAX];
    size_t count;
    char digest[sizeof("Digest: SHA-256=") + 64]; /* the last line where one is sent */
};

static void add(struct headers *h, const char *line)
{
    if (h->count < HEADERS_MAX)
        h->line[h->count++] = line;
}

static bool is_named(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

/* The profile's headers come on top: they never stand in the place of one that the protocol needs. */
static void add_profile_headers(struct headers *h, const struct profile_tenant *tenant)
{
    static const char *const own[] = {"Authorization", "Connection", "Content-Length", "Content-Type",
                                      "Digest",        "Expect",     "Host",           "Transfer-Encoding",
                                      "Action",        "Path",       "Handle"};
    for (size_t i = 0; i < tenant->headers.count; i++) {
        bool is_own = false;
        for (size_t k = 0; k < ARRAY_LEN(own); k++)
            is_own = is_own || is_named(tenant->headers.item[i], own[k]);
        if (!is_own)
            add(h, tenant->headers.item[i]);
    }
}

/* --- asking, with a token that is good ------------------------------------------------------------- */

struct question {
    struct http_request request;       /* but for the bearer */
    const struct transport_body *body; /* NULL: the request's own */
};

static bool ask_once(struct transport *t, struct question *q, struct http_reply *reply, uint64_t *generation,
                     struct transport_answer *answer, struct err *e)
{
    AUTO(secret_release) struct secret token = {0};
    if (!token_get(t->tokens, t->cancel, &token, generation, e))
        return false;
    int64_t began_ms = mono_ms(t->clock);
    q->request.bearer = &token;
    bool is_answered = t->http->perform(t->client, &q->request, reply, e);
    q->request.bearer = NULL;
    if (!is_answered)
        return false;
    answer->status = reply->status;
    answer->build_ms = MAX(0, reply->sent_mono_ms - began_ms);
    answer->reply_ms = MAX(0, mono_ms(t->clock) - reply->sent_mono_ms);
    return true;
}

/* A 401 is the tenant's word against this token: the next one is asked for and tried, once. */
static bool ask(struct transport *t, struct question *q, struct http_reply *reply, struct transport_answer *answer,
                struct err *e)
{
    uint64_t generation = 0;
    if (!ask_once(t, q, reply, &generation, answer, e))
        return false;
    if (reply->status != 401)
        return true;
    token_reject(t->tokens, generation);
    http_reply_release(reply);
    if (q->body && !q->body->rewind(q->body->arg, e))
        return false;
    if (!ask_once(t, q, reply, &generation, answer, e))
        return false;
    if (reply->status == 401)
        token_reject(t->tokens, generation);
    return true;
}

static char *url_of(const struct transport *t, const char *path)
{
    return str_printf("%s%s", t->tenant->url, path);
}

static struct question question_of(const char *url, const struct headers *h)
{
    return (struct question){.request = {.method = "POST", .url = url, .header = h->line, .headers = h->count}};
}

/* --- the importer ---------------------------------------------------------------------------------- */

static bool import_once(struct transport *t, struct question *q, struct words *w, struct transport_answer *answer,
                        struct err *e)
{
    AUTO(http_reply_release) struct http_reply reply = {0};
    if (!ask(t, q, &reply, answer, e))
        return false;
    words_read(w, &reply);
    memcpy(answer->message, w->message, sizeof(answer->message));
    return answer_judge(&reply, w, e);
}

/* Stock Sling digests fewer bytes than were sent and then refuses the right value (premises.md 2): without one it is
 * taken. */
static bool import_without_digest(struct transport *t, struct question *q, struct words *w,
                                  struct transport_answer *answer, struct err *e)
{
    log_warning("digest-off", "url=%s message=%s", QUOTED(t->tenant->url),
                QUOTED("the portal miscounts digests: none is sent any more"));
    t->miscounts_digests = true;
    q->request.headers--; /* the digest stands last */
    return q->body->rewind(q->body->arg, e) && import_once(t, q, w, answer, e);
}

static bool import(struct transport *t, struct question *q, struct headers *h, struct transport_answer *answer,
                   struct err *e)
{
    char hex[65];
    bool has_digest = q->body && q->body->digest && t->tenant->digest == DIGEST_ALWAYS && !t->miscounts_digests;
    struct words w = {0};

    if (has_digest) {
        if (!q->body->digest(q->body->arg, hex, e))
            return false;
        snprintf(h->digest, sizeof(h->digest), "Digest: SHA-256=%s", hex);
        add(h, h->digest);
        q->request.headers = h->count;
    }
    if (import_once(t, q, &w, answer, e))
        return true;
    return has_digest && answer->status == 400 && w.is_digest && import_without_digest(t, q, &w, answer, e);
}

static void add_importer_headers(struct transport *t, struct headers *h)
{
    add(h, "Content-Type: application/octet-stream");
    add_profile_headers(h, t->tenant);
    h->count = MIN(h->count, HEADERS_MAX - 1); /* room for a digest */
}

bool transport_import(struct transport *t, const struct transport_body *body, struct transport_answer *answer,
                      struct err *e)
{
    AUTO(mem_freep) char *url = url_of(t, t->tenant->importer_path);
    struct headers h = {0};

    *answer = (struct transport_answer){0};
    add_importer_headers(t, &h);
    struct question q = question_of(url, &h);
    q.body = body;
    q.request.read_body = body->read;
    q.request.rewind_body = body->rewind;
    q.request.arg = body->arg;
    q.request.body_bytes = body->bytes;
    return import(t, &q, &h, answer, e);
}

/* DELETE and TEST are a line of text (protocol.md 4.5). */
static bool import_text(struct transport *t, const char *type, const char *path, struct transport_answer *answer,
                        struct err *e)
{
    AUTO(mem_freep) char *url = url_of(t, t->tenant->importer_path);
    AUTO(mem_freep) char *text = str_printf("DSTRPCK::%s|%s", type, path);
    struct headers h = {0};

    *answer = (struct transport_answer){0};
    add_importer_headers(t, &h);
    struct question q = question_of(url, &h);
    q.request.body = text;
    q.request.body_bytes = (int64_t)strlen(text);
    return import(t, &q, &h, answer, e);
}

/* "::" parts two paths: nothing that could be read as more than one path, or as another one, is ever sent. */
static bool may_delete(const struct profile_tenant *tenant, const char *remote)
{
    if (!path_is_below(remote, tenant->root) || !path_is_clean(remote + 1) || strchr(remote, ':'))
        return false;
    for (; *remote; remote++)
        if ((unsigned char)*remote < ' ' || *remote == 0x7f)
            return false;
    return true;
}

bool transport_delete(struct transport *t, const char *remote, struct transport_answer *answer, struct err *e)
{
    *answer = (struct transport_answer){0};
    if (!may_delete(t->tenant, remote)) {
        err_set(e, ERR_REFUSED, "%s is never unpublished: not a path below %s", QUOTED(remote), t->tenant->root);
        return err_cause(e, CAUSE_ASSET_NAME);
    }
    return import_text(t, "DELETE", remote, answer, e);
}

/* --- tests ----------------------------------------------------------------------------------------- */

/* What an author's replication agent sends when its connection is tested (protocol.md 4.1). */
static bool replication_test(struct transport *t, struct transport_answer *answer, struct err *e)
{
    static const char *const lines[] = {"Action: Test", "Path: /content", "Handle: /content", "Referer: about:blank",
                                        "Content-Type: application/octet-stream"};
    AUTO(mem_freep) char *url = url_of(t, t->tenant->test_path);
    AUTO(http_reply_release) struct http_reply reply = {0};
    struct headers h = {0};
    struct words w;

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        add(&h, lines[i]);
    add_profile_headers(&h, t->tenant);
    struct question q = question_of(url, &h);
    if (!ask(t, &q, &reply, answer, e))
        return err_wrap(e, "replication test");
    words_read(&w, &reply);
    w.is_imported = false;
    memcpy(answer->message, w.message, sizeof(answer->message));
    if (reply.status == 200 && strstr(w.message, "ReplicationAction TEST ok"))
        return true;
    answer_judge(&reply, &w, e);
    return err_wrap(e, "replication test");
}

bool transport_test(struct transport *t, struct transport_answer *answer, struct err *e)
{
    if (!import_text(t, "TEST", t->tenant->root, answer, e))
        return false;
    return !t->tenant->replication_test || replication_test(t, answer, e);
}
