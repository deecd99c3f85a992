/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* agent - open, run, reload, close. house_open is the map of the house: what it opens, house_close undoes in reverse. */
#include "agent_internal.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { EVENTS_MAX = 16384, RESULTS_MAX = 64, FILES_MAX = 8192, GRACE_MS = 2000, DEADLINE_MS = 8000 };

/* --- the rooms, in the order in which they need each other ---------------------------------------------------- */

static void load_job(void *arg, struct job *job)
{
    struct agent *a = arg;
    const struct profile_folder *f = job->path[0] ? profile_folder_of(a->profile, job->path) : NULL;

    /* Folders may have been taken out of the profile, or stand in another order. */
    job->folder = f ? (int)(f - a->profile->folder) : -1;
    bool is_orphan = job->path[0] && !f && job->action != ACTION_UNPUBLISH;
    if (is_orphan)
        job_free(job);
    else
        queue_add(a->queue, job, NULL);
}

static bool open_ledger(struct agent *a, struct err *e)
{
    const struct profile_tenant *t = &a->profile->tenant;
    struct ledger_binding binding = {
        .tenant_url = t->url, .root = t->root, .transport = transport_kind_name(t->transport)};
    struct queue_opts opts = {
        .uploaders = a->profile->uploaders,
        .retry_first_ms = a->profile->retry.first_ms,
        .retry_max_ms = a->profile->retry.max_ms,
        .package_assets = t->package_assets,
        .seed = random_next(&a->random),
    };

    a->ledger = ledger_open(a->profile->state, &binding, e);
    if (!a->ledger)
        return false;
    a->changes = change_table_new();
    a->queue = queue_new(&opts);
    return ledger_jobs_load(a->ledger, load_job, a, e);
}

static bool open_uploaders(struct agent *a, struct err *e)
{
    a->results = mailbox_new(RESULTS_MAX, e);
    if (!a->results || !loop_mailbox_add(a->loop, a->results, dispatch_result, a, e))
        return false;
    a->tokens = token_source_new(&a->profile->identity, a->ports.http, a->ports.clock, random_next(&a->random));
    struct upload_opts opts = {
        .profile = a->profile,
        .fs = a->ports.fs,
        .http = a->ports.http,
        .clock = a->ports.clock,
        .tokens = a->tokens,
        .results = a->results,
    };
    a->uploaders = uploaders_start(&opts, a->profile->uploaders, e);
    return a->uploaders != NULL;
}

static bool is_ignored(void *profile, int folder, const char *path, bool is_dir)
{
    const struct profile *p = profile;
    struct plan why = {0};
    bool ignored = plan_is_ignored(p, &p->folder[folder], path, is_dir, &why);
    plan_release(&why);
    return ignored;
}

static bool open_watch(struct agent *a, struct err *e)
{
    const struct profile *p = a->profile;
    AUTO(mem_freep) struct watch_folder *folder = mem_array(p->folders, sizeof(*folder));

    a->events = mailbox_new(EVENTS_MAX, e);
    if (!a->events || !loop_mailbox_add(a->loop, a->events, observe_event, a, e))
        return false;
    a->live = mem_array(p->folders, sizeof(*a->live));
    for (size_t i = 0; i < p->folders; i++) {
        bool is_finished = false;
        folder[i] = (struct watch_folder){
            .path = p->folder[i].path,
            .is_polled = p->folder[i].watch == WATCH_POLL,
            .poll_every_ms = p->folder[i].poll_every_ms,
        };
        a->live[i] = (struct folder_live){
            .scan = 1, .is_first = !ledger_folder_is_begun(a->ledger, p->folder[i].path, &is_finished) || !is_finished};
    }
    struct watch_opts opts = {
        .folder = folder, .folders = p->folders, .out = a->events, .is_ignored = is_ignored, .arg = a->profile};
    a->watch = watch_start(&opts, e);
    return a->watch != NULL;
}

static bool house_open(struct agent *a, struct err *e)
{
    if (!open_ledger(a, e) || !open_watch(a, e) || !open_uploaders(a, e))
        return false;
    a->disk = (struct err){0};
    a->tenant = (struct tenant){.since_ms = agent_now(a)};
    decide_folders(a);
    health_tick(a);
    return true;
}

static void forget_folders(struct agent *a)
{
    char *key;
    for (size_t at = 0; (key = map_next(&a->known_folders, &at));)
        free(key);
    map_release(&a->known_folders);
    a->known_folders = (struct map){0};
}

static void free_event(void *event)
{
    event_free(event);
}

static void free_result(void *result)
{
    result_free(result);
}

static void house_close(struct agent *a)
{
    struct loop_timer *timers[] = {&a->settle_timer, &a->send_timer, &a->commit_timer, &a->health_timer,
                                   &a->scan_timer};

    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        loop_timer_stop(a->loop, timers[i]);
    struct mailbox *boxes[] = {a->events, a->results};
    for (size_t i = 0; i < ARRAY_LEN(boxes); i++)
        if (boxes[i]) {
            loop_fd_remove(a->loop, mailbox_fd(boxes[i]));
            mailbox_close(boxes[i]);
        }
    watch_stop(take(&a->watch));
    uploaders_free(take(&a->uploaders));
    token_source_free(take(&a->tokens));
    if (a->events)
        mailbox_free(take(&a->events), free_event);
    if (a->results)
        mailbox_free(take(&a->results), free_result);
    queue_free(take(&a->queue));
    change_table_free(take(&a->changes));
    ledger_close(take(&a->ledger));
    forget_folders(a);
    collide_release(a);
    a->looks = 0;
    free(take(&a->live));
}

/* --- stop and reload: what is being sent ends first, within limits --------------------------------------------------- */

bool agent_is_resting(const struct agent *a)
{
    for (int i = 1; i <= uploaders_count(a->uploaders); i++)
        if (!uploader_is_free(a->uploaders, i))
            return false;
    return true;
}

static void give_up(void *agent)
{
    struct agent *a = agent;

    log_warning("stop", "why=%s", QUOTED("an uploader did not end in time; its work is sent again at the next start"));
    loop_stop(a->loop);
}

static void grace_over(void *agent)
{
    struct agent *a = agent;

    uploaders_cancel(a->uploaders);
    a->stop_timer.handler = give_up;
    loop_timer_set(a->loop, &a->stop_timer, DEADLINE_MS - GRACE_MS);
}

/* Asked for twice, as by two reloads in a row, the time begins anew. */
static void let_rest(struct agent *a)
{
    loop_timer_stop(a->loop, &a->stop_timer);
    a->stop_timer = (struct loop_timer){.handler = grace_over, .arg = a};
    loop_timer_set(a->loop, &a->stop_timer, GRACE_MS);
}

static void agent_stop(struct agent *a)
{
    if (a->is_stopping)
        return;
    a->is_stopping = true;
    service_stopping();
    let_rest(a);
}

void agent_rebuild(struct agent *a)
{
    a->is_reloading = true;
    let_rest(a);
}

/* After sysexits, for an error that ends a program. */
static int exit_code_of(const struct err *e)
{
    if (e->cause == CAUSE_AGENT_SECOND)
        return 75;
    if (e->kind == ERR_CONFIG)
        return 78;
    return e->kind == ERR_LOCAL ? 74 : 71;
}

void agent_rest(struct agent *a)
{
    struct err e;

    loop_timer_stop(a->loop, &a->stop_timer);
    if (a->is_stopping) {
        loop_stop(a->loop);
        return;
    }
    a->is_reloading = false;
    bool was_full = a->disk.kind != ERR_NONE;
    house_close(a);
    if (a->next_profile) {
        profile_free(a->profile);
        a->profile = take(&a->next_profile);
    }
    if (house_open(a, &e)) {
        log_info(was_full ? "ledger-back" : "reloaded", "profile=%s", QUOTED(a->profile_file));
        service_ready(a->status);
        return;
    }
    log_error("reopen", "why=%s", QUOTED(e.text));
    a->exit_code = exit_code_of(&e);
    loop_stop(a->loop);
}

/* What a running agent cannot change under its own feet. */
static const char *needs_restart(const struct profile *old, const struct profile *new)
{
    if (!str_eq(old->state, new->state))
        return "state";
    if (!str_eq(old->tenant.url, new->tenant.url))
        return "tenant.url";
    if (!str_eq(old->tenant.root, new->tenant.root))
        return "tenant.root";
    return old->tenant.transport != new->tenant.transport ? "tenant.transport" : NULL;
}

static void refuse_reload(struct agent *a, json_t *reply, const char *why, const char *details)
{
    log_error("reload", "kept=%s why=%s", RFC3339(a->profile_ms), QUOTED(why));
    service_ready(a->status);
    if (!reply)
        return;
    control_fail(reply, 78, "%s; the agent keeps its profile of %s", why, RFC3339(a->profile_ms));
    if (details)
        json_object_set_new(reply, "problems", json_string(details));
}

void agent_reload(struct agent *a, json_t *reply)
{
    AUTO(problems_release) struct problems problems = {0};

    service_reloading();
    AUTO(profile_freep) struct profile *next = profile_load(a->profile_file, true, &problems);
    if (!next) {
        AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
        problems_print(&problems, &text);
        refuse_reload(a, reply, "the profile has errors", text.data);
        return;
    }
    const char *fixed = needs_restart(a->profile, next);
    if (fixed) {
        AUTO(mem_freep) char *why = str_printf("a changed %s needs a restart and a state of its own", fixed);
        refuse_reload(a, reply, why, NULL);
        return;
    }
    profile_free(take(&a->next_profile));
    a->next_profile = take(&next);
    a->profile_ms = agent_now(a);
    agent_rebuild(a);
    if (reply)
        json_object_set_new(reply, "message",
                            json_string("the new profile is in use once what is being sent now has ended"));
}

/* --- run --------------------------------------------------------------------------------------------------------------- */

static void on_signal(void *agent, int signal)
{
    if (signal == SIGHUP)
        agent_reload(agent, NULL);
    else if (signal == SIGTERM || signal == SIGINT)
        agent_stop(agent);
}

/* Two packages of 200 open files for each uploader; secrets stay out of core files and away from ptrace. */
static void prepare_process(const struct profile *p)
{
    struct rlimit files;

    prctl(PR_SET_DUMPABLE, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MAX) {
        files.rlim_cur = MIN(files.rlim_max, FILES_MAX);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (p->timezone && p->timezone[0])
        setenv("TZ", p->timezone, 1);
    tzset();
}

static struct profile *load_profile(const char *name_or_file)
{
    AUTO(problems_release) struct problems problems = {0};
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    struct err e;

    AUTO(mem_freep) char *file = profile_find(name_or_file, &e);
    if (!file) {
        fprintf(stderr, "brandsyncd: %s\n", e.text);
        return NULL;
    }
    struct profile *p = profile_load(file, true, &problems);
    problems_print(&problems, &text);
    if (text.len > 0)
        fprintf(stderr, "%s", text.data);
    return p;
}

static void settle_due(void *agent)
{
    observe_settle(agent);
}

static void send_due(void *agent)
{
    dispatch_send(agent);
}

bool agent_open(struct agent *a, const struct agent_ports *ports, struct profile *profile, struct err *e)
{
    *a = (struct agent){.ports = *ports, .profile = profile, .profile_file = str_copy(profile->file)};
    random_seed(&a->random, ports->seed);
    a->started_ms = a->profile_ms = agent_now(a);
    a->settle_timer = (struct loop_timer){.handler = settle_due, .arg = a};
    a->send_timer = (struct loop_timer){.handler = send_due, .arg = a};
    a->commit_timer = (struct loop_timer){.handler = health_commit, .arg = a};
    a->health_timer = (struct loop_timer){.handler = health_tick, .arg = a};
    a->scan_timer = (struct loop_timer){.handler = observe_scan, .arg = a};
    a->loop = loop_new(e);
    if (!a->loop || !loop_on_signal(a->loop, on_signal, a, e))
        return false;
    loop_on_idle(a->loop, health_idle, a);
    if (!house_open(a, e))
        return false;
    AUTO(mem_freep) char *socket = control_socket_path(a->profile->name, a->profile->state);
    a->control = control_open(a->loop, socket, agent_verbs, a, e);
    return a->control != NULL;
}

void agent_close(struct agent *a)
{
    if (a->control)
        control_close(take(&a->control));
    if (a->loop)
        house_close(a);
    loop_free(take(&a->loop));
    profile_free(take(&a->next_profile));
    profile_free(take(&a->profile));
    free(take(&a->profile_file));
}

int agent_run(const char *profile_name_or_file, const struct agent_ports *ports)
{
    struct agent a;
    struct err e = {0};

    struct profile *profile = load_profile(profile_name_or_file);
    if (!profile)
        return 78;
    prepare_process(profile);
    if (agent_open(&a, ports, profile, &e)) {
        log_info("started", "version=%s profile=%s tenant=%s", BRANDSYNC_VERSION, QUOTED(a.profile_file),
                 QUOTED(a.profile->tenant.url));
        service_ready(a.status);
        loop_run(a.loop);
        log_info("stopped", "code=%d", a.exit_code);
    } else {
        log_error("start", "why=%s", QUOTED(e.text));
        a.exit_code = exit_code_of(&e);
    }
    agent_close(&a);
    return a.exit_code;
}
