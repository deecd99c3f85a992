/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * change - what its files share: the states of a path, and where an entry waits.
 */
#ifndef BRANDSYNC_CHANGE_INTERNAL_H
#define BRANDSYNC_CHANGE_INTERNAL_H

#include "change.h"

/* A path that was made while we watch and has not gone out is "born": nobody knows it, so nobody misses it. */
enum state {
    NONE,
    BORN, /* born, its closing not seen */
    SHUT, /* born, its closing seen */
    OPEN, /* like BORN, but something of this name may be published */
    CLOSED,
    FOUND, /* by a listing or command, no event yet */
    GONE,
    LEFT, /* the old half of a move that became two things; looked at before it is believed */
    STATES
};

enum input {
    IN_MADE,
    IN_WRITTEN,
    IN_MOVED, /* renamed to this name: whoever renames has closed */
    IN_FOUND,
    IN_STILL, /* looked at and old enough to count as closed */
    IN_REMOVED,
    IN_LEFT,
    INPUTS
};

extern const enum state change_next_state[INPUTS][STATES];

struct trait {
    bool is_open, is_born, is_gone;
    bool waits_unseen; /* until mtime and ctime are old, not only for quiet */
    bool has_evidence; /* may go without a look when nothing has to settle */
};
extern const struct trait change_trait[STATES];

struct meaning {
    enum input input;
    bool is_told; /* of files; the others are no news about one file */
};
extern const struct meaning change_meaning[EVENT_KINDS];

/* A directory made while we watch. The topmost new one holds everything below it. */
struct young {
    struct heap_node node;
    struct heap held; /* entries that wait for it */
    size_t open;      /* entries below whose closing is awaited: it is not still while there are any */
    int64_t quiet_ms, settle_ms;
    char path[];
};

/* Where it waits: in young->held, in the table's heap, or nowhere while it is being looked at. */
struct entry {
    struct heap_node node; /* key: due */
    struct young *young;
    char *from;
    struct seen seen;
    struct change_rules rules;
    int64_t first_ms;
    int64_t quiet_ms; /* nothing is known to have changed since */
    int folder;
    enum state state : 8;
    /* probed: a writer may have it open, as far as known */
    bool has_seen : 1, is_looking : 1, is_settled : 1, is_probed : 1;
    char path[];
};

struct change_table {
    struct map entries, youngs;
    struct heap due, young_due;
    int64_t now_ms; /* the latest time we were told */
};

/* New directories. */
struct young *young_above(const struct change_table *t, const char *path); /* the topmost, NULL: none */
/* something happened below; NULL is fine */
void young_stir(struct change_table *t, struct young *young, int64_t now_ms);
void young_wait(struct change_table *t, struct young *young);    /* `open` or `quiet_ms` became another */
void young_release(struct change_table *t, struct young *young); /* still at last: its entries wait by themselves */
void young_free(struct young *young);

/* In and out of the place where an entry waits. Out before its state or directory changes. */
void entry_place(struct change_table *t, struct entry *entry, int64_t due_ms);
void entry_unplace(struct change_table *t, struct entry *entry);

#endif
