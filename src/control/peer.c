/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Who is at the other end of a connection, as the kernel saw it connect.
 */
#include "control_internal.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

static void user_write(uid_t uid, char *out, size_t size)
{
    char room[16 * 1024];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, room, sizeof(room), &found) == 0 && found)
        snprintf(out, size, "%s", entry.pw_name);
    else
        snprintf(out, size, "%u", (unsigned)uid);
}

/* The groups of the process itself, not of the user's entry in the directory service: that is what the kernel checks
 * when it lets somebody connect, and asking it needs no network. */
static bool is_in_group(int fd, gid_t own, gid_t wanted)
{
    if (own == wanted)
        return true;
    socklen_t bytes = 0;
    /* cppcheck-suppress nullPointer - asks for the length */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) == 0 || errno != ERANGE)
        return false; /* has none, or the kernel does not say */
    AUTO(mem_freep) gid_t *group = mem_alloc(bytes);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, group, &bytes) < 0)
        return false;
    for (size_t i = 0; i < bytes / sizeof(*group); i++)
        if (group[i] == wanted)
            return true;
    return false;
}

bool peer_look(int fd, const struct stat *socket, struct control_peer *out)
{
    struct ucred who;
    socklen_t len = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
        return false;
    *out = (struct control_peer){.uid = who.uid, .gid = who.gid, .pid = who.pid};
    user_write(who.uid, out->user, sizeof(out->user));
    out->may_operate = who.uid == 0 || who.uid == geteuid() ||
                       ((socket->st_mode & S_IWGRP) && is_in_group(fd, who.gid, socket->st_gid));
    return true;
}
