/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * agent - builds the house from one profile, carries values from room to room, and answers the operator.
 *
 * Verbs of the control socket (request fields -> reply fields beside "ok"; operators only where marked *):
 *   status     -                                     -> the status object of product.md 5, and "trouble": [{what, why, fix, safe}]
 *   explain    path, file{bytes,mtime_ns,ctime_ns,ino,dev} (what the caller's lstat saw; missing: no such file)
 *                                                    -> path, state, sentence, reason, cause, fix, rule{file,line}, until, command, remote, receipt
 *   receipts   path, since (RFC 3339 or ms), id, job, limit (all optional) -> receipts: [receipt objects of product.md 5, newest first]
 *   queue      state (optional)                      -> items: [queue items of product.md 5]
 *   pending    jobs: [ids]                           -> pending: [{id, path, state, reason, cause, fix}]; an id not in it is finished
 *   publish *  paths: [{path, is_dir, bytes}]               -> queued, jobs: [ids], skipped: [{path, state, reason}]
 *   unpublish* paths: [{path}], yes                  -> queued, jobs: [ids], skipped; or needs_yes: true, count: N when more than one asset and not yes
 *   scan *     -                                     -> folders: N
 *   reload *   -                                     -> message; or ok false, exit 78, error, problems: "the text that check prints"
 *   wake *     -                                     -> tries the tenant at once (token check, test)
 */
#ifndef BRANDSYNC_AGENT_H
#define BRANDSYNC_AGENT_H

#include "base.h"
#include "ports.h"
#include "profile.h"

#include <jansson.h>

struct agent_ports {
    const struct clock *clock;
    const struct fs *fs;
    const struct http *http;
    uint64_t seed; /* of all random choices; 0: from the kernel */
};

/* brandsyncd: runs until SIGTERM or SIGINT. Returns the exit code: 0, 75 (another agent uses this state), 78 (profile, or a ledger of
 * another tenant or a newer version), 74 (disk), 71 (system). Call loop_signals_block and http_global_init first. */
int agent_run(const char *profile_name_or_file, const struct agent_ports *ports);

/* The reading verbs (status, explain, receipts, queue, pending) answered from profile and ledger, for when no agent runs.
 * ERR_CONFIG when the ledger may not be read. */
bool agent_answer_offline(const struct profile *profile, const struct clock *clock, json_t *request, json_t *reply,
                          struct err *e) MUST_CHECK;

#endif
