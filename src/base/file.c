/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* file - whole small files: read, replaced so that a crash leaves the old or the new one, never half. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd < 0)
        return;
    int saved_errno = errno;
    close(*fd); /* Linux frees the descriptor whatever close returns */
    errno = saved_errno;
    *fd = -1;
}

bool write_all(int fd, const void *data, size_t len, struct err *e)
{
    const char *at = data;
    while (len) {
        ssize_t written = write(fd, at, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return err_sys(e, errno, "cannot write");
        at += written;
        len -= (size_t)written;
    }
    return true;
}

/* Reads to the end of `fd` as long as `max` is kept. */
static bool read_all(int fd, const char *path, size_t max, struct buf *out, struct err *e)
{
    char part[16384];
    for (size_t total = 0;;) {
        ssize_t got = read(fd, part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_sys(e, errno, "cannot read '%s'", path);
        total += (size_t)got;
        if (total > max || !buf_add(out, part, (size_t)got))
            return err_set(e, ERR_LOCAL, "cannot read '%s': larger than %zu bytes", path, MIN(max, out->max));
        if (got == 0)
            return true;
    }
}

bool file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a FIFO must not hang us */
    if (fd < 0)
        return err_sys(e, errno, "cannot open '%s'", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot look at '%s'", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_LOCAL, "cannot read '%s': not a regular file", path);
    if (read_all(fd, path, max, out, e))
        return true;
    buf_clear(out); /* no half of a file */
    return false;
}

static bool dir_sync(const char *path, struct err *e)
{
    AUTO(mem_freep) char *dir = path_parent(path);
    AUTO(fd_close) int fd = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot open '%s'", *dir ? dir : ".");
    if (fsync(fd) < 0)
        return err_sys(e, errno, "cannot sync '%s'", *dir ? dir : ".");
    return true;
}

static bool fill(int fd, const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
    if (!write_all(fd, data, len, e))
        return err_wrap(e, "write '%s'", path);
    if (fchmod(fd, mode) < 0)
        return err_sys(e, errno, "cannot set the mode of '%s'", path);
    if (fsync(fd) < 0)
        return err_sys(e, errno, "cannot sync '%s'", path);
    return true;
}

bool file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
    AUTO(mem_freep) char *dir = path_parent(path);
    AUTO(mem_freep) char *name = str_printf(".%s.XXXXXX", path_name(path));
    AUTO(mem_freep) char *temp = path_join(dir, name);
    AUTO(fd_close) int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, errno, "cannot make a file beside '%s'", path);
    bool is_there = fill(fd, path, data, len, mode, e);
    if (is_there && rename(temp, path) < 0)
        is_there = err_sys(e, errno, "cannot replace '%s'", path);
    if (!is_there)
        unlink(temp);
    return is_there && dir_sync(path, e);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool dir_make(const char *path, mode_t mode, struct err *e)
{
    if (mkdir(path, mode) == 0)
        return true;
    int sys = errno;
    AUTO(mem_freep) char *parent = path_parent(path);
    if (sys == ENOENT && *parent && !str_eq(parent, path)) {
        if (!dir_make(parent, mode, e))
            return false;
        sys = mkdir(path, mode) == 0 ? 0 : errno;
    }
    if (sys == 0 || is_dir(path)) /* EEXIST, but also EROFS or EACCES for one that is there */
        return true;
    return err_sys(e, sys == EEXIST ? ENOTDIR : sys, "cannot make the directory '%s'", path);
}
