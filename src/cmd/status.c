/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* status - the verdict, the cards of trouble, and the figures: what the agent said, on one screen (ux.md 2.1). */
#include "cmd_internal.h"

#include <inttypes.h>

enum { LABEL_COLUMNS = 11, BAR_CELLS = 10, NAME_COLUMNS = 30, FOLDER_COLUMNS = 24, BETWEEN = 5 };

struct screen {
    const json_t *status;
    const struct style *style;
    struct buf *out;
};

/* --- cards --------------------------------------------------------------------------------------------------- */

/* The verdict's sentence often ends with the same words as the first card begins with. */
static bool says_the_same(const char *sentence, const char *what)
{
    const char *tail = strrchr(what, ':');
    return strstr(sentence, tail ? tail + strspn(tail, ": ") : what) != NULL;
}

static void render_trouble(const struct screen *s)
{
    json_t *card;
    size_t i;

    json_array_foreach (json_object_get(s->status, "trouble"), i, card) {
        const char *what = control_get_text(card, "what");
        if (!says_the_same(control_get_text(s->status, "sentence"), what))
            buf_printf(s->out, "  what  %s\n", SAFE(what));
        render_card(s->out, control_get_text(card, "why"), control_get_text(card, "fix"),
                    control_get_text(card, "safe"));
    }
}

static bool is_running(const json_t *status)
{
    return json_is_true(json_object_get(json_object_get(status, "agent"), "running"));
}

/* --- figures ---------------------------------------------------------------------------------------------------- */

static void label(const struct screen *s, const char *text)
{
    render_padded(s->out, text, LABEL_COLUMNS);
}

static void render_queue(const struct screen *s)
{
    static const char *const states[] = {"ready", "sending", "waiting", "scheduled", "held", "failed"};
    const json_t *queue = json_object_get(s->status, "queue");
    const char *gap = "";

    label(s, "queue");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        int64_t n = json_int(queue, states[i]);
        if (n == 0 && str_eq(states[i], "scheduled"))
            continue;
        buf_printf(s->out, "%s%s %s", gap, GROUPED(n), states[i]);
        gap = "   ";
    }
    buf_char(s->out, '\n');
}

static int64_t percent_of(int64_t done, int64_t total)
{
    return total > 0 ? MIN(done, total) * 100 / total : 0;
}

static void add_bar(struct buf *out, int64_t percent)
{
    for (int64_t cell = 0; cell < BAR_CELLS; cell++)
        buf_char(out, (cell + 1) * 100 / BAR_CELLS <= percent ? '#' : '-');
}

static void add_rate(struct buf *out, int64_t left, int64_t rate)
{
    if (rate > 0)
        buf_printf(out, "  %s/s  %s left", BYTES(rate), SPAN(left * 1000 / rate));
}

static void active_text(const json_t *u, struct buf *out)
{
    int64_t done = json_int(u, "bytes_done"), total = json_int(u, "bytes_total"), assets = json_int(u, "assets");
    AUTO(mem_freep) char *asset = control_get_path(u, "asset");

    buf_printf(out, "%" PRId64 " active  ", json_int(u, "id"));
    add_bar(out, percent_of(done, total));
    if (assets > 1)
        buf_printf(out, "  package of %s, %s", COUNT_OF(assets, "asset"), BYTES(total));
    else
        buf_printf(out, "  %2" PRId64 " %%  %s", percent_of(done, total),
                   asset ? SHORT_PATH(path_name(asset), NAME_COLUMNS) : "");
    add_rate(out, MAX(total - done, 0), json_int(u, "rate"));
}

static void resting_text(const json_t *u, int64_t now_ms, struct buf *out)
{
    const char *state = control_get_text(u, "state"), *reason = control_get_text(u, "reason");
    int64_t since_ms = json_time(u, "since");

    buf_printf(out, "%" PRId64 " %-6s", json_int(u, "id"), SAFE(state));
    if (str_eq(state, "idle") && since_ms > 0)
        buf_printf(out, "  since %s", WHEN_SHORT(since_ms, now_ms));
    else if (str_eq(state, "paused") && reason[0])
        buf_printf(out, "  %s", SAFE(reason)); /* why one is blocked stands in the tenant's card */
}

/* Those that rest share a line while it has room. */
static void render_uploaders(const struct screen *s)
{
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 16);
    size_t used = 0, i, widest = s->style->columns > 0 ? (size_t)s->style->columns : 80;
    bool was_active = true;
    json_t *u;

    json_array_foreach (json_object_get(s->status, "uploaders"), i, u) {
        bool is_active = str_eq(control_get_text(u, "state"), "active");
        buf_clear(&text);
        if (is_active)
            active_text(u, &text);
        else
            resting_text(u, s->style->now_ms, &text);
        bool joins = i > 0 && !is_active && !was_active && used + BETWEEN + text_columns(text.data) <= widest;
        if (joins)
            buf_printf(s->out, "%*s", BETWEEN, "");
        else
            buf_printf(s->out, "%s%-*s", i > 0 ? "\n" : "", LABEL_COLUMNS, i > 0 ? "" : "uploaders");
        buf_str(s->out, text.data);
        used = (joins ? used + BETWEEN : LABEL_COLUMNS) + text_columns(text.data);
        was_active = is_active;
    }
    if (json_array_size(json_object_get(s->status, "uploaders")) > 0)
        buf_char(s->out, '\n');
}

static int widest_folder(const json_t *folders)
{
    size_t widest = 0, i;
    json_t *f;

    json_array_foreach (folders, i, f)
        widest = MAX(widest, text_columns(SHORT_PATH(control_get_text(f, "to"), FOLDER_COLUMNS)));
    return (int)widest;
}

static void render_folders(const struct screen *s)
{
    const json_t *folders = json_object_get(s->status, "folders");
    int widest = widest_folder(folders);
    json_t *f;
    size_t i;

    json_array_foreach (folders, i, f) {
        const char *reason = control_get_text(f, "reason");
        AUTO(mem_freep)
        char *figures = str_printf("%12s  %9s published  %6s left", COUNT_OF(json_int(f, "assets"), "asset"),
                                   GROUPED(json_int(f, "published")), GROUPED(json_int(f, "left")));
        label(s, i == 0 ? "folders" : "");
        render_padded(s->out, SHORT_PATH(control_get_text(f, "to"), FOLDER_COLUMNS), widest);
        buf_printf(s->out, "  %-9s%s", is_running(s->status) ? SAFE(control_get_text(f, "state")) : "", figures);
        if (json_int(f, "held") > 0)
            buf_printf(s->out, "  %s held", GROUPED(json_int(f, "held")));
        buf_printf(s->out, "%s%s\n", json_is_true(json_object_get(f, "public")) ? "  public" : "",
                   reason[0] ? "  halted" : "");
    }
}

static void render_window(const struct screen *s)
{
    const json_t *window = json_object_get(s->status, "window");
    int64_t closes_ms = json_time(window, "closes_at"), opens_ms = json_time(window, "opens_at"),
            now_ms = s->style->now_ms;

    if (closes_ms == 0 && opens_ms == 0)
        return; /* no timetable: always open */
    label(s, "window");
    if (json_is_true(json_object_get(window, "open")))
        buf_printf(s->out, "open until %s\n", WHEN_SHORT(closes_ms, now_ms));
    else
        buf_printf(s->out, "closed until %s\n", WHEN_SHORT(opens_ms, now_ms));
}

static void render_identity(const struct screen *s)
{
    const json_t *token = json_object_get(s->status, "token");
    int64_t token_ms = json_time(token, "expires_at"), now_ms = s->style->now_ms;
    int64_t certificate_ms = json_time(json_object_get(s->status, "certificate"), "expires_at");

    if (!is_running(s->status) && certificate_ms == 0)
        return;
    label(s, "identity");
    if (is_running(s->status))
        buf_printf(s->out, "token %s", SAFE(control_get_text(token, "state")));
    if (token_ms > 0)
        buf_printf(s->out, ", valid until %s", WHEN_SHORT(token_ms, now_ms));
    if (certificate_ms > 0)
        buf_printf(s->out, "%scertificate until %s", is_running(s->status) ? "    " : "",
                   WHEN_SHORT(certificate_ms, now_ms));
    buf_char(s->out, '\n');
}

static void render_fresh(const struct screen *s)
{
    static const struct {
        const char *key, *label, *never;
    } ages[] = {
        {"last_publish", "last publish", "nothing published yet"},
        {"oldest_ready", "oldest ready", NULL},
        {"self_test", "self-test ok", NULL},
    };
    const char *gap = "";

    label(s, "fresh");
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        int64_t ms = json_time(s->status, ages[i].key);
        if (ms == 0 && !ages[i].never)
            continue;
        if (ms == 0)
            buf_printf(s->out, "%s%s", gap, ages[i].never);
        else
            buf_printf(s->out, "%s%s %s%s", gap, ages[i].label, SPAN(s->style->now_ms - ms),
                       str_eq(ages[i].key, "oldest_ready") ? "" : " ago");
        gap = "   ";
    }
    buf_char(s->out, '\n');
}

static void render_screen(const struct screen *s, bool is_quiet)
{
    bool is_well = str_eq(control_get_text(s->status, "verdict"), "ok");

    if (is_well && is_quiet)
        return;
    render_verdict(s->out, s->style, control_get_text(s->status, "verdict"), control_get_text(s->status, "sentence"));
    render_trouble(s);
    if (is_well || is_quiet)
        return;
    render_queue(s);
    render_uploaders(s);
    render_folders(s);
    render_window(s);
    render_identity(s);
    render_fresh(s);
}

/* --- plain: one fact a line ---------------------------------------------------------------------------------------- */

static void plain_value(struct buf *out, const char *name, const json_t *value, int64_t now_ms)
{
    int64_t ms;

    if (json_is_integer(value))
        render_plain(out, name, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_boolean(value))
        render_plain(out, name, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value) && time_parse_rfc3339(json_string_value(value), &ms))
        render_plain(out, name, "%s", WHEN(ms, now_ms));
    else if (json_is_string(value))
        render_plain(out, name, "%s", SAFE(json_string_value(value)));
}

/* "queue ready", "folder 1 published": the path of names to the value; entries of a list count from 1. */
static void plain_members(const struct screen *s, const char *above, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    json_object_foreach ((json_t *)(uintptr_t)value, key, member) {
        AUTO(mem_freep) char *name = str_printf("%s%s%s", above, above[0] ? " " : "", key);
        for (char *c = name; *c; c++)
            *c = *c == '_' ? ' ' : *c;
        plain_members(s, name, member);
        plain_value(s->out, name, member, s->style->now_ms);
    }
    json_array_foreach (value, i, member) {
        AUTO(mem_freep) char *name = str_printf("%s %zu", above, i + 1);
        plain_members(s, name, member);
    }
}

static void plain_progress(const struct screen *s)
{
    json_t *u;
    size_t i;

    json_array_foreach (json_object_get(s->status, "uploaders"), i, u) {
        AUTO(mem_freep) char *name = str_printf("uploaders %zu progress", i + 1);
        if (json_int(u, "bytes_total") > 0)
            render_plain(s->out, name, "%" PRId64 " percent",
                         percent_of(json_int(u, "bytes_done"), json_int(u, "bytes_total")));
    }
}

void status_render(const json_t *status, const struct style *style, bool is_quiet, struct buf *out)
{
    struct screen s = {.status = status, .style = style, .out = out};

    if (!style->is_plain) {
        render_screen(&s, is_quiet);
        return;
    }
    plain_members(&s, "", status);
    plain_progress(&s);
}

/* --- the command ------------------------------------------------------------------------------------------------------- */

/* What the ledger cannot say of itself: how to have an agent again. */
static void add_agent_card(const struct cmd *c, json_t *status)
{
    AUTO(mem_freep) char *start = cmd_start_line(c->profile);
    AUTO(mem_freep) char *fix = str_printf("brandsync check, then %s", start);
    AUTO(mem_freep) char *why = str_printf("no agent answers (%s)", agent_not_running.name);
    json_t *trouble = json_object_get(status, "trouble");

    if (!json_is_array(trouble)) {
        trouble = json_array();
        json_object_set_new(status, "trouble", trouble);
    }
    json_array_insert_new(trouble, 0,
                          json_pack("{s:s, s:s, s:s, s:s}", "what", agent_not_running.what, "why", why, "fix", fix,
                                    "safe", "nothing is lost; the folders are looked at when it starts"));
}

int status_run(struct cmd *c)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 22);
    bool is_offline;
    int code = cmd_profile(c);

    if (code)
        return code;
    AUTO(json_freep) json_t *status = cmd_read(c, json_pack("{s:s}", "verb", "status"), &is_offline, &code);
    if (!status)
        return is_offline && code == EX_UNAVAILABLE ? EXIT_NO_AGENT : code;
    if (is_offline)
        add_agent_card(c, status);
    json_object_del(status, "ok");
    if (c->wants_json) {
        print_json(status);
    } else {
        status_render(status, &c->style, c->is_quiet, &out);
        print_buf(&out);
    }
    return is_offline ? EXIT_NO_AGENT : 0;
}
