/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * commit - the one transaction that all writes join, and how it ends.
 *
 * A write that fails may have cost the whole transaction (SQLite rolls back by itself on a full disk), so the first failure spoils it:
 * later writes fail with the same words and so does the commit, which alone begins anew.
 */
#include "ledger_internal.h"

bool write_begin(struct ledger *l, struct err *e)
{
    if (l->fault.kind != ERR_NONE) {
        *e = l->fault;
        return false;
    }
    if (!l->is_begun)
        l->is_begun = sql_plain(l, SQL_BEGIN, NO_VALUES, e);
    return l->is_begun;
}

bool write_failed(struct ledger *l, struct err *e)
{
    l->fault = *e;
    return false;
}

bool numbers_load(struct ledger *l)
{
    sqlite3_stmt *s = sql_bound(l, SQL_NUMBERS_GET, NO_VALUES);
    if (!sql_row(l, s))
        return false;
    l->numbers = (struct numbers){
        .job = sqlite3_column_int64(s, 0),
        .receipt = sqlite3_column_int64(s, 1),
        .last_publish_ms = sqlite3_column_int64(s, 2),
    };
    sql_end(s);
    return true;
}

static bool numbers_flush(struct ledger *l, struct err *e)
{
    const struct numbers *n = &l->numbers;
    if (!n->is_changed)
        return true;
    l->numbers.is_changed = false;
    return sql_write(l, SQL_NUMBERS_PUT, VALUES(INT(n->job), INT(n->receipt), INT(n->last_publish_ms)), e);
}

/* Numbers given out stay given out: their owners are alive although the rows are gone. */
static bool give_up(struct ledger *l, struct err *e)
{
    struct err ignored;
    if (!sqlite3_get_autocommit(l->db) && !sql_plain(l, SQL_ROLLBACK, NO_VALUES, &ignored))
        log_error("ledger-failed", "%s", ignored.text);
    dirs_forget(l);
    *e = l->fault;
    l->fault = (struct err){0};
    l->is_begun = false;
    l->numbers.is_changed = true;
    return false;
}

/* With synchronous NORMAL a commit is only written. A second, tiny one with FULL syncs the log, the first included: the level cannot be
 * changed inside a transaction. */
static bool sync_log(struct ledger *l, struct err *e)
{
    sqlite3_exec(l->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    bool is_synced = sql_plain(l, SQL_TOUCH, NO_VALUES, e);
    sqlite3_exec(l->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    l->is_unsynced = !is_synced;
    return is_synced;
}

bool ledger_commit(struct ledger *l, bool is_durable, struct err *e)
{
    if (l->fault.kind != ERR_NONE)
        return give_up(l, e);
    if (l->is_begun) {
        if (!numbers_flush(l, e) || !dirs_flush(l, e) || !sql_plain(l, SQL_COMMIT, NO_VALUES, e)) {
            l->fault = *e;
            return give_up(l, e);
        }
        l->is_begun = false;
        l->is_unsynced = true;
    }
    return !is_durable || !l->is_unsynced || sync_log(l, e);
}

bool ledger_has_uncommitted(const struct ledger *l)
{
    return l->is_begun || l->fault.kind != ERR_NONE;
}
