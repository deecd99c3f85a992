/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* open - the files of a state: lock, used, ledger.db; what is checked before they are trusted; open and close. */
#include "ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHECK_BYTES (INT64_C(64) << 20) /* a full check up to here takes well under a second */

/* --- one agent per state -------------------------------------------------------------------------------- */

/* The lock file's time is when its agent wrote its pid. */
static bool second_agent(int fd, struct err *e)
{
    char pid[24] = {0}, since[40] = {0};
    struct stat st = {0};
    struct tm at, today;
    time_t now = time(NULL);
    if (pread(fd, pid, sizeof(pid) - 1, 0) < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot read the lock of another agent") || err_cause(e, CAUSE_AGENT_SECOND);
    pid[strspn(pid, "0123456789")] = '\0';
    localtime_r(&st.st_mtime, &at);
    localtime_r(&now, &today);
    bool is_today = at.tm_year == today.tm_year && at.tm_yday == today.tm_yday;
    strftime(since, sizeof(since), is_today ? "%H:%M" : "%Y-%m-%d %H:%M", &at);
    err_set(e, ERR_CONFIG, "another agent (pid %s, since %s) already uses this state folder", pid, since);
    return err_cause(e, CAUSE_AGENT_SECOND);
}

/* An open file description lock: it ends with the process, however that ends, and does not care who else opens the file. */
static bool lock_take(struct ledger *l, const char *dir, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(dir, "lock");
    l->lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->lock < 0)
        return err_sys(e, errno, "cannot open '%s'", file);
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(l->lock, F_OFD_SETLK, &whole) < 0)
        return errno == EAGAIN || errno == EACCES ? second_agent(l->lock, e)
                                                  : err_sys(e, errno, "cannot lock '%s'", file);
    char pid[24];
    int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(l->lock, 0) < 0)
        return err_sys(e, errno, "cannot write '%s'", file);
    return write_all(l->lock, pid, (size_t)len, e);
}

/* --- the connection ---------------------------------------------------------------------------------------- */

static bool is_private(struct ledger *l, struct err *e)
{
    int fd = open(l->file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(e, errno, "cannot open '%s'", l->file);
    close(fd);
    return true;
}

/* The file may have been made by somebody else: nothing in it may run code, and its schema cannot be bent (reliability.md T18). */
static void set_limits(sqlite3 *db)
{
    static const struct {
        int what, value;
    } rows[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        sqlite3_db_config(db, rows[i].what, rows[i].value, NULL);
    sqlite3_busy_timeout(db, 2000); /* readers never hold us up; a shell that writes may, for a moment */
}

static bool connect_to(struct ledger *l, int flags, const char *pragmas, struct err *e)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its counting wants a mutex; refused once SQLite is in use */
    if (sqlite3_open_v2(l->file, &l->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return sql_err(l->db, l->file, e);
    set_limits(l->db);
    return sqlite3_exec(l->db, pragmas, NULL, NULL, NULL) == SQLITE_OK || sql_err(l->db, l->file, e);
}

static bool one_word(struct ledger *l, const char *text, char *out, size_t size)
{
    sqlite3_stmt *s = NULL;
    bool has_row = sqlite3_prepare_v2(l->db, text, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
    if (has_row)
        column_text(s, 0, out, size);
    sqlite3_finalize(s);
    return has_row;
}

static bool is_whole(struct ledger *l, struct err *e)
{
    char said[160];
    struct stat st;
    if (stat(l->file, &st) < 0 || st.st_size > CHECK_BYTES)
        return true;
    if (!one_word(l, "PRAGMA quick_check(1)", said, sizeof(said)))
        return sql_err(l->db, l->file, e);
    return str_eq(said, "ok") || damaged_err(l->file, said, e);
}

static bool load(struct ledger *l, struct err *e)
{
    if (!numbers_load(l))
        return damaged_err(l->file, "it has no numbers", e);
    sqlite3_stmt *s = sql_bound(l, SQL_DIR_LAST_ID, NO_VALUES);
    if (!sql_row(l, s))
        return damaged_err(l->file, "it has no directories", e);
    l->next_dir = sqlite3_column_int64(s, 0) + 1;
    sql_end(s);
    return true;
}

/* --- whose it is ------------------------------------------------------------------------------------------- */

static bool bind_one(struct ledger *l, const char *key, const char *value, struct err *e)
{
    char bound[1024];
    char *select = sqlite3_mprintf("SELECT value FROM meta WHERE key = %Q", key);
    bool is_bound = one_word(l, select, bound, sizeof(bound));
    sqlite3_free(select);
    if (is_bound)
        return str_eq(bound, value) || err_set(e, ERR_CONFIG,
                                               "this state belongs to %s '%s', the profile says '%s': "
                                               "give it another `state`",
                                               key, bound, value);
    char *insert = sqlite3_mprintf("INSERT INTO meta VALUES(%Q, %Q)", key, value);
    bool is_done = sqlite3_exec(l->db, insert, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(insert);
    return is_done || sql_err(l->db, l->file, e);
}

static bool bind_to(struct ledger *l, const struct ledger_binding *b, struct err *e)
{
    return bind_one(l, "tenant", b->tenant_url, e) && bind_one(l, "root", b->root, e) &&
           bind_one(l, "transport", b->transport, e);
}

/* --- a state once used -------------------------------------------------------------------------------------- */

static bool is_there(const char *dir, const char *name)
{
    struct stat st;
    AUTO(mem_freep) char *file = path_join(dir, name);
    return stat(file, &st) == 0 && (st.st_size > 0 || str_eq(name, "used"));
}

static bool is_not_lost(struct ledger *l, const char *dir, struct err *e)
{
    if (!is_there(dir, "used") || is_there(dir, "ledger.db"))
        return true;
    return err_set(e, ERR_LOCAL,
                   "the ledger '%s' is gone, though this state was used; put it back, or remove the file `used` "
                   "beside it: a new one begins as `existing` says",
                   l->file);
}

static bool mark_used(const char *dir, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(dir, "used");
    return is_there(dir, "used") || file_replace(file, "", 0, 0600, e);
}

/* --- open and close ----------------------------------------------------------------------------------------- */

static struct ledger *ledger_new(const char *dir)
{
    struct ledger *l = mem_alloc(sizeof(*l));
    l->file = str_eq(dir, ":memory:") ? str_copy(dir) : path_join(dir, "ledger.db");
    l->lock = -1;
    l->scratch = (struct buf)BUF_INIT(SIZE_MAX);
    return l;
}

static void ledger_free(struct ledger *l)
{
    for (int i = 0; i < SQLS; i++)
        sqlite3_finalize(l->stmt[i]);
    sqlite3_close(l->db);
    dirs_forget(l);
    buf_release(&l->scratch);
    fd_close(&l->lock);
    free(l->file);
    free(l);
}

/* cache_size is resident memory; mmap would be too. */
static const char writing[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2000; PRAGMA mmap_size = 0;"
    "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 16777216;"
    "PRAGMA cell_size_check = ON;";
static const char reading[] =
    "PRAGMA cache_size = -3000; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON;";

static bool open_files(struct ledger *l, const char *dir, struct err *e)
{
    return dir_make(dir, 0700, e) && lock_take(l, dir, e) && is_not_lost(l, dir, e) && is_private(l, e);
}

static bool open_ledger(struct ledger *l, const char *dir, const struct ledger_binding *binding, struct err *e)
{
    bool is_memory = str_eq(dir, ":memory:");
    return (is_memory || open_files(l, dir, e)) && connect_to(l, SQLITE_OPEN_READWRITE, writing, e) &&
           (is_memory || is_whole(l, e)) && schema_lift(l->db, l->file, schema_step, schema_version, e) &&
           bind_to(l, binding, e) && load(l, e) && (is_memory || mark_used(dir, e));
}

struct ledger *ledger_open(const char *dir, const struct ledger_binding *binding, struct err *e)
{
    struct ledger *l = ledger_new(dir);
    if (open_ledger(l, dir, binding, e))
        return l;
    ledger_free(l);
    return NULL;
}

static bool may_read(struct ledger *l, const char *dir, struct err *e)
{
    if (access(l->file, R_OK) == 0)
        return is_not_lost(l, dir, e);
    if (errno == EACCES)
        return err_set(e, ERR_CONFIG, "the ledger '%s' may not be read: run as brandsync or root", l->file);
    if (errno != ENOENT)
        return err_sys(e, errno, "cannot read the ledger '%s'", l->file);
    return is_not_lost(l, dir, e) &&
           err_set(e, ERR_CONFIG, "there is no ledger '%s' yet: no agent has run with this state", l->file);
}

static bool is_our_version(struct ledger *l, struct err *e)
{
    int version = 0;
    if (!schema_get_version(l->db, l->file, &version, e))
        return false;
    return version == schema_version ||
           err_set(e, ERR_CONFIG, "the ledger '%s' has version %d, this brandsync reads version %d", l->file, version,
                   schema_version);
}

struct ledger *ledger_open_reading(const char *dir, struct err *e)
{
    struct ledger *l = ledger_new(dir);
    l->is_reading = true;
    if (may_read(l, dir, e) && connect_to(l, SQLITE_OPEN_READONLY, reading, e) && is_our_version(l, e) && load(l, e))
        return l;
    ledger_free(l);
    return NULL;
}

void ledger_close(struct ledger *l)
{
    struct err e;
    if (!l)
        return;
    if (!ledger_commit(l, false, &e))
        log_error("ledger-failed", "%s", e.text);
    if (!l->is_reading)
        sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL); /* a busy reader leaves the log for the next start */
    ledger_free(l);
}
