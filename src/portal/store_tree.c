/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * store_tree - the tenant's nodes as a tree in memory, and the disk that follows it.
 *
 * All that a change does on disk can be done again without harm: a file that is in its place already is not touched,
 * and what is gone or made already is fine.
 */
#include "store_internal.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- nodes ------------------------------------------------------------------------------------------------------- */

static void properties_release(struct property *property, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(property[i].name);
        free(property[i].value);
    }
    free(property);
}

void node_release(struct node *n)
{
    properties_release(n->property, n->properties);
    free(n->path);
    *n = (struct node){0};
}

const char *node_property(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->properties; i++) {
        if (str_eq(n->property[i].name, name))
            return n->property[i].value;
    }
    return NULL;
}

struct node node_copy(const struct node *n)
{
    struct node copy = *n;
    copy.path = str_copy(n->path);
    copy.property = mem_array(n->properties, sizeof *copy.property);
    for (size_t i = 0; i < n->properties; i++)
        copy.property[i] = (struct property){.name = str_copy(n->property[i].name),
                                             .value = str_copy(n->property[i].value)};
    return copy;
}

void store_put_release(struct store_put *put)
{
    if (put->spooled)
        unlink(put->spooled);
    properties_release(put->property, put->properties);
    free(put->path);
    free(put->spooled);
    *put = (struct store_put){0};
}

void store_change_release(struct store_change *change)
{
    for (size_t i = 0; i < change->puts; i++)
        store_put_release(&change->put[i]);
    for (size_t i = 0; i < change->removes; i++)
        free(change->remove[i]);
    free(change->put);
    free(change->remove);
    *change = (struct store_change){0};
}

/* --- the tree, and the disk that follows it ---------------------------------------------------------------------- */

struct entry *entry_get(const struct store *s, const char *path)
{
    return map_get(&s->entry, path);
}

char *store_file(const struct store *s, const char *path)
{
    return str_printf("%s%s", s->dir, path);
}

/* After a crash the disk may already be where the change leads: then these errors mean "done before". */
static bool disk_result(int result, const char *verb, const char *file, struct err *e)
{
    int sys = result == 0 ? 0 : errno;
    bool is_done = sys == 0 || sys == ENOENT || sys == ENOTDIR || sys == EISDIR || sys == EEXIST || sys == ENOTEMPTY;
    return is_done || err_sys(e, sys, "cannot %s '%s'", verb, file);
}

static bool disk_remove(const struct store *s, const struct node *n, struct err *e)
{
    AUTO(mem_freep) char *file = store_file(s, n->path);
    if (n->kind == NODE_FOLDER)
        return disk_result(rmdir(file), "remove", file, e);
    return n->bytes < 0 || disk_result(unlink(file), "remove", file, e);
}

static bool disk_make(const struct store *s, const struct node *n, struct err *e)
{
    AUTO(mem_freep) char *file = store_file(s, n->path);
    return n->kind != NODE_FOLDER || disk_result(mkdir(file, 0755), "make", file, e);
}

static void entry_link(struct store *s, struct entry *entry, struct entry *parent)
{
    entry->parent = parent;
    if (parent) {
        entry->after = parent->child;
        if (parent->child)
            parent->child->before = entry;
        parent->child = entry;
    }
    map_put(&s->entry, entry->node.path, entry);
}

static void entry_unlink(struct store *s, struct entry *entry)
{
    map_remove(&s->entry, entry->node.path);
    if (entry->after)
        entry->after->before = entry->before;
    if (entry->before)
        entry->before->after = entry->after;
    else if (entry->parent)
        entry->parent->child = entry->after;
    node_release(&entry->node);
    free(entry);
}

/* A file that comes back in the same change is put_file()'s matter: a redo would remove the new one here. */
static bool is_replaced(const struct store_change *change, const char *path)
{
    for (size_t i = 0; i < change->puts; i++) {
        if (change->put[i].kind == NODE_ASSET && change->put[i].bytes >= 0 && str_eq(change->put[i].path, path))
            return true;
    }
    return false;
}

static bool drop(struct store *s, struct entry *entry, const struct store_change *change, enum pass pass, struct err *e)
{
    for (struct entry *child = entry->child, *next; child; child = next) {
        next = child->after;
        if (!drop(s, child, change, pass, e))
            return false;
    }
    bool is_kept = entry->node.kind == NODE_ASSET && is_replaced(change, entry->node.path);
    if (pass != PASS_TREE && !is_kept && !disk_remove(s, &entry->node, e))
        return false;
    entry_unlink(s, entry);
    return true;
}

static struct entry *entry_new(struct store *s, const char *path, enum node_kind kind, struct entry *parent)
{
    struct entry *entry = mem_alloc(sizeof *entry);
    entry->node = (struct node){.path = str_copy(path), .kind = kind, .bytes = -1};
    entry_link(s, entry, parent);
    return entry;
}

struct entry *entry_make(struct store *s, const char *path, enum node_kind kind, enum pass pass, struct err *e)
{
    struct entry *entry = entry_get(s, path), *parent = NULL;
    if (entry)
        return entry;
    AUTO(mem_freep) char *above = path_parent(path);
    if (!str_eq(above, "/") && !(parent = entry_make(s, above, NODE_FOLDER, pass, e)))
        return NULL;
    entry = entry_new(s, path, kind, parent);
    if (kind == NODE_FOLDER) {
        entry->node.property = mem_array(1, sizeof *entry->node.property);
        entry->node.property[entry->node.properties++] = (struct property){.name = str_copy("jcr:primaryType"),
                                                                           .value = str_copy("sling:Folder")};
    }
    return pass != PASS_TREE && !disk_make(s, &entry->node, e) ? NULL : entry;
}

/* The folder is made anew where somebody removed it by hand. */
static bool move_into_place(const char *spooled, const char *file, struct err *e)
{
    AUTO(mem_freep) char *folder = path_parent(file);
    if (rename(spooled, file) == 0)
        return true;
    if (errno == ENOENT && !dir_make(folder, 0755, e))
        return false;
    return rename(spooled, file) == 0 || err_sys(e, errno, "cannot move '%s' into place", file);
}

/* An old file is unlinked first: ext4 writes the new one out at once when it is renamed over another, some ms each. */
static bool put_file(const struct store *s, const struct node *old, struct store_put *put, enum pass pass,
                     struct err *e)
{
    AUTO(mem_freep) char *file = store_file(s, put->path);
    bool is_moved = put->spooled && pass == PASS_REDO && access(put->spooled, F_OK) != 0;
    bool is_kept = is_moved || (!put->spooled && put->bytes >= 0);
    if (old->bytes >= 0 && !is_kept && !disk_result(unlink(file), "remove", file, e))
        return false;
    return !put->spooled || is_moved || move_into_place(put->spooled, file, e);
}

static bool put_one(struct store *s, struct store_put *put, const struct store_change *change, int64_t arrived_ms,
                    enum pass pass, struct err *e)
{
    struct entry *entry = entry_get(s, put->path);
    if (entry && entry->node.kind != put->kind && !drop(s, entry, change, pass, e))
        return false;
    entry = entry_make(s, put->path, put->kind, pass, e);
    if (!entry || (pass != PASS_TREE && !put_file(s, &entry->node, put, pass, e)))
        return false;
    struct node *node = &entry->node;
    properties_release(node->property, node->properties);
    node->property = take(&put->property);
    node->properties = put->properties;
    node->bytes = put->bytes;
    memcpy(node->sha256, put->sha256, sizeof node->sha256);
    node->arrived_ms = arrived_ms;
    node->request = change->request;
    put->properties = 0;
    mem_freep(&put->spooled);
    put->spooled = NULL;
    return true;
}

bool tree_perform(struct store *s, struct store_change *change, int64_t arrived_ms, enum pass pass, struct err *e)
{
    bool is_done = true;
    pthread_mutex_lock(&s->nodes);
    for (size_t i = 0; is_done && i < change->removes; i++) {
        struct entry *entry = entry_get(s, change->remove[i]);
        is_done = !entry || drop(s, entry, change, pass, e);
    }
    for (size_t i = 0; is_done && i < change->puts; i++)
        is_done = put_one(s, &change->put[i], change, arrived_ms, pass, e);
    pthread_mutex_unlock(&s->nodes);
    s->records += change->puts + change->removes;
    return is_done;
}
