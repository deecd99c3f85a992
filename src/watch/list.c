/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Lists one directory in byte order: names first (about 30 bytes each, nothing else), sorted, then looked at and
 * handed over piece by piece. Directories are known by their type and cost no look.
 */
#include "watch_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { RAW_BYTES = 65536, KEPT_BYTES = 1 << 20, LOOK_FLAGS = AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC };

static int64_t stamp_ns(struct statx_timestamp t)
{
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool look(int dir, const char *name, int flags, struct seen *seen, mode_t *mode)
{
    struct statx x;
    if (statx(dir, name, flags, STATX_BASIC_STATS, &x) != 0)
        return false;
    *mode = x.stx_mode;
    *seen = (struct seen){
        .dev = makedev(x.stx_dev_major, x.stx_dev_minor),
        .ino = x.stx_ino,
        .bytes = (int64_t)x.stx_size,
        .mtime_ns = stamp_ns(x.stx_mtime),
        .ctime_ns = stamp_ns(x.stx_ctime),
    };
    return true;
}

/* --- names ------------------------------------------------------------------------------------------ */

static void names_add(struct lister *l, unsigned char type, const char *name)
{
    size_t len = strlen(name) + 2;
    if (l->len + len > l->size) {
        l->size = MAX(l->size * 2, l->len + len + 4096);
        l->names = mem_grow(l->names, l->size, 1);
    }
    if (l->count == l->places) {
        l->places = MAX(l->places * 2, (size_t)256);
        l->at = mem_grow(l->at, l->places, sizeof(*l->at));
    }
    l->names[l->len] = (char)type;
    memcpy(l->names + l->len + 1, name, len - 1);
    l->at[l->count++] = (uint32_t)l->len;
    l->len += len;
}

static int by_name(const void *a, const void *b, void *names)
{
    const char *base = names;
    return strcmp(base + *(const uint32_t *)a + 1, base + *(const uint32_t *)b + 1);
}

static bool names_read(struct lister *l, int fd)
{
    ssize_t got;
    l->len = l->count = 0;
    if (!l->raw)
        l->raw = mem_alloc(RAW_BYTES);
    while ((got = getdents64(fd, l->raw, RAW_BYTES)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *d = (const void *)(l->raw + at);
            at += d->d_reclen;
            if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
                continue;
            if (l->len > UINT32_MAX - 1024) {
                errno = EOVERFLOW;
                return false;
            }
            names_add(l, d->d_type, d->d_name);
        }
    if (got < 0)
        return false;
    if (l->count > 0)
        qsort_r(l->at, l->count, sizeof(*l->at), by_name, l->names);
    return true;
}

/* One enormous directory must not keep its memory for ever. */
static void names_shrink(struct lister *l)
{
    if (l->size <= KEPT_BYTES)
        return;
    free(take(&l->names));
    free(take(&l->at));
    l->size = l->places = 0;
}

void lister_release(struct lister *l)
{
    free(l->names);
    free(l->at);
    free(l->raw);
}

/* --- pieces ----------------------------------------------------------------------------------------- */

/* A directory that is being listed. */
struct listed {
    struct task *task;
    int fd;
    struct seen dir;
    struct buf path; /* of the entry; `stem` bytes are the directory's */
    size_t stem;
    bool is_whole; /* nothing was left out for an error */
};

static struct event *piece_new(const struct listed *d, const char *after, size_t left)
{
    struct event *ev = event_new(EVENT_LISTING, d->task->folder, d->task->path);
    ev->is_dir = true;
    if (d->task->scan)
        ev->scan = d->task->scan->number;
    ev->listing = mem_alloc(sizeof(*ev->listing));
    ev->listing->after = str_copy(after);
    ev->listing->is_first = after[0] == '\0';
    ev->listing->is_new_dir = d->task->is_new;
    ev->listing->dir = d->dir;
    ev->listing->entry = mem_array(MIN(left, (size_t)PIECE_MAX) + 1, sizeof(*ev->listing->entry));
    return ev;
}

/* Fills `entry` but for its name. false: it vanished meanwhile, or cannot be looked at. */
static bool entry_look(struct listed *d, unsigned char type, const char *name, struct listing_entry *entry)
{
    mode_t mode;
    if (type == DT_DIR) {
        entry->is_dir = true;
        return true;
    }
    if (type != DT_REG && type != DT_UNKNOWN)
        return true;
    if (!look(d->fd, name, LOOK_FLAGS, &entry->seen, &mode)) {
        if (errno != ENOENT) /* what cannot be looked at is not missing */
            d->is_whole = false;
        return false;
    }
    entry->is_dir = S_ISDIR(mode);
    entry->is_regular = S_ISREG(mode);
    return true;
}

static void entry_add(struct watch *w, struct listed *d, const char *typed_name, struct listing *l)
{
    const char *name = typed_name + 1;
    struct listing_entry entry = {0};
    if (!entry_look(d, (unsigned char)typed_name[0], name, &entry))
        return;
    d->path.len = d->stem;
    buf_str(&d->path, name);
    if (watch_ignores(w, d->task->folder, d->path.data, entry.is_dir))
        return;
    entry.name = str_copy(name);
    l->entry[l->count++] = entry;
    if (entry.is_dir)
        strlist_add(&d->task->found, name);
}

static void hand_over(struct lister *l, struct listed *d)
{
    AUTO(mem_freep) char *after = str_copy("");
    struct event *ev = piece_new(d, after, l->count);
    for (size_t i = 0; i < l->count; i++) {
        if (ev->listing->count == PIECE_MAX) {
            free(after);
            after = str_copy(ev->listing->entry[PIECE_MAX - 1].name);
            pool_say(l->w, ev);
            if (pool_is_stopping(&l->w->pool))
                return;
            ev = piece_new(d, after, l->count - i);
        }
        entry_add(l->w, d, l->names + l->at[i], ev->listing);
    }
    ev->listing->is_last = d->is_whole;
    pool_say(l->w, ev);
}

static bool dir_open(struct listed *d)
{
    mode_t mode;
    d->fd = open(d->task->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    return d->fd >= 0 && look(d->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &d->dir, &mode);
}

void lister_list(struct lister *l, struct task *task)
{
    struct listed d = {.task = task, .fd = -1, .is_whole = true, .path = BUF_INIT(SIZE_MAX)};
    if (!dir_open(&d) || !names_read(l, d.fd)) {
        task->error = errno;
    } else {
        buf_printf(&d.path, "%s/", task->path);
        d.stem = d.path.len;
        hand_over(l, &d);
    }
    names_shrink(l);
    buf_release(&d.path);
    fd_close(&d.fd);
}

/* A read lease is granted only while nobody has the file open for writing (premises.md 4); taken and dropped in one breath, for a
 * writer's open would wait for it. Needs the owner or CAP_LEASE: refused for any other reason means unknown. */
static bool is_closed(const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
    return fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

void lister_look(struct watch *w, struct task *task)
{
    struct event *ev = event_new(EVENT_LOOKED, task->folder, task->path);
    mode_t mode = 0;
    if (look(AT_FDCWD, task->path, LOOK_FLAGS, &ev->seen, &mode)) {
        ev->exists = true;
        ev->is_regular = S_ISREG(mode);
        ev->is_closed = ev->is_regular && is_closed(task->path);
    } else if (errno != ENOENT && errno != ENOTDIR) {
        ev->exists = true; /* as far as anybody knows */
        watch_fail(&ev->err, errno, "look at", task->path);
    }
    pool_say(w, ev);
}
