/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* types - copy and free of the values that travel the road. */
#include "types.h"

#include <sys/stat.h>

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void seen_from_stat(struct seen *s, const struct stat *st)
{
    *s = (struct seen){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .bytes = st->st_size,
        .mtime_ns = ns_of(st->st_mtim),
        .ctime_ns = ns_of(st->st_ctim),
    };
}

bool seen_is_same_content(const struct seen *a, const struct seen *b)
{
    return a->ino == b->ino && a->bytes == b->bytes && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

bool seen_equal(const struct seen *a, const struct seen *b)
{
    return a->dev == b->dev && seen_is_same_content(a, b);
}

struct event *event_new(enum event_kind kind, int folder, const char *path)
{
    struct event *ev = mem_alloc(sizeof(*ev));
    ev->kind = kind;
    ev->folder = folder;
    ev->path = str_copy(path);
    return ev;
}

static void listing_free(struct listing *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        free(l->entry[i].name);
    free(l->entry);
    free(l->after);
    free(l);
}

void event_free(struct event *ev)
{
    if (!ev)
        return;
    listing_free(ev->listing);
    free(ev->path);
    free(ev->from);
    free(ev);
}

void change_release(struct change *c)
{
    free(take(&c->path));
    free(take(&c->from));
}

struct job *job_new(enum job_action action, const char *path, const char *remote)
{
    struct job *job = mem_alloc(sizeof(*job));
    job->action = action;
    job->state = JOB_READY;
    job->folder = -1;
    job->path = str_copy(path);
    job->remote = str_copy(remote);
    job->last_bytes = -1;
    return job;
}

struct job *job_copy(const struct job *job)
{
    struct job *copy = mem_copy(job, sizeof(*job));
    copy->path = str_copy(job->path);
    copy->remote = str_copy(job->remote);
    copy->title = str_copy(job->title);
    copy->asked_by = str_copy(job->asked_by);
    return copy;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    free(job->path);
    free(job->remote);
    free(job->title);
    free(job->asked_by);
    free(job);
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->count; i++)
        job_free(b->job[i]);
    free(b->job);
    free(b);
}

void receipt_release(struct receipt *r)
{
    job_free(take(&r->job));
    free(take(&r->path));
    free(take(&r->remote));
    free(take(&r->asked_by));
}

void result_free(struct result *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        receipt_release(&r->receipt[i]);
    free(r->receipt);
    free(r);
}
