/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* scan, reload - one word to the agent, and its answer. */
#include "cmd_internal.h"

int scan_run(struct cmd *c)
{
    int code = cmd_profile(c);

    if (code)
        return code;
    AUTO(json_freep) json_t *answer = cmd_operate(c, json_pack("{s:s}", "verb", "scan"), &code);
    if (!answer)
        return code;
    if (c->wants_json)
        return print_json(answer);
    cmd_hint(c, "%s being looked through; see brandsync status",
             json_int(answer, "folders") == 1 ? "1 folder is" : "all folders are");
    return 0;
}

int reload_run(struct cmd *c)
{
    AUTO(buf_release) struct buf said = BUF_INIT(1 << 16);
    int code = cmd_profile(c);

    if (code == EX_CONFIG && c->profile_file)
        cmd_hint(c, "A running agent keeps its profile until this one is valid.");
    if (code)
        return code;
    AUTO(json_freep) json_t *answer = cmd_operate(c, json_pack("{s:s}", "verb", "reload"), &code);
    if (!answer)
        return code;
    if (c->wants_json)
        return print_json(answer);
    time_say(&said, control_get_text(answer, "message"), c->now_ms);
    cmd_hint(c, "%s", said.data ? said.data : "");
    return 0;
}
