/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* show - one receipt and one queue item as JSON (product.md 5). */
#include "agent_internal.h"

json_t *show_time(int64_t ms)
{
    return ms > 0 ? json_string(RFC3339(ms)) : json_null();
}

/* The server's and the system's words: as they are, but for bytes that are not UTF-8, which JSON cannot hold. */
json_t *show_text(const char *text)
{
    return json_string(!text ? "" : text_is_utf8(text, strlen(text)) ? text : QUOTED(text));
}

static void set_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, show_text(text));
}

json_t *show_receipt(const struct receipt *r)
{
    json_t *o = json_object();
    const struct {
        const char *key;
        int64_t ms;
    } times[] = {
        {"seen_at", r->seen_ms}, {"settled_at", r->settled_ms},     {"ready_at", r->ready_ms},
        {"sent_at", r->sent_ms}, {"confirmed_at", r->confirmed_ms},
    };

    json_object_set_new(o, "id", json_integer(r->id));
    json_object_set_new(o, "job", json_integer(r->job_id));
    control_set_path(o, "path", r->path ? r->path : "");
    control_set_path(o, "remote", r->remote ? r->remote : "");
    set_text(o, "action", job_action_name(r->action));
    set_text(o, "outcome", outcome_name(r->outcome));
    json_object_set_new(o, "bytes", json_integer(r->bytes));
    json_object_set_new(o, "sha256", r->sha256[0] ? json_string(r->sha256) : json_null());
    json_object_set_new(o, "uploader", json_integer(r->uploader));
    json_object_set_new(o, "tries", json_integer(r->tries));
    set_text(o, "asked_by", r->asked_by);
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        json_object_set_new(o, times[i].key, show_time(times[i].ms));
    json_object_set_new(o, "package", r->package ? json_integer(r->package) : json_null());
    json_object_set_new(o, "proof", r->proof && r->proof[0] ? json_string(r->proof) : json_null());
    json_t *server = json_object();
    json_object_set_new(server, "status", r->status ? json_integer(r->status) : json_null());
    set_text(server, "message", r->message);
    json_object_set_new(o, "server", server);
    return o;
}

json_t *show_item(const struct job *job)
{
    json_t *o = json_object();
    const struct cause_info *cause = cause_info(job->why.cause);

    json_object_set_new(o, "id", json_integer(job->id));
    control_set_path(o, "path", job->path);
    control_set_path(o, "remote", job->remote);
    set_text(o, "action", job_action_name(job->action));
    set_text(o, "state", job_state_name(job->state));
    set_text(o, "reason", job->why.kind == ERR_NONE ? "" : job->why.text);
    json_object_set_new(o, "cause", cause->name[0] ? json_string(cause->name) : json_null());
    json_object_set_new(o, "fix", cause->fix[0] ? json_string(cause->fix) : json_null());
    json_object_set_new(o, "tries", json_integer(job->tries));
    json_object_set_new(o, "due", show_time(job->due_ms));
    return o;
}
