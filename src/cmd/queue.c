/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* queue list - what waits, is held or failed, why, and what helps. */
#include "cmd_internal.h"

#include <inttypes.h>

enum { ID_COLUMNS = 5, PATH_COLUMNS = 44 };

const struct option_spec queue_list_options[] = {
    {"held", 0, NULL, "only what needs a person"},
    {"failed", 0, NULL, "only what was refused for good"},
    {0},
};

/* What moves by itself this minute is counted, not listed. */
static bool is_moving(const json_t *item)
{
    const char *state = control_get_text(item, "state");
    return str_eq(state, "ready") || str_eq(state, "sending");
}

static void render_item(const json_t *item, const struct profile *p, const struct style *s, struct buf *out)
{
    AUTO(mem_freep) char *name = asset_name(p, item);
    AUTO(mem_freep) char *id = str_printf("%" PRId64, json_int(item, "id"));
    const char *reason = control_get_text(item, "reason"), *cause = control_get_text(item, "cause"),
               *fix = control_get_text(item, "fix");
    int64_t tries = json_int(item, "tries"), due_ms = json_time(item, "due");

    render_padded(out, id, ID_COLUMNS);
    buf_printf(out, "%s  %s", SHORT_PATH(name, s->columns ? PATH_COLUMNS : 0), SAFE(control_get_text(item, "state")));
    if (tries > 0)
        buf_printf(out, " after %" PRId64 " tr%s", tries, tries == 1 ? "y" : "ies");
    if (due_ms > s->now_ms)
        buf_printf(out, ", next %s", WHEN_SHORT(due_ms, s->now_ms));
    if (reason[0])
        buf_printf(out, ": %s", SAFE(reason));
    buf_printf(out, cause[0] ? " (%s)\n" : "\n", SAFE(cause));
    if (fix[0])
        buf_printf(out, "%*s fix  %s\n", ID_COLUMNS - 1, "", SAFE(fix));
}

static void render_counts(const json_t *items, struct buf *out)
{
    int64_t count[JOB_STATES] = {0};
    bool has_any = false;
    json_t *item;
    size_t i;

    json_array_foreach (items, i, item)
        for (int state = 0; state < JOB_STATES; state++)
            count[state] += str_eq(control_get_text(item, "state"), job_state_name(state));
    for (int state = 0; state < JOB_STATES; state++) {
        if (count[state] == 0)
            continue;
        buf_printf(out, "%s%s %s", has_any ? ", " : "", GROUPED(count[state]), job_state_name(state));
        has_any = true;
    }
    buf_str(out, has_any ? "\n" : "Nothing waits.\n");
}

void queue_render(const json_t *items, const struct profile *p, const struct style *s, struct buf *out)
{
    json_t *item;
    size_t i;

    json_array_foreach (items, i, item)
        if (!is_moving(item))
            render_item(item, p, s, out);
    render_counts(items, out);
}

int queue_list_run(struct cmd *c)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 26);
    bool is_offline, only_held = args_has(&c->args, "held"), only_failed = args_has(&c->args, "failed");
    int code = cmd_profile(c);

    if (code)
        return code;
    if (only_held && only_failed)
        return cmd_fail(c, EX_USAGE, "either --held or --failed");
    json_t *request = json_pack("{s:s, s:s}", "verb", "queue", "state",
                                only_held     ? "held"
                                : only_failed ? "failed"
                                              : "");
    AUTO(json_freep) json_t *answer = cmd_read(c, request, &is_offline, &code);
    if (!answer)
        return code;
    if (is_offline)
        cmd_hint(c, OFFLINE_HINT);
    if (c->wants_json)
        return print_json(answer);
    queue_render(json_object_get(answer, "items"), c->profile, &c->style, &out);
    return print_buf(&out);
}
