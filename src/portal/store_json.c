/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* store_json - the store's changes as JSON lines: written before a change is made, read back when it is opened. */
#include "store_internal.h"
#include <inttypes.h>
#include <jansson.h>

static const char *const kind_names[NODE_KINDS] = {"folder", "asset", "other"};

/* Written by hand: jansson's trees cost more than the rest of a change. */
static void add_text(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (const char *c = text; *c;) {
        size_t plain = 0;
        while ((uint8_t)c[plain] >= ' ' && c[plain] != '"' && c[plain] != '\\')
            plain++;
        buf_add(out, c, plain);
        c += plain;
        if (*c)
            buf_printf(out, "\\u%04x", *c++);
    }
    buf_char(out, '"');
}

static void add_member(struct buf *out, const char *name, const char *value)
{
    if (out->data[out->len - 1] != '{')
        buf_char(out, ',');
    add_text(out, name);
    buf_char(out, ':');
    add_text(out, value);
}

static void add_put(struct buf *out, const struct store_put *put)
{
    buf_printf(out, "{\"bytes\":%" PRId64, put->bytes);
    add_member(out, "path", put->path);
    add_member(out, "kind", kind_names[put->kind]);
    add_member(out, "sha256", put->sha256);
    if (put->spooled)
        add_member(out, "spooled", path_name(put->spooled));
    buf_str(out, ",\"properties\":{");
    for (size_t i = 0; i < put->properties; i++)
        add_member(out, put->property[i].name, put->property[i].value);
    buf_str(out, "}}");
}

bool store_log_line(struct buf *out, const struct store_change *change, int64_t arrived_ms, struct err *e)
{
    size_t start = out->len;
    buf_printf(out, "{\"request\":%" PRId64 ",\"arrived_ms\":%" PRId64 ",\"remove\":[", change->request, arrived_ms);
    for (size_t i = 0; i < change->removes; i++) {
        buf_str(out, i > 0 ? "," : "");
        add_text(out, change->remove[i]);
    }
    buf_str(out, "],\"put\":[");
    for (size_t i = 0; i < change->puts; i++) {
        buf_str(out, i > 0 ? "," : "");
        add_put(out, &change->put[i]);
    }
    buf_str(out, "]}\n");
    return (!out->is_over && text_is_utf8(out->data + start, out->len - start)) ||
           err_set(e, ERR_REFUSED, "a path or property is not UTF-8, or the change is too large to record");
}

static bool parse_put(const json_t *from, const char *tmp, struct store_put *put)
{
    const char *path, *kind, *sha256, *spooled = NULL, *name;
    json_int_t bytes;
    json_t *properties, *value;
    if (json_unpack((json_t *)from, "{s:s, s:s, s:I, s:s, s?s, s:o}", "path", &path, "kind", &kind, "bytes", &bytes,
                    "sha256", &sha256, "spooled", &spooled, "properties", &properties) != 0 ||
        strlen(sha256) >= sizeof put->sha256)
        return false;
    while (put->kind < NODE_KINDS && !str_eq(kind_names[put->kind], kind))
        put->kind++;
    put->path = str_copy(path);
    put->spooled = spooled ? path_join(tmp, path_name(spooled)) : NULL;
    put->bytes = bytes;
    memcpy(put->sha256, sha256, strlen(sha256));
    put->property = mem_array(json_object_size(properties), sizeof *put->property);
    json_object_foreach (properties, name, value) {
        if (!json_is_string(value))
            return false;
        put->property[put->properties++] = (struct property){.name = str_copy(name),
                                                             .value = str_copy(json_string_value(value))};
    }
    return put->kind < NODE_KINDS;
}

static bool parse_change(const json_t *line, const char *tmp, struct store_change *change, int64_t *arrived_ms)
{
    json_t *puts, *removes, *item;
    json_int_t request, arrived;
    size_t i;
    if (json_unpack((json_t *)line, "{s:I, s:I, s:o, s:o}", "request", &request, "arrived_ms", &arrived, "remove",
                    &removes, "put", &puts) != 0)
        return false;
    change->request = request;
    *arrived_ms = arrived;
    change->put = mem_array(json_array_size(puts), sizeof *change->put);
    change->remove = mem_array(json_array_size(removes), sizeof *change->remove);
    json_array_foreach (removes, i, item) {
        if (!json_is_string(item))
            return false;
        change->remove[change->removes++] = str_copy(json_string_value(item));
    }
    json_array_foreach (puts, i, item) {
        if (!parse_put(item, tmp, &change->put[change->puts++]))
            return false;
    }
    return true;
}

bool store_log_parse(const char *line, size_t len, const char *tmp, struct store_change *change, int64_t *arrived_ms,
                     struct err *e)
{
    json_error_t why;
    json_t *json = json_loadb(line, len, 0, &why);
    bool is_done = json && parse_change(json, tmp, change, arrived_ms);
    json_decref(json);
    return is_done || err_set(e, ERR_LOCAL, "no record of a change");
}
