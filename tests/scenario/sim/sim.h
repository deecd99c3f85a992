/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * sim - the agent's whole road in one thread: real rooms between a tree, a kernel, uploaders, a loop and a tenant of our own.
 *
 *   loop.c       in place of loop's: timers stand on the fake clock, one value is handled a step
 *   tree.c       directories and files in memory, whose stamps are of the fake clock; the agent's struct fs
 *   watch.c      in place of watch's: events as the kernel tells them, listings, looks
 *   uploaders.c  in place of upload's threads: a batch runs in one step, after the time it takes
 *   portal.c     the agent's struct http: IMS, and the real importer over a store on disk, which can be told to fail
 *   sim.c        start, stop and kill of the agent; steps, time, questions to it
 *
 * There is one world at a time. Everything that is open to chance comes from `sim.random`: the same seed gives the same day.
 * Paths of files are absolute below SIM_ROOT, those on the portal below SIM_TENANT.
 */
#ifndef BRANDSYNC_SIM_H
#define BRANDSYNC_SIM_H

#include "../../../src/agent/agent_internal.h"
#include "../../fakes/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define SIM_ROOT "/srv/assets"
#define SIM_TENANT "/content/dam/mac/acme"
enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

/* --- the world ------------------------------------------------------------------------------------------ */

struct sim_profile {
    const char *existing; /* of both folders; NULL: publish */
    bool is_public;
    const char *settle; /* NULL: 2s */
};

struct sim {
    char dir[64]; /* profile, secret, state and the portal's store */
    struct random random;
    struct fake_clock clock;
    struct agent agent;
    bool is_up;
    int64_t request_ms; /* a batch takes up to so long before it is read and sent */
    size_t piece;       /* entries of a listing's piece */
    int64_t steps;      /* done so far */
    int64_t kill_at[2]; /* the agent is killed and started again before these steps; 0: not */
};
extern struct sim sim;

/* A tenant with neighbours' assets, SIM_ROOT/campaigns and SIM_ROOT/press; the agent is not up. */
void sim_begin(uint64_t seed);
void sim_end(void);
void sim_profile(const struct sim_profile *p); /* writes it; the agent reads it at its start or reload */

void sim_start(void);
void sim_stop(void); /* SIGTERM */
void sim_kill(void); /* kill -9: what was not committed is gone */
void sim_reload(void);

bool sim_step(void);      /* one thing that is due now, of several any one; false: there is none */
void sim_run(int64_t ms); /* steps and time, until all that is due within `ms` is done */
void sim_settle(void);    /* until nothing is left to do; fails after six hours */
bool sim_is_quiet(void);

/* A verb of the control socket. Decref the reply. */
json_t *sim_ask(const char *verb, json_t *request);
int sim_publish(const char *path); /* how many were queued */
int sim_unpublish(const char *path);
struct queue_counts sim_queue(void);
const struct job *sim_job(const char *path); /* NULL: none. Good until the next call */

/* --- loop.c ----------------------------------------------------------------------------------------------- */

bool loop_step(struct loop *l);
int64_t loop_due_ms(const struct loop *l); /* INT64_MAX: no timer */
bool loop_is_stopped(const struct loop *l);
void loop_signal(struct loop *l, int signal);
void loop_touch(struct loop *l); /* something was handled: idle follows */

/* --- tree.c ------------------------------------------------------------------------------------------------ */

struct inode {
    struct inode *next;
    uint64_t ino;
    int64_t mtime_ns, ctime_ns;
    struct buf data;
    int writers;
};
struct entry {
    bool is_dir, is_watched;
    struct inode *inode; /* of a file */
    uint64_t ino;
    char path[];
};

void tree_begin(void);
void tree_end(void);
void tree_dir(const char *path);
void tree_write(const char *path, const char *text); /* made or emptied, written, closed */
void tree_open(const char *path);                    /* made or emptied, and open for writing */
void tree_append(const char *path, const char *text);
void tree_close(const char *path);
void tree_remove(const char *path);
void tree_rename(const char *from, const char *to); /* a file, over what is there, or a directory with all below */
const char *tree_read(const char *path);            /* NULL: no such file */
struct entry *tree_entry(const char *path);
/* What lies in `dir`, in byte order. Free the array. */
struct entry **tree_list(const char *dir, size_t *count);
void tree_seen(const struct entry *n, struct seen *seen);
extern const struct fs sim_fs;

/* --- watch.c ----------------------------------------------------------------------------------------------- */

/* What the tree does is told here; harmless while nobody watches. */
void watch_tell(enum event_kind kind, const char *path, bool is_dir);
void watch_tell_rename(const char *from, const char *to, bool is_dir);
void watch_lose_events(void); /* those not yet read are lost: an overflow */
bool watch_step(void);
bool watch_is_idle(void);

/* --- uploaders.c --------------------------------------------------------------------------------------------- */

bool uploaders_step(void);
int64_t uploaders_due_ms(void); /* INT64_MAX: nobody works */

/* --- portal.c ------------------------------------------------------------------------------------------------ */

/* How the tenant and its IMS are today. */
struct weather {
    const char *name;
    int status; /* of every answer but IMS's; 0: it works */
    int64_t retry_after_ms;
    bool is_unreachable, breaks_off, loses_replies; /* breaks_off: in the middle of the body */
    int ims_status;                                 /* 0: it works */
};

enum { PORTAL_PIECE_BYTES = 256 };
struct portal {
    struct weather weather;
    int imports, deletes, tokens; /* that were done; tokens given */
    int asked;                    /* requests to the importer, whatever became of them */
    int good_token;               /* those before it are answered 401 */
    const char *refused;          /* packages with this path in them are answered 415 */
    int64_t refused_at[64];
    int refusals;
    struct strlist deleted;
    void (*meanwhile)(void); /* after each piece of a body */
};
extern struct portal portal;

void portal_begin(void);
void portal_end(void);
char *portal_text(const char *remote);                       /* the original's bytes; NULL: no such asset */
char *portal_property(const char *remote, const char *name); /* NULL: not there */
int64_t portal_request_of(const char *remote); /* the number of the import that brought it; -1: not there */
void portal_put_neighbour(const char *remote, const char *text);
/* All assets below the tenant's root. */
void portal_each(void (*visit)(void *arg, const char *remote, const char *text), void *arg);
extern const struct http sim_http;

#endif
