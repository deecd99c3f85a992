/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * schema - the ledger's tables, and the steps from one version to the next.
 *
 * Names and paths are BLOBs: bytes, ordered by memcmp. Enums of types.h are stored as their words, so that a row reads as the log does;
 * file.state alone is the number of enum file_state, for there may be millions.
 */
#include "ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* file.remote is NULL for what is simply dir.remote + '/' + name: a million rows do not repeat what their directory says.
 * dir is clustered by path so that a count is one walk over neighbours; its indices carry the path along. */
static const char step_1[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE numbers(one INTEGER PRIMARY KEY CHECK(one = 1), job INT NOT NULL, receipt INT NOT NULL,"
    " last_publish_ms INT NOT NULL, touched INT NOT NULL);"
    "INSERT INTO numbers VALUES(1, 1, 1, 0, 0);"
    "CREATE TABLE dir(path BLOB PRIMARY KEY, id INT NOT NULL UNIQUE, remote BLOB NOT NULL, files INT NOT NULL, "
    "published INT NOT NULL,"
    " bytes INT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX dir_remote ON dir(remote);"
    "CREATE TABLE file(dir INT NOT NULL, name BLOB NOT NULL, remote BLOB, state INT NOT NULL, dev INT NOT NULL, ino "
    "INT NOT NULL,"
    " size INT NOT NULL, mtime_ns INT NOT NULL, ctime_ns INT NOT NULL, bytes INT NOT NULL, sha256 BLOB, receipt INT "
    "NOT NULL,"
    " is_racy INT NOT NULL, PRIMARY KEY(dir, name)) WITHOUT ROWID;"
    "CREATE INDEX file_remote ON file(remote) WHERE remote IS NOT NULL;"
    "CREATE TABLE folder(remote BLOB PRIMARY KEY, is_published INT NOT NULL, is_public INT NOT NULL, title TEXT NOT "
    "NULL,"
    " receipt INT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE begun(local BLOB PRIMARY KEY, is_finished INT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE job(id INTEGER PRIMARY KEY, action TEXT NOT NULL, state TEXT NOT NULL, priority TEXT NOT NULL, "
    "folder INT NOT NULL,"
    " path BLOB NOT NULL, remote BLOB NOT NULL, title BLOB, asked_by BLOB, is_asked INT NOT NULL, is_urgent INT NOT "
    "NULL,"
    " is_public INT NOT NULL, dev INT NOT NULL, ino INT NOT NULL, size INT NOT NULL, mtime_ns INT NOT NULL, ctime_ns "
    "INT NOT NULL,"
    " last_bytes INT NOT NULL, last_sha256 BLOB, seen_ms INT NOT NULL, settled_ms INT NOT NULL, ready_ms INT NOT NULL,"
    " due_ms INT NOT NULL, tries INT NOT NULL, why_kind TEXT, why_cause TEXT, why_sys INT, why BLOB);"
    "CREATE TABLE receipt(id INTEGER PRIMARY KEY, at_ms INT NOT NULL, job INT NOT NULL, path BLOB NOT NULL, remote "
    "BLOB NOT NULL,"
    " asked_by BLOB, action TEXT NOT NULL, outcome TEXT NOT NULL, bytes INT NOT NULL, sha256 BLOB, uploader INT NOT "
    "NULL,"
    " tries INT NOT NULL, seen_ms INT NOT NULL, settled_ms INT NOT NULL, ready_ms INT NOT NULL, sent_ms INT NOT NULL,"
    " confirmed_ms INT NOT NULL, package INT NOT NULL, is_public INT NOT NULL, proof TEXT, status INT NOT NULL, "
    "message BLOB,"
    " err_kind TEXT, err_cause TEXT, err_sys INT, err BLOB);"
    "CREATE INDEX receipt_path ON receipt(path);"
    "CREATE INDEX receipt_at ON receipt(at_ms);";

const char *const schema_step[] = {step_1};
const int schema_version = ARRAY_LEN(schema_step);

static bool run(sqlite3 *db, const char *file, const char *text, struct err *e)
{
    return sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK || sql_err(db, file, e);
}

bool schema_get_version(sqlite3 *db, const char *file, int *version, struct err *e)
{
    sqlite3_stmt *s = NULL;
    bool is_read = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL) == SQLITE_OK &&
                   sqlite3_step(s) == SQLITE_ROW;
    if (is_read)
        *version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return is_read || sql_err(db, file, e);
}

/* SQLite makes its files by umask; an empty one made before keeps our mode. */
static bool make_private(const char *file, struct err *e)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(e, errno, "cannot create '%s'", file);
    close(fd);
    return true;
}

static bool copy_before(sqlite3 *db, const char *file, int version, struct err *e)
{
    AUTO(mem_freep) char *copy = str_printf("%s.before-%d", file, version);
    if (!make_private(copy, e))
        return false;
    sqlite3_stmt *s = NULL;
    bool is_copied = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &s, NULL) == SQLITE_OK &&
                     sqlite3_bind_text(s, 1, copy, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(s) == SQLITE_DONE;
    sqlite3_finalize(s);
    return is_copied || sql_err(db, file, e) || err_wrap(e, "copy the ledger to '%s'", copy);
}

static bool lift(sqlite3 *db, const char *file, const char *const *step, int from, int target, struct err *e)
{
    char set_version[40];
    snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d", target);
    if (!run(db, file, "BEGIN IMMEDIATE", e))
        return false;
    for (int version = from; version < target; version++)
        if (!run(db, file, step[version], e))
            return false;
    return run(db, file, set_version, e) && run(db, file, "COMMIT", e);
}

bool schema_lift(sqlite3 *db, const char *file, const char *const *step, int target, struct err *e)
{
    int version = 0;
    if (!schema_get_version(db, file, &version, e))
        return false;
    if (version > target)
        return err_set(e, ERR_CONFIG,
                       "the ledger '%s' has version %d, this brandsync knows version %d: install the newer one again",
                       file, version, target);
    if (version < 0)
        return damaged_err(file, "its version is negative", e);
    if (version == target)
        return true;
    if (version > 0 && !copy_before(db, file, version, e))
        return false;
    if (lift(db, file, step, version, target, e))
        return true;
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* there may be none left; what failed is said already */
    return err_wrap(e, "lift the ledger from version %d to %d", version, target);
}
