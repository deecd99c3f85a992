/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * store_internal - what store.c (applying, reading), store_open.c (log into tree), store_tree.c (tree and disk) and
 * store_json.c (lines of the log) share.
 */
#ifndef BRANDSYNC_PORTAL_STORE_INTERNAL_H
#define BRANDSYNC_PORTAL_STORE_INTERNAL_H

#include "portal.h"
#include <pthread.h>
#include <stdatomic.h>

struct entry {
    struct node node;
    struct entry *parent, *child, *before, *after; /* children are a list in no order */
};

struct store {
    char *dir, *root, *tmp, *log_path;
    int lock, log;
    off_t log_bytes;
    size_t records;         /* puts and removes in the log */
    struct err broken;      /* the disk failed in the middle of a change */
    pthread_mutex_t writer; /* from store_begin to store_end; guards all above */
    pthread_mutex_t nodes;  /* guards the tree against its readers; the one writer may read it without */
    struct map entry;       /* by path */
    atomic_uint spools;
    uint64_t run; /* makes names in DIR/tmp unique over all runs, or a redo could take a younger file */
};

/* Replaying older lines changes the tree only; the last line is done on disk once more, where it may be done. */
enum pass { PASS_TREE, PASS_APPLY, PASS_REDO };

struct entry *entry_get(const struct store *s, const char *path);
/* The node of `path`, made if it is missing; missing parents are folders. */
struct entry *entry_make(struct store *s, const char *path, enum node_kind kind, enum pass pass, struct err *e);
/* All of a change, once its line is in the log. */
bool tree_perform(struct store *s, struct store_change *change, int64_t arrived_ms, enum pass pass,
                  struct err *e) MUST_CHECK;
struct node node_copy(const struct node *n);
char *store_file(const struct store *s, const char *path);
bool store_path_fits(const char *path);

/* One change as one JSON line. Of `spooled` only the name in `tmp` (DIR/tmp) is written: a redo looks for that. */
bool store_log_line(struct buf *out, const struct store_change *change, int64_t arrived_ms, struct err *e) MUST_CHECK;
bool store_log_parse(const char *line, size_t len, const char *tmp, struct store_change *change, int64_t *arrived_ms,
                     struct err *e) MUST_CHECK;

#endif
