/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * importer - one request to the distribution importer: a package to add, a text that deletes or tests; its JSON reply.
 *
 * Unlike stock Sling the whole body is read and its digest compared before anything is imported (protocol.md 11).
 */
#include "portal.h"
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>

enum { TEXT_MAX = 1024 * 1024, HEX_MAX = 2 * EVP_MAX_MD_SIZE };
#define META "DSTRPACKMETA"
#define TEXT "DSTRPCK:"

enum body { BODY_UNKNOWN, BODY_ZIP, BODY_TEXT, BODY_META };

struct importer {
    struct store *store;
};

struct import {
    struct store *store;
    int64_t request, content_length, received;
    enum body body;
    struct buf text; /* a text body, or what came until the body was known */
    struct vault *vault;
    const struct algorithm *algorithm; /* NULL: no Digest header that one understands */
    char expected[HEX_MAX + 1];
    EVP_MD_CTX *digest;
    struct err failed;
};

static const struct algorithm {
    const char *name, *openssl;
} algorithms[] = {
    {"SHA-256", "SHA256"}, {"SHA-1", "SHA1"}, {"SHA-384", "SHA384"}, {"SHA-512", "SHA512"}, {"MD5", "MD5"},
};

struct importer *importer_new(struct store *s)
{
    struct importer *im = mem_alloc(sizeof *im);
    im->store = s;
    return im;
}

void importer_free(struct importer *im)
{
    free(im);
}

/* --- the body as it arrives -------------------------------------------------------------------------------------- */

/* "SHA-256=<hex>"; as in Sling, a header of another form is no digest at all. */
static void digest_begin(struct import *i, const char *header)
{
    for (size_t a = 0; header && a < ARRAY_LEN(algorithms); a++) {
        size_t len = strlen(algorithms[a].name);
        const char *hex = header + len + 1;
        if (!str_starts(header, algorithms[a].name) || header[len] != '=')
            continue;
        if (hex[0] == '\0' || strlen(hex) > HEX_MAX || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex))
            return;
        i->algorithm = &algorithms[a];
        snprintf(i->expected, sizeof i->expected, "%s", hex);
        i->digest = EVP_MD_CTX_new();
        BUG_ON(!i->digest || !EVP_DigestInit_ex(i->digest, EVP_get_digestbyname(algorithms[a].openssl), NULL));
        return;
    }
}

struct import *import_begin(struct importer *im, int64_t request, int64_t content_length, const char *digest)
{
    struct import *i = mem_alloc(sizeof *i);
    i->store = im->store;
    i->request = request;
    i->content_length = content_length;
    i->text = (struct buf)BUF_INIT(TEXT_MAX);
    digest_begin(i, digest);
    return i;
}

static enum body body_of(const char *start, size_t len)
{
    static const struct {
        const char *magic;
        enum body body;
    } bodies[] = {{META, BODY_META}, {TEXT, BODY_TEXT}};
    for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
        size_t known = strlen(bodies[b].magic);
        if (memcmp(start, bodies[b].magic, MIN(len, known)) == 0)
            return len < known ? BODY_UNKNOWN : bodies[b].body;
    }
    return BODY_ZIP;
}

static void push_zip(struct import *i, const void *data, size_t len)
{
    if (!i->vault)
        i->vault = vault_new(i->store);
    if (!vault_push(i->vault, data, len, &i->failed))
        BUG_ON(i->failed.kind == ERR_NONE);
}

static void push_unknown(struct import *i)
{
    i->body = body_of(i->text.data, i->text.len);
    if (i->body == BODY_META)
        err_set(&i->failed, ERR_REFUSED,
                "a body with " META " (a serialized Java map) is not understood here, leave it out");
    if (i->body == BODY_ZIP)
        push_zip(i, i->text.data, i->text.len);
}

void import_push(struct import *i, const void *data, size_t len)
{
    i->received += (int64_t)len;
    if (i->digest)
        EVP_DigestUpdate(i->digest, data, len);
    if (i->failed.kind != ERR_NONE || len == 0)
        return;
    if (i->body == BODY_UNKNOWN && i->text.len == 0 && body_of(data, len) == BODY_ZIP)
        i->body = BODY_ZIP;
    if (i->body == BODY_ZIP)
        push_zip(i, data, len);
    else if (!buf_add(&i->text, data, len))
        err_set(&i->failed, ERR_REFUSED, "the text is too long");
    else if (i->body == BODY_UNKNOWN)
        push_unknown(i);
}

/* --- texts: DSTRPCK::<TYPE>|<path>::<path>, or with one colon and commas ----------------------------------------- */

struct text {
    char *type;
    struct strlist path;
};

static void text_release(struct text *t)
{
    free(t->type);
    strlist_release(&t->path);
}

static void add_paths(struct strlist *to, const char *paths, const char *separator)
{
    while (*paths) {
        const char *end = strstr(paths, separator);
        AUTO(mem_freep) char *path = str_copy_n(paths, end ? (size_t)(end - paths) : strlen(paths));
        if (*path)
            strlist_add(to, path);
        paths = end ? end + strlen(separator) : "";
    }
}

static bool text_parse(const struct buf *body, struct text *t, struct err *e)
{
    const char *rest = body->data + strlen(TEXT);
    bool is_new = rest[0] == ':';
    rest += is_new;
    const char *bar = strchrnul(rest, '|');
    t->type = str_copy_n(rest, (size_t)(bar - rest));
    if (strlen(body->data) != body->len || (*bar && strchr(bar + 1, '|')))
        return err_set(e, ERR_REFUSED, "the text is no distribution package");
    add_paths(&t->path, *bar ? bar + 1 : "", is_new ? "::" : ",");
    return true;
}

/* A node that is missing is deleted already; a node inside of an asset or folder cannot go alone. */
static bool plan_delete(struct store *s, const char *path, struct store_change *change, struct err *e)
{
    if (!store_may_change(s, path, e))
        return false;
    if (store_has(s, path))
        change->remove[change->removes++] = str_copy(path);
    else if (strstr(path, "/jcr:content"))
        return err_set(e, ERR_REFUSED, "only whole assets and folders can be deleted here, not '%s'", path);
    return true;
}

static bool delete_paths(struct import *i, const struct strlist *path, struct buf *assets, struct err *e)
{
    AUTO(store_change_release) struct store_change change = {.request = i->request};
    bool is_done = true;
    change.remove = mem_array(path->count, sizeof *change.remove);
    store_begin(i->store);
    for (size_t at = 0; is_done && at < path->count; at++)
        is_done = plan_delete(i->store, path->item[at], &change, e);
    is_done = is_done && (change.removes == 0 || store_apply(i->store, &change, e));
    store_end(i->store);
    for (size_t at = 0; is_done && at < change.removes; at++)
        buf_printf(assets, "-%s\n", change.remove[at]);
    return is_done;
}

static bool run_text(struct import *i, const char **kind, struct buf *assets)
{
    AUTO(text_release) struct text t = {0};
    if (!text_parse(&i->text, &t, &i->failed))
        return false;
    if (str_eq(t.type, "TEST")) {
        *kind = "test";
        return true;
    }
    if (!str_eq(t.type, "DELETE"))
        return err_set(&i->failed, ERR_REFUSED, "the request type '%s' is not supported here", t.type);
    *kind = "delete";
    return delete_paths(i, &t.path, assets, &i->failed);
}

/* --- the end of the body, and the reply -------------------------------------------------------------------------- */

static int answer(struct buf *reply, int status, json_t *object)
{
    char *text = json_dumps(object, JSON_PRESERVE_ORDER);
    buf_str(reply, text ? text : "{}");
    free(text);
    json_decref(object);
    return status;
}

static int answer_failure(struct buf *reply, const struct err *why)
{
    bool is_cut = why->kind == ERR_CHANGED;
    AUTO(mem_freep)
    char *message = str_printf(is_cut ? "Received distribution package is not whole, nothing was imported: %s"
                                      : "an unexpected error has occurred during distribution import. Error: %s",
                               why->text);
    return answer(reply, is_cut ? 400 : 500, json_pack("{s:s}", "message", message));
}

static bool digest_differs(struct import *i, char received[HEX_MAX + 1])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!i->digest)
        return false;
    BUG_ON(!EVP_DigestFinal_ex(i->digest, hash, &len));
    text_hex(received, hash, len);
    return strcasecmp(received, i->expected) != 0;
}

static bool run(struct import *i, const char **kind, struct buf *assets)
{
    if (i->failed.kind != ERR_NONE)
        return false;
    if (i->body == BODY_TEXT)
        return run_text(i, kind, assets);
    if (!i->vault)
        return err_set(&i->failed, ERR_CHANGED, "the body has %" PRId64 " bytes", i->received);
    return vault_import(i->vault, i->request, assets, &i->failed);
}

int import_finish(struct import *i, struct buf *reply, const char **kind, struct buf *assets, struct buf *detail)
{
    char received[HEX_MAX + 1] = "";
    bool is_done = false;
    *kind = i->body == BODY_ZIP ? "add" : "other";
    if (i->content_length >= 0 && i->received != i->content_length) {
        err_set(&i->failed, ERR_CHANGED, "%" PRId64 " of %" PRId64 " bytes came", i->received, i->content_length);
    } else if (digest_differs(i, received)) {
        buf_printf(detail, "digest differs: expected %s, received %s", i->expected, received);
        return answer(reply, 400,
                      json_pack("{s:s, s:s, s:s, s:s}", "message", "Received distribution package is corrupted",
                                "digestAlgorithm", i->algorithm->name, "expected", i->expected, "received", received));
    } else {
        is_done = run(i, kind, assets);
    }
    if (is_done)
        return answer(reply, 200, json_pack("{s:s}", "message", "package imported successfully"));
    buf_str(detail, i->failed.text);
    return answer_failure(reply, &i->failed);
}

void import_free(struct import *i)
{
    if (!i)
        return;
    vault_free(i->vault);
    EVP_MD_CTX_free(i->digest);
    buf_release(&i->text);
    free(i);
}
