/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The queue's inside. Every job is an item, found by its remote path. A ready item stands in exactly one heap:
 *
 *   unpublish  by age
 *   folders    by depth, then age; only those with no folder job above them
 *   lane       assets: each remote folder (node) keeps its own heaps of small and big ones, and stands in the queue's heap of that lane
 *              by its best item; a node with a folder job at or above it is shut and stands in none
 *
 * and a waiting or scheduled one in `waits` by its due time. All others only in the map.
 *
 *   item.c   the parked form of a job; states; counts
 *   node.c   the tree of remote folders; gates
 *   take.c   what goes next
 *   queue.c  adding, settling, the rest
 */
#ifndef BRANDSYNC_QUEUE_INTERNAL_H
#define BRANDSYNC_QUEUE_INTERNAL_H

#include "queue.h"

enum lane { LANE_SMALL, LANE_BIG, LANES };

/* A job takes some 500 bytes, mostly an error that hardly any has; there may be a million. */
struct item {
    char *text; /* remote, path, title, asked_by: one block, each NUL-terminated; the map's key */
    uint32_t path_at, title_at, asked_by_at; /* 0: NULL */
    int32_t folder;
    int32_t tries;
    uint8_t action, state, priority, after; /* after: the state that follows when it was marked again */
    bool is_asked, is_urgent, is_public, is_again;
    bool is_big_sent;  /* counts among the big files being sent */
    uint8_t suspicion; /* refusals in company: 0 none; from 2 on its packages shrink */
    uint16_t company;  /* jobs in the batch it was taken in */
    struct node *node; /* an asset's folder; a folder's own; NULL: unpublish */
    struct heap_node turn, age;
    struct seen seen;
    int64_t id, last_bytes, seen_ms, settled_ms, ready_ms, due_ms;
    char *last_sha256; /* NULL: none */
    struct err *why;   /* NULL: none */
};
enum { SUSPICION_ALONE = 5 };

struct node_lane {
    struct heap items;
    struct heap_node turn;
};
struct node {
    char *remote;
    struct node *parent, *child, *next; /* next: sibling */
    struct item *folder;                /* the folder job for exactly this node, in whatever state */
    size_t items;                       /* jobs that point here */
    bool is_shut;                       /* a folder job stands here or above: assets wait */
    struct node_lane lane[LANES];
};

struct slot { /* counts of one profile folder; slot[0] is folder -1 */
    size_t count[JOB_STATES];
    int64_t bytes[JOB_STATES];
    struct heap ages; /* of ready items */
};

struct queue {
    struct queue_opts opts;
    struct random random;
    struct map items, nodes;
    struct heap unpublish, folders, lane[LANES], waits;
    size_t small_ready; /* small assets in nodes that are not shut */
    int big_sending;
    int package_limit;
    struct slot *slot;
    size_t slots;
    int64_t last_package, last_due_ms; /* a package comes back as one */
    struct job *shown;                 /* the window: borrows from an item, which keeps its strings */
};

/* item.c */
struct item *item_new(void);
void item_free(struct item *i);
void item_pack(struct queue *q, struct item *i,
               const struct job *job); /* all but state, node and standing; renews the map's key */
const struct job *item_show(const struct queue *q, const struct item *i); /* lives until the next call of anything */
void item_enter(struct queue *q, struct item *i, enum job_state state);   /* takes its standing: heaps and counts */
void item_leave(struct queue *q, struct item *i);
void item_set_state(struct queue *q, struct item *i, enum job_state state);
bool item_is_asset(const struct item *i);
enum lane item_lane(const struct item *i);
int64_t item_key(const struct item *i);

/* node.c */
void node_attach(struct queue *q, struct item *i); /* by action and remote; not while it has a standing */
void node_detach(struct queue *q, struct item *i);
void node_put(struct queue *q, struct item *i); /* a ready asset or folder */
void node_remove(struct queue *q, struct item *i);
void node_free(struct node *n);

#endif
