/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* folder - folders as they are on the portal, and watched folders whose first listing was begun. */
#include "ledger_internal.h"

static void row_read(sqlite3_stmt *s, struct folder_row *row)
{
    *row = (struct folder_row){
        .is_published = sqlite3_column_int(s, 0) != 0,
        .is_public = sqlite3_column_int(s, 1) != 0,
        .receipt = sqlite3_column_int64(s, 3),
    };
    column_text(s, 2, row->title, sizeof(row->title));
}

bool ledger_folder_get(struct ledger *l, const char *remote, struct folder_row *out)
{
    sqlite3_stmt *s = sql_bound(l, SQL_FOLDER_GET, VALUES(BYTES_OF(remote)));
    if (!sql_row(l, s))
        return false;
    row_read(s, out);
    sql_end(s);
    return true;
}

bool ledger_folder_put(struct ledger *l, const char *remote, const struct folder_row *row, struct err *e)
{
    return sql_write(
        l, SQL_FOLDER_PUT,
        VALUES(BYTES_OF(remote), INT(row->is_published), INT(row->is_public), TEXT(row->title), INT(row->receipt)), e);
}

/* Row by row, so that `visit` may write. */
void ledger_folders_each(struct ledger *l, bool (*visit)(void *arg, const char *remote, const struct folder_row *row),
                         void *arg)
{
    struct folder_row row;
    AUTO(mem_freep) char *remote = str_copy("");
    for (;;) {
        sqlite3_stmt *s = sql_bound(l, SQL_FOLDER_NEXT, VALUES(BYTES_OF(remote)));
        if (!sql_row(l, s))
            return;
        row_read(s, &row);
        char *next = column_str(s, 4);
        sql_end(s);
        free(remote);
        remote = next;
        if (!remote || !visit(arg, remote, &row))
            return;
    }
}

bool ledger_folder_is_begun(struct ledger *l, const char *local, bool *is_finished)
{
    sqlite3_stmt *s = sql_bound(l, SQL_BEGUN_GET, VALUES(BYTES_OF(local)));
    *is_finished = false;
    if (!sql_row(l, s))
        return false;
    *is_finished = sqlite3_column_int(s, 0) != 0;
    sql_end(s);
    return true;
}

bool ledger_folder_begun(struct ledger *l, const char *local, bool is_finished, struct err *e)
{
    return sql_write(l, SQL_BEGUN_PUT, VALUES(BYTES_OF(local), INT(is_finished)), e);
}
