/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* receipt - what became of each job: added, asked for, forgotten when old. */
#include "ledger_internal.h"

enum { RECEIPTS_LIMIT = 10000, RECEIPTS_FEW = 20000, PRUNE_AT_ONCE = 2000 };

/* When it happened, for `since` and for growing old. */
static int64_t at_ms(const struct receipt *r)
{
    const int64_t times[] = {r->confirmed_ms, r->sent_ms, r->ready_ms, r->settled_ms, r->seen_ms};
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (times[i])
            return times[i];
    return 0;
}

static bool insert(struct ledger *l, const struct receipt *r, struct err *e)
{
    return sql_write(l, SQL_RECEIPT_ADD,
                     VALUES(INT(at_ms(r)), INT(r->id), INT(r->job_id), BYTES_OF(r->path), BYTES_OF(r->remote),
                            BYTES_OF(r->asked_by), TEXT(job_action_name(r->action)), TEXT(outcome_name(r->outcome)),
                            INT(r->bytes), DIGEST(r->sha256), INT(r->uploader), INT(r->tries), INT(r->seen_ms),
                            INT(r->settled_ms), INT(r->ready_ms), INT(r->sent_ms), INT(r->confirmed_ms),
                            INT(r->package), INT(r->is_public), TEXT(r->proof), INT(r->status), BYTES_OF(r->message),
                            ERR_VALUES(&r->err)),
                     e);
}

bool ledger_receipt_add(struct ledger *l, struct receipt *r, struct err *e)
{
    struct receipt row = *r;
    if (r->job) {
        row.job_id = r->job->id;
        row.path = r->job->path;
        row.remote = r->job->remote;
        row.asked_by = r->job->asked_by;
        row.action = r->job->action;
    }
    row.id = l->numbers.receipt;
    if (!insert(l, &row, e))
        return false;
    r->id = l->numbers.receipt++;
    if (r->outcome == OUTCOME_PUBLISHED || r->outcome == OUTCOME_DELIVERED)
        l->numbers.last_publish_ms = at_ms(r);
    l->numbers.is_changed = true;
    return true;
}

/* --- asking ----------------------------------------------------------------------------------------------- */

static const char *proof_of(sqlite3_stmt *s, int column)
{
    static const char *const proofs[] = {"accepted", "read-back"};
    char word[16];
    column_text(s, column, word, sizeof(word));
    for (size_t i = 0; i < ARRAY_LEN(proofs); i++)
        if (str_eq(word, proofs[i]))
            return proofs[i];
    return "";
}

static void read_words(sqlite3_stmt *s, struct receipt *r)
{
    char action[40], outcome[40];
    column_text(s, 5, action, sizeof(action));
    column_text(s, 6, outcome, sizeof(outcome));
    if (!job_action_parse(action, &r->action) || !outcome_parse(outcome, &r->outcome))
        r->outcome = OUTCOME_CANCELLED; /* promises nothing */
    r->proof = proof_of(s, 18);
    column_text(s, 20, r->message, sizeof(r->message));
    column_err(s, 21, &r->err);
}

/* Names are copied: release it. */
static void read_receipt(sqlite3_stmt *s, struct receipt *r)
{
    *r = (struct receipt){
        .id = sqlite3_column_int64(s, 0),
        .job_id = sqlite3_column_int64(s, 1),
        .path = column_str(s, 2),
        .remote = column_str(s, 3),
        .asked_by = column_str(s, 4),
        .bytes = sqlite3_column_int64(s, 7),
        .uploader = column_int(s, 9),
        .tries = column_int(s, 10),
        .seen_ms = sqlite3_column_int64(s, 11),
        .settled_ms = sqlite3_column_int64(s, 12),
        .ready_ms = sqlite3_column_int64(s, 13),
        .sent_ms = sqlite3_column_int64(s, 14),
        .confirmed_ms = sqlite3_column_int64(s, 15),
        .package = sqlite3_column_int64(s, 16),
        .is_public = sqlite3_column_int(s, 17) != 0,
        .status = column_int(s, 19),
    };
    column_digest(s, 8, r->sha256);
    read_words(s, r);
}

static void visit_rows(struct ledger *l, sqlite3_stmt *s, bool (*visit)(void *arg, const struct receipt *r), void *arg)
{
    while (sql_row(l, s)) {
        AUTO(receipt_release) struct receipt r;
        read_receipt(s, &r);
        if (!r.path || !r.remote)
            continue;
        if (!visit(arg, &r)) {
            sql_end(s);
            return;
        }
    }
}

static bool are_few(struct ledger *l, enum sql count, const struct value *value, size_t values)
{
    sqlite3_stmt *s = sql_bound(l, count, value, values);
    if (!sql_row(l, s))
        return false;
    bool is_few = sqlite3_column_int(s, 0) < RECEIPTS_FEW;
    sql_end(s);
    return is_few;
}

/* By an index where that leaves few to sort; else newest first, which meets enough of them soon. */
static enum sql way_for(struct ledger *l, const struct receipt_query *query, const struct value *value)
{
    if (query->id)
        return SQL_RECEIPT_ONE;
    if (query->since_ms && are_few(l, SQL_RECEIPT_SINCE_FEW, value, 1))
        return SQL_RECEIPT_SINCE;
    if (query->path && are_few(l, SQL_RECEIPT_PATH_FEW, value, 6))
        return SQL_RECEIPT_PATH;
    return SQL_RECEIPT_NEWEST;
}

void ledger_receipts_each(struct ledger *l, const struct receipt_query *query,
                          bool (*visit)(void *arg, const struct receipt *r), void *arg)
{
    AUTO(range_release) struct range below = {NULL, NULL};
    range_below(&below, query->path ? query->path : "");
    const struct value value[] = {
        INT(query->since_ms),  INT(query->job_from), INT(query->limit ? query->limit : RECEIPTS_LIMIT),
        BYTES_OF(query->path), BYTES_OF(below.from), BYTES_OF(below.to),
        INT(query->id),
    };
    enum sql way = way_for(l, query, value);
    visit_rows(l, sql_bound(l, way, value, way == SQL_RECEIPT_ONE ? 7 : 6), visit, arg);
}

int64_t ledger_last_publish_ms(struct ledger *l)
{
    if (l->is_reading)
        numbers_load(l);
    return l->numbers.last_publish_ms;
}

/* --- forgetting -------------------------------------------------------------------------------------------- */

struct old_receipt {
    int64_t id;
    char *path;
};

static bool is_last_of_published(struct ledger *l, const struct old_receipt *r)
{
    struct file_row row;
    return r->path && ledger_file_get(l, r->path, &row) && row.state == FILE_PUBLISHED && row.receipt == r->id;
}

/* The old ones among the next PRUNE_AT_ONCE; after the last of all it begins again. */
static size_t find_old(struct ledger *l, int64_t before_ms, struct old_receipt *old)
{
    size_t count = 0, looked = 0;
    sqlite3_stmt *s = sql_bound(l, SQL_RECEIPT_OLDEST, VALUES(INT(l->pruned_to), INT(PRUNE_AT_ONCE)));
    for (; sql_row(l, s); looked++) {
        l->pruned_to = sqlite3_column_int64(s, 0);
        if (sqlite3_column_int64(s, 1) < before_ms)
            old[count++] = (struct old_receipt){l->pruned_to, column_str(s, 2)};
    }
    if (looked < PRUNE_AT_ONCE)
        l->pruned_to = 0;
    return count;
}

bool ledger_receipts_prune(struct ledger *l, int64_t before_ms, struct err *e)
{
    bool is_done = true;
    struct old_receipt *old = mem_array(PRUNE_AT_ONCE, sizeof(*old));
    size_t count = find_old(l, before_ms, old);
    for (size_t i = 0; i < count; i++) {
        if (is_done && !is_last_of_published(l, &old[i]))
            is_done = sql_write(l, SQL_RECEIPT_REMOVE, VALUES(INT(old[i].id)), e);
        free(old[i].path);
    }
    free(old);
    return is_done && (l->fault.kind == ERR_NONE || write_begin(l, e));
}
