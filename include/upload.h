/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * upload - the uploaders: one batch in, one result out, straight-line code in a thread each (design.md "Threads").
 *
 * Per asset: open beneath the folder's root, fstat, send in one pass, fstat of the same descriptor before the commit record and after the
 * reply. A difference before the commit breaks the request off (outcome changed-meanwhile); one after the reply asks for another publish.
 * Digests: SHA-256 of what was sent (receipt), SHA-1 for small files (package). Uploaders run at nice 5 where allowed.
 */
#ifndef BRANDSYNC_UPLOAD_H
#define BRANDSYNC_UPLOAD_H

#include "base.h"
#include "identity.h"
#include "loop.h"
#include "ports.h"
#include "profile.h"
#include "types.h"

enum uploader_state { UPLOADER_IDLE, UPLOADER_ACTIVE, UPLOADER_BLOCKED, UPLOADER_PAUSED, UPLOADER_STATES };
const char *uploader_state_name(enum uploader_state s);

struct upload_opts {
    const struct profile *profile;
    const struct fs *fs;
    const struct http *http;
    const struct clock *clock;
    struct token_source *tokens;
    struct mailbox *results; /* struct result */
};

/* What one uploader is doing, for status: a copy of its board. */
struct board {
    enum uploader_state state; /* idle or active; the agent adds blocked and paused */
    char asset[300];           /* remote of the first or only asset */
    size_t assets;
    int64_t bytes_done, bytes_total, since_ms;
    int64_t rate; /* bytes per second of this batch so far */
};

struct uploaders;
/* Starts `count` threads. All calls from the loop's thread. */
struct uploaders *uploaders_start(const struct upload_opts *opts, int count, struct err *e) MUST_CHECK;
bool uploader_is_free(const struct uploaders *u, int uploader /* 1.. */);
/* The free uploader that has been idle longest among those `allowed` says yes to (NULL: all); 0: none. */
int uploader_idle_longest(const struct uploaders *u, bool (*allowed)(void *arg, int uploader), void *arg);
/* Hands the batch over; its uploader must be free. The result comes by the mailbox; then call uploader_done. */
void uploader_give(struct uploaders *u, int uploader, struct batch *batch);
void uploader_done(struct uploaders *u, int uploader);
void uploader_board(struct uploaders *u, int uploader, struct board *out);
int uploaders_count(const struct uploaders *u);
/* Sets every cancel flag: results (outcome cancelled) follow within about a second. */
void uploaders_cancel(struct uploaders *u);
void uploaders_free(struct uploaders *u); /* cancels and joins */

/* One batch in the caller's thread: the uploader's body, for tests, benchmarks and `test`. Takes the batch. */
struct upload_one;
struct upload_one *upload_one_new(const struct upload_opts *opts, int uploader, const atomic_bool *cancel);
struct result *upload_run_one(struct upload_one *u, struct batch *batch);
void upload_one_free(struct upload_one *u);

#endif
