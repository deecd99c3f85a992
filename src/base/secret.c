/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* secret - text that is wiped when it is let go, and the files that may hold it. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 64 * 1024, REFUSED_MODE = S_IWGRP | S_IXGRP | S_IRWXO };

void secret_release(struct secret *s)
{
    if (s->data)
        explicit_bzero(s->data, s->len);
    free(s->data);
    *s = (struct secret){0};
}

void secret_set(struct secret *s, const char *data, size_t len)
{
    struct secret fresh = {str_copy_n(data, len), len}; /* first: `data` may lie in what was there */
    secret_release(s);
    *s = fresh;
}

void secret_copy(struct secret *to, const struct secret *from)
{
    if (to == from)
        return;
    if (from->data)
        secret_set(to, from->data, from->len);
    else
        secret_release(to);
}

static bool may_hold(const struct stat *st, const char *path, struct err *e)
{
    if (!S_ISREG(st->st_mode))
        return err_set(e, ERR_CONFIG, "secret file '%s' is not a regular file", path);
    bool is_ours = st->st_uid == 0 || st->st_uid == geteuid();
    if (is_ours && !(st->st_mode & REFUSED_MODE))
        return true;
    const char *fix = SHELL(path);
    if (!is_ours)
        return err_set(e, ERR_CONFIG, "secret file '%s' belongs to user %u: chown root:brandsync %s && chmod 0640 %s",
                       path, (unsigned)st->st_uid, fix, fix);
    return err_set(e, ERR_CONFIG,
                   "secret file '%s' is open to others (mode %04o): chown root:brandsync %s && chmod 0640 %s", path,
                   (unsigned)(st->st_mode & 07777), fix, fix);
}

/* A missing or unreadable secret is a matter of the profile: trying again does not help. */
static bool refuse_sys(struct err *e, int sys, const char *path)
{
    err_sys(e, sys, "cannot open secret file '%s'", path);
    e->kind = ERR_CONFIG;
    return false;
}

bool secret_file_check(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return refuse_sys(e, errno, path);
    return may_hold(&st, path, e);
}

/* Reads up to `size` bytes; -1 with errno. */
static ssize_t read_up_to(int fd, char *data, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t got = read(fd, data + len, size - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static bool set_from_file(struct secret *s, const char *path, char *data, ssize_t len, struct err *e)
{
    if (len < 0)
        return err_sys(e, errno, "cannot read secret file '%s'", path);
    if (len > SECRET_MAX)
        return err_set(e, ERR_CONFIG, "secret file '%s' is larger than %d bytes", path, SECRET_MAX);
    if (len && data[len - 1] == '\n')
        len--;
    if (len == 0)
        return err_set(e, ERR_CONFIG, "secret file '%s' is empty", path);
    if (memchr(data, '\0', (size_t)len))
        return err_set(e, ERR_CONFIG, "secret file '%s' has a NUL byte in it", path);
    secret_set(s, data, (size_t)len);
    return true;
}

/* Links are followed, because service credentials are links; what is checked is the file that gets read. */
bool secret_load(struct secret *s, const char *path, struct err *e)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return refuse_sys(e, errno, path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return refuse_sys(e, errno, path);
    if (!may_hold(&st, path, e))
        return false;
    AUTO(secret_release) struct secret read = {mem_alloc(SECRET_MAX + 1), SECRET_MAX + 1};
    return set_from_file(s, path, read.data, read_up_to(fd, read.data, read.len), e);
}
