/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* check - is this profile good? Everything that is wrong with it, with its place; nothing is sent. */
#include "cmd_internal.h"

#include <pwd.h>
#include <unistd.h>

const struct option_spec check_options[] = {
    {"print", 0, NULL, "print the profile with all defaults filled in"},
    {0},
};

static char *user_name(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return user ? str_copy(user->pw_name) : str_printf("%u", (unsigned)geteuid());
}

static json_t *problem_json(const struct problem *p)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:s?}", "severity", p->is_warning ? "warning" : "error", "line", p->line,
                     "column", p->column, "text", SAFE(p->text), "hint", p->hint ? SAFE(p->hint) : NULL);
}

static void check_json(const struct problems *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->count; i++)
        json_array_append_new(list, problem_json(&p->item[i]));
    AUTO(json_freep)
    json_t *object = json_pack("{s:I, s:I, s:o}", "errors", (json_int_t)p->errors, "warnings",
                               (json_int_t)(p->count - p->errors), "problems", list);
    control_set_path(object, "file", p->file);
    print_json(object);
}

static void say_good(const struct cmd *c, const struct problems *p, const char *problems)
{
    AUTO(mem_freep) char *user = user_name();
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    AUTO(mem_freep)
    char *sentence = str_printf("%s: 0 errors, %s (checked as user %s)", path_name(c->profile_file),
                                COUNT_OF((int64_t)(p->count - p->errors), "warning"), user);
    struct style style = c->style;

    if (!c->is_quiet)
        render_verdict(&out, &style, "ok", sentence);
    buf_str(&out, problems);
    print_buf(&out);
    cmd_hint(c, "Unproven on a real tenant: its importer's path is not public, and public folders are shown as "
                "requested, not as it decided.");
    cmd_hint(c, "Next: brandsync token check, then brandsync test");
}

static int say_bad(const struct problems *p, const char *problems)
{
    printf("%s%s (exit %d). A running agent keeps its profile until this one is valid.\n", problems,
           COUNT_OF((int64_t)p->errors, "error"), EX_CONFIG);
    return EX_CONFIG;
}

static int print_profile(const struct profile *p, const char *problems)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);

    fputs(problems, stderr);
    profile_print(p, &out);
    return print_buf(&out);
}

int check_run(struct cmd *c)
{
    AUTO(problems_release) struct problems problems = {0};
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    int code = cmd_profile_find(c);

    if (code)
        return code;
    c->profile = profile_load(c->profile_file, true, &problems);
    problems_print(&problems, &text);
    const char *shown = text.data ? text.data : "";
    if (c->wants_json)
        check_json(&problems);
    else if (!c->profile)
        return say_bad(&problems, shown);
    else if (args_has(&c->args, "print"))
        return print_profile(c->profile, shown);
    else
        say_good(c, &problems, shown);
    return c->profile ? 0 : EX_CONFIG;
}
