/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The agent's inside: one struct, owned by the loop's thread, and one file per step of the road.
 *
 *   agent.c     open, run, reload, close: the map of the house
 *   observe.c   events and listings -> change table        (kernel -> change)
 *   collide.c   two files here, one name there
 *   decide.c    settled change or command -> plan -> job    (change -> job)
 *   dispatch.c  job -> uploader, result -> receipt, ledger  (job -> receipt)
 *   tenant.c    may we send now, and if not, until when and why
 *   health.c    commit, watchdog, STATUS line, pruning: what recurs
 *   verbs.c     the control socket's verbs; status.c, explain.c, show.c fill their replies
 */
#ifndef BRANDSYNC_AGENT_INTERNAL_H
#define BRANDSYNC_AGENT_INTERNAL_H

#include "agent.h"
#include "change.h"
#include "control.h"
#include "identity.h"
#include "ledger.h"
#include "loop.h"
#include "plan.h"
#include "queue.h"
#include "upload.h"
#include "watch.h"

/* --- the tenant as a whole ------------------------------------------------------------------------- */

enum tenant_state { TENANT_OK, TENANT_WAITING, TENANT_ATTENTION };

struct tenant {
    enum tenant_state state;
    bool is_probing;  /* one batch is out to see whether it is back */
    int64_t until_ms; /* wall clock of the next probe */
    int64_t step_ms;  /* last wait, doubled each time */
    int64_t since_ms;
    struct err why;
};
/* Uploaders that may be given work now: all, one probe, or none. */
int tenant_allows(const struct tenant *t, int idle, int64_t now_ms);
void tenant_sent(struct tenant *t);                   /* a batch left: the probe is out */
bool tenant_worked(struct tenant *t, int64_t now_ms); /* true: it had been away */
void tenant_failed(struct tenant *t, const struct err *why, struct random *random, int64_t now_ms);
void tenant_wake(struct tenant *t, int64_t now_ms); /* try at once */
int64_t tenant_due_ms(const struct tenant *t);      /* INT64_MAX: nothing to wait for */
const char *tenant_state_name(enum tenant_state s);

/* --- how fast it goes: for "done by" ------------------------------------------------------------------ */

struct pace {
    int64_t from_ms, assets; /* of the present stretch of work */
    double per_second;       /* smoothed; 0: not known yet */
};
void pace_count(struct pace *p, int64_t assets, int64_t now_ms);
int64_t pace_done_by_ms(const struct pace *p, int64_t left, int64_t now_ms); /* 0: cannot say */

/* --- the agent ------------------------------------------------------------------------------------------ */

struct folder_live {
    uint64_t scan;   /* the scan under way, 0: none */
    bool wants_scan; /* another one after it */
    bool is_first;   /* `existing` decides what its files mean */
    bool is_halted;
    struct err why;
};

struct agent {
    struct agent_ports ports;
    struct loop *loop; /* NULL offline, as are the live parts below */
    char *profile_file;
    struct profile *profile, *next_profile; /* next: valid, waits for the uploaders to end */
    struct random random;
    int64_t started_ms, profile_ms;

    struct ledger *ledger;
    struct change_table *changes;
    struct queue *queue;
    struct map collisions;    /* of collide.c */
    struct map known_folders; /* remotes whose node is on the portal as wanted; keys are owned */

    struct mailbox *events, *results;
    struct watch *watch;
    struct token_source *tokens;
    struct uploaders *uploaders;
    struct control *control;
    struct folder_live *live; /* one per profile folder */
    struct tenant tenant;
    struct pace pace;
    struct err disk; /* the ledger's last failure; kind ERR_NONE: none */

    int looks;        /* asked for, not answered yet */
    int64_t looks_ms; /* since when there are any */
    struct loop_timer settle_timer, send_timer, commit_timer, health_timer, scan_timer, stop_timer;
    int64_t committed_mono_ms, rescan_ms;
    char status[300]; /* the unit's STATUS= as it was last said */
    bool is_stopping, is_reloading;
    int exit_code;
};

/* agent.c */
/* Takes `profile`. After a failure too: agent_close. */
bool agent_open(struct agent *a, const struct agent_ports *ports, struct profile *profile, struct err *e) MUST_CHECK;
void agent_close(struct agent *a);

/* observe.c */
void observe_event(void *agent, void *event);
void observe_scan_soon(struct agent *a, int folder, int64_t in_ms);
void observe_scan(void *agent);
void observe_look(struct agent *a, int folder, const char *path); /* answered by EVENT_LOOKED */
void observe_settle(struct agent *a); /* what is quiet goes on to decide.c; sets the timer for the rest */

/* decide.c */
struct decision {
    enum { DECIDED_QUEUED, DECIDED_UNCHANGED, DECIDED_NOT } kind;
    int64_t job;
    struct plan why; /* DECIDED_NOT */
};
void decision_release(struct decision *d);
void decide_change(struct agent *a, const struct change *c);
/* `bytes` -1: not known. */
void decide_publish(struct agent *a, const char *path, int64_t bytes, const char *asked_by, struct decision *out);
void decide_publish_dir(struct agent *a, const char *path, const char *asked_by, struct decision *out);
bool decide_may_unpublish(const struct file_row *row);
bool decide_unpublish(struct agent *a, const char *path, const char *asked_by, int64_t *job);
/* Folder nodes whose public property or title on the portal is not what the profile wants go again. */
void decide_folders(struct agent *a);
char *local_remote(const struct agent *a, const char *path); /* NULL: no asset */

/* collide.c */
bool collide_holds(struct agent *a, const char *path, const char *remote); /* another file has this remote: held */
const char *collide_with(const struct agent *a, const char *path);         /* the other one; NULL: none */
size_t collide_count(const struct agent *a, const char *below);
void collide_forget(struct agent *a, const char *path);
void collide_release(struct agent *a);

/* dispatch.c */
void dispatch_send(struct agent *a);
void dispatch_result(void *agent, void *result);

/* health.c */
void health_tick(void *agent);
void health_idle(void *agent);
void health_commit(void *agent);                                       /* what was written since the last one */
bool health_commit_durable(struct agent *a, struct err *e) MUST_CHECK; /* a decision: on the disk before the answer */
void health_failed(struct agent *a, const struct err *e);              /* the ledger refused a write */
int64_t agent_now(const struct agent *a);

/* verbs.c and its helpers */
extern const struct control_verb agent_verbs[];
void status_fill(struct agent *a, json_t *reply);
/* The verdict and its sentence, for status and the unit's STATUS=. */
const char *status_verdict(struct agent *a, char *sentence, size_t size);
void explain_fill(struct agent *a, json_t *request, json_t *reply);
json_t *show_receipt(const struct receipt *r);
json_t *show_item(const struct job *job);
json_t *show_text(const char *text); /* "" for NULL */
json_t *show_time(int64_t ms);       /* RFC 3339, or null for 0 */

void agent_reload(struct agent *a, json_t *reply); /* `reply` may be NULL (SIGHUP) */
void agent_rebuild(struct agent *a);               /* close and open all rooms, once the uploaders are free */
void agent_rest(struct agent *a);                  /* every uploader is free: a stop or a reload may go on */
bool agent_is_resting(const struct agent *a);      /* no uploader is at work */

#endif
