/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * http - one client, one kept connection, one request at a time (libraries.md 3; reliability.md T6, T7, T9).
 *
 * HTTP/1.1, Nagle off (libcurl's own default), 256 KiB from the body at once, no redirect followed, nothing from the
 * environment.
 */
#include "http_internal.h"

enum {
    CONNECT_MS = 30000,
    STALL_MS = 60000,
    REPLY_MS = 300000,
    RETRY_AFTER_MAX_MS = 3600000,
    UPLOAD_BUFFER_BYTES = 256 << 10,
    HEADERS_MAX_BYTES = 64 << 10,
    REPLY_MAX_BYTES = 64 << 10,
};

struct client {
    CURL *easy;
    CURLU *url;
    const atomic_bool *cancel;
    int64_t stall_ms, reply_ms;
    bool closes_connection;
    struct err refused; /* why it could not be opened as wanted, for every request */
    char error[CURL_ERROR_SIZE];

    /* the request under way */
    const struct http_request *request;
    struct http_reply *reply;
    struct err own; /* why a callback of ours broke it off */
    int64_t body_left;
    size_t header_bytes;
    curl_off_t moved_bytes;
    int64_t moved_mono_ms;
};

/* --- libcurl calls ------------------------------------------------------------------------------------------------ */

static size_t on_read(char *data, size_t size, size_t count, void *arg)
{
    struct client *c = arg;
    size_t got = 0, room = (size_t)MIN((int64_t)(size * count), c->body_left);

    if (room == 0)
        return 0;
    if (!c->request->read_body(c->request->arg, data, room, &got, &c->own))
        return CURL_READFUNC_ABORT;
    if (got == 0) {
        err_set(&c->own, ERR_LOCAL, "the request's body ended early");
        return CURL_READFUNC_ABORT;
    }
    c->body_left -= (int64_t)got;
    return got;
}

/* A kept connection was closed by the other side before anything of the reply came: libcurl goes again on a new one. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct client *c = arg;
    if (offset != 0 || origin != SEEK_SET || !c->request->rewind_body)
        return CURL_SEEKFUNC_CANTSEEK;
    if (!c->request->rewind_body(c->request->arg, &c->own))
        return CURL_SEEKFUNC_FAIL;
    c->body_left = c->request->body_bytes;
    c->reply->sent_mono_ms = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct client *c = arg;
    static const char name[] = "date:";
    size_t len = size * count;

    c->header_bytes += len;
    if (c->header_bytes > HEADERS_MAX_BYTES) {
        err_set(&c->own, ERR_TENANT, "the reply's headers are over %d bytes", HEADERS_MAX_BYTES);
        return 0;
    }
    if (len > sizeof(name) && strncasecmp(data, name, sizeof(name) - 1) == 0) {
        AUTO(mem_freep) char *date = str_copy_n(data + sizeof(name) - 1, len - sizeof(name) + 1);
        c->reply->date_ms = MAX(0, (int64_t)curl_getdate(date, NULL) * 1000);
    }
    return len;
}

static size_t on_reply(char *data, size_t size, size_t count, void *arg)
{
    struct client *c = arg;
    if (buf_add(&c->reply->body, data, size * count))
        return size * count;
    err_set(&c->own, ERR_TENANT, "the reply is over %zu bytes", c->reply->body.max);
    return 0;
}

static bool is_stalled(const struct client *c, int64_t now)
{
    int64_t sent = c->reply->sent_mono_ms;
    return sent ? now - sent > c->reply_ms : now - c->moved_mono_ms > c->stall_ms;
}

/* Called at least once a second, whatever libcurl waits for. */
static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    struct client *c = arg;
    int64_t now = mono_ms(&real_clock);
    (void)down_total;
    (void)up_total;

    if (c->cancel && atomic_load(c->cancel))
        return !err_set(&c->own, ERR_CANCELLED, "cancelled");
    if (up + down != c->moved_bytes) {
        c->moved_bytes = up + down;
        c->moved_mono_ms = now;
    }
    if (c->reply->sent_mono_ms == 0 && c->request->body_bytes > 0 && up >= c->request->body_bytes)
        c->reply->sent_mono_ms = now;
    if (is_stalled(c, now))
        return !err_set(&c->own, ERR_TENANT,
                        c->reply->sent_mono_ms ? "no reply for %s" : "nothing could be sent for %s",
                        SPAN(c->reply->sent_mono_ms ? c->reply_ms : c->stall_ms));
    return 0;
}

/* --- open and close -------------------------------------------------------------------------------- */

static void set_callbacks(struct client *c)
{
    CURL *easy = c->easy;
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(easy, CURLOPT_READDATA, c);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, c);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_reply);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, c);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, c);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error);
}

static void set_options(struct client *c, const struct http_opts *o)
{
    CURL *easy = c->easy;
    curl_easy_setopt(easy, CURLOPT_CURLU, c->url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "brandsync/" BRANDSYNC_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, (long)o->close_connection);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, o->proxy ? o->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_SSLCERT, o->client_certificate_file);
    curl_easy_setopt(easy, CURLOPT_SSLKEY, o->client_certificate_file);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_ms ? o->connect_ms : CONNECT_MS));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)o->total_ms);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* cancelling does not wait for a name server */
#endif
}

static void *client_open(void *arg, const struct http_opts *o, const atomic_bool *cancel)
{
    (void)arg;
    struct client *c = mem_alloc(sizeof(*c));
    c->easy = curl_easy_init();
    c->url = curl_url();
    BUG_ON(!c->easy || !c->url);
    c->cancel = cancel;
    c->stall_ms = o->stall_ms ? o->stall_ms : STALL_MS;
    c->reply_ms = o->reply_ms ? o->reply_ms : REPLY_MS;
    c->closes_connection = o->close_connection;
    set_callbacks(c);
    set_options(c, o);
    if (!trust_set(c->easy, o->ca_file, &c->refused))
        err_wrap(&c->refused, "cannot verify anybody");
    return c;
}

static void client_close(void *client)
{
    struct client *c = client;
    curl_easy_cleanup(c->easy);
    curl_url_cleanup(c->url);
    mem_freep(&c);
}

/* --- one request ----------------------------------------------------------------------------------- */

static bool set_url(struct client *c, const char *url, struct err *e)
{
    for (const char *at = url; *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return err_set(e, ERR_REFUSED, "not a URL: %s", QUOTED(url));
    CURLUcode code = curl_url_set(c->url, CURLUPART_URL, url, 0);
    return code == CURLUE_OK || err_set(e, ERR_CONFIG, "not a URL: %s", QUOTED(url));
}

static void set_body(struct client *c, const struct http_request *request)
{
    CURL *easy = c->easy;
    if (str_eq(request->method, "GET")) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->read_body ? NULL : request->body ? request->body : "");
}

static void begin(struct client *c, const struct http_request *request, struct http_reply *reply)
{
    size_t max_reply = request->max_reply ? request->max_reply : REPLY_MAX_BYTES;
    *reply = (struct http_reply){.body = BUF_INIT(max_reply)};
    c->request = request;
    c->reply = reply;
    c->own = (struct err){0};
    c->error[0] = '\0';
    c->body_left = request->body_bytes;
    c->header_bytes = 0;
    c->moved_bytes = 0;
    c->moved_mono_ms = mono_ms(&real_clock);
    set_body(c, request);
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(c->easy, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t)request->bytes_per_s);
}

static void fill_reply(struct client *c)
{
    struct http_reply *reply = c->reply;
    long status = 0;
    curl_off_t retry_after_s = 0;
    char *type = NULL;

    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
    curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
    reply->status = (int)status;
    reply->retry_after_ms = MAX(0, MIN(retry_after_s, RETRY_AFTER_MAX_MS / 1000)) * 1000;
    snprintf(reply->content_type, sizeof(reply->content_type), "%s", type ? type : "");
    if (reply->sent_mono_ms == 0)
        reply->sent_mono_ms = mono_ms(&real_clock);
}

static bool failed(struct client *c, CURLcode code, struct err *e)
{
    char *host = NULL;
    curl_url_get(c->url, CURLUPART_HOST, &host, 0);
    if (c->own.kind == ERR_NONE)
        request_failed(code, host ? host : "?", c->error, e);
    else
        *e = c->own;
    if (e->kind == ERR_TENANT && !e->cause) {
        err_wrap(e, "cannot reach %s", host ? host : "?");
        err_cause(e, CAUSE_TENANT_UNREACHABLE);
    }
    curl_free(host);
    http_reply_release(c->reply);
    return false;
}

static bool client_perform(void *client, const struct http_request *request, struct http_reply *reply, struct err *e)
{
    struct client *c = client;
    AUTO(request_headers_release) struct curl_slist *headers = NULL;

    if (c->refused.kind) {
        *e = c->refused;
        return false;
    }
    if (!set_url(c, request->url, e) || !request_headers(request, c->closes_connection, &headers, e))
        return false;
    begin(c, request, reply);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(c->easy);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK)
        return failed(c, code, e);
    fill_reply(c);
    return true;
}

const struct http real_http = {.open = client_open, .perform = client_perform, .close = client_close};

void http_global_init(void)
{
    BUG_ON(curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK);
    trust_find_system_store();
}

void http_reply_release(struct http_reply *r)
{
    buf_release(&r->body);
    *r = (struct http_reply){0};
}
