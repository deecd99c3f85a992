/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* receipts - what was done, newest first: as a table, one in full, as CSV for a client, as JSON (ux.md 2.3). */
#include "cmd_internal.h"

#include <inttypes.h>
#include <unistd.h>

const struct option_spec receipts_options[] = {
    {"since", 0, "T", "today, yesterday, a time back from now (10m, 2h), or 2026-11-24T08:00:00Z"},
    {"csv", 0, NULL, "as comma-separated values with a heading"},
    {0},
};

/* --- the table ------------------------------------------------------------------------------------------------- */

enum {
    WHEN_COLUMN,
    ASSET_COLUMN,
    OUTCOME_COLUMN,
    SIZE_COLUMN,
    TOOK_COLUMN,
    BY_COLUMN,
    UPLOADER_COLUMN,
    RECEIPT_COLUMN,
    COLUMNS
};
enum { ASSET_NARROWEST = 24, GAP = 2 };

static const struct {
    const char *title;
    bool is_right;
} table[COLUMNS] = {
    [WHEN_COLUMN] = {"when", false},        [ASSET_COLUMN] = {"asset", false},
    [OUTCOME_COLUMN] = {"outcome", false},  [SIZE_COLUMN] = {"size", true},
    [TOOK_COLUMN] = {"ready->done", true},  [BY_COLUMN] = {"by", false},
    [UPLOADER_COLUMN] = {"uploader", true}, [RECEIPT_COLUMN] = {"receipt", true},
};

struct row {
    char *cell[COLUMNS]; /* the asset as it is, not yet quoted */
};

static struct row row_of(const json_t *r, const struct profile *p, int64_t now_ms)
{
    int64_t ready_ms = json_time(r, "ready_at"), done_ms = json_time(r, "confirmed_at"),
            uploader = json_int(r, "uploader");
    bool has_size = json_int(r, "bytes") > 0;

    return (struct row){.cell = {
                            [WHEN_COLUMN] = str_copy(WHEN_SHORT(done_ms, now_ms)),
                            [ASSET_COLUMN] = asset_name(p, r),
                            [OUTCOME_COLUMN] = str_copy(SAFE(control_get_text(r, "outcome"))),
                            [SIZE_COLUMN] = str_copy(has_size ? BYTES(json_int(r, "bytes")) : "-"),
                            [TOOK_COLUMN] = str_copy(ready_ms > 0 && done_ms > 0 ? TOOK(done_ms - ready_ms) : "-"),
                            [BY_COLUMN] = str_copy(SAFE(control_get_text(r, "asked_by"))),
                            [UPLOADER_COLUMN] = uploader > 0 ? str_printf("%" PRId64, uploader) : str_copy("-"),
                            [RECEIPT_COLUMN] = str_printf("%" PRId64, json_int(r, "id")),
                        }};
}

static void rows_free(struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int column = 0; column < COLUMNS; column++)
            free(rows[i].cell[column]);
    free(rows);
}

/* Every column as wide as its widest cell. Returns what is left of the line for the asset. */
static int measure(const struct row *rows, size_t count, int columns, int *width)
{
    int left = columns - GAP * (COLUMNS - 1);

    for (int column = 0; column < COLUMNS; column++) {
        width[column] = (int)strlen(table[column].title);
        for (size_t i = 0; i < count; i++) {
            const char *cell = rows[i].cell[column];
            size_t wide = text_columns(column == ASSET_COLUMN ? SHELL(cell) : cell);
            width[column] = MAX(width[column], (int)MIN(wide, 4096));
        }
        left -= column == ASSET_COLUMN ? 0 : width[column];
    }
    return left;
}

/* On a narrow terminal what names the asset counts more than who sent it, which the receipt in full says. Width 0: left out. */
static void fit(const struct row *rows, size_t count, int columns, int *width)
{
    static const int spared[] = {UPLOADER_COLUMN, BY_COLUMN};
    int left = measure(rows, count, columns, width);

    if (columns <= 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(spared) && left < MIN(width[ASSET_COLUMN], ASSET_NARROWEST); i++) {
        left += width[spared[i]] + GAP;
        width[spared[i]] = 0;
    }
    width[ASSET_COLUMN] = MIN(width[ASSET_COLUMN], MAX(left, 1));
}

static void render_row(const char *const *cell, const int *width, struct buf *out)
{
    for (int column = 0; column < COLUMNS; column++) {
        if (width[column] == 0)
            continue;
        render_padded(out, cell[column], table[column].is_right ? -width[column] : width[column]);
        buf_str(out, column == COLUMNS - 1 ? "\n" : "  ");
    }
}

void receipts_render(const json_t *receipts, const struct profile *p, const struct style *s, struct buf *out)
{
    size_t count = json_array_size(receipts);
    struct row *rows = mem_array(count + 1, sizeof(*rows));
    const char *titles[COLUMNS];
    int width[COLUMNS];

    for (size_t i = 0; i < count; i++)
        rows[i] = row_of(json_array_get(receipts, i), p, s->now_ms);
    fit(rows, count, s->columns, width);
    for (int column = 0; column < COLUMNS; column++)
        titles[column] = table[column].title;
    if (count > 0)
        render_row(titles, width, out);
    for (size_t i = 0; i < count; i++) {
        char shown[TEXT_SHOWN];
        const char *cell[COLUMNS];
        for (int column = 0; column < COLUMNS; column++)
            cell[column] = rows[i].cell[column];
        cell[ASSET_COLUMN] = render_path(shown, sizeof(shown), rows[i].cell[ASSET_COLUMN],
                                         s->columns > 0 ? width[ASSET_COLUMN] : 0);
        render_row(cell, width, out);
    }
    rows_free(rows, count);
}

/* "2 receipts: 1 published, 1 unpublished." */
static char *summary(const json_t *receipts)
{
    AUTO(buf_release) struct buf out = BUF_INIT(4096);
    const char *gap = ": ";

    buf_str(&out, COUNT_OF((int64_t)json_array_size(receipts), "receipt"));
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        int64_t n = 0;
        json_t *r;
        size_t i;
        json_array_foreach (receipts, i, r)
            n += str_eq(control_get_text(r, "outcome"), outcome_name(outcome));
        if (n == 0)
            continue;
        buf_printf(&out, "%s%s %s", gap, GROUPED(n), outcome_name(outcome));
        gap = ", ";
    }
    buf_char(&out, '.');
    return buf_take(&out);
}

/* --- one in full, and CSV ------------------------------------------------------------------------------------------- */

static const char *const fields[] = {
    "id",    "job",      "path",    "remote",     "action",   "outcome", "bytes",        "sha256",  "uploader",
    "tries", "asked_by", "seen_at", "settled_at", "ready_at", "sent_at", "confirmed_at", "package", "proof",
};

/* A value as text: numbers, texts, and times as they are. */
static char *field_text(const json_t *receipt, const char *key)
{
    const json_t *value = json_object_get(receipt, key);

    if (json_is_integer(value))
        return str_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return str_copy(json_is_string(value) ? json_string_value(value) : "");
}

void receipt_render(const json_t *receipt, int64_t now_ms, struct buf *out)
{
    const json_t *server = json_object_get(receipt, "server");

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        int64_t ms = json_time(receipt, fields[i]);
        AUTO(mem_freep) char *text = ms > 0 ? str_copy(WHEN(ms, now_ms)) : field_text(receipt, fields[i]);
        AUTO(mem_freep) char *label = str_copy(fields[i]);
        for (char *c = label; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        render_plain(out, label, "%s", SAFE(text));
    }
    if (json_int(server, "status") > 0)
        render_plain(out, "server", "%" PRId64 " %s", json_int(server, "status"),
                     SAFE(control_get_text(server, "message")));
}

/* RFC 4180: a field with a quote, a comma or a line break stands in quotes. */
static void csv_field(struct buf *out, const char *text)
{
    bool is_quoted = strpbrk(text, "\",\r\n") != NULL;

    if (is_quoted)
        buf_char(out, '"');
    for (; *text; text++)
        buf_str(out, is_quoted && *text == '"' ? "\"\"" : (char[]){*text, '\0'});
    if (is_quoted)
        buf_char(out, '"');
}

void receipts_csv(const json_t *receipts, struct buf *out)
{
    json_t *receipt;
    size_t i;

    for (size_t f = 0; f < ARRAY_LEN(fields); f++)
        buf_printf(out, "%s%s", f > 0 ? "," : "", fields[f]);
    buf_str(out, "\r\n");
    json_array_foreach (receipts, i, receipt) {
        for (size_t f = 0; f < ARRAY_LEN(fields); f++) {
            AUTO(mem_freep) char *text = field_text(receipt, fields[f]);
            buf_str(out, f > 0 ? "," : "");
            csv_field(out, text);
        }
        buf_str(out, "\r\n");
    }
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

/* A number is a receipt, unless a file has that name. */
static json_t *request_for(const struct cmd *c, bool *is_one, struct err *e)
{
    const char *what = c->args.operands > 0 ? c->args.operand[0] : NULL, *since = args_text(&c->args, "since");
    json_t *request = json_pack("{s:s}", "verb", "receipts");
    int64_t number, since_ms;

    *is_one = what && parse_int64(what, 1, INT64_MAX, &number) && access(what, F_OK) < 0;
    if (*is_one) {
        json_object_set_new(request, "id", json_integer(number));
    } else if (what) {
        AUTO(mem_freep) char *path = path_absolute(what);
        control_set_path(request, "path", path);
    }
    if (since && time_parse_since(since, c->now_ms, &since_ms)) {
        json_object_set_new(request, "since", json_integer(since_ms));
    } else if (since) {
        json_decref(request);
        err_set(e, ERR_CONFIG, "--since %s: expected today, yesterday, 10m, 2h, 7d, or 2026-11-24T08:00:00Z",
                SHELL(since));
        return NULL;
    }
    return request;
}

static int print_receipts(const struct cmd *c, json_t *answer, bool is_one)
{
    AUTO(buf_release) struct buf out = BUF_INIT(SIZE_MAX);
    const json_t *receipts = json_object_get(answer, "receipts"), *first = json_array_get(receipts, 0);

    if (is_one && !first)
        return cmd_fail(c, EX_NOINPUT, "there is no receipt %s", c->args.operand[0]);
    if (c->wants_json)
        return print_json(answer);
    if (args_has(&c->args, "csv")) {
        receipts_csv(receipts, &out);
        return print_buf(&out);
    }
    if (is_one) {
        receipt_render(first, c->now_ms, &out);
        return print_buf(&out);
    }
    AUTO(mem_freep) char *total = summary(receipts);
    receipts_render(receipts, c->profile, &c->style, &out);
    print_buf(&out);
    if (first)
        cmd_hint(c, "%s   In full: brandsync receipts %" PRId64 "     For a client: --csv", total,
                 json_int(first, "id"));
    else
        cmd_hint(c, "%s", total);
    return 0;
}

int receipts_run(struct cmd *c)
{
    bool is_offline, is_one;
    struct err e;
    int code = cmd_profile(c);

    if (code)
        return code;
    json_t *request = request_for(c, &is_one, &e);
    if (!request)
        return cmd_fail(c, EX_USAGE, "%s", e.text);
    AUTO(json_freep) json_t *answer = cmd_read(c, request, &is_offline, &code);
    if (!answer)
        return code;
    if (is_offline)
        cmd_hint(c, OFFLINE_HINT);
    return print_receipts(c, answer, is_one);
}
