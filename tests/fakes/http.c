/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Scripted HTTP. */
#include "http.h"

enum { CHUNK_MAX = 1 << 20, BODY_MAX = 64 << 20 };

struct fake_client {
    struct fake_http *f;
    const atomic_bool *cancel;
};

static void *fake_open(void *arg, const struct http_opts *opts, const atomic_bool *cancel)
{
    (void)opts;
    struct fake_client *c = mem_alloc(sizeof(*c));
    c->f = arg;
    c->cancel = cancel;
    return c;
}

static void fake_close(void *client)
{
    mem_freep(&client);
}

static struct fake_reply next_reply(struct fake_http *f)
{
    pthread_mutex_lock(&f->mutex);
    struct fake_reply r = f->said < f->scripted ? f->script[f->said++] : f->last;
    pthread_mutex_unlock(&f->mutex);
    return r;
}

static bool read_body(struct fake_client *c, const struct http_request *q, struct buf *body, struct err *e)
{
    AUTO(mem_freep) char *data = mem_alloc(CHUNK_MAX);
    int64_t have = 0;
    while (have < q->body_bytes) {
        size_t got = 0, want = (size_t)MIN((int64_t)c->f->chunk, q->body_bytes - have);
        if (atomic_load(c->cancel))
            return err_set(e, ERR_CANCELLED, "cancelled");
        if (!q->read_body(q->arg, data, want, &got, e))
            return false;
        BUG_ON(got == 0 || got > want);
        have += (int64_t)got;
        if (!c->f->keeps_no_bodies)
            buf_add(body, data, got);
        if (c->f->meanwhile)
            c->f->meanwhile(c->f->arg, have);
    }
    atomic_fetch_add(&c->f->body_bytes, have);
    return true;
}

static void keep(struct fake_http *f, const struct http_request *q, struct buf *body)
{
    AUTO(buf_release) struct buf headers = BUF_INIT(64 << 10);
    for (size_t i = 0; i < q->headers; i++)
        buf_printf(&headers, "%s\n", q->header[i]);

    pthread_mutex_lock(&f->mutex);
    BUG_ON(f->requests == FAKE_HTTP_SEEN);
    struct fake_request *r = &f->seen[f->requests++];
    r->method = str_copy(q->method);
    r->url = str_copy(q->url);
    r->headers = buf_take(&headers);
    r->bearer = str_copy(q->bearer ? q->bearer->data : "");
    r->body = *body;
    *body = (struct buf){0};
    pthread_mutex_unlock(&f->mutex);
}

static bool fake_perform(void *client, const struct http_request *q, struct http_reply *reply, struct err *e)
{
    struct fake_client *c = client;
    struct fake_reply r = next_reply(c->f);
    AUTO(buf_release) struct buf body = BUF_INIT(BODY_MAX);

    if (q->read_body && !read_body(c, q, &body, e))
        return false;
    if (r.is_dropped_first && q->read_body) {
        buf_clear(&body);
        if (!q->rewind_body(q->arg, e) || !read_body(c, q, &body, e))
            return false;
    }
    if (!q->read_body && q->body)
        buf_add(&body, q->body, (size_t)q->body_bytes);
    keep(c->f, q, &body);
    if (r.status == 0) {
        *e = r.err;
        return false;
    }
    *reply = (struct http_reply){.status = r.status, .retry_after_ms = r.retry_after_ms, .body = BUF_INIT(1 << 20)};
    reply->sent_mono_ms = mono_ms(c->f->clock);
    buf_str(&reply->body, r.body);
    snprintf(reply->content_type, sizeof(reply->content_type), "%s",
             r.content_type ? r.content_type : "application/json");
    return true;
}

void fake_http_init(struct fake_http *f, int status, const char *body)
{
    memset(f, 0, sizeof(*f));
    pthread_mutex_init(&f->mutex, NULL);
    f->last = (struct fake_reply){.status = status, .body = body};
    f->clock = &real_clock;
    f->chunk = 64 << 10;
    f->http = (struct http){.open = fake_open, .perform = fake_perform, .close = fake_close, .arg = f};
}

void fake_http_release(struct fake_http *f)
{
    for (size_t i = 0; i < f->requests; i++) {
        struct fake_request *r = &f->seen[i];
        mem_freep(&r->method);
        mem_freep(&r->url);
        mem_freep(&r->headers);
        mem_freep(&r->bearer);
        buf_release(&r->body);
    }
    pthread_mutex_destroy(&f->mutex);
}

struct fake_reply *fake_http_say(struct fake_http *f, int status, const char *body)
{
    BUG_ON(f->scripted == FAKE_HTTP_SCRIPT);
    f->script[f->scripted] = (struct fake_reply){.status = status, .body = body};
    return &f->script[f->scripted++];
}

void fake_http_fail(struct fake_http *f, enum err_kind kind, int cause, const char *text)
{
    struct fake_reply *r = fake_http_say(f, 0, "");
    err_set(&r->err, kind, "%s", text);
    err_cause(&r->err, cause);
}
