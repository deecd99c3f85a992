/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch - what its files share. Two kinds of threads and one pool of tasks between them:
 *
 *   watch.c   the public calls, the watcher thread's round
 *   lib.c     libinotifytools: six calls and three shims        (watcher thread)
 *   tree.c    directory nodes, wd -> node                       (watcher thread)
 *   raw.c     kernel events -> struct event                     (watcher thread)
 *   scan.c    scans, roots, what the scanners found             (watcher thread)
 *   pool.c    tasks, the scanner threads                        (any thread, under its mutex)
 *   list.c    lists and looks at one directory or file          (scanner threads)
 */
#ifndef BRANDSYNC_WATCH_INTERNAL_H
#define BRANDSYNC_WATCH_INTERNAL_H

#include "watch.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SCANNERS = 2, PIECE_MAX = 1024 };

/* --- tree ------------------------------------------------------------------------------------------- */

/* A directory. The kernel's wd is its identity: it names the inode, whatever the path has become. wd -1: not watched. */
struct node {
    struct node *parent, *child, *next, *prev;
    uint64_t round; /* of the latest scan that met it */
    int wd, folder; /* folder: in roots only, see node_folder */
    int refs;
    bool is_dead;    /* out of the tree, kept for those who hold it */
    bool is_unread;  /* its last listing failed: nothing is known about what is below */
    bool is_refused; /* for want of watches */
    char *name;      /* of a root: its whole path */
};

struct tree {
    void *by_wd; /* of tsearch */
};

struct node *node_new(struct node *parent, int folder, const char *name);
char *node_path(const struct node *node, const char *name); /* of the node, or of `name` in it */
int node_folder(const struct node *node);
struct node *node_child(const struct node *parent, const char *name);
bool node_is_at(const struct node *node, const struct node *parent, const char *name);
bool node_holds(const struct node *top, const struct node *node); /* same or below */
void node_move(struct node *node, struct node *parent, const char *name);
struct node *node_hold(struct node *node);
void node_unhold(struct node *node);
struct node *tree_find(const struct tree *tree, int wd);
void tree_add(struct tree *tree, struct node *node, int wd);
void tree_remove(struct tree *tree, struct node *node);

/* --- tasks ------------------------------------------------------------------------------------------ */

struct scan {
    struct scan *next;
    uint64_t number, round;
    int folder;
    char *path;
    struct node *top;
    size_t pending;
    bool is_told; /* EVENT_SCANNED is expected */
};

enum task_kind {
    TASK_LIST, /* scanner: list `path`; comes back to the watcher with what it found */
    TASK_LOOK, /* scanner */
    TASK_SAY,  /* scanner: an event that must arrive and for which the watcher must not wait */
    TASK_SCAN, /* watcher: begin `scan` */
};
struct task {
    struct task *next;
    enum task_kind kind;
    int folder;
    char *path;
    bool is_new;   /* made while we watch */
    bool is_whole; /* directories that are known already are listed too */
    struct scan *scan;
    struct node *node;
    struct event *event;
    struct strlist found; /* directories in it */
    int error;            /* errno of a listing that failed; 0: none */
};
struct task *task_new(enum task_kind kind, int folder, const char *path);
void task_free(struct task *task);

struct task_list {
    struct task *first, **last;
};

struct pool {
    pthread_mutex_t mutex; /* guards the lists and is_stopping */
    pthread_cond_t has_work;
    struct task *dirs;               /* last in, first out: few wait at a time */
    struct task_list quick, reports; /* first in, first out */
    bool is_stopping;
    struct mailbox *bell; /* rung when there are reports */
    pthread_t scanner[SCANNERS];
    size_t scanners;
};
bool pool_open(struct watch *w, struct err *e) MUST_CHECK;
void pool_stop(struct pool *pool); /* and joins */
void pool_release(struct pool *pool);
void pool_put(struct pool *pool, struct task *task);    /* to the scanners */
void pool_report(struct pool *pool, struct task *task); /* to the watcher */
struct task *pool_reports(struct pool *pool);           /* all that came */
bool pool_is_stopping(struct pool *pool);
void pool_say(struct watch *w, struct event *ev); /* takes `ev`; waits for room. Scanner threads */

/* One task, to its end. `names` is working memory kept between calls. */
struct lister {
    struct watch *w;
    char *names; /* type byte, name, NUL, again */
    size_t len, size;
    uint32_t *at;
    size_t count, places;
    char *raw; /* what the kernel fills */
};
void lister_list(struct lister *l, struct task *task);
void lister_look(struct watch *w, struct task *task);
void lister_release(struct lister *l);

/* --- the watcher ------------------------------------------------------------------------------------ */

struct folder {
    char *path;
    bool is_polled;
    int64_t poll_every_ms, poll_due_ms;
    struct node *root;
    uint64_t dev, ino;
    bool is_lost, owes_overflow;
    size_t scans;         /* under way */
    struct scan *waiting; /* until the root is back */
};

/* The first half of a rename whose second half has not come. */
struct half {
    struct half *next;
    uint32_t cookie;
    int folder;
    bool is_dir;
    char *path;
    struct node *node;
    int64_t empty_mono_ms; /* when a read first came back empty; 0: not yet */
};

struct watch {
    struct folder *folder;
    size_t folders;
    struct mailbox *out;
    bool (*is_ignored)(void *arg, int folder, const char *path, bool is_dir);
    void *arg;

    struct pool pool;
    pthread_t thread;
    bool has_thread;
    int fd;

    struct tree tree;
    uint64_t round;
    struct half *half;
    int64_t roots_due_ms;

    atomic_uint_fast64_t number; /* of the last scan asked for */
    atomic_uint_fast64_t directories, refused, events, overflows;
    _Atomic int64_t turned_mono_ms;
};

int64_t watch_mono_ms(void);
int64_t watch_wall_ms(void);
bool watch_ignores(const struct watch *w, int folder, const char *path, bool is_dir);
void watch_fail(struct err *e, int error, const char *verb, const char *path); /* with the cause that fits */
/* Takes `ev`. Never waits: without room the folder owes an overflow. */
void watch_emit(struct watch *w, struct event *ev);
void watch_say(struct watch *w, struct event *ev); /* takes `ev`; arrives, in its turn */

/* raw.c */
bool raw_drain(struct watch *w); /* false: there is more */
void raw_settle_halves(struct watch *w);
void raw_release(struct watch *w);

/* scan.c */
struct scan *scan_new(int folder, const char *path, uint64_t number, bool is_told);
void scan_free(struct scan *scan);
void scan_task(struct watch *w, struct task *task); /* a report or a wish; takes it */
void scan_look_after_roots(struct watch *w);
void dir_made(struct watch *w, struct node *parent, const char *name, bool is_moved);
void dir_relist(struct watch *w, struct node *node);
void dir_drop(struct watch *w, struct node *node); /* with all below */
void root_check(struct watch *w, int folder);

/* lib.c: -1 and `error` when not watched. A wd may be one that is known already. */
int lib_open(struct tree *tree, struct err *e) MUST_CHECK; /* the descriptor, -1 on failure */
int lib_watch(const char *path, int *error);
void lib_drop(int wd);
struct inotify_event;
const struct inotify_event *lib_next(void);
void lib_close(void);

#endif
