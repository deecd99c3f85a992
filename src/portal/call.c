/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* call - one request of the TLS listener, from its first line to its answer: IMS, importer, replication test. */
#include "call.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { FIELD_MAX = 16384, FORM_MAX = 65536, REPLY_MAX = 65536, NAMES_MAX = 4 << 20 };

struct route;
struct call {
    const struct server_opts *opts;
    struct MHD_Connection *connection;
    const struct route *route; /* NULL: refused before one was found */
    const char *method, *path; /* MHD's, as long as the request */
    const char *kind;
    int refusal; /* a status decided before the body: the body is drained, then it is sent. 0: none */
    bool is_answered;
    int64_t request, bytes, begun_ms;
    char *client_id;
    struct import *import;
    struct MHD_PostProcessor *form;
    struct buf field[5];
    struct buf reply, names, detail;
};

/* The form fields of IMS, in the order of call.field. */
enum { CLIENT_ID, CLIENT_SECRET, JWT_TOKEN, GRANT_TYPE, SCOPE };
static const char *const field_name[] = {"client_id", "client_secret", "jwt_token", "grant_type", "scope"};

struct route {
    const char *path; /* NULL: the importer's */
    const char *kind, *type;
    bool needs_token;
    void (*begin)(struct call *c);
    void (*push)(struct call *c, const char *data, size_t len);
    int (*finish)(struct call *c);
};

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static const char *header(struct call *c, const char *name)
{
    return MHD_lookup_connection_value(c->connection, MHD_HEADER_KIND, name);
}

/* --- IMS ------------------------------------------------------------------------------------------------ */

static enum MHD_Result take_field(void *arg, enum MHD_ValueKind kind UNUSED, const char *key, const char *file UNUSED,
                                  const char *type UNUSED, const char *encoding UNUSED, const char *data,
                                  uint64_t offset UNUSED, size_t len)
{
    struct call *c = arg;
    for (size_t i = 0; key && i < ARRAY_LEN(field_name); i++)
        if (str_eq(key, field_name[i]))
            buf_add(&c->field[i], data, len);
    return MHD_YES;
}

static void form_begin(struct call *c)
{
    /* NULL: neither urlencoded nor multipart */
    c->form = MHD_create_post_processor(c->connection, 4096, take_field, c);
    if (!c->form)
        c->refusal = MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
}

static void form_push(struct call *c, const char *data, size_t len)
{
    if (c->bytes > FORM_MAX)
        c->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
    else
        MHD_post_process(c->form, data, len);
}

static int form_finish(struct call *c, int (*ask)(struct ims *, const struct ims_form *, int64_t, struct buf *))
{
    MHD_destroy_post_processor(take(&c->form)); /* hands over the last field */
    struct ims_form form = {.authority = header(c, MHD_HTTP_HEADER_HOST),
                            .client_id = c->field[CLIENT_ID].data,
                            .client_secret = c->field[CLIENT_SECRET].data,
                            .jwt_token = c->field[JWT_TOKEN].data,
                            .grant_type = c->field[GRANT_TYPE].data,
                            .scope = c->field[SCOPE].data};
    c->client_id = str_copy(form.client_id);
    int status = ask(c->opts->ims, &form, clock_ms(CLOCK_REALTIME), &c->reply);
    if (status != MHD_HTTP_OK)
        buf_add(&c->detail, c->reply.data, c->reply.len); /* a refusal holds nothing secret */
    return status;
}

static int jwt_finish(struct call *c)
{
    return form_finish(c, ims_exchange_jwt);
}

static int token_finish(struct call *c)
{
    return form_finish(c, ims_token);
}

/* --- importer and replication test ------------------------------------------------------------------- */

static void importer_begin(struct call *c)
{
    const char *length = header(c, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t bytes = -1;
    if (length && !parse_int64(length, 0, INT64_MAX, &bytes))
        bytes = -1;
    c->import = import_begin(c->opts->importer, c->request, bytes, header(c, "Digest"));
}

static void importer_push(struct call *c, const char *data, size_t len)
{
    import_push(c->import, data, len);
}

static int importer_finish(struct call *c)
{
    return import_finish(c->import, &c->reply, &c->kind, &c->names, &c->detail);
}

/* protocol.md 4.1. Content through this door is in Durbo, a format that is not public: refused, and said so. */
static int replication_finish(struct call *c)
{
    const char *action = header(c, "Action");
    if (action && strcasecmp(action, "Test") == 0) {
        buf_str(&c->reply, "ReplicationAction TEST ok.");
        return MHD_HTTP_OK;
    }
    buf_printf(&c->reply, "ReplicationAction %s refused: only TEST is taken here; content goes to the importer at %s",
               action ? QUOTED(action) : "(none)", c->opts->importer_path);
    buf_str(&c->detail, c->reply.data);
    return MHD_HTTP_BAD_REQUEST;
}

static const struct route routes[] = {
    {"/ims/exchange/jwt", "token", TYPE_JSON, false, form_begin, form_push, jwt_finish},
    {"/ims/token/v3", "token", TYPE_JSON, false, form_begin, form_push, token_finish},
    {"/bin/receive", "replication-test", TYPE_TEXT, true, NULL, NULL, replication_finish},
    {NULL, "other", TYPE_JSON, true, importer_begin, importer_push, importer_finish},
};

static const struct {
    int status;
    const char *message;
} refusals[] = {
    {MHD_HTTP_UNAUTHORIZED, "no valid bearer token: missing, unknown or expired"},
    {MHD_HTTP_NOT_FOUND, "there is nothing at this path"},
    {MHD_HTTP_METHOD_NOT_ALLOWED, "only POST is taken here"},
    {MHD_HTTP_CONTENT_TOO_LARGE, "the form is too large"},
    {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the form must be application/x-www-form-urlencoded or multipart/form-data"},
    {MHD_HTTP_MISDIRECTED_REQUEST, "this tenant answers to 127.0.0.1, localhost and [::1] only"},
};

/* --- the life of a request ---------------------------------------------------------------------------- */

/* With or without one slash at the end: clients differ (protocol.md 1.1). */
static bool is_path(const char *path, const char *wanted)
{
    size_t len = strlen(wanted);
    return strncmp(path, wanted, len) == 0 && (!path[len] || str_eq(path + len, "/"));
}

static const struct route *find_route(const struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (is_path(c->path, routes[i].path ? routes[i].path : c->opts->importer_path))
            return &routes[i];
    return NULL;
}

static int first_refusal(struct call *c)
{
    const char *host = header(c, MHD_HTTP_HEADER_HOST); /* HTTP/1.0, as AEM's replication speaks it, may have none */
    if (host && !server_host_is_local(host))
        return MHD_HTTP_MISDIRECTED_REQUEST;
    c->route = find_route(c);
    if (!c->route)
        return MHD_HTTP_NOT_FOUND;
    if (!str_eq(c->method, MHD_HTTP_METHOD_POST))
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (c->route->needs_token &&
        !ims_allows(c->opts->ims, header(c, MHD_HTTP_HEADER_AUTHORIZATION), clock_ms(CLOCK_REALTIME), &c->client_id))
        return MHD_HTTP_UNAUTHORIZED;
    c->kind = c->route->kind;
    return 0;
}

static struct call *call_begin(const struct server_opts *opts, struct MHD_Connection *connection, const char *method,
                               const char *path)
{
    struct call *c = mem_alloc(sizeof(*c));
    *c = (struct call){.opts = opts,
                       .connection = connection,
                       .method = method,
                       .path = path,
                       .kind = "other",
                       .reply = BUF_INIT(REPLY_MAX),
                       .names = BUF_INIT(NAMES_MAX),
                       .detail = BUF_INIT(REPLY_MAX)};
    for (size_t i = 0; i < ARRAY_LEN(c->field); i++)
        c->field[i] = (struct buf)BUF_INIT(FIELD_MAX);
    c->request = journal_next_request(opts->journal);
    c->begun_ms = clock_ms(CLOCK_MONOTONIC);
    c->refusal = first_refusal(c);
    if (!c->refusal && c->route->begin)
        c->route->begin(c);
    return c;
}

static void call_push(struct call *c, const char *data, size_t len)
{
    c->bytes += (int64_t)len;
    if (!c->refusal && c->route->push)
        c->route->push(c, data, len);
}

static void write_journal(struct call *c, int status)
{
    journal_write(c->opts->journal, &(struct journal_line){.request = c->request,
                                                           .bytes = c->bytes,
                                                           .ms = clock_ms(CLOCK_MONOTONIC) - c->begun_ms,
                                                           .status = status,
                                                           .method = c->method,
                                                           .path = c->path,
                                                           .kind = c->kind,
                                                           .client_id = c->client_id,
                                                           .detail = c->detail.len ? c->detail.data : NULL,
                                                           .assets = c->names.len ? c->names.data : NULL});
    c->is_answered = true;
}

static int refuse(struct call *c)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        if (refusals[i].status != c->refusal)
            continue;
        buf_printf(&c->reply, "{\"message\":\"%s\"}", refusals[i].message);
        buf_str(&c->detail, refusals[i].message);
    }
    return c->refusal;
}

/* What each status wants said besides. */
static const struct {
    int status;
    const char *name, *value;
} extra_headers[] = {
    {MHD_HTTP_UNAUTHORIZED, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"},
    {MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_POST},
    {MHD_HTTP_TOO_MANY_REQUESTS, MHD_HTTP_HEADER_RETRY_AFTER, "60"},
};

static enum MHD_Result answer(struct call *c)
{
    int status = c->refusal ? refuse(c) : c->route->finish(c);
    write_journal(c, status);
    struct MHD_Response *response = MHD_create_response_from_buffer(c->reply.len, c->reply.data, MHD_RESPMEM_MUST_COPY);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, c->refusal ? TYPE_JSON : c->route->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    for (size_t i = 0; i < ARRAY_LEN(extra_headers); i++)
        if (extra_headers[i].status == status)
            MHD_add_response_header(response, extra_headers[i].name, extra_headers[i].value);
    enum MHD_Result result = MHD_queue_response(c->connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result call_on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
                                const char *version UNUSED, const char *data, size_t *len, void **state)
{
    struct call *c = *state;
    if (!c) {
        *state = call_begin(arg, connection, method, path);
        return MHD_YES;
    }
    if (*len > 0) {
        call_push(c, data, *len);
        *len = 0;
        return MHD_YES;
    }
    return answer(c);
}

void call_on_end(void *arg UNUSED, struct MHD_Connection *connection UNUSED, void **state,
                 enum MHD_RequestTerminationCode why UNUSED)
{
    struct call *c = *state;
    if (!c)
        return;
    if (!c->is_answered) {
        buf_str(&c->detail, "the client went away before the end of the body");
        write_journal(c, 0);
    }
    if (c->form)
        MHD_destroy_post_processor(c->form);
    import_free(c->import);
    for (size_t i = 0; i < ARRAY_LEN(c->field); i++) {
        if (c->field[i].data)
            explicit_bzero(c->field[i].data, c->field[i].len);
        buf_release(&c->field[i]);
    }
    buf_release(&c->reply);
    buf_release(&c->names);
    buf_release(&c->detail);
    mem_freep(&c->client_id);
    mem_freep(&c);
    *state = NULL;
}
