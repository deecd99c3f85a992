/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* file - the rows of local files: one by one, by directory, by remote, counted. */
#include "ledger_internal.h"

static void row_read(sqlite3_stmt *s, struct file_row *row)
{
    int state = column_int(s, 0);
    *row = (struct file_row){
        .state = state == FILE_PUBLISHED || state == FILE_UNPUBLISHED ? (enum file_state)state : FILE_KNOWN,
        .seen =
            {
                .dev = (uint64_t)sqlite3_column_int64(s, 1),
                .ino = (uint64_t)sqlite3_column_int64(s, 2),
                .bytes = sqlite3_column_int64(s, 3),
                .mtime_ns = sqlite3_column_int64(s, 4),
                .ctime_ns = sqlite3_column_int64(s, 5),
            },
        .bytes = sqlite3_column_int64(s, 6),
        .receipt = sqlite3_column_int64(s, 8),
        .is_racy = sqlite3_column_int(s, 9) != 0,
    };
    column_digest(s, 7, row->sha256);
}

static bool row_get(struct ledger *l, const struct dir *d, const char *name, struct file_row *out)
{
    sqlite3_stmt *s = sql_bound(l, SQL_FILE_GET, VALUES(INT(d->id), BYTES_OF(name)));
    if (!sql_row(l, s))
        return false;
    row_read(s, out);
    sql_end(s);
    return true;
}

bool ledger_file_get(struct ledger *l, const char *path, struct file_row *out)
{
    const char *name;
    const struct dir *d = dir_of(l, path, NULL, &name);
    return d && row_get(l, d, name, out);
}

static void count(struct dir *d, const struct file_row *row, int sign)
{
    bool is_published = row->state == FILE_PUBLISHED;
    d->counts.files += sign;
    d->counts.published += is_published ? sign : 0;
    d->counts.bytes += is_published ? sign * row->bytes : 0;
    d->is_changed = true;
}

/* Is `remote` what the directory says anyway? */
static bool is_plain(const struct dir *d, const char *name, const char *remote)
{
    size_t len = strlen(d->remote);
    return strncmp(remote, d->remote, len) == 0 && remote[len] == '/' && str_eq(remote + len + 1, name);
}

static bool row_write(struct ledger *l, enum sql how, const struct dir *d, const char *name, const char *remote,
                      const struct file_row *row, struct err *e)
{
    return sql_write(l, how,
                     VALUES(INT(d->id), BYTES_OF(name), BYTES_OF(is_plain(d, name, remote) ? NULL : remote),
                            INT(row->state), INT(row->seen.dev), INT(row->seen.ino), INT(row->seen.bytes),
                            INT(row->seen.mtime_ns), INT(row->seen.ctime_ns), INT(row->bytes), DIGEST(row->sha256),
                            INT(row->receipt), INT(row->is_racy)),
                     e);
}

/* Most files are new: the old row is read only when there is one. */
bool ledger_file_put(struct ledger *l, const char *path, const char *remote, const struct file_row *row, struct err *e)
{
    const char *name;
    struct file_row old;
    if (!write_begin(l, e))
        return false;
    struct dir *d = dir_of(l, path, remote, &name);
    if (!d)
        return write_begin(l, e); /* says what failed */
    if (!row_write(l, SQL_FILE_ADD, d, name, remote, row, e))
        return false;
    if (sqlite3_changes(l->db) == 0) {
        bool had_row = row_get(l, d, name, &old);
        if (!row_write(l, SQL_FILE_PUT, d, name, remote, row, e))
            return false;
        if (had_row)
            count(d, &old, -1);
    }
    count(d, row, 1);
    return true;
}

bool ledger_file_remove(struct ledger *l, const char *path, struct err *e)
{
    const char *name;
    struct file_row old;
    struct dir *d = dir_of(l, path, NULL, &name);
    if (!d || !row_get(l, d, name, &old))
        return l->fault.kind == ERR_NONE || write_begin(l, e);
    if (!sql_write(l, SQL_FILE_REMOVE, VALUES(INT(d->id), BYTES_OF(name)), e))
        return false;
    count(d, &old, -1);
    return true;
}

/* --- cursors: pieces are copied out, so that any number may be open while rows are written ---------------- */

enum { PIECE = 128 };

struct ledger_cursor {
    struct ledger *ledger;
    int64_t dir;
    size_t at, count;
    bool is_last; /* this piece is the last one */
    struct file_row row[PIECE];
    size_t name[PIECE]; /* offsets into names */
    struct buf names;
};

struct ledger_cursor *ledger_dir_rows(struct ledger *l, const char *dir, const char *after)
{
    struct ledger_cursor *c = mem_alloc(sizeof(*c));
    const struct dir *d = dir_get(l, dir);
    c->ledger = l;
    c->is_last = !d;
    c->dir = d ? d->id : 0;
    c->names = (struct buf)BUF_INIT(SIZE_MAX);
    buf_add(&c->names, after, strlen(after) + 1);
    return c;
}

/* The last name read (before the first piece: `after`) stands at name[count - 1], or at 0. */
static void read_piece(struct ledger_cursor *c)
{
    AUTO(mem_freep) char *after = str_copy(c->names.data + (c->count ? c->name[c->count - 1] : 0));
    buf_clear(&c->names);
    c->at = c->count = 0;
    sqlite3_stmt *s = sql_bound(c->ledger, SQL_FILE_ROWS, VALUES(INT(c->dir), BYTES_OF(after), INT(PIECE)));
    while (c->count < PIECE && sql_row(c->ledger, s)) {
        AUTO(mem_freep) char *name = column_str(s, 10);
        c->name[c->count] = c->names.len;
        buf_add(&c->names, name ? name : "", name ? strlen(name) + 1 : 1);
        row_read(s, &c->row[c->count++]);
    }
    sql_end(s);
    c->is_last = c->count < PIECE;
}

bool ledger_next(struct ledger_cursor *c, const char **name, struct file_row *row)
{
    if (c->at == c->count && !c->is_last)
        read_piece(c);
    if (c->at == c->count)
        return false;
    *name = c->names.data + c->name[c->at];
    *row = c->row[c->at++];
    return true;
}

void ledger_cursor_free(struct ledger_cursor *c)
{
    if (!c)
        return;
    buf_release(&c->names);
    free(c);
}

/* --- at and below a path --------------------------------------------------------------------------------- */

struct walk {
    struct ledger *ledger;
    bool (*visit)(void *arg, const char *path, const struct file_row *row);
    void *arg;
};

static bool walk_dir(const struct walk *w, const char *dir)
{
    const char *name;
    struct file_row row;
    bool goes_on = true;
    struct ledger_cursor *c = ledger_dir_rows(w->ledger, dir, "");
    while (goes_on && ledger_next(c, &name, &row)) {
        AUTO(mem_freep) char *path = path_join(dir, name);
        goes_on = w->visit(w->arg, path, &row);
    }
    ledger_cursor_free(c);
    return goes_on;
}

static char *next_dir(struct ledger *l, const char *after, const char *end)
{
    sqlite3_stmt *s = sql_bound(l, SQL_DIR_NEXT, VALUES(BYTES_OF(after), BYTES_OF(end)));
    if (!sql_row(l, s))
        return NULL;
    char *path = column_str(s, 0);
    sql_end(s);
    return path;
}

void ledger_files_each(struct ledger *l, const char *below,
                       bool (*visit)(void *arg, const char *path, const struct file_row *row), void *arg)
{
    struct err e;
    struct file_row row;
    struct walk w = {l, visit, arg};
    if (!dirs_flush(l, &e))
        return;
    if (ledger_file_get(l, below, &row) && !visit(arg, below, &row))
        return;
    if (!walk_dir(&w, below))
        return;
    AUTO(range_release) struct range r;
    range_below(&r, below);
    char *dir = next_dir(l, r.from, r.to);
    while (dir && walk_dir(&w, dir)) {
        char *after = dir;
        dir = next_dir(l, after, r.to);
        free(after);
    }
    free(dir);
}

static void sum(struct ledger *l, sqlite3_stmt *s, struct file_counts *out)
{
    if (!sql_row(l, s))
        return;
    out->files += sqlite3_column_int64(s, 0);
    out->published += sqlite3_column_int64(s, 1);
    out->bytes += sqlite3_column_int64(s, 2);
    sql_end(s);
}

void ledger_count_files(struct ledger *l, const char *below, struct file_counts *out)
{
    struct err e;
    struct file_row row;
    *out = (struct file_counts){0};
    if (!dirs_flush(l, &e))
        return;
    AUTO(range_release) struct range r;
    range_below(&r, below);
    sum(l, sql_bound(l, SQL_DIR_SUM_ONE, VALUES(BYTES_OF(below))), out);
    sum(l, sql_bound(l, SQL_DIR_SUM_BELOW, VALUES(BYTES_OF(r.from), BYTES_OF(r.to))), out);
    if (ledger_file_get(l, below, &row)) { /* a file by itself */
        struct dir one = {0};
        count(&one, &row, 1);
        *out = one.counts;
    }
}

char *ledger_local_of(struct ledger *l, const char *remote)
{
    struct err e;
    if (l->has_new_dirs && !dirs_flush(l, &e))
        return NULL;
    AUTO(mem_freep) char *parent = path_parent(remote);
    sqlite3_stmt *s = sql_bound(l, SQL_FILE_OF_REMOTE,
                                VALUES(BYTES_OF(parent), BYTES_OF(path_name(remote)), BYTES_OF(remote)));
    if (!sql_row(l, s))
        return NULL;
    AUTO(mem_freep) char *dir = column_str(s, 0), *name = column_str(s, 1);
    sql_end(s);
    return dir && name ? path_join(dir, name) : NULL;
}
