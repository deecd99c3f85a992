/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* publish --wait - asks the agent what is left of the jobs until none is, or none moves by itself any more. */
#include "cmd_internal.h"

#include <inttypes.h>
#include <unistd.h>

enum {
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 250,
    ASKED_AT_ONCE = 2000 /* a request without paths is at most 64 KiB */
};

struct waiting {
    struct cmd *c;
    json_t *left;          /* ids */
    json_t *told;          /* ids of those whose trouble was told, as keys */
    const json_t *counted; /* ids of those that are spoken of */
    size_t total, stuck;
    int64_t from_mono_ms;
    int code;
};

/* A set of ids is an object with them as keys. */
static char *key_of(char *out, size_t size, int64_t id)
{
    snprintf(out, size, "%" PRId64, id);
    return out;
}
#define KEY_OF(id) key_of((char[24]){0}, 24, (id))

static void pause_ms(int64_t ms)
{
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

/* Once for each item: why it is not through. */
static void tell_trouble(struct waiting *w, const json_t *item)
{
    const char *reason = control_get_text(item, "reason"), *cause = control_get_text(item, "cause"),
               *fix = control_get_text(item, "fix");
    const char *id = KEY_OF(json_int(item, "id"));

    if (!reason[0] || json_object_get(w->told, id))
        return;
    json_object_set_new(w->told, id, json_true());
    AUTO(mem_freep) char *name = asset_name(w->c->profile, item);
    fprintf(stderr, "%s  %s: %s%s%s%s\n", SAFE(control_get_text(item, "state")), SHELL(name), SAFE(reason),
            cause[0] ? " (" : "", SAFE(cause), cause[0] ? ")" : "");
    if (fix[0])
        fprintf(stderr, "  fix   %s\n", SAFE(fix));
}

static bool is_stuck(const json_t *item)
{
    const char *state = control_get_text(item, "state");
    return str_eq(state, job_state_name(JOB_HELD)) || str_eq(state, job_state_name(JOB_FAILED));
}

/* Asks about some of the jobs; those still pending go to `left`. */
static bool ask_some(struct waiting *w, size_t from, json_t *left)
{
    json_t *some = json_array(), *item;
    size_t i;

    for (i = from; i < MIN(from + ASKED_AT_ONCE, json_array_size(w->left)); i++)
        json_array_append(some, json_array_get(w->left, i));
    AUTO(json_freep)
    json_t *answer = cmd_operate(w->c, json_pack("{s:s, s:o}", "verb", "pending", "jobs", some), &w->code);
    if (!answer)
        return false;
    json_array_foreach (json_object_get(answer, "pending"), i, item) {
        json_array_append(left, json_object_get(item, "id"));
        w->stuck += is_stuck(item);
        tell_trouble(w, item);
    }
    return true;
}

static bool ask_all(struct waiting *w)
{
    json_t *left = json_array();
    bool is_answered = true;

    w->stuck = 0;
    for (size_t from = 0; is_answered && from < json_array_size(w->left); from += ASKED_AT_ONCE)
        is_answered = ask_some(w, from, left);
    json_decref(w->left);
    w->left = left;
    return is_answered;
}

static void show_progress(const struct waiting *w, bool is_last)
{
    if (w->c->is_quiet || w->total == 1 || !isatty(STDERR_FILENO))
        return;
    if (is_last)
        fprintf(stderr, "\r%60s\r", "");
    else
        fprintf(stderr, "\r%s left  ", GROUPED((int64_t)json_array_size(w->left)));
}

/* --- how it ended -------------------------------------------------------------------------------------------------------- */

static json_t *receipt_of(struct waiting *w, const json_t *job)
{
    json_t *request = json_pack("{s:s, s:I, s:i}", "verb", "receipts", "job", json_integer_value(job), "limit", 1);
    AUTO(json_freep) json_t *answer = cmd_operate(w->c, request, &w->code);
    return json_incref(json_array_get(json_object_get(answer, "receipts"), 0));
}

static bool is_good(const json_t *receipt)
{
    static const enum outcome bad[] = {OUTCOME_REFUSED, OUTCOME_CANCELLED};
    const char *outcome = control_get_text(receipt, "outcome");

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (str_eq(outcome, outcome_name(bad[i])))
            return false;
    return outcome[0] != '\0';
}

static void say_one(struct waiting *w, const json_t *receipt)
{
    int64_t ready_ms = json_time(receipt, "ready_at"), done_ms = json_time(receipt, "confirmed_at");

    if (!w->c->is_quiet && !w->c->wants_json)
        printf("%s in %s, receipt %" PRId64 ".\n", SAFE(control_get_text(receipt, "outcome")), TOOK(done_ms - ready_ms),
               json_int(receipt, "id"));
}

static json_t *set_of(const json_t *ids)
{
    json_t *set = json_object(), *id;
    size_t i;

    json_array_foreach (ids, i, id)
        json_object_set_new(set, KEY_OF(json_integer_value(id)), json_true());
    return set;
}

/* By the newest receipt of each job that is done. The agent lists 10,000 at once; what lies beyond was no trouble either. */
static int64_t count_good(struct waiting *w)
{
    AUTO(json_freep)
    json_t *answer = cmd_operate(w->c, json_pack("{s:s, s:I}", "verb", "receipts", "since", (json_int_t)w->c->now_ms),
                                 &w->code);
    AUTO(json_freep) json_t *open = set_of(w->counted);
    int64_t good = 0;
    json_t *value;
    size_t i;

    json_array_foreach (w->left, i, value)
        json_object_del(open, KEY_OF(json_integer_value(value)));
    json_array_foreach (json_object_get(answer, "receipts"), i, value)
        if (json_object_del(open, KEY_OF(json_int(value, "job"))) == 0)
            good += is_good(value);
    return good + (int64_t)json_object_size(open);
}

static void finish_one(struct waiting *w, json_t *report)
{
    AUTO(json_freep) json_t *receipt = receipt_of(w, json_array_get(w->counted, 0));

    if (!receipt)
        return;
    json_object_set(report, "receipt", receipt);
    say_one(w, receipt);
    w->code = is_good(receipt) ? w->code : EX_DATAERR;
}

static void finish_many(struct waiting *w, json_t *report)
{
    int64_t took_ms = mono_ms(&real_clock) - w->from_mono_ms, good = count_good(w);

    json_object_set_new(report, "done", json_integer(good));
    if (!w->c->is_quiet && !w->c->wants_json)
        printf("%s of %s done in %s.\n", GROUPED(good), GROUPED((int64_t)w->total), TOOK(took_ms));
    w->code = w->code || good == (int64_t)w->total ? w->code : EX_DATAERR;
}

int wait_for_jobs(struct cmd *c, json_t *jobs, json_t *counted, json_t *report)
{
    AUTO(json_freep) json_t *told = json_object();
    struct waiting w = {
        .c = c,
        .left = json_incref(jobs),
        .told = told,
        .counted = counted,
        .total = json_array_size(counted),
        .from_mono_ms = mono_ms(&real_clock),
    };
    bool is_answered = true;
    int64_t ms = FIRST_PAUSE_MS;

    while (is_answered && json_array_size(w.left) > 0 && w.stuck < json_array_size(w.left)) {
        show_progress(&w, false);
        pause_ms(ms);
        ms = MIN(ms * 5 / 4, LONGEST_PAUSE_MS);
        is_answered = ask_all(&w);
    }
    show_progress(&w, true);
    if (!is_answered)
        cmd_hint(c, "what was queued stays queued");
    else if (w.total == 1 && json_array_size(w.left) == 0)
        finish_one(&w, report);
    else
        finish_many(&w, report);
    w.code = w.code || json_array_size(w.left) == 0 ? w.code : EX_DATAERR;
    json_decref(w.left);
    return w.code;
}
