/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * dir - local directories that hold file rows: identity, remote folder, and how many files they hold.
 *
 * Directories lately used are kept in memory, where their counts change with each file; a row is written once per commit.
 */
#include "ledger_internal.h"

enum { DIRS_KEPT = 512 };

static void dir_free(struct dir *d)
{
    free(d->path);
    free(d->remote);
    free(d);
}

void dirs_forget(struct ledger *l)
{
    struct dir *d;
    for (size_t at = 0; (d = map_next(&l->dirs, &at));)
        dir_free(d);
    map_release(&l->dirs);
}

/* A directory without files has no row. */
static bool dir_flush(struct ledger *l, const struct dir *d, struct err *e)
{
    if (d->counts.files == 0)
        return sql_write(l, SQL_DIR_REMOVE, VALUES(BYTES_OF(d->path)), e);
    return sql_write(l, SQL_DIR_PUT,
                     VALUES(BYTES_OF(d->path), INT(d->id), BYTES_OF(d->remote), INT(d->counts.files),
                            INT(d->counts.published), INT(d->counts.bytes)),
                     e);
}

bool dirs_flush(struct ledger *l, struct err *e)
{
    struct dir *d;
    l->has_new_dirs = false;
    for (size_t at = 0; (d = map_next(&l->dirs, &at));) {
        if (d->is_changed && !dir_flush(l, d, e))
            return false;
        d->is_changed = false;
    }
    return true;
}

static struct dir *dir_keep(struct ledger *l, int64_t id, const char *path, char *remote)
{
    struct dir *d = mem_alloc(sizeof(*d));
    d->id = id;
    d->path = str_copy(path);
    d->remote = remote ? remote : str_copy("");
    map_put(&l->dirs, d->path, d);
    return d;
}

struct dir *dir_get(struct ledger *l, const char *path)
{
    struct err e;
    if (l->is_reading) /* another process writes */
        dirs_forget(l);
    struct dir *d = map_get(&l->dirs, path);
    if (d)
        return d;
    if (l->dirs.count >= DIRS_KEPT) {
        if (!dirs_flush(l, &e)) /* the next commit says so */
            return NULL;
        dirs_forget(l);
    }
    sqlite3_stmt *s = sql_bound(l, SQL_DIR_GET, VALUES(BYTES_OF(path)));
    if (!sql_row(l, s))
        return NULL;
    d = dir_keep(l, sqlite3_column_int64(s, 0), path, column_str(s, 1));
    d->counts = (struct file_counts){
        .files = sqlite3_column_int64(s, 2),
        .published = sqlite3_column_int64(s, 3),
        .bytes = sqlite3_column_int64(s, 4),
    };
    sql_end(s);
    return d;
}

struct dir *dir_of(struct ledger *l, const char *path, const char *remote, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    buf_clear(&l->scratch);
    buf_add(&l->scratch, path, slash == path ? 1 : slash ? (size_t)(slash - path) : 0);
    const char *dir = l->scratch.len ? l->scratch.data : "";
    struct dir *d = dir_get(l, dir);
    if (d || !remote)
        return d;
    l->has_new_dirs = true;
    return dir_keep(l, l->next_dir++, dir, path_parent(remote));
}

void range_below(struct range *r, const char *path)
{
    if (!*path) { /* local paths are absolute */
        *r = (struct range){str_copy(""), str_copy("\xff")};
        return;
    }
    r->from = str_printf("%s%s", path, str_ends(path, "/") ? "" : "/");
    r->to = str_copy(r->from);
    r->to[strlen(r->to) - 1] = '/' + 1;
}

void range_release(struct range *r)
{
    free(take(&r->from));
    free(take(&r->to));
}
