/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * control - the agent's local socket: one JSON object a line in, one JSON object a line out (reliability.md T10).
 *
 * Request {"verb":"status", ...}; reply {"ok":true, ...} or {"ok":false,"exit":64,"error":"..."}. A frame is at most 64 KiB in (1 MiB for
 * lists of paths), 64 MiB out. Peers by SO_PEERCRED. A connection that neither asks nor takes its answer for 10 s is closed. Server in the loop's thread.
 */
#ifndef BRANDSYNC_CONTROL_H
#define BRANDSYNC_CONTROL_H

#include "base.h"
#include "loop.h"

#include <jansson.h>

struct control_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
    char user[64];    /* name of the uid, or its number */
    bool may_operate; /* root, the agent's own user, or a member of the group that owns the socket with write access */
};

/* Fills `reply` (an empty object to begin with). Runs in the loop's thread and never waits. */
struct control_verb {
    const char *name;
    bool is_operator; /* refused for readers */
    void (*run)(void *arg, const struct control_peer *peer, json_t *request, json_t *reply);
};

struct control;
/* Makes the socket (0660) at `path`, replacing a dead one; the directory must exist. The table ends with a NULL name. */
struct control *control_open(struct loop *l, const char *path, const struct control_verb *verbs, void *arg,
                             struct err *e) MUST_CHECK;
void control_close(struct control *c); /* removes the socket; not from within a verb */
/* {"ok":false,"exit":N,"error":"..."} */
void control_fail(json_t *reply, int exit_code, const char *fmt, ...) PRINTF(3, 4);

/* --- the other end: brandsync ------------------------------------------------------------------------------- */

/* Where the socket of a profile is: /run/brandsync/NAME/control.sock when its directory exists, else STATE/control.sock. */
char *control_socket_path(const char *profile_name, const char *state);
/* Connects, sends, waits for one reply. NULL with e: ERR_TENANT when no agent listens (exit 69), ERR_CONFIG when we may not. */
json_t *control_call(const char *socket_path, json_t *request, int64_t wait_ms, struct err *e) MUST_CHECK;

/* Text of a name for JSON: as it is when UTF-8, else escaped, with the bytes in KEY_base64 as well. */
void control_set_path(json_t *object, const char *key, const char *path);
const char *control_get_text(const json_t *object, const char *key); /* "" when missing or not a string */
/* A path given by a request: KEY_base64 when there, else KEY. NULL: missing. Owned by the caller. */
char *control_get_path(const json_t *object, const char *key);

#endif
