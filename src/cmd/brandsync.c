/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* brandsync - the operator's tool: one table of commands, one file for each (ux.md, product.md 5). */
#include "cmd_internal.h"

#include <errno.h>
#include <unistd.h>

static const char needs_agent[] = "69 the agent is not running, 77 no permission";
static const char reads_ledger[] = "74 the ledger cannot be read, 77 no permission";

/* In the order of a first day. A row without run() is a command of a later version: named, not shown. */
static const struct command commands[] = {
    {"init", "NAME", "Ask for what a profile needs and write it; every answer can be given as an option.",
     "brandsync init acme --url https://acme.brand-portal.adobe.com/ --folder /srv/assets/campaigns --existing publish",
     "73 a file is there already", .options = init_options, .least = 1, .most = 1, .run = init_run},
    {"check", "", "Say everything that is wrong with the profile; nothing is sent.", "brandsync check -p acme",
     "77 no permission", .options = check_options, .has_json = true, .run = check_run},
    {"key create", "", "Make the private key and the certificate of a jwt credential.",
     "brandsync key create --days 365", "73 a file is there already, 77 no permission", .options = key_create_options,
     .run = key_create_run},
    {"key show", "", "Show size, subject, life and fingerprint of the key pair.", "brandsync key show",
     "77 no permission", .options = key_show_options, .has_json = true, .run = key_show_run},
    {"key export", "", "Write the certificate, which the Developer Console wants, or the public key.",
     "brandsync key export -o acme.crt", "77 no permission", .options = key_export_options, .run = key_export_run},
    {"token check", "", "Fetch a token with the profile's credential, as a test of it.", "brandsync token check",
     "69 IMS cannot be reached, 77 the credential is refused", .has_json = true, .run = token_check_run},
    {"test", "", "Test the way to the tenant, on the connection of each uploader; publishes nothing.",
     "brandsync test --uploader 2", "69 the tenant cannot be reached or refuses, 77 no rights", .options = test_options,
     .has_json = true, .run = test_run},
    {"publish", "PATH...", "Queue assets, or all assets below directories, for publishing, changed or not.",
     "brandsync publish --wait /srv/assets/campaigns/spring",
     "65 not all were published, 66 no such path, 69 the agent is not running, 77 no permission",
     .options = publish_options, .later = "at title urgent", .most = -1, .has_json = true, .run = publish_run},
    {"unpublish", "PATH...", "Remove assets from the portal; they stay away until `publish`.",
     "brandsync unpublish --yes /srv/assets/campaigns/old.pdf", needs_agent, .options = unpublish_options,
     .later = "at since folder orphans", .least = 1, .most = -1, .has_json = true, .run = unpublish_run},
    {"status", "", "Is all well, and if not, what to do? Works without an agent, from its ledger.", "brandsync status",
     "3 no agent runs, 77 no permission", .later = "follow all check", .has_json = true, .run = status_run},
    {"explain", "PATH", "Why is this path published, or not yet, or not at all?",
     "brandsync explain /srv/assets/campaigns/spring/hero.tif", reads_ledger, .least = 1, .most = 1, .has_json = true,
     .run = explain_run},
    {"receipts", "[PATH|NUMBER]", "What was done, newest first; with a number one receipt in full.",
     "brandsync receipts /srv/assets/campaigns --since today", reads_ledger, .options = receipts_options, .most = 1,
     .has_json = true, .run = receipts_run},
    {"queue list", "", "What waits, is held or failed, why, and what helps.", "brandsync queue list --held",
     reads_ledger, .options = queue_list_options, .later = "match cause", .has_json = true, .run = queue_list_run},
    {"scan", "", "Look through all watched folders now.", "brandsync scan", needs_agent, .has_json = true,
     .run = scan_run},
    {"reload", "", "Take the profile as it is now, or keep the old one and say why.", "brandsync reload", needs_agent,
     .has_json = true, .run = reload_run},
    {"help", "[COMMAND|CAUSE]", "Help of a command, or of a cause such as tenant.busy.", "brandsync help auth.secret",
     "", .most = 2, .run = help_run},

    {.name = "approve"},
    {.name = "bandwidth"},
    {.name = "compare"},
    {.name = "doctor"},
    {.name = "key rotate"},
    {.name = "later"},
    {.name = "pause"},
    {.name = "plan"},
    {.name = "queue drop"},
    {.name = "queue retry"},
    {.name = "reject"},
    {.name = "resume"},
    {.name = "secret"},
    {.name = "upgrade"},
    {0},
};

/* A full disk behind a redirection must not pass for success. */
static int finish(const struct cmd *c, int code)
{
    bool is_written = fflush(stdout) == 0 && !ferror(stdout);
    return is_written || code ? code : cmd_fail(c, EX_IOERR, "cannot write the answer: %s", strerrordesc_np(errno));
}

static int run_help(struct cmd *c)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);

    if (!c->args.command)
        return help_run(c);
    command_help(c->args.command, &out);
    return print_buf(&out);
}

static int run(struct cmd *c)
{
    const struct args *a = &c->args;

    c->wants_json = args_has(a, "json");
    c->is_plain = args_has(a, "plain");
    c->is_quiet = args_has(a, "quiet");
    c->now_ms = wall_ms(&real_clock);
    c->style = style_of(STDOUT_FILENO, c->is_plain, c->now_ms);
    if (args_has(a, "version"))
        return printf("brandsync %s\n", BRANDSYNC_VERSION) < 0;
    if (args_has(a, "help"))
        return run_help(c);
    if (a->command)
        return a->command->run(c);
    return cmd_fail(c, EX_USAGE, "a command is missing");
}

int main(int argc, char **argv)
{
    AUTO(cmd_release) struct cmd c = {.commands = commands};
    struct err e;

    log_set_level(LOG_LEVEL_ERROR); /* facts are for the journal; here the command speaks */
    if (!args_read(&c.args, commands, argc - (argc > 0), argv + (argc > 0), &e))
        return cmd_fail(&c, EX_USAGE, "%s", e.text);
    return finish(&c, run(&c));
}
