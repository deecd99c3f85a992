/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* call - the profile, the agent, the ledger in its stead, and how a command says that it cannot go on. */
#include "cmd_internal.h"

#include <errno.h>
#include <unistd.h>

#define PROFILES "/etc/brandsync"

enum { AGENT_WAIT_MS = 30000, WAKE_WAIT_MS = 2000 };

const struct cause_info agent_not_running = {
    .name = "agent.not-running",
    .what = "the agent is not running",
    .fix = "systemctl start brandsyncd@NAME; why it stopped: journalctl -u brandsyncd@NAME",
};

const atomic_bool never_cancelled;

void cmd_release(struct cmd *c)
{
    args_release(&c->args);
    free(take(&c->profile_file));
    profile_free(take(&c->profile));
}

/* --- saying that it failed --------------------------------------------------------------------------------- */

static const char *command_name(const struct cmd *c)
{
    return c->args.command ? c->args.command->name : "";
}

int cmd_fail(const struct cmd *c, int code, const char *fmt, ...)
{
    const char *name = command_name(c), *blank = name[0] ? " " : "";
    char text[TEXT_SHOWN];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "brandsync%s%s: %s\n", blank, name, SAFE(text));
    if (code == EX_USAGE)
        fprintf(stderr, "Try: brandsync%s%s --help\n", blank, name);
    return code;
}

int exit_of(const struct err *e)
{
    static const int codes[ERR_KINDS] = {
        [ERR_NONE] = EX_SOFTWARE,      [ERR_RETRY] = EX_UNAVAILABLE,   [ERR_AUTH] = EX_NOPERM,
        [ERR_TENANT] = EX_UNAVAILABLE, [ERR_REFUSED] = EX_UNAVAILABLE, [ERR_CHANGED] = EX_TEMPFAIL,
        [ERR_LOCAL] = EX_IOERR,        [ERR_CONFIG] = EX_CONFIG,       [ERR_CANCELLED] = EX_TEMPFAIL,
    };

    if (e->cause == CAUSE_PROFILE)
        return EX_CONFIG;
    if (e->cause == CAUSE_AUTH_RIGHTS || e->sys == EACCES || e->sys == EPERM)
        return EX_NOPERM;
    return codes[e->kind];
}

int cmd_fail_err(const struct cmd *c, const struct err *e)
{
    return cmd_fail(c, exit_of(e), "%s", e->text);
}

static void print_card(const struct cmd *c, const char *what, const char *why, const char *fix, const char *safe)
{
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    AUTO(mem_freep) char *sentence = str_printf("%s: %s", c->profile ? c->profile->name : "brandsync", what);
    struct style style = style_of(STDERR_FILENO, false, c->now_ms);

    render_verdict(&out, &style, "attention", sentence);
    render_card(&out, why, fix, safe);
    fflush(stdout);
    fputs(out.data, stderr);
}

int cmd_fail_card(const struct cmd *c, const char *what, const struct err *e, const char *safe)
{
    const struct cause_info *cause = cause_info(e->cause);
    AUTO(mem_freep) char *why = cause->name[0] ? str_printf("%s (%s)", e->text, cause->name) : str_copy(e->text);

    print_card(c, what, why, cause->fix, safe);
    return exit_of(e);
}

void cmd_hint(const struct cmd *c, const char *fmt, ...)
{
    char text[TEXT_SHOWN];
    va_list args;

    if (c->is_quiet)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fflush(stdout);
    fprintf(stderr, "%s\n", SAFE(text));
}

/* --- the profile ------------------------------------------------------------------------------------------------ */

static bool is_forbidden(const char *path)
{
    return access(path, R_OK) < 0 && errno == EACCES;
}

int cmd_profile_find(struct cmd *c)
{
    struct err e;

    if (c->profile_file)
        return 0;
    c->profile_file = profile_find(args_text(&c->args, "profile"), &e);
    if (c->profile_file && is_forbidden(c->profile_file))
        return cmd_fail(c, EX_NOPERM, "%s may not be read: run as brandsync or root", SHELL(c->profile_file));
    if (c->profile_file)
        return 0;
    if (is_forbidden(PROFILES))
        return cmd_fail(c, EX_NOPERM, "%s may not be read: run as brandsync or root", PROFILES);
    return cmd_fail(c, EX_CONFIG, "%s", e.text);
}

static void set_time_zone(const struct profile *p)
{
    if (p->timezone && p->timezone[0])
        setenv("TZ", p->timezone, 1);
    tzset();
}

int cmd_profile(struct cmd *c)
{
    AUTO(problems_release) struct problems problems = {0};
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    int code = cmd_profile_find(c);

    if (code || c->profile)
        return code;
    c->profile = profile_load(c->profile_file, false, &problems);
    if (c->profile) {
        set_time_zone(c->profile);
        return 0;
    }
    problems_print(&problems, &text);
    fprintf(stderr, "%s", text.data ? text.data : "");
    return cmd_fail(c, EX_CONFIG, "the profile has errors; once they are corrected: brandsync check");
}

char *cmd_start_line(const struct profile *p)
{
    AUTO(mem_freep) char *standard = str_printf("%s/%s.yaml", PROFILES, p->name);
    return str_eq(p->file, standard) ? str_printf("systemctl start brandsyncd@%s", p->name)
                                     : str_printf("brandsyncd --profile %s", SHELL(p->file));
}

/* --- the agent ------------------------------------------------------------------------------------------------------ */

/* Nobody listens: that is no agent, while one that is slow to answer is there. */
static bool is_nobody(const struct err *e)
{
    return e->kind == ERR_TENANT && (e->sys == ENOENT || e->sys == ENOTDIR || e->sys == ECONNREFUSED);
}

static int say_nobody(const struct cmd *c, const char *why)
{
    AUTO(mem_freep) char *fix = cmd_start_line(c->profile);
    AUTO(mem_freep) char *reason = str_printf("%s (%s)", why, agent_not_running.name);

    print_card(c, agent_not_running.what, reason, fix,
               "nothing was changed; what lies in the watched folders is looked at when it starts");
    return EX_UNAVAILABLE;
}

static int say_unreached(const struct cmd *c, const struct err *e)
{
    return is_nobody(e) ? say_nobody(c, e->text) : cmd_fail_err(c, e);
}

/* An answer that says no is told, and is no answer any more. */
static json_t *take_answer(const struct cmd *c, json_t *reply, int *code)
{
    const char *problems = control_get_text(reply, "problems");

    if (json_is_true(json_object_get(reply, "ok")))
        return reply;
    int64_t said = json_int(reply, "exit");
    *code = said > 0 && said < 128 ? (int)said : EX_SOFTWARE;
    for (const char *line = problems; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        AUTO(mem_freep) char *one = str_copy_n(line, strcspn(line, "\n"));
        fprintf(stderr, "%s\n", SAFE(one));
    }
    cmd_fail(c, *code, "%s", control_get_text(reply, "error"));
    json_decref(reply);
    return NULL;
}

static json_t *call_agent(const struct cmd *c, json_t *request, struct err *e)
{
    AUTO(mem_freep) char *socket = control_socket_path(c->profile->name, c->profile->state);
    *e = (struct err){0};
    return control_call(socket, request, AGENT_WAIT_MS, e);
}

json_t *cmd_operate(struct cmd *c, json_t *request, int *code)
{
    struct err e;
    json_t *reply = call_agent(c, request, &e);

    json_decref(request);
    if (reply)
        return take_answer(c, reply, code);
    *code = say_unreached(c, &e);
    return NULL;
}

void cmd_wake(const struct cmd *c)
{
    AUTO(mem_freep) char *socket = control_socket_path(c->profile->name, c->profile->state);
    AUTO(json_freep) json_t *request = json_pack("{s:s}", "verb", "wake");
    struct err e;

    json_decref(control_call(socket, request, WAKE_WAIT_MS, &e));
}

/* --- the ledger in its stead --------------------------------------------------------------------------------------- */

static int say_unreadable(const struct cmd *c, const struct err *e)
{
    AUTO(mem_freep) char *ledger = path_join(c->profile->state, "ledger.db");

    if (is_forbidden(ledger))
        return cmd_fail(c, EX_NOPERM,
                        "the agent is not running, and its ledger may not be read: run as brandsync or root");
    if (access(ledger, F_OK) < 0 && errno == ENOENT)
        return say_nobody(c, e->text);
    return cmd_fail_err(c, e);
}

static json_t *ask_ledger(struct cmd *c, json_t *request, int *code)
{
    json_t *reply = json_object();
    struct err e = {0};

    if (agent_answer_offline(c->profile, &real_clock, request, reply, &e))
        return take_answer(c, reply, code);
    json_decref(reply);
    *code = say_unreadable(c, &e);
    return NULL;
}

json_t *cmd_read(struct cmd *c, json_t *request, bool *is_offline, int *code)
{
    struct err e;
    json_t *reply = call_agent(c, request, &e);

    *is_offline = !reply && is_nobody(&e);
    if (reply)
        reply = take_answer(c, reply, code);
    else if (*is_offline)
        reply = ask_ledger(c, request, code);
    else
        *code = say_unreached(c, &e);
    json_decref(request);
    return reply;
}
