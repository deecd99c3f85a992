/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* store_json - the store's changes as JSON lines: written before a change is made, read back when the store is opened. */
#include "store_internal.h"
#include <jansson.h>

static const char *const kind_names[NODE_KINDS] = {"folder", "asset", "other"};

static json_t *put_json(const struct store_put *put)
{
    json_t *property = json_object();
    for (size_t i = 0; i < put->properties; i++)
        json_object_set_new(property, put->property[i].name, json_string(put->property[i].value));
    return json_pack("{s:s, s:s, s:I, s:s, s:s*, s:o}", "path", put->path, "kind", kind_names[put->kind], "bytes",
                     (json_int_t)put->bytes, "sha256", put->sha256, "spooled",
                     put->spooled ? path_name(put->spooled) : NULL, "properties", property);
}

static int add_to_buf(const char *text, size_t len, void *out)
{
    return buf_add(out, text, len) ? 0 : -1;
}

bool store_log_line(struct buf *out, const struct store_change *change, int64_t arrived_ms, struct err *e)
{
    json_t *puts = json_array(), *removes = json_array();
    bool is_done = true;
    for (size_t i = 0; i < change->removes; i++)
        is_done = json_array_append_new(removes, json_string(change->remove[i])) == 0 && is_done;
    for (size_t i = 0; i < change->puts; i++)
        is_done = json_array_append_new(puts, put_json(&change->put[i])) == 0 && is_done;
    json_t *line = json_pack("{s:I, s:I, s:o, s:o}", "request", (json_int_t)change->request, "arrived_ms",
                             (json_int_t)arrived_ms, "remove", removes, "put", puts);
    is_done = is_done && line && json_dump_callback(line, add_to_buf, out, JSON_COMPACT) == 0 && buf_char(out, '\n');
    json_decref(line);
    return is_done || err_set(e, ERR_REFUSED, "a path or property is not UTF-8, or the change is too large to record");
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
        put->property[put->properties++] =
            (struct property){.name = str_copy(name), .value = str_copy(json_string_value(value))};
    }
    return put->kind < NODE_KINDS;
}

static bool parse_change(const json_t *line, const char *tmp, struct store_change *change, int64_t *arrived_ms)
{
    json_t *puts, *removes, *item;
    json_int_t request, arrived;
    size_t i;
    if (json_unpack((json_t *)line, "{s:I, s:I, s:o, s:o}", "request", &request, "arrived_ms", &arrived, "remove", &removes,
                    "put", &puts) != 0)
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
