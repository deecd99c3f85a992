/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * files - a file is opened beneath its folder's root and read from that descriptor: no symbolic link, no `..` and no
 * rename in between can lead out of the folder (reliability.md T3).
 */
#include "ports.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool fail(struct err *e, enum err_kind kind, int sys, int cause)
{
    e->kind = kind;
    e->sys = sys;
    return err_cause(e, cause);
}

/* What errno means for the file, and what the caller does about it. */
static bool refuse(struct err *e, int sys, const char *path)
{
    static const struct {
        int sys;
        enum err_kind kind;
        int cause;
    } rows[] = {
        {ENOENT, ERR_CHANGED, CAUSE_FILE_GONE},     {ENOTDIR, ERR_CHANGED, CAUSE_FILE_GONE},
        {ELOOP, ERR_CHANGED, CAUSE_FILE_GONE}, /* a symbolic link stands in its place */
        {EXDEV, ERR_CHANGED, CAUSE_FILE_GONE}, /* the path leads out of the folder */
        {ENXIO, ERR_CHANGED, CAUSE_FILE_GONE}, /* a socket, or a pipe */
        {EACCES, ERR_LOCAL, CAUSE_FILE_PERMISSION}, {EPERM, ERR_LOCAL, CAUSE_FILE_PERMISSION},
        {ENOSYS, ERR_CONFIG, CAUSE_NONE},
    };
    err_sys(e, sys, "cannot open %s", QUOTED(path));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].sys == sys)
            return fail(e, rows[i].kind, sys, rows[i].cause);
    return fail(e, ERR_LOCAL, sys, CAUSE_FILE_UNREADABLE);
}

static bool real_open_root(void *arg, const char *path, int *fd, struct err *e)
{
    (void)arg;
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        err_sys(e, errno, "cannot open folder %s", QUOTED(path));
        return fail(e, ERR_LOCAL, e->sys, CAUSE_FOLDER_GONE);
    }
    *fd = root;
    return true;
}

static int open_beneath(int root, const char *below)
{
    struct open_how how = {
        .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    do /* EAGAIN: something was renamed while the kernel walked the path */
        fd = syscall(SYS_openat2, root, below, &how, sizeof(how));
    while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return (int)fd;
}

static bool look(int fd, struct stat *st, struct err *e)
{
    if (fstat(fd, st) == 0)
        return true;
    err_sys(e, errno, "cannot look at an open file");
    return fail(e, ERR_LOCAL, e->sys, CAUSE_FILE_UNREADABLE);
}

static bool real_open_file(void *arg, int root, const char *below, int *fd, struct seen *seen, struct err *e)
{
    (void)arg;
    AUTO(fd_close) int file = open_beneath(root, below);
    struct stat st;

    if (file < 0)
        return refuse(e, errno, below);
    if (!look(file, &st, e))
        return false;
    if (!S_ISREG(st.st_mode)) {
        err_set(e, ERR_CHANGED, "%s is no regular file", QUOTED(below));
        return err_cause(e, CAUSE_FILE_GONE);
    }
    seen_from_stat(seen, &st);
    *fd = fd_take(&file);
    return true;
}

static bool real_look(void *arg, int fd, struct seen *seen, struct err *e)
{
    (void)arg;
    struct stat st;
    if (!look(fd, &st, e))
        return false;
    seen_from_stat(seen, &st);
    return true;
}

static bool real_read_at(void *arg, int fd, int64_t offset, void *data, size_t len, size_t *got, struct err *e)
{
    (void)arg;
    ssize_t n;
    do
        n = pread(fd, data, len, offset);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        err_sys(e, errno, "cannot read at byte %lld", (long long)offset);
        return fail(e, ERR_LOCAL, e->sys, CAUSE_FILE_UNREADABLE);
    }
    *got = (size_t)n;
    return true;
}

const struct fs real_fs = {
    .open_root = real_open_root,
    .open_file = real_open_file,
    .look = real_look,
    .read_at = real_read_at,
};
