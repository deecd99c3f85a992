/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the two ends of the control socket share: sizes, its place in the file system, and JSON as frames.
 */
#ifndef BRANDSYNC_CONTROL_INTERNAL_H
#define BRANDSYNC_CONTROL_INTERNAL_H

#include "control.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum {
    FRAME_MAX = 64 * 1024,
    LIST_FRAME_MAX = 1024 * 1024, /* with "paths" */
    REPLY_MAX = 64 * 1024 * 1024,
    EXIT_USAGE_WRONG = 64, /* sysexits.h: EX_USAGE, EX_SOFTWARE, EX_NOPERM */
    EXIT_INTERNAL = 70,
    EXIT_NO_PERMISSION = 77,
};

/* A socket's name is at most 107 bytes for the kernel; a longer path is reached through its directory's descriptor. */
struct place_of_socket {
    int dir;
    char *name; /* in `dir` */
    struct sockaddr_un address;
};
bool place_open(struct place_of_socket *p, const char *path, struct err *e) MUST_CHECK;
void place_release(struct place_of_socket *p);

/* The listening descriptor, or -1. `made` is the socket's file, by which it is known again. */
int listen_at(const struct place_of_socket *p, const char *path, struct stat *made, struct err *e) MUST_CHECK;

/* Who is at the other end, and whether the socket's present owner and mode let them operate. false: gone already. */
bool peer_look(int fd, const struct stat *socket, struct control_peer *out) MUST_CHECK;

void json_freep(json_t **value);
bool frame_write(struct buf *out, const json_t *object); /* one line; false: over the buffer's ceiling */

#endif
