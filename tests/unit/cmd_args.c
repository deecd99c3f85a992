/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The command line: options before and behind the command, what is unknown and what is not built yet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/cmd/cmd_internal.h"

static int run_nothing(struct cmd *c)
{
    (void)c;
    return 0;
}

static const struct option_spec send_options[] = {
    {"wait", 0, NULL, "until it is there"},
    {"null", '0', NULL, "names end with NUL"},
    {"lines", 'n', "N", "how many"},
    {0},
};
static const struct command commands[] = {
    {.name = "send",
     .operands = "PATH...",
     .summary = "Send.",
     .example = "brandsync send a",
     .exits = "66 no such path",
     .options = send_options,
     .later = "at title",
     .least = 1,
     .most = 2,
     .has_json = true,
     .run = run_nothing},
    {.name = "key create", .operands = "", .run = run_nothing},
    {.name = "key show", .operands = "", .run = run_nothing},
    {.name = "key rotate"},
    {.name = "doctor"},
    {0},
};

/* The line as words; "" is no word. */
static bool read_line(struct args *a, const char *line, struct err *e)
{
    static char text[256];
    static char *argv[32];
    int argc = 0;

    snprintf(text, sizeof(text), "%s", line);
    for (char *rest = text, *word; (word = strsep(&rest, " "));)
        if (*word)
            argv[argc++] = word;
    return args_read(a, commands, argc, argv, e);
}

static void global_options_stand_before_or_behind_the_command(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "-p acme --json send x",        "send x --json -p acme", "send -p acme x --json",
        "--profile=acme --json send x", "-pacme send x --json",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct args a;
        struct err e;
        if (!read_line(&a, lines[i], &e))
            fail_msg("%s: %s", lines[i], e.text);
        assert_string_equal(a.command->name, "send");
        assert_string_equal(args_text(&a, "profile"), "acme");
        assert_true(args_has(&a, "json"));
        assert_false(args_has(&a, "plain"));
        assert_int_equal(a.operands, 1);
        assert_string_equal(a.operand[0], "x");
        args_release(&a);
    }
}

static void letters_may_be_joined_and_two_dashes_end_options(void **state)
{
    (void)state;
    struct args a;
    struct err e;
    int lines = 0;

    assert_true(read_line(&a, "send -q0n7 -- --wait -x", &e));
    assert_true(args_has(&a, "quiet") && args_has(&a, "null") && !args_has(&a, "wait"));
    assert_true(args_int(&a, "lines", 1, 9, &lines, &e));
    assert_int_equal(lines, 7);
    assert_int_equal(a.operands, 2);
    assert_string_equal(a.operand[0], "--wait");
    assert_string_equal(a.operand[1], "-x");
    args_release(&a);
}

static void commands_of_two_words_are_found(void **state)
{
    (void)state;
    struct args a;
    struct err e;

    assert_true(read_line(&a, "-q key show", &e));
    assert_string_equal(a.command->name, "key show");
    args_release(&a);
}

static void the_last_value_of_an_option_counts(void **state)
{
    (void)state;
    struct args a;
    struct err e;
    int lines = 5;

    assert_true(read_line(&a, "send x -n 3 --lines 8", &e));
    assert_true(args_int(&a, "lines", 1, 9, &lines, &e));
    assert_int_equal(lines, 8);
    args_release(&a);
    assert_true(read_line(&a, "send x", &e));
    lines = 5;
    assert_true(args_int(&a, "lines", 1, 9, &lines, &e));
    assert_int_equal(lines, 5);
    args_release(&a);
    assert_true(read_line(&a, "send x -n 12", &e));
    assert_false(args_int(&a, "lines", 1, 9, &lines, &e));
    assert_non_null(strstr(e.text, "from 1 to 9"));
    args_release(&a);
}

static void what_is_wrong_is_said_with_what_is_near(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } rows[] = {
        {"snd x", "unknown command snd; the nearest is send"},
        {"zzzzzz", "unknown command zzzzzz"},
        {"key", "key is one of: key create, key show"},
        {"key make", "unknown command 'key make'"},
        {"doctor", "doctor is not built in this version yet"},
        {"key rotate", "key rotate is not built in this version yet"},
        {"send x --at tomorrow", "--at is not built in this version yet"},
        {"send x --title=T", "--title is not built in this version yet"},
        {"send x --wat", "unknown option --wat; the nearest is --wait"},
        {"--wait send x", "unknown option --wait; a command's own options stand behind its name"},
        {"send x --wait=1", "--wait takes no value"},
        {"send x -y", "unknown option -y"},
        {"send x --lines", "--lines needs a value: N"},
        {"send", "what is missing: PATH..."},
        {"send a b c", "unexpected argument c"},
        {"key show --json", "there is no JSON for this command"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct args a;
        struct err e;
        if (read_line(&a, rows[i].line, &e))
            fail_msg("%s: was taken", rows[i].line);
        if (!str_starts(e.text, rows[i].said))
            fail_msg("%s: said %s", rows[i].line, e.text);
        args_release(&a);
    }
}

static void help_is_given_without_the_operands(void **state)
{
    (void)state;
    struct args a;
    struct err e;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);

    assert_true(read_line(&a, "send --help", &e));
    command_help(a.command, &out);
    assert_non_null(strstr(out.data, "Usage: brandsync send [options] PATH...\nSend.\n"));
    assert_non_null(strstr(out.data, "  -n, --lines N"));
    assert_non_null(strstr(out.data, "Example:     brandsync send a\n"));
    assert_non_null(strstr(out.data, "64 usage, 78 profile, 66 no such path\n"));
    args_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(global_options_stand_before_or_behind_the_command),
        cmocka_unit_test(letters_may_be_joined_and_two_dashes_end_options),
        cmocka_unit_test(commands_of_two_words_are_found),
        cmocka_unit_test(the_last_value_of_an_option_counts),
        cmocka_unit_test(what_is_wrong_is_said_with_what_is_near),
        cmocka_unit_test(help_is_given_without_the_operands),
    };
    return cmocka_run_group_tests_name("cmd_args", tests, NULL, NULL);
}
