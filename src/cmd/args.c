/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* args - the command line by tables: global options anywhere, a command's own behind its name, and the help of both. */
#include "cmd_internal.h"

const struct option_spec global_options[] = {
    {"profile", 'p', "NAME|FILE",
     "/etc/brandsync/NAME.yaml, or a file; default: $BRANDSYNC_PROFILE, else the only one there"},
    {"json", 0, NULL, "answer as JSON"},
    {"plain", 0, NULL, "answer as `label: value` lines, for screen readers and grep"},
    {"quiet", 'q', NULL, "say nothing but trouble and what was asked for"},
    {"help", 'h', NULL, "print help, also of a command"},
    {"version", 0, NULL, "print the version"},
    {0},
};

enum { OPTION_COLUMNS = 34 };

/* --- finding ------------------------------------------------------------------------------------------- */

const struct command *command_find(const struct command *commands, const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (str_eq(c->name, name))
            return c;
    return NULL;
}

static const struct option_spec *spec_named(const struct option_spec *specs, const char *name, size_t len)
{
    for (; specs && specs->name; specs++)
        if (strlen(specs->name) == len && memcmp(specs->name, name, len) == 0)
            return specs;
    return NULL;
}

static const struct option_spec *spec_lettered(const struct option_spec *specs, char letter)
{
    for (; specs && specs->name; specs++)
        if (specs->letter == letter)
            return specs;
    return NULL;
}

/* Is `word` one of a list with blanks between? */
static bool has_word(const char *list, const char *word, size_t len)
{
    for (const char *at = list; at && *at; at += strspn(at, " ")) {
        size_t there = strcspn(at, " ");
        if (there == len && memcmp(at, word, len) == 0)
            return true;
        at += there;
    }
    return false;
}

/* --- reading -------------------------------------------------------------------------------------------- */

struct reader {
    struct args *a;
    const struct command *commands;
    int argc, at;
    char **argv;
    bool ends_options; /* after -- */
};

static const struct option_spec *options_of(const struct reader *r)
{
    return r->a->command ? r->a->command->options : NULL;
}

static bool add_given(struct reader *r, const struct option_spec *spec, const char *value)
{
    r->a->given[r->a->givens++] = (struct given){.option = spec, .value = value};
    return true;
}

/* The value of an option stands behind it, or is the next argument. */
static bool add_with_value(struct reader *r, const struct option_spec *spec, const char *attached, struct err *e)
{
    if (attached)
        return add_given(r, spec, attached);
    if (r->at >= r->argc)
        return err_set(e, ERR_CONFIG, "--%s needs a value: %s", spec->name, spec->value);
    return add_given(r, spec, r->argv[r->at++]);
}

static const char *nearest_option(const struct reader *r, const char *name)
{
    const char *names[64];
    size_t count = 0;
    const struct option_spec *const tables[] = {global_options, options_of(r)};

    for (size_t i = 0; i < ARRAY_LEN(tables); i++)
        for (const struct option_spec *s = tables[i]; s && s->name && count < ARRAY_LEN(names); s++)
            names[count++] = s->name;
    return text_nearest(name, names, count);
}

static bool unknown_option(const struct reader *r, const char *name, size_t len, struct err *e)
{
    const struct command *command = r->a->command;
    AUTO(mem_freep) char *only = str_copy_n(name, len);
    const char *near = nearest_option(r, only);

    if (command && has_word(command->later, name, len))
        return err_set(e, ERR_CONFIG, "--%s is not built in this version yet", only);
    if (!command)
        return err_set(e, ERR_CONFIG, "unknown option --%s; a command's own options stand behind its name",
                       QUOTED(only));
    if (near)
        return err_set(e, ERR_CONFIG, "unknown option --%s; the nearest is --%s", QUOTED(only), near);
    return err_set(e, ERR_CONFIG, "unknown option --%s", QUOTED(only));
}

static bool read_long(struct reader *r, const char *name, struct err *e)
{
    size_t len = strcspn(name, "=");
    const char *attached = name[len] == '=' ? name + len + 1 : NULL;
    const struct option_spec *spec = spec_named(global_options, name, len);

    if (!spec)
        spec = spec_named(options_of(r), name, len);
    if (!spec)
        return unknown_option(r, name, len, e);
    if (spec->value)
        return add_with_value(r, spec, attached, e);
    return attached ? err_set(e, ERR_CONFIG, "--%s takes no value", spec->name) : add_given(r, spec, "");
}

static bool read_letters(struct reader *r, const char *letters, struct err *e)
{
    while (*letters) {
        const struct option_spec *spec = spec_lettered(global_options, *letters);
        if (!spec)
            spec = spec_lettered(options_of(r), *letters);
        if (!spec)
            return err_set(e, ERR_CONFIG, "unknown option -%s", QUOTED(((char[]){*letters, '\0'})));
        letters++;
        if (spec->value)
            return add_with_value(r, spec, *letters ? letters : NULL, e);
        add_given(r, spec, "");
    }
    return true;
}

/* --- the command's name: one word, or two ---------------------------------------------------------------- */

static bool is_group(const struct command *commands, const char *word)
{
    size_t len = strlen(word);

    for (const struct command *c = commands; c->name; c++)
        if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
            return true;
    return false;
}

/* "key" alone: which of them? */
static bool half_command(const struct reader *r, const char *group, struct err *e)
{
    AUTO(buf_release) struct buf names = BUF_INIT(1024);

    for (const struct command *c = r->commands; c->name; c++)
        if (c->run && str_starts(c->name, group) && c->name[strlen(group)] == ' ')
            buf_printf(&names, "%s%s", names.len ? ", " : "", c->name);
    return err_set(e, ERR_CONFIG, "%s is one of: %s", group, names.data ? names.data : "");
}

static bool unknown_command(const struct reader *r, const char *name, struct err *e)
{
    const char *names[64];
    size_t count = 0;

    if (is_group(r->commands, name))
        return half_command(r, name, e);
    for (const struct command *c = r->commands; c->name && count < ARRAY_LEN(names); c++)
        if (c->run)
            names[count++] = c->name;
    const char *near = text_nearest(name, names, count);
    return near ? err_set(e, ERR_CONFIG, "unknown command %s; the nearest is %s", SHELL(name), near)
                : err_set(e, ERR_CONFIG, "unknown command %s", SHELL(name));
}

static bool read_command(struct reader *r, const char *word, struct err *e)
{
    bool has_second = is_group(r->commands, word) && r->at < r->argc && r->argv[r->at][0] != '-';
    AUTO(mem_freep) char *name = has_second ? str_printf("%s %s", word, r->argv[r->at++]) : str_copy(word);
    const struct command *command = command_find(r->commands, name);

    if (!command)
        return unknown_command(r, name, e);
    if (!command->run)
        return err_set(e, ERR_CONFIG, "%s is not built in this version yet", command->name);
    r->a->command = command;
    return true;
}

static bool read_one(struct reader *r, struct err *e)
{
    const char *arg = r->argv[r->at++];

    if (!r->ends_options && str_eq(arg, "--")) {
        r->ends_options = true;
        return true;
    }
    if (!r->ends_options && str_starts(arg, "--"))
        return read_long(r, arg + 2, e);
    if (!r->ends_options && arg[0] == '-' && arg[1])
        return read_letters(r, arg + 1, e);
    if (!r->a->command)
        return read_command(r, arg, e);
    r->a->operand[r->a->operands++] = arg;
    return true;
}

static bool check_operands(const struct args *a, struct err *e)
{
    const struct command *c = a->command;

    if (!c || args_has(a, "help"))
        return true;
    if (a->operands < (size_t)c->least)
        return err_set(e, ERR_CONFIG, "what is missing: %s", c->operands);
    if (c->most >= 0 && a->operands > (size_t)c->most)
        return err_set(e, ERR_CONFIG, "unexpected argument %s", SHELL(a->operand[c->most]));
    if (args_has(a, "json") && !c->has_json)
        return err_set(e, ERR_CONFIG, "there is no JSON for this command");
    return true;
}

bool args_read(struct args *a, const struct command *commands, int argc, char **argv, struct err *e)
{
    struct reader r = {.a = a, .commands = commands, .argc = argc, .argv = argv};
    size_t letters = 0;

    for (int i = 0; i < argc; i++)
        letters += strlen(argv[i]) + 1; /* each may be a flag of its own */
    *a = (struct args){
        .given = mem_array(letters + 1, sizeof(a->given[0])),
        .operand = mem_array((size_t)argc + 1, sizeof(a->operand[0])),
    };
    while (r.at < argc)
        if (!read_one(&r, e))
            return false;
    return check_operands(a, e);
}

void args_release(struct args *a)
{
    free(a->given);
    free(a->operand);
    *a = (struct args){0};
}

/* --- asking ------------------------------------------------------------------------------------------------ */

const char *args_text(const struct args *a, const char *option)
{
    for (size_t i = a->givens; i > 0; i--)
        if (str_eq(a->given[i - 1].option->name, option))
            return a->given[i - 1].value;
    return NULL;
}

bool args_has(const struct args *a, const char *option)
{
    return args_text(a, option) != NULL;
}

bool args_int(const struct args *a, const char *option, int min, int max, int *out, struct err *e)
{
    const char *text = args_text(a, option);
    int64_t value;

    if (!text)
        return true;
    if (!parse_int64(text, min, max, &value))
        return err_set(e, ERR_CONFIG, "--%s %s: expected a number from %d to %d", option, SHELL(text), min, max);
    *out = (int)value;
    return true;
}

/* --- help ----------------------------------------------------------------------------------------------------- */

void option_help(const struct option_spec *s, struct buf *out)
{
    AUTO(mem_freep) char *letter = s->letter ? str_printf("-%c, ", s->letter) : str_copy("    ");
    AUTO(mem_freep) char *value = s->value ? str_printf(" %s", s->value) : str_copy("");
    AUTO(mem_freep) char *shown = str_printf("  %s--%s%s", letter, s->name, value);

    render_padded(out, shown, OPTION_COLUMNS);
    buf_printf(out, "%s\n", s->help);
}

void command_help(const struct command *c, struct buf *out)
{
    buf_printf(out, "Usage: brandsync %s%s%s%s\n%s\n", c->name, c->options ? " [options]" : "",
               c->operands[0] ? " " : "", c->operands, c->summary);
    if (c->options)
        buf_char(out, '\n');
    for (const struct option_spec *s = c->options; s && s->name; s++)
        option_help(s, out);
    buf_printf(out, "\nExample:     %s\nExit codes:  0 done, 64 usage, 78 profile%s%s\n", c->example,
               c->exits[0] ? ", " : "", c->exits);
}
