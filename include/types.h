/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * types - the values that travel the road: event -> change -> job -> receipt. Plain data, no behaviour but copy and free.
 *
 * A value has one owner; it crosses threads only by being handed over. Each enum has one name table, used by logs, the
 * ledger, control replies and the terminal, so that what one greps is what one reads in the code (words: product.md 5).
 */
#ifndef BRANDSYNC_TYPES_H
#define BRANDSYNC_TYPES_H

#include "base.h"

/* FileVault's importer counts a file in 32 bits: a larger one would arrive cut or empty and be answered 200 (premises.md 1). */
#define DISTRIBUTION_MAX_BYTES INT64_C(2147483647)

/* --- a file or directory as it was looked at --------------------------------------------------------- */

struct seen {
    uint64_t dev, ino;
    int64_t bytes;
    int64_t mtime_ns, ctime_ns;
};
bool seen_equal(const struct seen *a, const struct seen *b); /* all five */
bool seen_is_same_content(const struct seen *a,
                          const struct seen *b); /* ino, bytes, mtime, ctime; devices change across mounts */
struct stat;
void seen_from_stat(struct seen *s, const struct stat *st);

/* --- event: raw truth from the watcher --------------------------------------------------------------- */

enum event_kind {
    EVENT_MADE,     /* a name appeared (create, link, directory made); its closing will follow, or not */
    EVENT_WRITTEN,  /* closed after having been open for writing */
    EVENT_MOVED_IN, /* renamed to this name from outside the watched folders, or the other half of a pair from `from` */
    EVENT_REMOVED,  /* unlinked */
    EVENT_MOVED_OUT, /* renamed to somewhere unwatched */
    EVENT_LOOKED,    /* the answer to watch_look: `exists`, `seen` */
    EVENT_LISTING,   /* a piece of a directory's listing, see struct listing */
    EVENT_SCANNED,   /* every directory at and below `path` was listed; `scan` says which request */
    EVENT_OVERFLOW,  /* events were lost: the whole folder must be scanned */
    EVENT_LOST,      /* `path`, a folder's root or a directory in it, cannot be watched or read: `err` says why */
    EVENT_KINDS
};

/* Up to 1,024 names of one directory in byte order. Directories are listed too (is_dir, no seen). A listing carries the name
 * after which it begins, so that pieces of several directories may interleave. */
struct listing_entry {
    char *name;
    bool is_dir, is_regular;
    struct seen seen;
};
struct listing {
    char *after;            /* "" for the first piece */
    bool is_first, is_last; /* is_last: the directory was read to its end without an error */
    bool is_new_dir;        /* the directory was made while we watch: nothing below it goes before it is still */
    struct seen dir;
    struct listing_entry *entry;
    size_t count;
};

struct event {
    enum event_kind kind;
    int folder; /* index into the profile's folders, as given to watch_start */
    bool is_dir;
    bool exists;      /* EVENT_LOOKED */
    bool is_regular;  /* EVENT_LOOKED */
    bool is_closed;   /* EVENT_LOOKED: nobody on this machine has it open for writing; false: unknown */
    char *path;       /* absolute local path, bytes */
    char *from;       /* EVENT_MOVED_IN: the old absolute path, or NULL */
    struct seen seen; /* EVENT_LOOKED */
    int64_t at_ms;    /* wall clock when it was read */
    uint64_t scan;
    struct listing *listing;
    struct err err;
};
struct event *event_new(enum event_kind kind, int folder, const char *path);
void event_free(struct event *ev);
DEFINE_FREEP(event)
const char *event_kind_name(enum event_kind kind);

/* --- change: what the events mean once a path is quiet ----------------------------------------------- */

enum change_kind { CHANGE_PUT, CHANGE_GONE, CHANGE_MOVED, CHANGE_KINDS };

struct change {
    enum change_kind kind;
    int folder;
    char *path; /* absolute local path */
    char *from; /* CHANGE_MOVED: where it was */
    bool has_seen;
    struct seen seen; /* what was last looked at; the uploader looks again at its own descriptor */
    int64_t seen_ms;  /* first event of this change */
    int64_t settled_ms;
};
void change_release(struct change *c);

/* --- job: a decided unit of work, one per remote path ------------------------------------------------ */

enum job_action { ACTION_PUBLISH, ACTION_UNPUBLISH, ACTION_FOLDER, ACTION_COLLECTION, JOB_ACTIONS };
enum job_state { JOB_SETTLING, JOB_READY, JOB_SENDING, JOB_WAITING, JOB_SCHEDULED, JOB_HELD, JOB_FAILED, JOB_STATES };
enum priority { PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_HIGH, PRIORITIES };

struct job {
    int64_t id; /* for ever; 0: not in the ledger yet */
    enum job_action action;
    enum job_state state;
    enum priority priority;
    int folder;     /* index into the profile's folders; -1: none (an ancestor of a folder's `to`) */
    char *path;     /* absolute local path; of a remote folder without a directory here: "" */
    char *remote;   /* /content/dam/mac/acme/campaigns/a.jpg: the key of everything */
    char *title;    /* the local name, or the folder's title */
    char *asked_by; /* "(watched)", or the user who gave the command */
    bool is_asked;  /* a command: sent even when unchanged */
    bool is_urgent;
    bool is_public;       /* ACTION_FOLDER: the property to write */
    bool is_again;        /* changed while it is being sent: goes again after its receipt */
    struct seen seen;     /* as settled; bytes 0 and ino 0 when not known */
    int64_t last_bytes;   /* size of what was published last; -1: never */
    char last_sha256[65]; /* digest of it, or "" */
    int64_t seen_ms, settled_ms, ready_ms, due_ms;
    int tries;
    struct err why; /* the last refusal; kind ERR_NONE: none */
};
struct job *job_new(enum job_action action, const char *path, const char *remote);
struct job *job_copy(const struct job *job);
void job_free(struct job *job);
DEFINE_FREEP(job)
const char *job_action_name(enum job_action a);
const char *job_state_name(enum job_state s);
const char *priority_name(enum priority p);
bool job_action_parse(const char *name, enum job_action *out);

/* What one uploader takes at once: assets of one remote folder, or folders, or one unpublish. */
struct batch {
    enum job_action action;
    struct job **job;
    size_t count;
    int64_t bytes;
    bool is_big; /* holds a file over 32 MiB */
};
void batch_free(struct batch *b); /* and its jobs */
DEFINE_FREEP(batch)

/* --- receipt: the whole result of one job, errors included ------------------------------------------- */

enum outcome {
    OUTCOME_PUBLISHED,
    OUTCOME_DELIVERED,
    OUTCOME_UNPUBLISHED,
    OUTCOME_MOVED,
    OUTCOME_UNCHANGED,
    OUTCOME_CHANGED, /* "changed-meanwhile" */
    OUTCOME_REFUSED,
    OUTCOME_RETRY,
    OUTCOME_CANCELLED,
    OUTCOMES
};

struct receipt {
    int64_t id;      /* from the ledger */
    struct job *job; /* owned; NULL when read from the ledger (then the copies below are filled) */
    int64_t job_id;
    char *path, *remote, *asked_by;
    enum job_action action;
    enum outcome outcome;
    struct seen seen; /* of the descriptor that was sent */
    int64_t bytes;
    char sha256[65]; /* "" when nothing was read */
    int uploader;    /* 1.. */
    int tries;
    int64_t seen_ms, settled_ms, ready_ms, sent_ms, confirmed_ms;
    int64_t package;   /* number of the request that carried it, same for all in one package */
    bool is_public;    /* ACTION_FOLDER: as requested */
    const char *proof; /* "accepted" or "read-back"; "" when not published */
    int status;        /* the server's, 0: no answer */
    char message[160]; /* the server's words */
    struct err err;
};
void receipt_release(struct receipt *r);
const char *outcome_name(enum outcome o);
bool outcome_parse(const char *name, enum outcome *out);

/* Result of one batch: what an uploader puts into the loop's mailbox. */
struct result {
    int uploader;
    struct receipt *receipt;
    size_t count;
    int64_t build_ms; /* time until the last byte was sent */
    int64_t reply_ms; /* from the last byte to the reply */
};
void result_free(struct result *r);
DEFINE_FREEP(result)

/* --- causes: stable names of what can be wrong (ux.md 2.4); err.cause is one of these ---------------- */

enum cause {
    CAUSE_NONE,
    CAUSE_AUTH_SECRET,
    CAUSE_AUTH_SCOPE,
    CAUSE_AUTH_SIGNATURE,
    CAUSE_AUTH_CLOCK,
    CAUSE_AUTH_JWT_ENDED,
    CAUSE_AUTH_RIGHTS,
    CAUSE_AUTH_REFUSED, /* IMS or the tenant refuses the credential, for another reason */
    CAUSE_AUTH_UNREACHABLE,
    CAUSE_TENANT_PATH,
    CAUSE_TENANT_UNREACHABLE,
    CAUSE_TENANT_TLS,
    CAUSE_TENANT_BUSY,
    CAUSE_TENANT_NOT_IMPORTER, /* a 2xx that is not the importer's: a captive portal */
    CAUSE_TENANT_ERROR,        /* 500 and the like */
    CAUSE_ASSET_REFUSED,
    CAUSE_ASSET_TOO_LARGE,
    CAUSE_ASSET_NAME,
    CAUSE_ASSET_COLLISION,
    CAUSE_ASSET_EMPTY,
    CAUSE_FILE_PERMISSION,
    CAUSE_FILE_GONE,
    CAUSE_FILE_CHANGED,
    CAUSE_FILE_UNREADABLE,
    CAUSE_FOLDER_GONE,
    CAUSE_WATCH_LIMIT,
    CAUSE_DISK_FULL,
    CAUSE_AGENT_SECOND,
    CAUSE_PROFILE,
    CAUSES
};
struct cause_info {
    const char *name; /* "auth.secret" */
    const char *what; /* one sentence */
    const char *fix;  /* a line to paste, or what to do */
};
const struct cause_info *cause_info(int cause); /* never NULL */

#endif
