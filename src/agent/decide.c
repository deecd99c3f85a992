/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* decide - a settled change or a command -> plan -> job. The only place where work comes into being. */
#include "agent_internal.h"

void decision_release(struct decision *d)
{
    plan_release(&d->why);
}

static int folder_index(const struct agent *a, const struct profile_folder *f)
{
    return f ? (int)(f - a->profile->folder) : -1;
}

char *local_remote(const struct agent *a, const char *path)
{
    struct plan plan = {0};
    plan_asset(a->profile, path, -1, &plan);
    char *remote = take(&plan.remote);
    plan_release(&plan);
    return remote;
}

/* Ledger, then queue: a change is written before it is forgotten. A job for the same remote keeps its id. Returns the id. */
static int64_t enqueue(struct agent *a, struct job *job)
{
    const struct job *old = queue_find(a->queue, job->remote);
    struct err e;

    job->id = old ? old->id : 0;
    job->ready_ms = agent_now(a);
    if (!ledger_job_put(a->ledger, job, &e))
        health_failed(a, &e);
    int64_t id = job->id;
    queue_add(a->queue, job, NULL);
    return id;
}

/* --- remote folders: parents first, only where the portal does not have them as wanted ----------------------- */

static bool folder_is_as_wanted(struct agent *a, const char *remote, const char *title, bool is_public)
{
    struct folder_row row;
    return ledger_folder_get(a->ledger, remote, &row) && row.is_published && row.is_public == is_public &&
           str_eq(row.title, title);
}

static void know_folder(struct agent *a, const char *remote)
{
    char *key = str_copy(remote);
    BUG_ON(map_put(&a->known_folders, key, key));
}

/* `path` is the directory here, "" for a part of `to` above the watched folder. */
static int64_t want_folder(struct agent *a, const struct profile_folder *f, const char *path, const char *remote,
                           const char *asked_by)
{
    bool is_public = path[0] ? f->is_public : a->profile->tenant.is_public;
    AUTO(mem_freep) char *title = names_title(path[0] ? path_name(path) : path_name(remote));
    const struct job *queued = queue_find(a->queue, remote);

    if (queued && queued->action == ACTION_FOLDER && queued->is_public == is_public)
        return queued->id;
    if (!asked_by && folder_is_as_wanted(a, remote, title, is_public))
        return 0;
    struct job *job = job_new(ACTION_FOLDER, path, remote);
    job->folder = path[0] ? folder_index(a, f) : -1;
    job->title = take(&title);
    job->is_public = is_public;
    job->priority = f->priority;
    job->is_asked = asked_by != NULL;
    job->asked_by = str_copy(asked_by ? asked_by : "(watched)");
    job->seen_ms = job->settled_ms = agent_now(a);
    return enqueue(a, job);
}

/* The directory's node and those of its parents up to, never including, the tenant's root. */
static void want_folders(struct agent *a, const struct profile_folder *f, const char *path, const char *remote)
{
    if (map_get(&a->known_folders, remote) || !path_is_below(remote, a->profile->tenant.root))
        return;
    bool is_watched = path_is_same_or_below(path, f->path);
    AUTO(mem_freep) char *above = path_parent(path);
    AUTO(mem_freep) char *remote_above = path_parent(remote);
    want_folders(a, f, above, remote_above);
    want_folder(a, f, is_watched ? path : "", remote, NULL);
    know_folder(a, remote);
}

/* --- assets ------------------------------------------------------------------------------------------------------ */

static struct job *asset_job(struct agent *a, const struct plan *plan, const char *path, const struct file_row *row)
{
    struct job *job = job_new(ACTION_PUBLISH, path, plan->remote);
    job->folder = folder_index(a, plan->folder);
    job->title = str_copy(plan->title);
    job->priority = plan->folder->priority;
    if (row && row->state == FILE_PUBLISHED) {
        job->last_bytes = row->bytes;
        memcpy(job->last_sha256, row->sha256, sizeof(job->last_sha256));
    }
    return job;
}

/* A held file stands in the queue with its reason, but not in the ledger: the next scan finds it again. */
static void hold(struct agent *a, struct job *job, const struct plan *plan)
{
    const struct job *old = queue_find(a->queue, job->remote);

    if (old && old->state != JOB_HELD) {
        job_free(job);
        return;
    }
    job->state = JOB_HELD;
    err_set(&job->why, ERR_REFUSED, "%s", plan->reason);
    err_cause(&job->why, plan->cause);
    log_warning("held", "path=%s why=%s", QUOTED(job->path), QUOTED(plan->reason));
    queue_add(a->queue, job, NULL);
}

/* 0: another file has its name on the portal. */
static int64_t publish(struct agent *a, const struct plan *plan, struct job *job)
{
    bool owns_name = job->last_bytes >= 0;
    if (!owns_name && collide_holds(a, job->path, job->remote)) {
        job_free(job);
        return 0;
    }
    AUTO(mem_freep) char *dir = path_parent(job->path);
    want_folders(a, plan->folder, dir, plan->remote_folder);
    return enqueue(a, job);
}

/* Nothing is here under this name any more: what was wanted of it is not. What is on the portal stays (on_delete: keep). */
static void gone(struct agent *a, const char *path, bool is_only_held)
{
    collide_forget(a, path);
    collide_look_again(a, path);
    AUTO(mem_freep) char *remote = local_remote(a, path);
    const struct job *job = remote ? queue_find(a->queue, remote) : NULL;
    struct err e;

    if (!job || job->action != ACTION_PUBLISH || job->state == JOB_SENDING || !str_eq(job->path, path))
        return;
    if (is_only_held && job->state != JOB_HELD)
        return;
    if (!ledger_job_remove(a->ledger, job->id, &e))
        health_failed(a, &e);
    queue_drop(a->queue, remote);
}

void decide_held_is_gone(struct agent *a, const char *path)
{
    gone(a, path, true);
}

void decide_change(struct agent *a, const struct change *c)
{
    struct plan plan = {0};
    struct file_row row;
    bool is_known = ledger_file_get(a->ledger, c->path, &row);

    if (c->kind == CHANGE_GONE) {
        gone(a, c->path, false);
        return;
    }
    if (c->kind == CHANGE_MOVED) /* a new file may have the old name by now, on its way already: only a look can tell */
        collide_look_again(a, c->from);
    plan_asset(a->profile, c->path, c->has_seen ? c->seen.bytes : -1, &plan);
    bool is_wanted = plan.verdict == PLAN_PUBLISH || plan.verdict == PLAN_HELD;
    if (is_wanted && !(is_known && row.state == FILE_UNPUBLISHED)) {
        struct job *job = asset_job(a, &plan, c->path, is_known ? &row : NULL);
        job->asked_by = str_copy("(watched)");
        job->seen_ms = c->seen_ms;
        job->settled_ms = c->settled_ms;
        if (c->has_seen)
            job->seen = c->seen;
        if (plan.verdict == PLAN_HELD)
            hold(a, job, &plan);
        else
            publish(a, &plan, job);
    }
    plan_release(&plan);
}

void decide_publish_dir(struct agent *a, const char *path, const char *asked_by, struct decision *out)
{
    struct plan plan = {0};

    *out = (struct decision){.kind = DECIDED_NOT};
    plan_folder(a->profile, path, &plan);
    if (plan.verdict != PLAN_PUBLISH) {
        out->why = plan;
        return;
    }
    AUTO(mem_freep) char *above = path_parent(path);
    want_folders(a, plan.folder, above, plan.remote_folder);
    out->job = want_folder(a, plan.folder, path, plan.remote, asked_by);
    out->kind = DECIDED_QUEUED;
    plan_release(&plan);
}

/* What was unpublished is an asset like any other from now on, even if this file goes before it is sent: known, and never seen as it is. */
static void welcome_back(struct agent *a, const char *path, const char *remote)
{
    struct file_row row;
    struct err e;

    if (!ledger_file_get(a->ledger, path, &row) || row.state != FILE_UNPUBLISHED)
        return;
    row = (struct file_row){.state = FILE_KNOWN, .receipt = row.receipt};
    if (!ledger_file_put(a->ledger, path, remote, &row, &e))
        health_failed(a, &e);
}

void decide_publish(struct agent *a, const char *path, int64_t bytes, const char *asked_by, struct decision *out)
{
    *out = (struct decision){.kind = DECIDED_NOT};
    plan_asset(a->profile, path, bytes, &out->why);
    if (out->why.verdict != PLAN_PUBLISH)
        return;
    welcome_back(a, path, out->why.remote);
    struct file_row row;
    struct job *job = asset_job(a, &out->why, path, ledger_file_get(a->ledger, path, &row) ? &row : NULL);
    job->is_asked = true;
    job->asked_by = str_copy(asked_by);
    job->seen_ms = job->settled_ms = agent_now(a);
    change_forget(a->changes, path);
    out->job = publish(a, &out->why, job);
    if (out->job == 0) {
        out->why.verdict = PLAN_HELD;
        out->why.cause = CAUSE_ASSET_COLLISION;
        snprintf(out->why.reason, sizeof(out->why.reason), "%s has this name on the portal already; rename this one",
                 QUOTED(collide_with(a, path)));
        return;
    }
    out->kind = DECIDED_QUEUED;
}

/* Published from there, or on its way back: then the portal may have it still. */
bool decide_may_unpublish(const struct file_row *row)
{
    return row->state == FILE_PUBLISHED || (row->state == FILE_KNOWN && row->receipt != 0);
}

/* Published, or on its way to be. */
static bool may_be_out(struct agent *a, const char *path, const char *remote, struct file_row *row)
{
    const struct job *job = queue_find(a->queue, remote);
    bool is_known = ledger_file_get(a->ledger, path, row);

    if (!is_known)
        *row = (struct file_row){0};
    return (is_known && decide_may_unpublish(row)) ||
           (job && job->action == ACTION_PUBLISH && job->state != JOB_HELD && str_eq(job->path, path));
}

/* It stays away from now on, whatever happens to the file: the decision is durable before the portal hears of it. */
bool decide_unpublish(struct agent *a, const char *path, const char *asked_by, int64_t *job_id)
{
    struct file_row row;
    struct err e;
    AUTO(mem_freep) char *remote = local_remote(a, path);

    if (!remote || !may_be_out(a, path, remote, &row))
        return false;
    row.state = FILE_UNPUBLISHED;
    if (!ledger_file_put(a->ledger, path, remote, &row, &e)) {
        health_failed(a, &e);
        return false;
    }
    struct job *job = job_new(ACTION_UNPUBLISH, path, remote);
    job->folder = folder_index(a, profile_folder_of(a->profile, path));
    job->title = names_title(path_name(path));
    job->asked_by = str_copy(asked_by);
    job->is_asked = true;
    job->seen_ms = job->settled_ms = agent_now(a);
    change_forget(a->changes, path);
    *job_id = enqueue(a, job);
    return true;
}

/* --- after start and reload: folder nodes whose wish changed --------------------------------------------------- */

static bool remember_folder(void *arg, const char *remote, const struct folder_row *row)
{
    if (row->is_published)
        strlist_add(arg, remote);
    return true;
}

void decide_folders(struct agent *a)
{
    AUTO(strlist_release) struct strlist published = {0};

    ledger_folders_each(a->ledger, remember_folder, &published);
    for (size_t i = 0; i < published.count; i++) {
        struct folder_row row;
        const char *remote = published.item[i];
        const struct profile_folder *f = NULL;
        for (size_t k = 0; k < a->profile->folders && !f; k++)
            if (path_is_same_or_below(remote, a->profile->folder[k].remote))
                f = &a->profile->folder[k];
        if (!f || !ledger_folder_get(a->ledger, remote, &row) || row.is_public == f->is_public)
            continue;
        struct job *job = job_new(ACTION_FOLDER, "", remote);
        job->folder = folder_index(a, f);
        job->title = str_copy(row.title);
        job->is_public = f->is_public;
        job->priority = f->priority;
        job->asked_by = str_copy("(profile)");
        job->seen_ms = job->settled_ms = agent_now(a);
        enqueue(a, job);
        log_info("visibility", "remote=%s public=%s", QUOTED(remote), f->is_public ? "yes" : "no");
    }
}
