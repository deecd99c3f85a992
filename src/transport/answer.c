/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* answer - the classes of answers to a publish request, as one table (protocol.md 4.5 and 11). */
#include "transport_internal.h"

#include <jansson.h>

static const char imported[] = "package imported successfully";

/* --- the words --------------------------------------------------------------------------------------------------- */

/* One line of plain text: control characters become blanks, a character cut in two goes. */
static void set_message(struct words *w, const char *text, size_t len)
{
    size_t used = 0;
    while (len > 0 && used < sizeof(w->message) - 1) {
        uint32_t code = 0;
        size_t bytes = text_utf8_next(text, len, &code);
        if (bytes > sizeof(w->message) - 1 - used)
            break;
        bool is_shown = bytes > 0 && code >= ' ' && (code < 0x7f || code > 0x9f);
        if (is_shown)
            memcpy(w->message + used, text, bytes);
        else
            w->message[used] = ' ';
        used += is_shown ? bytes : 1;
        text += MAX(bytes, 1);
        len -= MAX(bytes, 1);
    }
    while (used > 0 && w->message[used - 1] == ' ')
        used--;
    w->message[used] = '\0';
}

static void read_object(struct words *w, json_t *object)
{
    json_t *message = json_object_get(object, "message");
    if (json_is_string(message))
        set_message(w, json_string_value(message), json_string_length(message));
    w->is_imported = json_is_string(message) && str_eq(json_string_value(message), imported);
    w->is_digest = json_is_string(json_object_get(object, "expected")) &&
                   json_is_string(json_object_get(object, "received"));
}

void words_read(struct words *w, const struct http_reply *reply)
{
    *w = (struct words){0};
    json_t *object = reply->body.len ? json_loadb(reply->body.data, reply->body.len, 0, NULL) : NULL;
    if (json_is_object(object))
        read_object(w, object);
    else if (str_starts(reply->content_type, "text/plain"))
        set_message(w, reply->body.data ? reply->body.data : "", reply->body.len);
    json_decref(object);
}

/* --- the verdict ----------------------------------------------------------------------------------- */

struct row {
    int from, to;
    enum err_kind kind;
    enum cause cause;
};
/* The first row that holds the status decides. */
static const struct row rows[] = {
    {300, 399, ERR_REFUSED, CAUSE_TENANT_NOT_IMPORTER}, /* never followed: the token stays here */
    {401, 401, ERR_AUTH, CAUSE_AUTH_REFUSED},
    {403, 403, ERR_REFUSED, CAUSE_AUTH_RIGHTS},
    {404, 404, ERR_TENANT, CAUSE_TENANT_PATH},
    {407, 408, ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
    {413, 413, ERR_REFUSED, CAUSE_ASSET_TOO_LARGE},
    {425, 425, ERR_TENANT, CAUSE_TENANT_BUSY},
    {429, 429, ERR_TENANT, CAUSE_TENANT_BUSY},
    {400, 499, ERR_REFUSED, CAUSE_ASSET_REFUSED},
    {502, 502, ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
    {503, 503, ERR_TENANT, CAUSE_TENANT_BUSY},
    {504, 504, ERR_TENANT, CAUSE_TENANT_UNREACHABLE},
    {511, 511, ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER},
    {500, 599, ERR_RETRY, CAUSE_TENANT_ERROR},
    {0, 999, ERR_TENANT, CAUSE_TENANT_NOT_IMPORTER}, /* another 2xx, or a 200 that is not the importer's */
};

static const struct row *row_of(int status)
{
    const struct row *row = rows;
    while (status < row->from || status > row->to)
        row++;
    return row;
}

bool answer_judge(const struct http_reply *reply, const struct words *w, struct err *e)
{
    static const struct row changed = {.kind = ERR_CHANGED, .cause = CAUSE_FILE_CHANGED};
    if (reply->status == 200 && w->is_imported)
        return true;
    const struct row *row = reply->status == 400 && w->is_digest ? &changed : row_of(reply->status);
    err_set(e, row->kind, w->message[0] ? "%d \"%s\"" : "%d", reply->status, w->message);
    e->retry_after_ms = reply->retry_after_ms;
    return err_cause(e, row->cause);
}
