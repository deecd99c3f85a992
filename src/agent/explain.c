/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* explain - why is this path published, or not yet, or not at all: the first word is the state, then one sentence (ux.md 2.2). */
#include "agent_internal.h"

#include <inttypes.h>

struct question {
    struct agent *a;
    const char *path;
    bool exists;
    struct seen seen; /* what the caller's lstat saw */
    struct plan plan;
    bool has_row;
    struct file_row row;
    const struct job *job;
    json_t *reply;
};

static void answer(struct question *q, const char *state, const char *fmt, ...) PRINTF(3, 4);
static void answer(struct question *q, const char *state, const char *fmt, ...)
{
    char sentence[1024];
    va_list args;

    va_start(args, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, args);
    va_end(args);
    json_object_set_new(q->reply, "state", json_string(state));
    json_object_set_new(q->reply, "sentence", show_text(sentence));
}

static void set_text(struct question *q, const char *key, const char *text)
{
    json_object_set_new(q->reply, key, text && text[0] ? show_text(text) : json_null());
}

static void set_reason(struct question *q, const struct err *why, int64_t until_ms)
{
    set_text(q, "reason", why->text);
    set_text(q, "cause", cause_info(why->cause)->name);
    set_text(q, "fix", cause_info(why->cause)->fix);
    json_object_set_new(q->reply, "until", show_time(until_ms));
}

/* Each looks at the question and says whether it has answered it; the first one that has ends it. */

static bool not_watched(struct question *q)
{
    if (q->plan.verdict != PLAN_NOT_WATCHED)
        return false;
    answer(q, "not-watched", "it lies in no watched folder; the profile watches %s%s",
           SHELL(q->a->profile->folder[0].path), q->a->profile->folders > 1 ? " and others" : "");
    return true;
}

static bool is_ignored(struct question *q)
{
    if (q->plan.verdict != PLAN_IGNORED)
        return false;
    answer(q, "ignored", "%s", q->plan.reason);
    set_text(q, "reason", q->plan.reason);
    if (q->plan.place.line > 0)
        json_object_set_new(q->reply, "rule",
                            json_pack("{s:s, s:i}", "file", q->a->profile->file, "line", q->plan.place.line));
    return true;
}

static bool is_halted(struct question *q)
{
    size_t i = (size_t)(q->plan.folder - q->a->profile->folder);

    if (!q->a->live || !q->a->live[i].is_halted || (q->has_row && q->row.state == FILE_PUBLISHED))
        return false;
    answer(q, "waiting", "its folder %s is halted: %s", q->a->profile->folder[i].to, QUOTED(q->a->live[i].why.text));
    set_reason(q, &q->a->live[i].why, 0);
    return true;
}

static bool is_settling(struct question *q)
{
    struct change_info info;
    int64_t now_ms = agent_now(q->a);

    if (!q->a->changes || !change_info(q->a->changes, q->path, &info))
        return false;
    if (info.is_open)
        answer(q, "being-written",
               "a program has it open for writing, or its closing was not seen; it is taken when it is closed, or once "
               "still for %s",
               SPAN(q->plan.folder->settle_unseen_ms));
    else
        answer(q, "settling", "last written %s ago; taken once still for %s (settle, %s:%d), in %s",
               SPAN(MAX(now_ms - info.last_event_ms, 0)), SPAN(q->plan.folder->settle_ms),
               path_name(q->a->profile->file), q->plan.folder->settle_place.line, SPAN(MAX(info.due_ms - now_ms, 0)));
    json_object_set_new(q->reply, "until", show_time(info.due_ms));
    return true;
}

static bool is_sending(struct question *q)
{
    if (!q->job || q->job->state != JOB_SENDING)
        return false;
    answer(q, "sending", "%s now%s",
           q->job->action == ACTION_UNPUBLISH ? "it is being removed from the portal" : "it is being sent",
           q->job->is_again ? "; it changed meanwhile and goes again after that" : "");
    return true;
}

static bool is_waiting(struct question *q)
{
    struct tenant *t = &q->a->tenant;

    if (!q->job || q->job->state == JOB_HELD || q->job->state == JOB_FAILED)
        return false;
    if (t->state != TENANT_OK) {
        answer(q, "waiting", "%s; the next try is %s", cause_info(t->why.cause)->what, RFC3339(t->until_ms));
        set_reason(q, &t->why, t->until_ms);
    } else if (q->job->state == JOB_WAITING) {
        answer(q, "waiting", "it was refused %d time%s: %s; next try %s", q->job->tries, q->job->tries == 1 ? "" : "s",
               QUOTED(q->job->why.text), RFC3339(q->job->due_ms));
        set_reason(q, &q->job->why, q->job->due_ms);
    } else {
        answer(q, "ready", "it goes with the next free uploader%s", q->a->loop ? "" : ", once the agent runs");
    }
    return true;
}

static bool is_collided(struct question *q)
{
    const char *other = collide_with(q->a, q->path);

    if (!other)
        return false;
    answer(q, "held", "\"%s\" and \"%s\" would both be \"%s\" on the portal; the second is there; rename this one",
           SAFE(path_name(q->path)), SAFE(path_name(other)), SAFE(path_name(q->plan.remote)));
    set_text(q, "cause", cause_info(CAUSE_ASSET_COLLISION)->name);
    set_text(q, "fix", cause_info(CAUSE_ASSET_COLLISION)->fix);
    return true;
}

static bool is_held(struct question *q)
{
    bool in_queue = q->job && q->job->state == JOB_HELD;

    if (!in_queue && q->plan.verdict != PLAN_HELD)
        return false;
    const char *reason = in_queue ? q->job->why.text : q->plan.reason;
    int cause = in_queue ? q->job->why.cause : q->plan.cause;
    answer(q, "held", "%s; %s", reason, cause_info(cause)->fix);
    set_text(q, "reason", reason);
    set_text(q, "cause", cause_info(cause)->name);
    set_text(q, "fix", cause_info(cause)->fix);
    return true;
}

static bool is_unpublished(struct question *q)
{
    if (!q->has_row || q->row.state != FILE_UNPUBLISHED)
        return false;
    answer(q, "unpublished", "by command; it stays away whatever happens to the file; back with brandsync publish %s",
           SHELL(q->path));
    set_text(q, "command", "brandsync publish PATH");
    return true;
}

struct last {
    int64_t confirmed_ms, ready_ms;
    char sha256[65];
};

static bool take_last(void *arg, const struct receipt *r)
{
    struct last *l = arg;

    if (r->outcome != OUTCOME_PUBLISHED)
        return true;
    *l = (struct last){.confirmed_ms = r->confirmed_ms, .ready_ms = r->ready_ms};
    memcpy(l->sha256, r->sha256, sizeof(l->sha256));
    return false;
}

static bool is_published(struct question *q)
{
    struct last last = {0};
    struct receipt_query query = {.id = q->row.receipt, .limit = 1};

    if (!q->has_row || q->row.state != FILE_PUBLISHED)
        return false;
    ledger_receipts_each(q->a->ledger, &query, take_last, &last);
    const char *disk = !q->exists ? "the file is gone here, the asset stays on the portal (on_delete: keep)"
                       : seen_is_same_content(&q->seen, &q->row.seen)
                           ? "identical to the file on disk"
                           : "the file on disk differs; it is looked at again at the next scan";
    answer(q, "published", "%s, %s after it was ready, %s, %s (sha256 %.8s...); receipt %" PRId64,
           RFC3339(last.confirmed_ms), SPAN(MAX(last.confirmed_ms - last.ready_ms, 0)),
           q->plan.folder->is_public ? "public as requested" : "not public", disk, q->row.sha256, q->row.receipt);
    json_object_set_new(q->reply, "receipt", json_integer(q->row.receipt));
    return true;
}

static bool is_missing(struct question *q)
{
    if (q->exists)
        return false;
    answer(q, "not-watched", "there is no such file, and none was ever published from here");
    return true;
}

static bool is_known(struct question *q)
{
    if (q->has_row && q->row.receipt == 0)
        answer(q, "ignored",
               "it was there before the folder was watched (existing: skip); send it with brandsync publish %s",
               SHELL(q->path));
    else
        answer(q, "waiting", "it has not been looked at yet; the scan of its folder comes to it");
    return true;
}

static bool (*const answers[])(struct question *q) = {
    not_watched, is_ignored, is_collided,  is_sending, is_settling, is_unpublished,
    is_waiting,  is_held,    is_published, is_halted,  is_missing,  is_known,
};

static void read_facts(struct question *q, json_t *request)
{
    json_t *file = json_object_get(request, "file");

    q->exists = json_is_object(file);
    q->seen = (struct seen){
        .bytes = json_integer_value(json_object_get(file, "bytes")),
        .mtime_ns = json_integer_value(json_object_get(file, "mtime_ns")),
        .ctime_ns = json_integer_value(json_object_get(file, "ctime_ns")),
        .ino = (uint64_t)json_integer_value(json_object_get(file, "ino")),
    };
}

static void explain_dir(struct question *q)
{
    struct file_counts files;

    ledger_count_files(q->a->ledger, q->path, &files);
    answer(q, "published", "%" PRId64 " of %" PRId64 " known assets in it are published", files.published, files.files);
}

void explain_fill(struct agent *a, json_t *request, json_t *reply)
{
    AUTO(mem_freep) char *path = control_get_path(request, "path");
    struct question q = {.a = a, .path = path, .reply = reply};

    if (!path) {
        control_fail(reply, 64, "explain needs a path");
        return;
    }
    read_facts(&q, request);
    control_set_path(reply, "path", path);
    plan_asset(a->profile, path, q.exists ? q.seen.bytes : -1, &q.plan);
    q.has_row = ledger_file_get(a->ledger, path, &q.row);
    q.job = q.plan.remote ? queue_find(a->queue, q.plan.remote) : NULL;
    if (q.job && !str_eq(q.job->path, path))
        q.job = NULL; /* of another file that has the name */
    if (q.plan.remote)
        control_set_path(reply, "remote", q.plan.remote);
    if (json_is_true(json_object_get(request, "is_dir")) && q.plan.verdict != PLAN_NOT_WATCHED)
        explain_dir(&q);
    else
        for (size_t i = 0; i < ARRAY_LEN(answers) && !answers[i](&q); i++)
            ;
    plan_release(&q.plan);
}
