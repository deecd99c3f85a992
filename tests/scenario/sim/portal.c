/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* portal - the tenant behind the agent's HTTP: the real importer over a store on disk, in all weathers; and its IMS. */
#include "sim.h"

#include "../../../src/portal/portal.h"

#include <unistd.h>

enum { BODY_MAX = 64 << 20, PIECE_BYTES = 256 };
#define IMS "https://ims.test/"

struct portal portal;
static struct store *store;
static struct importer *importer;

void portal_begin(void)
{
    AUTO(mem_freep) char *dir = path_join(sim.dir, "portal");
    struct err e;

    portal = (struct portal){0};
    store = store_open(dir, SIM_TENANT, &e);
    if (!store)
        fail_msg("store: %s", e.text);
    importer = importer_new(store);
}

void portal_end(void)
{
    strlist_release(&portal.deleted);
    importer_free(take(&importer));
    store_close(take(&store));
}

/* --- what is there ----------------------------------------------------------------------------------------------- */

char *portal_text(const char *remote)
{
    AUTO(fd_close) int fd = store_original(store, remote);
    AUTO(mem_freep) char *file = str_printf("/proc/self/fd/%d", fd);
    struct buf text = BUF_INIT(BODY_MAX);
    struct err e;
    if (fd < 0)
        return NULL;
    if (!file_read(file, BODY_MAX, &text, &e))
        fail_msg("%s", e.text);
    return buf_take(&text);
}

char *portal_property(const char *remote, const char *name)
{
    struct node n;
    if (!store_get(store, remote, &n))
        return NULL;
    char *value = str_copy(node_property(&n, name));
    node_release(&n);
    return value;
}

int64_t portal_request_of(const char *remote)
{
    struct node n;
    if (!store_get(store, remote, &n))
        return -1;
    int64_t request = n.request;
    node_release(&n);
    return request;
}

void portal_each(void (*visit)(void *arg, const char *remote, const char *text), void *arg)
{
    size_t count;
    struct node *list = store_list(store, SIM_TENANT, true, &count);
    for (size_t i = 0; i < count; i++) {
        AUTO(mem_freep) char *text = list[i].kind == NODE_ASSET ? portal_text(list[i].path) : NULL;
        if (text)
            visit(arg, list[i].path, text);
        node_release(&list[i]);
    }
    free(list);
}

void portal_put_neighbour(const char *remote, const char *text)
{
    struct store_change change = {.puts = 1, .put = mem_array(1, sizeof(*change.put))};
    struct store_put *put = change.put;
    struct err e;
    int fd = store_spool(store, &put->spooled, &e);
    if (fd < 0 || !write_all(fd, text, strlen(text), &e))
        fail_msg("%s", e.text);
    fd_close(&fd);
    put->path = str_copy(remote);
    put->kind = NODE_ASSET;
    put->bytes = (int64_t)strlen(text);
    store_begin(store);
    if (!store_apply(store, &change, &e))
        fail_msg("%s", e.text);
    store_end(store);
    store_change_release(&change);
}

/* --- HTTP -------------------------------------------------------------------------------------------------------- */

static bool unreachable(struct err *e)
{
    err_set(e, ERR_TENANT, "the connection was lost");
    return err_cause(e, CAUSE_TENANT_UNREACHABLE);
}

static bool answer(struct http_reply *reply, int status, const char *text)
{
    *reply = (struct http_reply){.status = status, .body = BUF_INIT(BODY_MAX)};
    reply->sent_mono_ms = mono_ms(&sim.clock.clock);
    reply->retry_after_ms = status == portal.weather.status ? portal.weather.retry_after_ms : 0;
    snprintf(reply->content_type, sizeof(reply->content_type), "application/json");
    return buf_str(&reply->body, text);
}

static bool answer_ims(struct http_reply *reply, struct err *e)
{
    char text[200];
    if (portal.weather.is_unreachable)
        return unreachable(e);
    if (portal.weather.ims_status)
        return answer(reply, portal.weather.ims_status, "{\"error\":\"invalid_client\"}");
    snprintf(text, sizeof(text), "{\"token_type\":\"bearer\",\"access_token\":\"%d\",\"expires_in\":86399}",
             ++portal.tokens);
    return answer(reply, 200, text);
}

static bool read_body(const struct http_request *q, struct buf *body, struct err *e)
{
    char piece[PIECE_BYTES];
    int64_t last = portal.weather.breaks_off ? q->body_bytes / 2 : q->body_bytes;
    for (size_t got; (int64_t)body->len < last; buf_add(body, piece, got)) {
        if (!q->read_body(q->arg, piece, sizeof(piece), &got, e))
            return false;
        BUG_ON(got == 0);
        if (portal.meanwhile)
            portal.meanwhile();
    }
    return !portal.weather.breaks_off || unreachable(e);
}

/* XML in a package is stored as it is. */
static bool is_about(const struct buf *body, const char *remote)
{
    AUTO(mem_freep) char *root = str_printf("\"%s\"", remote);
    return memmem(body->data, body->len, root, strlen(root)) != NULL;
}

static bool refuse(struct http_reply *reply)
{
    portal.refused_at[portal.refusals++ % (int)ARRAY_LEN(portal.refused_at)] = wall_ms(&sim.clock.clock);
    return answer(reply, 415, "{\"message\":\"this picture is not wanted\"}");
}

static void count_import(const char *kind, const struct buf *body)
{
    if (str_eq(kind, "add")) {
        portal.imports++;
        return;
    }
    portal.deletes++;
    strlist_add(&portal.deleted, strchr(body->data, '|') + 1);
}

static bool import(const struct buf *body, struct http_reply *reply, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BODY_MAX), assets = BUF_INIT(BODY_MAX), detail = BUF_INIT(BODY_MAX);
    const char *kind;
    struct import *i = import_begin(importer, portal.asked, (int64_t)body->len, NULL);
    import_push(i, body->data, body->len);
    int status = import_finish(i, &text, &kind, &assets, &detail);
    import_free(i);
    if (status == 200)
        count_import(kind, body);
    return portal.weather.loses_replies ? unreachable(e) : answer(reply, status, text.data);
}

static bool answer_tenant(const struct http_request *q, struct http_reply *reply, struct err *e)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BODY_MAX);
    int64_t token = 0;

    portal.asked++;
    if (portal.weather.is_unreachable)
        return unreachable(e);
    if (q->read_body ? !read_body(q, &body, e) : !buf_add(&body, q->body, (size_t)q->body_bytes))
        return false;
    if (!parse_int64(q->bearer->data, portal.good_token, INT64_MAX, &token))
        return answer(reply, 401, "{}");
    if (portal.weather.status)
        return answer(reply, portal.weather.status, "{\"message\":\"bad weather\"}");
    if (portal.refused && is_about(&body, portal.refused))
        return refuse(reply);
    return import(&body, reply, e);
}

static void *http_open(void *arg UNUSED, const struct http_opts *opts UNUSED, const atomic_bool *cancel UNUSED)
{
    return &portal;
}

static bool http_perform(void *client UNUSED, const struct http_request *q, struct http_reply *reply, struct err *e)
{
    return str_starts(q->url, IMS) ? answer_ims(reply, e) : answer_tenant(q, reply, e);
}

static void http_close(void *client UNUSED)
{
}

const struct http sim_http = {.open = http_open, .perform = http_perform, .close = http_close};
