/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * store - the tenant's content: originals as files, nodes as a tree in memory, one atomic change at a time.
 *
 * A change is first one line in nodes.log, then renames and removals on disk, then the tree. What follows the line can
 * be repeated without harm, so a start after kill -9 reads the log into the tree and does the last line once more:
 * nothing but the last can be unfinished. No fsync: one per package would cost more than all the rest.
 */
#include "store_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { NAME_BYTES = 255, PATH_BYTES = 2000 };
#define COLLECTIONS "/content/dam/collections"
#define PUBLIC_PROPERTY "jcr:content/publicFolder"

/* --- applying a change ------------------------------------------------------------------------------------------- */

bool store_path_fits(const char *path)
{
    if (path[0] != '/' || strlen(path) > PATH_BYTES || !path_is_clean(path + 1) || !text_is_utf8(path, strlen(path)))
        return false;
    for (const char *name = path + 1, *end; *name; name = *end ? end + 1 : end) {
        end = strchrnul(name, '/');
        if (end - name > NAME_BYTES)
            return false;
    }
    return true;
}

bool store_may_change(const struct store *s, const char *path, struct err *e)
{
    if (!store_path_fits(path))
        return err_set(e, ERR_REFUSED, "no path this tenant can hold: '%s'", path);
    if (path_is_same_or_below(s->root, path))
        return err_set(e, ERR_REFUSED, "the tenant's root and what is above it cannot be changed: '%s'", path);
    return path_is_below(path, s->root) || path_is_below(path, COLLECTIONS) ||
           err_set(e, ERR_REFUSED, "not below the tenant's root '%s': '%s'", s->root, path);
}

/* Will `path` be a folder, or free, when the removes and the puts before `puts` are done? */
static bool makes_way(const struct store_change *change, size_t puts, const char *path)
{
    for (size_t i = puts; i-- > 0;) {
        if (str_eq(change->put[i].path, path))
            return change->put[i].kind == NODE_FOLDER;
    }
    for (size_t i = 0; i < change->removes; i++) {
        if (path_is_same_or_below(path, change->remove[i]))
            return true;
    }
    return false;
}

static bool has_folders_above(const struct store *s, const struct store_change *change, size_t put, struct err *e)
{
    AUTO(mem_freep) char *path = path_parent(change->put[put].path);
    const struct entry *entry;
    while (!(entry = entry_get(s, path))) {
        char *above = path_parent(path);
        free(path);
        path = above;
    }
    return entry->node.kind == NODE_FOLDER || makes_way(change, put, path) ||
           err_set(e, ERR_REFUSED, "no folder to put '%s' into: '%s'", path_name(change->put[put].path), path);
}

static bool check(const struct store *s, const struct store_change *change, struct err *e)
{
    for (size_t i = 0; i < change->removes; i++) {
        if (!store_may_change(s, change->remove[i], e))
            return false;
    }
    for (size_t i = 0; i < change->puts; i++) {
        if (!store_may_change(s, change->put[i].path, e) || !has_folders_above(s, change, i, e))
            return false;
    }
    return true;
}

static bool log_append(struct store *s, const struct buf *line, struct err *e)
{
    if (write_all(s->log, line->data, line->len, e)) {
        s->log_bytes += (off_t)line->len;
        return true;
    }
    if (ftruncate(s->log, s->log_bytes) != 0)
        s->broken = *e;
    return false;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool store_apply(struct store *s, struct store_change *change, struct err *e)
{
    AUTO(buf_release) struct buf line = BUF_INIT(INT32_MAX);
    int64_t arrived_ms = now_ms();
    if (s->broken.kind != ERR_NONE) {
        *e = s->broken;
        return err_wrap(e, "the store needs a restart");
    }
    if (!check(s, change, e) || !store_log_line(&line, change, arrived_ms, e) || !log_append(s, &line, e))
        return false;
    if (!tree_perform(s, change, arrived_ms, PASS_APPLY, e))
        s->broken = *e;
    return s->broken.kind == ERR_NONE;
}

void store_begin(struct store *s)
{
    pthread_mutex_lock(&s->writer);
}

void store_end(struct store *s)
{
    pthread_mutex_unlock(&s->writer);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

bool store_get(struct store *s, const char *path, struct node *copy)
{
    pthread_mutex_lock(&s->nodes);
    const struct entry *entry = entry_get(s, path);
    *copy = entry ? node_copy(&entry->node) : (struct node){0};
    pthread_mutex_unlock(&s->nodes);
    return entry != NULL;
}

bool store_has(struct store *s, const char *path)
{
    pthread_mutex_lock(&s->nodes);
    bool is_there = entry_get(s, path) != NULL;
    pthread_mutex_unlock(&s->nodes);
    return is_there;
}

struct listing {
    struct node *node;
    size_t count, size;
};

static void list_below(struct listing *l, const struct entry *parent, bool is_deep)
{
    for (const struct entry *child = parent->child; child; child = child->after) {
        if (l->count == l->size) {
            l->size = MAX(2 * l->size, 64);
            l->node = mem_grow(l->node, l->size, sizeof *l->node);
        }
        l->node[l->count++] = node_copy(&child->node);
        if (is_deep)
            list_below(l, child, is_deep);
    }
}

static int by_path(const void *a, const void *b)
{
    const struct node *left = a, *right = b;
    return strcmp(left->path, right->path);
}

struct node *store_list(struct store *s, const char *path, bool is_deep, size_t *count)
{
    struct listing l = {0};
    pthread_mutex_lock(&s->nodes);
    const struct entry *entry = entry_get(s, path);
    if (entry)
        list_below(&l, entry, is_deep);
    pthread_mutex_unlock(&s->nodes);
    if (l.count > 0)
        qsort(l.node, l.count, sizeof *l.node, by_path);
    *count = l.count;
    return l.node;
}

int store_original(struct store *s, const char *path)
{
    int fd = -1;
    pthread_mutex_lock(&s->nodes);
    const struct entry *entry = entry_get(s, path);
    if (entry && entry->node.bytes >= 0) {
        AUTO(mem_freep) char *file = store_file(s, path);
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    pthread_mutex_unlock(&s->nodes);
    return fd;
}

bool store_is_public(struct store *s, const char *path, char **by)
{
    const char *value = NULL;
    *by = NULL;
    pthread_mutex_lock(&s->nodes);
    const struct entry *entry = entry_get(s, path);
    for (; entry && !value; entry = entry->parent) {
        value = entry->node.kind == NODE_FOLDER ? node_property(&entry->node, PUBLIC_PROPERTY) : NULL;
        if (value)
            *by = str_copy(entry->node.path);
    }
    bool is_public = value && str_eq(value, "true");
    pthread_mutex_unlock(&s->nodes);
    return is_public;
}

int store_spool(struct store *s, char **path_out, struct err *e)
{
    char *path = str_printf("%s/%016" PRIx64 "-%u", s->tmp, s->run, atomic_fetch_add(&s->spools, 1));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        err_sys(e, errno, "cannot make '%s'", path);
        mem_freep(&path);
        path = NULL;
    }
    *path_out = path;
    return fd;
}

const char *store_root(const struct store *s)
{
    return s->root;
}
