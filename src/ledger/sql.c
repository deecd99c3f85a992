/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* sql - every SQL text of the ledger, values in and out, and what SQLite's failures mean to a person. */
#include "ledger_internal.h"

#include <errno.h>
#include <limits.h>

#define FILE_COLUMNS "state, dev, ino, size, mtime_ns, ctime_ns, bytes, sha256, receipt, is_racy"
#define INTO_FILE                                                                                                      \
    " INTO file(dir, name, remote, " FILE_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
#define RECEIPT_COLUMNS                                                                                                \
    "id, job, path, remote, asked_by, action, outcome, bytes, sha256, uploader, tries, seen_ms, settled_ms, "          \
    "ready_ms, sent_ms,"                                                                                               \
    " confirmed_ms, package, is_public, proof, status, message, err_kind, err_cause, err_sys, err"
/* ?1 since, ?2 job, ?3 limit; 0: any. ?4 path, NULL: any; ?5 to ?6 the range below it. */
#define RECEIPT_FILTER                                                                                                 \
    "(?1 = 0 OR at_ms >= ?1) AND (?2 = 0 OR job = ?2) AND (?4 IS NULL OR path = ?4 OR (path > ?5 AND path < ?6))"
/* The newest ids first, then their rows: what is sorted stays small. */
#define RECEIPTS_BY(index, range)                                                                                      \
    "SELECT " RECEIPT_COLUMNS " FROM receipt WHERE id IN (SELECT id FROM receipt INDEXED BY " index " WHERE " range    \
    " AND " RECEIPT_FILTER " ORDER BY id DESC LIMIT ?3) ORDER BY id DESC"
#define SINCE_RANGE "at_ms >= ?1"
#define PATH_RANGE "path >= ?4 AND path < ?6"
#define COUNT_FEW(index, range)                                                                                        \
    "SELECT count(*) FROM (SELECT 1 FROM receipt INDEXED BY " index " WHERE " range " LIMIT 20000)"

static const char *const sql_text[SQLS] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_COMMIT] = "COMMIT",
    [SQL_ROLLBACK] = "ROLLBACK",
    [SQL_TOUCH] = "UPDATE numbers SET touched = touched + 1",
    [SQL_NUMBERS_GET] = "SELECT job, receipt, last_publish_ms FROM numbers",
    [SQL_NUMBERS_PUT] = "UPDATE numbers SET job = ?1, receipt = ?2, last_publish_ms = ?3",

    [SQL_DIR_GET] = "SELECT id, remote, files, published, bytes FROM dir WHERE path = ?1",
    [SQL_DIR_PUT] = "INSERT INTO dir(path, id, remote, files, published, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
                    " ON CONFLICT(path) DO UPDATE SET files = ?4, published = ?5, bytes = ?6",
    [SQL_DIR_REMOVE] = "DELETE FROM dir WHERE path = ?1",
    [SQL_DIR_NEXT] = "SELECT path FROM dir WHERE path > ?1 AND path < ?2 ORDER BY path LIMIT 1",
    [SQL_DIR_LAST_ID] = "SELECT max(id) FROM dir",
    [SQL_DIR_SUM_ONE] = "SELECT files, published, bytes FROM dir WHERE path = ?1",
    [SQL_DIR_SUM_BELOW] = "SELECT sum(files), sum(published), sum(bytes) FROM dir WHERE path > ?1 AND path < ?2",

    [SQL_FILE_GET] = "SELECT " FILE_COLUMNS " FROM file WHERE dir = ?1 AND name = ?2",
    [SQL_FILE_ADD] = "INSERT OR IGNORE" INTO_FILE,
    [SQL_FILE_PUT] = "INSERT OR REPLACE" INTO_FILE,
    [SQL_FILE_REMOVE] = "DELETE FROM file WHERE dir = ?1 AND name = ?2",
    [SQL_FILE_ROWS] = "SELECT " FILE_COLUMNS ", name FROM file WHERE dir = ?1 AND name > ?2 ORDER BY name LIMIT ?3",
    /* Published before unpublished, then the latest. 0 is FILE_KNOWN. */
    [SQL_FILE_OF_REMOTE] = "SELECT d.path, f.name, f.state, f.receipt FROM dir d JOIN file f ON f.dir = d.id AND "
                           "f.name = ?2"
                           " WHERE d.remote = ?1 AND f.remote IS NULL AND f.state <> 0"
                           " UNION ALL SELECT d.path, f.name, f.state, f.receipt FROM file f JOIN dir d ON d.id = f.dir"
                           " WHERE f.remote = ?3 AND f.state <> 0 ORDER BY 3, 4 DESC LIMIT 1",

    [SQL_FOLDER_GET] = "SELECT is_published, is_public, title, receipt FROM folder WHERE remote = ?1",
    [SQL_FOLDER_PUT] = "INSERT OR REPLACE INTO folder(remote, is_published, is_public, title, receipt) VALUES(?1, ?2, "
                       "?3, ?4, ?5)",
    [SQL_FOLDER_NEXT] = "SELECT is_published, is_public, title, receipt, remote FROM folder WHERE remote > ?1 ORDER BY "
                        "remote LIMIT 1",
    [SQL_BEGUN_GET] = "SELECT is_finished FROM begun WHERE local = ?1",
    [SQL_BEGUN_PUT] = "INSERT OR REPLACE INTO begun(local, is_finished) VALUES(?1, ?2)",

    [SQL_JOB_PUT] = "INSERT OR REPLACE INTO job VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, "
                    "?15, ?16, ?17, ?18,"
                    " ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
    [SQL_JOB_REMOVE] = "DELETE FROM job WHERE id = ?1",
    [SQL_JOB_ALL] = "SELECT * FROM job WHERE id <= (SELECT max(id) FROM job) ORDER BY id",

    [SQL_RECEIPT_ADD] = "INSERT INTO receipt(at_ms, " RECEIPT_COLUMNS
                        ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
                        " ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)",
    [SQL_RECEIPT_ONE] = "SELECT " RECEIPT_COLUMNS " FROM receipt WHERE id = ?7 AND ?3 > 0 AND " RECEIPT_FILTER,
    [SQL_RECEIPT_SINCE] = RECEIPTS_BY("receipt_at", SINCE_RANGE),
    [SQL_RECEIPT_SINCE_FEW] = COUNT_FEW("receipt_at", SINCE_RANGE),
    [SQL_RECEIPT_PATH] = RECEIPTS_BY("receipt_path", PATH_RANGE),
    [SQL_RECEIPT_PATH_FEW] = COUNT_FEW("receipt_path", PATH_RANGE),
    [SQL_RECEIPT_NEWEST] = "SELECT " RECEIPT_COLUMNS " FROM receipt NOT INDEXED WHERE " RECEIPT_FILTER
                           " ORDER BY id DESC LIMIT ?3",
    [SQL_RECEIPT_OLDEST] = "SELECT id, at_ms, path FROM receipt WHERE id > ?1 ORDER BY id LIMIT ?2",
    [SQL_RECEIPT_REMOVE] = "DELETE FROM receipt WHERE id = ?1",
};

/* --- errors ------------------------------------------------------------------------------------------- */

bool damaged_err(const char *file, const char *what, struct err *e)
{
    return err_set(
        e, ERR_LOCAL,
        "the ledger '%s' is damaged: move it and `used` beside it away, and a new one begins as `existing` says (%s)",
        file, what);
}

static bool disk_is_full(int code, int sys)
{
    return code == SQLITE_FULL || (code == SQLITE_IOERR && (sys == ENOSPC || sys == EDQUOT));
}

bool sql_err(sqlite3 *db, const char *file, struct err *e)
{
    int code = sqlite3_errcode(db) & 0xff, sys = sqlite3_system_errno(db);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_FORMAT || code == SQLITE_ERROR ||
        code == SQLITE_MISMATCH)
        return damaged_err(file, sqlite3_errmsg(db), e); /* our own SQL is right, so a table or column is not there */
    err_set(e, ERR_LOCAL, "ledger '%s': %s", file, sqlite3_errmsg(db));
    e->sys = sys;
    return disk_is_full(code, sys) ? err_cause(e, CAUSE_DISK_FULL) : false;
}

/* Reads have no `e`: what fails is said here, once, and spoils the next commit. */
static void fault(struct ledger *l)
{
    struct err e = {0};
    sql_err(l->db, l->file, &e);
    if (l->fault.kind == ERR_NONE) {
        log_error("ledger-failed", "%s", e.text);
        l->fault = e;
    }
}

/* --- values in ------------------------------------------------------------------------------------------ */

static void bind(sqlite3_stmt *s, int at, const struct value *v)
{
    char digest[32];
    switch (v->type) {
    case VALUE_INT:
        sqlite3_bind_int64(s, at, v->number);
        return;
    case VALUE_BYTES:
        sqlite3_bind_blob64(s, at, v->text, v->text ? strlen(v->text) : 0, SQLITE_STATIC);
        return;
    case VALUE_TEXT:
        sqlite3_bind_text(s, at, v->text, -1, SQLITE_STATIC);
        return;
    case VALUE_DIGEST:
        if (text_unhex(digest, sizeof(digest), v->text))
            sqlite3_bind_blob(s, at, digest, sizeof(digest), SQLITE_TRANSIENT);
        else
            sqlite3_bind_null(s, at);
        return;
    }
}

static sqlite3_stmt *prepared(struct ledger *l, enum sql which)
{
    if (!l->stmt[which])
        sqlite3_prepare_v3(l->db, sql_text[which], -1, SQLITE_PREPARE_PERSISTENT, &l->stmt[which], NULL);
    return l->stmt[which];
}

sqlite3_stmt *sql_bound(struct ledger *l, enum sql which, const struct value *value, size_t values)
{
    sqlite3_stmt *s = prepared(l, which);
    if (!s) {
        fault(l);
        return NULL;
    }
    for (size_t i = 0; i < values; i++)
        bind(s, (int)i + 1, &value[i]);
    return s;
}

bool sql_row(struct ledger *l, sqlite3_stmt *s)
{
    if (!s)
        return false;
    int code = sqlite3_step(s);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        fault(l);
    sqlite3_reset(s);
    return false;
}

void sql_end(sqlite3_stmt *s)
{
    sqlite3_reset(s);
}

bool sql_plain(struct ledger *l, enum sql which, const struct value *value, size_t values, struct err *e)
{
    sqlite3_stmt *s = prepared(l, which);
    if (!s)
        return sql_err(l->db, l->file, e);
    for (size_t i = 0; i < values; i++)
        bind(s, (int)i + 1, &value[i]);
    bool is_done = sqlite3_step(s) == SQLITE_DONE;
    if (!is_done)
        sql_err(l->db, l->file, e);
    sqlite3_reset(s);
    return is_done;
}

bool sql_write(struct ledger *l, enum sql which, const struct value *value, size_t values, struct err *e)
{
    return write_begin(l, e) && (sql_plain(l, which, value, values, e) || write_failed(l, e));
}

/* --- values out: the file may have been changed by anybody ----------------------------------------------- */

char *column_str(sqlite3_stmt *s, int column)
{
    const void *data = sqlite3_column_blob(s, column);
    if (!data)
        return sqlite3_column_type(s, column) == SQLITE_NULL ? NULL : str_copy("");
    return str_copy_n(data, strnlen(data, (size_t)sqlite3_column_bytes(s, column)));
}

void column_text(sqlite3_stmt *s, int column, char *out, size_t size)
{
    const void *data = sqlite3_column_blob(s, column);
    size_t len = data ? MIN((size_t)sqlite3_column_bytes(s, column), size - 1) : 0;
    if (len)
        memcpy(out, data, len);
    out[len] = '\0';
}

void column_digest(sqlite3_stmt *s, int column, char hex[65])
{
    const void *data = sqlite3_column_blob(s, column);
    hex[0] = '\0';
    if (data && sqlite3_column_bytes(s, column) == 32)
        text_hex(hex, data, 32);
}

int column_int(sqlite3_stmt *s, int column)
{
    int64_t number = sqlite3_column_int64(s, column);
    return (int)MAX(INT_MIN, MIN(number, INT_MAX));
}

int column_word(sqlite3_stmt *s, int column, const char *(*name_of)(int), int count, int otherwise)
{
    char word[40];
    column_text(s, column, word, sizeof(word));
    for (int i = 0; i < count; i++)
        if (str_eq(word, name_of(i)))
            return i;
    return otherwise;
}

static const char *kind_word(int kind)
{
    return err_kind_name((enum err_kind)kind);
}

static const char *cause_word(int cause)
{
    return cause_info(cause)->name;
}

void column_err(sqlite3_stmt *s, int column, struct err *out)
{
    *out = (struct err){.kind = (enum err_kind)column_word(s, column, kind_word, ERR_KINDS, ERR_NONE)};
    out->cause = column_word(s, column + 1, cause_word, CAUSES, CAUSE_NONE);
    out->sys = column_int(s, column + 2);
    column_text(s, column + 3, out->text, sizeof(out->text));
}
