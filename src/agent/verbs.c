/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* verbs - what the control socket answers, one function each (agent.h lists requests and replies). */
#include "agent_internal.h"

#include <inttypes.h>

enum { RECEIPTS_MAX = 10000 };

static void run_status(void *agent, const struct control_peer *peer UNUSED, json_t *request UNUSED, json_t *reply)
{
    status_fill(agent, reply);
}

static void run_explain(void *agent, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    explain_fill(agent, request, reply);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

static bool append_receipt(void *list, const struct receipt *r)
{
    json_array_append_new(list, show_receipt(r));
    return true;
}

static void run_receipts(void *agent, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    struct agent *a = agent;
    json_t *list = json_array();
    AUTO(mem_freep) char *path = control_get_path(request, "path");
    int64_t limit = json_integer_value(json_object_get(request, "limit"));
    struct receipt_query query = {
        .id = json_integer_value(json_object_get(request, "id")),
        .path = path,
        .since_ms = json_integer_value(json_object_get(request, "since")),
        .job_from = json_integer_value(json_object_get(request, "job")),
        .limit = limit > 0 && limit < RECEIPTS_MAX ? (size_t)limit : RECEIPTS_MAX,
    };

    ledger_receipts_each(a->ledger, &query, append_receipt, list);
    json_object_set_new(reply, "receipts", list);
}

struct item_filter {
    const char *state;
    json_t *list;
};

static bool append_item(void *arg, const struct job *job)
{
    struct item_filter *f = arg;
    if (f->state[0] == '\0' || str_eq(f->state, job_state_name(job->state)))
        json_array_append_new(f->list, show_item(job));
    return true;
}

static void run_queue(void *agent, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    struct agent *a = agent;
    struct item_filter filter = {.state = control_get_text(request, "state"), .list = json_array()};

    queue_each(a->queue, append_item, &filter);
    json_object_set_new(reply, "items", filter.list);
}

struct pending {
    json_t *wanted; /* ids as keys */
    json_t *list;
};

static bool append_pending(void *arg, const struct job *job)
{
    struct pending *p = arg;
    char id[24];

    snprintf(id, sizeof(id), "%" PRId64, job->id);
    if (json_object_get(p->wanted, id))
        json_array_append_new(p->list, show_item(job));
    return true;
}

static void run_pending(void *agent, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    struct agent *a = agent;
    struct pending p = {.wanted = json_object(), .list = json_array()};
    size_t i;
    json_t *id;

    json_array_foreach (json_object_get(request, "jobs"), i, id) {
        char key[24];
        snprintf(key, sizeof(key), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
        json_object_set_new(p.wanted, key, json_true());
    }
    queue_each(a->queue, append_pending, &p);
    json_decref(p.wanted);
    json_object_set_new(reply, "pending", p.list);
}

/* --- publish and unpublish ------------------------------------------------------------------------------------------ */

static void skip(json_t *skipped, const char *path, const char *state, const char *reason)
{
    json_t *o = json_object();
    control_set_path(o, "path", path);
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "reason", json_string(reason));
    json_array_append_new(skipped, o);
}

/* The answer "queued" is a promise: the jobs are on the disk before it is given. */
static void answer_queued(struct agent *a, json_t *jobs, json_t *skipped, json_t *reply)
{
    struct err e;

    json_object_set_new(reply, "queued", json_integer((json_int_t)json_array_size(jobs)));
    json_object_set_new(reply, "jobs", jobs);
    json_object_set_new(reply, "skipped", skipped);
    if (!health_commit_durable(a, &e))
        control_fail(reply, 74, "%s; the command was not recorded", e.text);
}

static void publish_one(struct agent *a, const struct control_peer *peer, json_t *item, json_t *jobs, json_t *skipped)
{
    static const char *const states[] = {
        [PLAN_IGNORED] = "ignored", [PLAN_HELD] = "held", [PLAN_NOT_WATCHED] = "not-watched"};
    struct decision d;
    AUTO(mem_freep) char *path = control_get_path(item, "path");

    if (!path)
        return;
    json_t *bytes = json_object_get(item, "bytes");
    if (json_is_true(json_object_get(item, "is_dir")))
        decide_publish_dir(a, path, peer->user, &d);
    else
        decide_publish(a, path, json_is_integer(bytes) ? json_integer_value(bytes) : -1, peer->user, &d);
    if (d.kind == DECIDED_QUEUED)
        json_array_append_new(jobs, json_integer(d.job));
    else
        skip(skipped, path, states[d.why.verdict],
             d.why.verdict == PLAN_NOT_WATCHED ? "it lies in no watched folder" : d.why.reason);
    decision_release(&d);
}

static void run_publish(void *agent, const struct control_peer *peer, json_t *request, json_t *reply)
{
    struct agent *a = agent;
    json_t *jobs = json_array(), *skipped = json_array(), *item;
    size_t i;

    json_array_foreach (json_object_get(request, "paths"), i, item)
        publish_one(a, peer, item, jobs, skipped);
    log_info("asked", "verb=publish by=%s jobs=%zu", QUOTED(peer->user), json_array_size(jobs));
    answer_queued(a, jobs, skipped, reply);
}

/* What an unpublish of this path takes away: itself, or all that is published below it. */
static bool append_published(void *list, const char *path, const struct file_row *row)
{
    if (decide_may_unpublish(row))
        strlist_add(list, path);
    return true;
}

struct below {
    struct agent *agent;
    const char *path;
    struct strlist *out;
};

/* What has no row yet is found by its job. */
static bool append_on_its_way(void *arg, const struct job *job)
{
    const struct below *b = arg;
    struct file_row row;
    bool is_meant = job->action == ACTION_PUBLISH && job->state != JOB_HELD &&
                    path_is_same_or_below(job->path, b->path);

    if (is_meant && !ledger_file_get(b->agent->ledger, job->path, &row))
        strlist_add(b->out, job->path);
    return true;
}

static void collect_published(struct agent *a, json_t *request, struct strlist *out, json_t *skipped)
{
    json_t *item;
    size_t i;

    json_array_foreach (json_object_get(request, "paths"), i, item) {
        AUTO(mem_freep) char *path = control_get_path(item, "path");
        size_t before = out->count;
        if (!path)
            continue;
        struct below below = {.agent = a, .path = path, .out = out};
        ledger_files_each(a->ledger, path, append_published, out);
        queue_each(a->queue, append_on_its_way, &below);
        if (out->count == before)
            skip(skipped, path, "unpublished", "nothing published from there");
    }
}

static void run_unpublish(void *agent, const struct control_peer *peer, json_t *request, json_t *reply)
{
    struct agent *a = agent;
    json_t *jobs = json_array(), *skipped = json_array();
    AUTO(strlist_release) struct strlist paths = {0};

    collect_published(a, request, &paths, skipped);
    if (paths.count > 1 && !json_is_true(json_object_get(request, "yes"))) {
        json_object_set_new(reply, "needs_yes", json_true());
        json_object_set_new(reply, "count", json_integer((json_int_t)paths.count));
        json_decref(jobs);
        json_decref(skipped);
        return;
    }
    for (size_t i = 0; i < paths.count; i++) {
        int64_t id;
        if (decide_unpublish(a, paths.item[i], peer->user, &id))
            json_array_append_new(jobs, json_integer(id));
    }
    log_info("asked", "verb=unpublish by=%s jobs=%zu", QUOTED(peer->user), json_array_size(jobs));
    answer_queued(a, jobs, skipped, reply);
}

/* --- the rest ------------------------------------------------------------------------------------------------------------ */

static void run_scan(void *agent, const struct control_peer *peer UNUSED, json_t *request UNUSED, json_t *reply)
{
    struct agent *a = agent;

    for (size_t i = 0; i < a->profile->folders; i++)
        observe_scan_soon(a, (int)i, 0);
    json_object_set_new(reply, "folders", json_integer((json_int_t)a->profile->folders));
}

static void run_reload(void *agent, const struct control_peer *peer UNUSED, json_t *request UNUSED, json_t *reply)
{
    agent_reload(agent, reply);
}

static void run_wake(void *agent, const struct control_peer *peer UNUSED, json_t *request UNUSED, json_t *reply UNUSED)
{
    struct agent *a = agent;

    tenant_wake(&a->tenant, agent_now(a));
    queue_wake(a->queue, agent_now(a));
}

const struct control_verb agent_verbs[] = {
    {"status", false, run_status},
    {"explain", false, run_explain},
    {"receipts", false, run_receipts},
    {"queue", false, run_queue},
    {"pending", false, run_pending},
    {"publish", true, run_publish},
    {"unpublish", true, run_unpublish},
    {"scan", true, run_scan},
    {"reload", true, run_reload},
    {"wake", true, run_wake},
    {NULL, false, NULL},
};

/* --- the same answers without an agent ------------------------------------------------------------------------------------- */

static void load_offline_job(void *queue, struct job *job)
{
    queue_add(queue, job, NULL);
}

static const struct control_verb *find_reading_verb(const char *name)
{
    for (const struct control_verb *v = agent_verbs; v->name; v++)
        if (!v->is_operator && str_eq(v->name, name))
            return v;
    return NULL;
}

bool agent_answer_offline(const struct profile *profile, const struct clock *clock, json_t *request, json_t *reply,
                          struct err *e)
{
    struct agent a = {.ports = {.clock = clock}, .profile = (struct profile *)profile};
    struct queue_opts opts = {
        .uploaders = profile->uploaders, .package_assets = profile->tenant.package_assets, .seed = 1};
    const struct control_verb *verb = find_reading_verb(control_get_text(request, "verb"));
    const struct control_peer nobody = {0};

    if (!verb)
        return err_set(e, ERR_TENANT, "the agent is not running");
    a.ledger = ledger_open_reading(profile->state, e);
    if (!a.ledger)
        return false;
    a.queue = queue_new(&opts);
    bool is_loaded = ledger_jobs_load(a.ledger, load_offline_job, a.queue, e);
    if (is_loaded) {
        json_object_set_new(reply, "ok", json_true());
        verb->run(&a, &nobody, request, reply);
    }
    queue_free(a.queue);
    ledger_close(a.ledger);
    return is_loaded;
}
