/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * JSON for both ends: failures, frames, and names, which are bytes and not always UTF-8.
 */
#include "control_internal.h"

enum { ERROR_BYTES = 4096 };

void json_freep(json_t **value)
{
    json_decref(*value);
}

static int append(const char *data, size_t len, void *out)
{
    return buf_add(out, data, len) ? 0 : -1;
}

bool frame_write(struct buf *out, const json_t *object)
{
    return json_dump_callback(object, append, out, JSON_COMPACT) == 0 && buf_char(out, '\n');
}

void control_fail(json_t *reply, int exit_code, const char *fmt, ...)
{
    char text[ERROR_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_object_set_new(reply, "ok", json_false());
    json_object_set_new(reply, "exit", json_integer(exit_code));
    json_object_set_new(reply, "error", json_string(text_is_utf8(text, strlen(text)) ? text : QUOTED(text)));
}

/* --- names --------------------------------------------------------------------------------------------- */

/* Each byte that is not UTF-8 as \xHH. */
static json_t *escaped(const char *path)
{
    AUTO(buf_release) struct buf text = BUF_INIT(LIST_FRAME_MAX);
    size_t left = strlen(path);
    for (size_t bytes; left > 0; path += bytes, left -= bytes) {
        uint32_t code;
        bytes = text_utf8_next(path, left, &code);
        if (bytes > 0)
            buf_add(&text, path, bytes);
        else
            buf_printf(&text, "\\x%02x", (unsigned char)*path);
        bytes = MAX(bytes, 1);
    }
    return json_string(text.data);
}

void control_set_path(json_t *object, const char *key, const char *path)
{
    size_t len = strlen(path);
    if (text_is_utf8(path, len)) {
        json_object_set_new(object, key, json_string(path));
        return;
    }
    AUTO(buf_release) struct buf bytes = BUF_INIT(LIST_FRAME_MAX);
    AUTO(mem_freep) char *bytes_key = str_printf("%s_base64", key);
    text_base64(&bytes, path, len);
    json_object_set_new(object, key, escaped(path));
    json_object_set_new(object, bytes_key, json_string(bytes.data));
}

const char *control_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* The padded standard alphabet; NULL: it is not, or holds a NUL. */
static char *bytes_of(const char *base64)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(LIST_FRAME_MAX);
    AUTO(mem_freep) char *url = str_copy(base64);
    for (char *c = url; *c; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '=')
        len--;
    if (!text_unbase64url(&bytes, url, len) || strlen(bytes.data) != bytes.len)
        return NULL;
    return buf_take(&bytes);
}

char *control_get_path(const json_t *object, const char *key)
{
    AUTO(mem_freep) char *bytes_key = str_printf("%s_base64", key);
    const char *base64 = json_string_value(json_object_get(object, bytes_key));
    return base64 ? bytes_of(base64) : str_copy(json_string_value(json_object_get(object, key)));
}
