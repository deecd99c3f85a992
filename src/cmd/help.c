/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* help - of the program, of a command, and of a cause: the name in brackets that cards and items carry. */
#include "cmd_internal.h"

enum { NAME_COLUMNS = 28 };

static void list_commands(const struct command *commands, struct buf *out)
{
    for (const struct command *c = commands; c->name; c++) {
        if (!c->run)
            continue;
        AUTO(mem_freep) char *name = str_printf("  %s %s", c->name, c->operands);
        render_padded(out, name, NAME_COLUMNS);
        buf_printf(out, "%s\n", c->summary);
    }
}

static void help_program(const struct command *commands, struct buf *out)
{
    buf_str(out, "Usage: brandsync [options] COMMAND [options] [arguments]\n"
                 "The operator's tool of the agent that publishes assets to a Brand Portal tenant.\n\n");
    list_commands(commands, out);
    buf_str(out, "\nFor every command, before or behind its name:\n");
    for (const struct option_spec *s = global_options; s->name; s++)
        option_help(s, out);
    buf_str(out, "\nMore: brandsync help COMMAND, brandsync help CAUSE (a name in brackets, such as tenant.busy)\n");
}

static const struct cause_info *cause_named(const char *name)
{
    if (str_eq(name, agent_not_running.name))
        return &agent_not_running;
    for (int cause = CAUSE_NONE + 1; cause < CAUSES; cause++)
        if (str_eq(cause_info(cause)->name, name))
            return cause_info(cause);
    return NULL;
}

static void help_cause(const struct cause_info *cause, struct buf *out)
{
    buf_printf(out, "%s: %s\n", cause->name, cause->what);
    render_card(out, NULL, cause->fix, NULL);
}

/* "key" has no command of its own: all that begin with it. */
static bool help_group(const struct command *commands, const char *name, struct buf *out)
{
    AUTO(mem_freep) char *prefix = str_printf("%s ", name);
    size_t before = out->len;

    for (const struct command *c = commands; c->name; c++) {
        if (!c->run || !str_starts(c->name, prefix))
            continue;
        if (out->len > before)
            buf_char(out, '\n');
        command_help(c, out);
    }
    return out->len > before;
}

static int unknown_topic(const struct cmd *c, const char *topic)
{
    const char *names[CAUSES];

    for (int cause = CAUSE_NONE + 1; cause < CAUSES; cause++)
        names[cause - 1] = cause_info(cause)->name;
    const char *near = text_nearest(topic, names, CAUSES - 1);
    if (near)
        return cmd_fail(c, EX_USAGE, "no help for %s; the nearest cause is %s", SHELL(topic), near);
    return cmd_fail(c, EX_USAGE, "no help for %s: it is neither a command nor a cause", SHELL(topic));
}

static int help_topic(const struct cmd *c, const char *topic)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    const struct command *command = command_find(c->commands, topic);
    const struct cause_info *cause = cause_named(topic);

    if (command && !command->run)
        return cmd_fail(c, EX_USAGE, "%s is not built in this version yet", command->name);
    if (command)
        command_help(command, &out);
    else if (cause)
        help_cause(cause, &out);
    else if (!help_group(c->commands, topic, &out))
        return unknown_topic(c, topic);
    return print_buf(&out);
}

int help_run(struct cmd *c)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    const struct args *a = &c->args;

    if (a->operands == 0) {
        help_program(c->commands, &out);
        return print_buf(&out);
    }
    AUTO(mem_freep)
    char *topic = a->operands == 2 ? str_printf("%s %s", a->operand[0], a->operand[1]) : str_copy(a->operand[0]);
    return help_topic(c, topic);
}
