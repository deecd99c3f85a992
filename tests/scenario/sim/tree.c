/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* tree - directories and files in memory. An open descriptor keeps its file, whatever becomes of the name. */
#include "sim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FDS_MAX = 4096, FILE_MAX = 4 << 20 };

static struct map entries;
static struct inode *inodes;
static uint64_t last_ino;
static int64_t ticks;

static struct {
    struct inode *file;
    char root[64];
} opened[FDS_MAX];

/* No two are alike, as with the fine stamps of newer kernels. */
static int64_t stamp_ns(void)
{
    return wall_ms(&sim.clock.clock) * 1000000 + ticks++ % 1000000;
}

void tree_begin(void)
{
    last_ino = 1;
    ticks = 0;
    tree_dir(SIM_ROOT "/campaigns");
    tree_dir(SIM_ROOT "/press");
}

void tree_end(void)
{
    struct entry *n;
    for (size_t at = 0; (n = map_next(&entries, &at));)
        free(n);
    map_release(&entries);
    entries = (struct map){0};
    for (struct inode *i; (i = inodes);) {
        inodes = i->next;
        buf_release(&i->data);
        free(i);
    }
}

struct entry *tree_entry(const char *path)
{
    return map_get(&entries, path);
}

static struct entry *entry_new(const char *path, bool is_dir)
{
    size_t size = strlen(path) + 1;
    struct entry *n = mem_alloc(sizeof(*n) + size);
    memcpy(n->path, path, size);
    n->is_dir = is_dir;
    n->ino = ++last_ino;
    BUG_ON(map_put(&entries, n->path, n));
    return n;
}

static struct entry *entry_move(struct entry *n, const char *path)
{
    struct entry *moved = entry_new(path, n->is_dir);
    moved->is_watched = n->is_watched;
    moved->inode = n->inode;
    moved->ino = n->ino;
    map_remove(&entries, n->path);
    free(n);
    return moved;
}

static struct entry *file_of(const char *path)
{
    struct entry *n = tree_entry(path);
    BUG_ON(!n || n->is_dir);
    return n;
}

void tree_dir(const char *path)
{
    AUTO(mem_freep) char *above = path_parent(path);
    if (tree_entry(path) || str_eq(path, "/"))
        return;
    tree_dir(above);
    entry_new(path, true);
    watch_tell(EVENT_MADE, path, true);
}

/* --- files ------------------------------------------------------------------------------------------------------- */

static struct inode *ientry_new(void)
{
    struct inode *i = mem_alloc(sizeof(*i));
    i->next = inodes;
    i->data = (struct buf)BUF_INIT(FILE_MAX);
    return inodes = i;
}

static void touch(struct inode *i)
{
    i->mtime_ns = i->ctime_ns = stamp_ns();
}

void tree_open(const char *path)
{
    struct entry *n = tree_entry(path);
    AUTO(mem_freep) char *dir = path_parent(path);
    tree_dir(dir);
    if (!n) {
        n = entry_new(path, false);
        n->inode = ientry_new();
        n->inode->ino = n->ino;
        watch_tell(EVENT_MADE, path, false);
    }
    buf_clear(&n->inode->data);
    touch(n->inode);
    n->inode->writers++;
}

void tree_append(const char *path, const char *text)
{
    struct inode *i = file_of(path)->inode;
    buf_str(&i->data, text);
    touch(i);
}

void tree_close(const char *path)
{
    file_of(path)->inode->writers--;
    watch_tell(EVENT_WRITTEN, path, false);
}

void tree_write(const char *path, const char *text)
{
    tree_open(path);
    tree_append(path, text);
    tree_close(path);
}

void tree_remove(const char *path)
{
    struct entry *n = tree_entry(path);
    bool is_dir = n->is_dir;
    map_remove(&entries, n->path);
    free(n);
    watch_tell(EVENT_REMOVED, path, is_dir);
}

const char *tree_read(const char *path)
{
    struct entry *n = tree_entry(path);
    if (!n || n->is_dir)
        return NULL;
    return n->inode->data.len ? n->inode->data.data : "";
}

/* Below `from`, in any order. */
static void move_below(const char *from, const char *to)
{
    AUTO(strlist_release) struct strlist below = {0};
    struct entry *n;
    for (size_t at = 0; (n = map_next(&entries, &at));)
        if (path_is_below(n->path, from))
            strlist_add(&below, n->path);
    for (size_t i = 0; i < below.count; i++) {
        AUTO(mem_freep) char *path = path_join(to, path_below(below.item[i], from));
        entry_move(tree_entry(below.item[i]), path);
    }
}

void tree_rename(const char *from, const char *to)
{
    struct entry *n = tree_entry(from), *old = tree_entry(to);
    AUTO(mem_freep) char *dir = path_parent(to);
    tree_dir(dir);
    if (old) {
        BUG_ON(old->is_dir || n->is_dir);
        map_remove(&entries, old->path);
        free(old);
    }
    bool is_dir = n->is_dir;
    if (is_dir)
        move_below(from, to);
    else
        n->inode->ctime_ns = stamp_ns();
    entry_move(n, to);
    watch_tell_rename(from, to, is_dir);
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->path, (*(struct entry *const *)b)->path);
}

struct entry **tree_list(const char *dir, size_t *count)
{
    struct entry *n, **list = mem_array(entries.count + 1, sizeof(struct entry *));
    *count = 0;
    for (size_t at = 0; (n = map_next(&entries, &at));) {
        const char *name = path_below(n->path, dir);
        if (name && *name && !strchr(name, '/'))
            list[(*count)++] = n;
    }
    qsort(list, *count, sizeof(*list), by_path);
    return list;
}

static void inode_seen(const struct inode *i, struct seen *seen)
{
    *seen = (struct seen){
        .dev = 1, .ino = i->ino, .bytes = (int64_t)i->data.len, .mtime_ns = i->mtime_ns, .ctime_ns = i->ctime_ns};
}

void tree_seen(const struct entry *n, struct seen *seen)
{
    *seen = (struct seen){.dev = 1, .ino = n->ino};
    if (!n->is_dir)
        inode_seen(n->inode, seen);
}

/* --- the agent's files: descriptors are real ones, of nothing, so that they may be closed by anybody ------------- */

static int open_nothing(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    BUG_ON(fd < 0 || fd >= FDS_MAX);
    return fd;
}

static bool open_root(void *arg UNUSED, const char *path, int *fd, struct err *e UNUSED)
{
    *fd = open_nothing();
    snprintf(opened[*fd].root, sizeof(opened[*fd].root), "%s", path);
    return true;
}

static bool open_file(void *arg UNUSED, int root, const char *below, int *fd, struct seen *seen, struct err *e)
{
    AUTO(mem_freep) char *path = path_join(opened[root].root, below);
    const struct entry *n = tree_entry(path);
    if (!n || n->is_dir) {
        err_set(e, ERR_CHANGED, "cannot open %s", path);
        return err_cause(e, CAUSE_FILE_GONE);
    }
    *fd = open_nothing();
    opened[*fd].file = n->inode;
    inode_seen(n->inode, seen);
    return true;
}

static bool look(void *arg UNUSED, int fd, struct seen *seen, struct err *e UNUSED)
{
    inode_seen(opened[fd].file, seen);
    return true;
}

static bool read_at(void *arg UNUSED, int fd, int64_t offset, void *data, size_t len, size_t *got, struct err *e UNUSED)
{
    const struct buf *all = &opened[fd].file->data;
    size_t left = (size_t)MAX((int64_t)all->len - offset, 0);
    *got = MIN(left, len);
    if (*got > 0)
        memcpy(data, all->data + offset, *got);
    return true;
}

const struct fs sim_fs = {.open_root = open_root, .open_file = open_file, .look = look, .read_at = read_at};
