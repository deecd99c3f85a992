/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* unpublish - take assets off the portal: the number before the deed, and a question unless --yes. */
#include "cmd_internal.h"

#include <inttypes.h>

const struct option_spec unpublish_options[] = {
    {"yes", 0, NULL, "do not ask, however many they are"},
    {0},
};

static json_t *request_for(const struct cmd *c, bool is_sure)
{
    json_t *paths = json_array();

    for (size_t i = 0; i < c->args.operands; i++) {
        AUTO(mem_freep) char *path = path_absolute(c->args.operand[i]);
        json_t *item = json_object();
        control_set_path(item, "path", path);
        json_array_append_new(paths, item);
    }
    return json_pack("{s:s, s:o, s:b}", "verb", "unpublish", "paths", paths, "yes", is_sure);
}

static int finish(const struct cmd *c, json_t *answer)
{
    int64_t queued = json_int(answer, "queued");

    if (c->wants_json) {
        print_json(answer);
    } else {
        say_queued(c, queued, "asset", "unpublishing");
        say_skipped(json_object_get(answer, "skipped"));
    }
    return queued > 0 ? 0 : EX_NOINPUT;
}

int unpublish_run(struct cmd *c)
{
    int code = cmd_profile(c);

    if (code)
        return code;
    AUTO(json_freep) json_t *answer = cmd_operate(c, request_for(c, args_has(&c->args, "yes")), &code);
    if (!answer)
        return code;
    if (!json_is_true(json_object_get(answer, "needs_yes")))
        return finish(c, answer);
    int64_t count = json_int(answer, "count");
    if (!ask_is_possible())
        return cmd_fail(c, EX_USAGE, "this removes %s from the portal; without a terminal to ask on it needs --yes",
                        COUNT_OF(count, "asset"));
    AUTO(mem_freep) char *question = str_printf("This removes %s from the portal. Go on?", COUNT_OF(count, "asset"));
    if (!ask_yes(question, false)) {
        cmd_hint(c, "Nothing was removed.");
        return 0;
    }
    AUTO(json_freep) json_t *sure = cmd_operate(c, request_for(c, true), &code);
    return sure ? finish(c, sure) : code;
}
