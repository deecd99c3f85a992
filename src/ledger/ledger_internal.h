/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The ledger's inside: one connection, its kept statements, one open transaction, and what is accumulated until it is committed.
 *
 *   open.c    the state's files: lock, used, binding, checks; open and close
 *   schema.c  the tables, and the steps from one version to the next
 *   sql.c     every SQL text, binding and reading of values, errors
 *   commit.c  the transaction that writes join; counts and numbers that leave with it
 *   dir.c     directories: identity, remote folder, counts
 *   file.c    files and cursors
 *   folder.c  remote folders, begun watched folders
 *   job.c     the queue's rows
 *   receipt.c receipts
 */
#ifndef BRANDSYNC_LEDGER_INTERNAL_H
#define BRANDSYNC_LEDGER_INTERNAL_H

#include "ledger.h"

#include <sqlite3.h>

/* --- statements ------------------------------------------------------------------------------------- */

enum sql {
    SQL_BEGIN,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_TOUCH,
    SQL_NUMBERS_GET,
    SQL_NUMBERS_PUT,
    SQL_DIR_GET,
    SQL_DIR_PUT,
    SQL_DIR_REMOVE,
    SQL_DIR_NEXT,
    SQL_DIR_LAST_ID,
    SQL_DIR_SUM_ONE,
    SQL_DIR_SUM_BELOW,
    SQL_FILE_GET,
    SQL_FILE_ADD,
    SQL_FILE_PUT,
    SQL_FILE_REMOVE,
    SQL_FILE_ROWS,
    SQL_FILE_OF_REMOTE,
    SQL_FOLDER_GET,
    SQL_FOLDER_PUT,
    SQL_FOLDER_NEXT,
    SQL_BEGUN_GET,
    SQL_BEGUN_PUT,
    SQL_JOB_PUT,
    SQL_JOB_REMOVE,
    SQL_JOB_ALL,
    SQL_RECEIPT_ADD,
    SQL_RECEIPT_ONE,
    SQL_RECEIPT_SINCE,
    SQL_RECEIPT_SINCE_FEW,
    SQL_RECEIPT_PATH,
    SQL_RECEIPT_PATH_FEW,
    SQL_RECEIPT_NEWEST,
    SQL_RECEIPT_OLDEST,
    SQL_RECEIPT_REMOVE,
    SQLS
};

/* A value on its way into a statement; nothing is copied, so it must live until the statement has run. */
struct value {
    enum { VALUE_INT, VALUE_BYTES, VALUE_TEXT, VALUE_DIGEST } type;
    int64_t number;
    const char *text; /* NULL: SQL's NULL */
};
#define INT(n) ((struct value){.type = VALUE_INT, .number = (int64_t)(n)})
#define BYTES_OF(s) ((struct value){.type = VALUE_BYTES, .text = (s)})
#define TEXT(s) ((struct value){.type = VALUE_TEXT, .text = (s)})
#define DIGEST(hex) ((struct value){.type = VALUE_DIGEST, .text = (hex)}) /* 64 hex digits; anything else: NULL */
#define VALUES(...) (struct value[]){__VA_ARGS__}, sizeof((struct value[]){__VA_ARGS__}) / sizeof(struct value)
#define NO_VALUES NULL, 0

struct ledger {
    sqlite3 *db;
    sqlite3_stmt *stmt[SQLS]; /* prepared at first use, kept for life */
    char *file;               /* DIR/ledger.db */
    int lock;                 /* -1: none */
    bool is_reading;

    bool is_begun;    /* a transaction is open */
    bool is_unsynced; /* committed rows that a power cut may take */
    struct err fault; /* what failed since the last commit: the next one fails with it */

    struct numbers {
        int64_t job, receipt; /* the next of each */
        int64_t last_publish_ms;
        bool is_changed;
    } numbers;

    struct map dirs; /* directories lately used; counts in here are the truth until dirs_flush */
    int64_t next_dir;
    bool has_new_dirs; /* some of them have no row yet */
    struct buf scratch;

    int64_t pruned_to; /* receipts up to this id were looked at by ledger_receipts_prune */
};

/* The statement, ready for binding; NULL: it cannot be prepared (fault is set). */
sqlite3_stmt *sql_bound(struct ledger *l, enum sql which, const struct value *value, size_t values);
/* Steps a statement: true for a row; false at the end, when it is reset, and on failure (fault is set). */
bool sql_row(struct ledger *l, sqlite3_stmt *s);
void sql_end(sqlite3_stmt *s); /* before its last row: reset. NULL is fine */
/* A write, inside the transaction. */
bool sql_write(struct ledger *l, enum sql which, const struct value *value, size_t values, struct err *e) MUST_CHECK;
/* Runs it outside the rules of transactions. */
bool sql_plain(struct ledger *l, enum sql which, const struct value *value, size_t values, struct err *e) MUST_CHECK;

/* Says for a person what SQLite's last failure on this connection means. */
bool sql_err(sqlite3 *db, const char *file, struct err *e);
bool damaged_err(const char *file, const char *what, struct err *e);

char *column_str(sqlite3_stmt *s, int column); /* owned; NULL stays NULL */
void column_text(sqlite3_stmt *s, int column, char *out, size_t size);
void column_digest(sqlite3_stmt *s, int column, char hex[65]);
int column_int(sqlite3_stmt *s, int column);                   /* clamped to int */
void column_err(sqlite3_stmt *s, int column, struct err *out); /* four columns, as ERR_VALUES put them */
#define ERR_VALUES(e)                                                                                                  \
    TEXT((e)->kind == ERR_NONE ? NULL : err_kind_name((e)->kind)),                                                     \
        TEXT((e)->cause ? cause_info((e)->cause)->name : NULL), INT((e)->sys),                                         \
        BYTES_OF((e)->kind == ERR_NONE ? NULL : (e)->text)
/* The number whose name the column holds; `otherwise` when there is none. */
int column_word(sqlite3_stmt *s, int column, const char *(*name_of)(int), int count, int otherwise);

/* --- schema ------------------------------------------------------------------------------------------- */

/* step[n] lifts version n to n + 1. */
extern const char *const schema_step[];
extern const int schema_version;
/* Brings `db` to version `target`, in one transaction, after a copy FILE.before-N when it held something. A newer one is refused. */
bool schema_lift(sqlite3 *db, const char *file, const char *const *step, int target, struct err *e) MUST_CHECK;
bool schema_get_version(sqlite3 *db, const char *file, int *version, struct err *e) MUST_CHECK;

/* --- the transaction ------------------------------------------------------------------------------------ */

bool write_begin(struct ledger *l, struct err *e) MUST_CHECK; /* joins the transaction, opens one when there is none */
bool write_failed(struct ledger *l, struct err *e); /* false; the transaction is spoilt, the next commit says so */
bool numbers_load(struct ledger *l);

/* --- directories ------------------------------------------------------------------------------------------ */

struct dir {
    int64_t id;
    char *path, *remote;
    struct file_counts counts;
    bool is_changed;
};
/* The directory of the row for `path`; `*name` is the rest. NULL: not known, and `remote` (a file's) is NULL. Lives until the next call. */
struct dir *dir_of(struct ledger *l, const char *path, const char *remote, const char **name);
struct dir *dir_get(struct ledger *l, const char *path);
bool dirs_flush(struct ledger *l,
                struct err *e) MUST_CHECK; /* writes changed counts: before reading `dir` by SQL, and at commit */
void dirs_forget(struct ledger *l);        /* all of them, counts included: after a rollback */

/* Everything strictly below a path is the range from < x < to. */
struct range {
    char *from, *to;
};
void range_below(struct range *r, const char *path);
void range_release(struct range *r);

#endif
