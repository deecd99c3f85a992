/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * change - folds events per path by a table until the path is quiet, and says then what it means. Pure; loop thread.
 *
 * Rules (product.md 3 "Settled by evidence"): a file whose closing was seen goes after `settle_ms` without a further event. A file that
 * was only found (listing) or made without a closing (hard link, O_TMPFILE) is looked at once it is still for settle_ms: where that look
 * knows that nobody has it open for writing (event.is_closed) it goes, else once mtime and ctime are older than settle_unseen_ms.
 * Before anything goes, when settle_ms > 0, the caller looks at it (change_next gives CHANGE_LOOK) and a look that differs starts the
 * wait anew. settle_ms 0 with the closing seen: goes at once, without a look; so does what a listing found with stamps that are old
 * enough already (the listing was the look). What is gone waits and is looked at alike. A directory made while we watch holds
 * everything below it until its whole subtree has been still for settle_ms.
 */
#ifndef BRANDSYNC_CHANGE_H
#define BRANDSYNC_CHANGE_H

#include "base.h"
#include "types.h"

struct change_table;

struct change_rules {
    int64_t settle_ms, settle_unseen_ms;
};

struct change_table *change_table_new(void);
void change_table_free(struct change_table *t);
DEFINE_FREEP(change_table)

/* One event about a file. Does not take `ev`. Listings are handed in one entry at a time by change_found. */
void change_event(struct change_table *t, const struct event *ev, const struct change_rules *rules, int64_t now_ms);
/* A listing or command found this file as `seen`, different from what was published. */
void change_found(struct change_table *t, int folder, const char *path, const struct seen *seen,
                  const struct change_rules *rules, int64_t now_ms);
/* A directory was made while we watch; activity below it (events, found) keeps it new until it is still for settle_ms. */
void change_new_dir(struct change_table *t, int folder, const char *path, const struct change_rules *rules,
                    int64_t now_ms);

enum change_step {
    CHANGE_NOTHING, /* nothing is due; see change_due_ms */
    CHANGE_LOOK,    /* look at out->path (watch_look) and hand the EVENT_LOOKED in; asked once until it is answered */
    CHANGE_READY,   /* out is settled and no longer in the table */
};
/* `from` of a CHANGE_MOVED, and the path of a CHANGE_GONE that was the old half of a move, may lie in another folder than `folder`. */
/* The next thing to do at now_ms. Fills `out` (release it). */
enum change_step change_next(struct change_table *t, int64_t now_ms, struct change *out);
int64_t change_due_ms(const struct change_table *t); /* when change_next will have something; INT64_MAX: never */

/* For status and explain. */
struct change_info {
    bool is_settling;
    bool is_open; /* made or modified, its closing not seen yet */
    int64_t last_event_ms, due_ms;
};
bool change_info(const struct change_table *t, const char *path, struct change_info *out);
size_t change_count(const struct change_table *t, int folder); /* -1: all */
void change_forget(struct change_table *t, const char *path);

#endif
