/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * libinotifytools as far as it can be trusted: six calls. It keeps its descriptor to itself, forgets which wd it was
 * given, and keeps an entry for every double or dead watch; the three shims below, which the library calls through
 * the dynamic symbol, mend that. All of it is global: one thread, one instance.
 */
#include "watch_internal.h"

#include <errno.h>
#include <inotifytools/inotifytools.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MASK = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF |
           IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK
};

static struct {
    const struct tree *tree;
    int fd, wd;
} shim = {.fd = -1, .wd = -1};

int inotify_init(void)
{
    shim.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    return shim.fd;
}

/* An inode that is watched already gets its old wd; "exists" keeps the library from a second entry for it. */
int inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    shim.wd = (int)syscall(SYS_inotify_add_watch, fd, path, mask);
    if (shim.wd >= 0 && tree_find(shim.tree, shim.wd)) {
        errno = EEXIST;
        return -1;
    }
    return shim.wd;
}

/* The kernel drops the watch of a dead directory by itself; the library must still forget its entry. */
int inotify_rm_watch(int fd, int wd)
{
    int result = (int)syscall(SYS_inotify_rm_watch, fd, wd);
    return result < 0 && errno == EINVAL ? 0 : result;
}

int lib_open(struct tree *tree, struct err *e)
{
    shim.tree = tree;
    shim.fd = -1;
    if (!inotifytools_initialize()) {
        err_sys(e, inotifytools_error(), "cannot initialize inotify");
        return -1;
    }
    if (shim.fd < 0 || shim.fd >= FD_SETSIZE) { /* the library would select() on it */
        inotifytools_cleanup();
        err_set(e, ERR_LOCAL, "cannot use inotify: its descriptor %d is not below %d", shim.fd, FD_SETSIZE);
        return -1;
    }
    while (lib_next()) /* its buffer outlives a cleanup */
        ;
    return shim.fd;
}

int lib_watch(const char *path, int *error)
{
    *error = 0;
    if (inotifytools_watch_file(path, MASK))
        return shim.wd;
    *error = inotifytools_error();
    return *error == EEXIST ? shim.wd : -1;
}

void lib_drop(int wd)
{
    inotifytools_remove_watch_by_wd(wd);
}

/* (0, 1) is the one form that neither blocks nor spins. NULL: nothing more now. */
const struct inotify_event *lib_next(void)
{
    return inotifytools_next_events(0, 1);
}

void lib_close(void)
{
    inotifytools_cleanup();
    shim.tree = NULL;
    shim.fd = -1;
}
