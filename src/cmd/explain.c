/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* explain - why is this path published, or not yet, or not at all? The first word is the state (ux.md 2.2). */
#include "cmd_internal.h"

#include <sys/stat.h>

/* The state, then the sentence; "published today 22:14:07" needs no colon between. */
void explain_render(const json_t *answer, int64_t now_ms, struct buf *out)
{
    const char *state = control_get_text(answer, "state"), *sentence = control_get_text(answer, "sentence"),
               *fix = control_get_text(answer, "fix");
    AUTO(buf_release) struct buf said = BUF_INIT(1 << 16);
    int64_t ms;
    size_t first = strcspn(sentence, " ,;");
    AUTO(mem_freep) char *word = str_copy_n(sentence, first);

    time_say(&said, sentence, now_ms);
    buf_printf(out, "%s%s %s\n", SAFE(state), time_parse_rfc3339(word, &ms) ? "" : ":",
               SAFE(said.data ? said.data : ""));
    if (fix[0] && !strstr(sentence, fix))
        render_card(out, NULL, fix, NULL);
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The agent never looks at a disk while it answers: what it is to compare with comes along. */
static json_t *request_for(const char *path)
{
    json_t *request = json_pack("{s:s}", "verb", "explain");
    struct stat st;

    control_set_path(request, "path", path);
    if (lstat(path, &st) < 0)
        return request;
    json_object_set_new(request, "is_dir", json_boolean(S_ISDIR(st.st_mode)));
    json_object_set_new(request, "file",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "bytes", (json_int_t)st.st_size, "mtime_ns",
                                  (json_int_t)ns_of(st.st_mtim), "ctime_ns", (json_int_t)ns_of(st.st_ctim), "ino",
                                  (json_int_t)st.st_ino, "dev", (json_int_t)st.st_dev));
    return request;
}

int explain_run(struct cmd *c)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    bool is_offline;
    int code = cmd_profile(c);

    if (code)
        return code;
    AUTO(mem_freep) char *path = path_absolute(c->args.operand[0]);
    AUTO(json_freep) json_t *answer = cmd_read(c, request_for(path), &is_offline, &code);
    if (!answer)
        return code;
    if (is_offline)
        cmd_hint(c, OFFLINE_HINT);
    if (c->wants_json)
        return print_json(answer);
    explain_render(answer, c->now_ms, &out);
    return print_buf(&out);
}
