/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Where the control socket is, and making it: never taking it from a living agent, never wider open than 0660.
 */
#include "control_internal.h"
#include "types.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { BACKLOG = 32, SOCKET_MODE = 0660 };

static const char socket_name[] = "control.sock";

/* Exists, or is not known to be missing: who may not look into /run/brandsync shall hear that, and not "no agent". */
static bool may_exist(const char *dir)
{
    struct stat st;
    return stat(dir, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

char *control_socket_path(const char *profile_name, const char *state)
{
    AUTO(mem_freep) char *dir = path_join("/run/brandsync", profile_name);
    return path_join(may_exist(dir) ? dir : state, socket_name);
}

/* --- addresses ---------------------------------------------------------------------------------------- */

static bool address_set(struct place_of_socket *p, const char *path)
{
    AUTO(mem_freep) char *short_path = str_printf("/proc/self/fd/%d/%s", p->dir, p->name);
    const char *used = strlen(path) < sizeof(p->address.sun_path) ? path : short_path;
    p->address.sun_family = AF_UNIX;
    return snprintf(p->address.sun_path, sizeof(p->address.sun_path), "%s", used) < (int)sizeof(p->address.sun_path);
}

bool place_open(struct place_of_socket *p, const char *path, struct err *e)
{
    AUTO(mem_freep) char *dir = path_parent(path);
    *p = (struct place_of_socket){.name = str_copy(path_name(path))};
    p->dir = open(*dir ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0) {
        err_sys(e, errno, "cannot open the control socket's directory '%s'", dir);
        place_release(p);
        return false;
    }
    if (address_set(p, path))
        return true;
    place_release(p);
    return err_set(e, ERR_CONFIG, "the control socket's path is too long (a shorter `state` helps): '%s'", path);
}

void place_release(struct place_of_socket *p)
{
    fd_close(&p->dir);
    free(take(&p->name));
}

/* --- listening ----------------------------------------------------------------------------------------- */

/* Refused means that no process has this socket open. EAGAIN is a living agent with a full queue. */
static bool is_dead(const struct place_of_socket *p)
{
    AUTO(fd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (const struct sockaddr *)&p->address, sizeof(p->address)) < 0 &&
           errno == ECONNREFUSED;
}

static bool remove_dead(const struct place_of_socket *p, const char *path, struct err *e)
{
    struct stat st;
    if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISSOCK(st.st_mode))
        return err_set(e, ERR_CONFIG, "'%s' is in the control socket's place, and is no socket", path);
    if (!is_dead(p)) {
        err_set(e, ERR_CONFIG, "another agent listens at '%s'", path);
        return err_cause(e, CAUSE_AGENT_SECOND);
    }
    return unlinkat(p->dir, p->name, 0) == 0 || err_sys(e, errno, "cannot replace '%s'", path);
}

/* The mode of the open socket is that of the file it binds, less the umask: so it is never wider, not even for a
 * moment, and no other thread's files see a changed umask. What the umask took comes back afterwards. */
static bool bind_at(int fd, const struct place_of_socket *p)
{
    return fchmod(fd, SOCKET_MODE) == 0 && bind(fd, (const struct sockaddr *)&p->address, sizeof(p->address)) == 0;
}

static bool make(int fd, const struct place_of_socket *p, const char *path, struct stat *made, struct err *e)
{
    if (!bind_at(fd, p)) {
        if (errno != EADDRINUSE)
            return err_sys(e, errno, "cannot make the control socket '%s'", path);
        if (!remove_dead(p, path, e))
            return false;
        if (!bind_at(fd, p))
            return err_sys(e, errno, "cannot make the control socket '%s'", path);
    }
    if (fchmodat(p->dir, p->name, SOCKET_MODE, 0) == 0 && fstatat(p->dir, p->name, made, AT_SYMLINK_NOFOLLOW) == 0 &&
        listen(fd, BACKLOG) == 0)
        return true;
    err_sys(e, errno, "cannot listen at '%s'", path);
    unlinkat(p->dir, p->name, 0);
    return false;
}

int listen_at(const struct place_of_socket *p, const char *path, struct stat *made, struct err *e)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err_sys(e, errno, "cannot make a socket");
    else if (!make(fd, p, path, made, e))
        fd_close(&fd);
    return fd;
}
