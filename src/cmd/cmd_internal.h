/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The inside of brandsync, the operator's tool: one file per command, and what they share.
 *
 *   args.c     the command line, by tables                    (pure)
 *   words.c    numbers and times as people say and ask them   (pure)
 *   render.c   verdict lines, cards, columns, paths           (pure, but for looking at the terminal)
 *   call.c     the profile, the agent, and the ledger in its stead; errors to exit codes
 *
 * A command's run() returns the exit code. What was asked for goes to standard output, all else to standard error.
 */
#ifndef BRANDSYNC_CMD_INTERNAL_H
#define BRANDSYNC_CMD_INTERNAL_H

#include "agent.h"
#include "base.h"
#include "control.h"
#include "ports.h"
#include "profile.h"
#include "types.h"

#include <jansson.h>
#include <sysexits.h>

enum { EXIT_NO_AGENT = 3 }; /* of `status` alone */

static inline void json_freep(json_t **value)
{
    json_decref(*value);
}

/* --- args.c -------------------------------------------------------------------------------------------- */

struct option_spec {
    const char *name;  /* "bits", without dashes; NULL ends a table */
    char letter;       /* 0: none */
    const char *value; /* "N": it takes a value, which help shows by this name; NULL: a flag */
    const char *help;
};

struct cmd;
struct command {
    const char *name;     /* "publish", "key create" */
    const char *operands; /* as usage shows them: "PATH..." */
    const char *summary;  /* one line */
    const char *example;
    const char *exits;                 /* exit codes beside 0 and 64 */
    const struct option_spec *options; /* NULL: none */
    const char *later;                 /* options that this version lacks: "at title" */
    int least, most;                   /* operands; most -1: any number */
    bool has_json;
    int (*run)(struct cmd *c); /* NULL: the command is not built in this version */
};

extern const struct option_spec global_options[];

struct args {
    const struct command *command; /* NULL: none was named */
    struct given {
        const struct option_spec *option;
        const char *value; /* "" for a flag */
    } * given;
    size_t givens;
    const char **operand;
    size_t operands;
};
/* `argv` without the program's name; `args` borrows from it. The table of commands ends with a NULL name.
 * On failure `command` is the one whose help would help, if it was already known. */
bool args_read(struct args *a, const struct command *commands, int argc, char **argv, struct err *e) MUST_CHECK;
void args_release(struct args *a);
bool args_has(const struct args *a, const char *option);
const char *args_text(const struct args *a, const char *option); /* the last one given; NULL: not given */
/* `out` stays as it is when the option was not given. */
bool args_int(const struct args *a, const char *option, int min, int max, int *out, struct err *e) MUST_CHECK;
const struct command *command_find(const struct command *commands, const char *name); /* NULL: there is none */
void command_help(const struct command *command, struct buf *out);
void option_help(const struct option_spec *option, struct buf *out);

/* --- words.c --------------------------------------------------------------------------------------------- */

char *number_grouped(char *out, size_t size, int64_t n); /* "21,377" */
#define GROUPED(n) number_grouped((char[32]){0}, 32, (n))
char *number_of(char *out, size_t size, int64_t n, const char *thing); /* "1 asset", "21,377 assets" */
#define COUNT_OF(n, thing) number_of((char[64]){0}, 64, (n), (thing))

/* "today 22:14:07", "yesterday 17:20", "tomorrow 10:04", "Tue 1 Dec 09:00", in another year "Tue 1 Dec 2026 09:00"; "never" for 0. */
char *time_words(char *out, size_t size, int64_t ms, int64_t now_ms);
#define WHEN(ms, now_ms) time_words((char[48]){0}, 48, (ms), (now_ms))
/* The same where today goes without saying: "22:14:07". */
char *time_short(char *out, size_t size, int64_t ms, int64_t now_ms);
#define WHEN_SHORT(ms, now_ms) time_short((char[48]){0}, 48, (ms), (now_ms))

/* How long something took: "26 ms", "1.9 s", "3 min 12 s". */
char *span_took(char *out, size_t size, int64_t ms);
#define TOOK(ms) span_took((char[32]){0}, 32, (ms))

bool time_parse_rfc3339(const char *text, int64_t *ms); /* the whole text */
/* "today", "yesterday", a duration back from now ("10m", "2h"), or RFC 3339. */
bool time_parse_since(const char *text, int64_t now_ms, int64_t *ms);
/* Every RFC 3339 time in a sentence as time_words. */
void time_say(struct buf *out, const char *sentence, int64_t now_ms);

/* --- render.c ---------------------------------------------------------------------------------------------- */

struct style {
    bool has_colour, is_plain;
    int columns; /* 0: lines may be of any length, and no path is shortened (pipes) */
    int64_t now_ms;
};
/* Colour only on a terminal, and not against NO_COLOR or TERM=dumb. */
struct style style_of(int fd, bool is_plain, int64_t now_ms);

size_t text_columns(const char *text);                              /* characters, each counted as one column */
void render_padded(struct buf *out, const char *text, int columns); /* negative: to the right */
/* A path as a shell takes it, if need be shortened in the middle: whole directories, never the name. */
char *render_path(char *out, size_t size, const char *path, int columns);
#define SHORT_PATH(path, columns) render_path((char[TEXT_SHOWN]){0}, TEXT_SHOWN, (path), (columns))
void render_verdict(struct buf *out, const struct style *s, const char *verdict, const char *sentence);
/* The lines below a verdict; NULL or "" leaves one out. */
void render_card(struct buf *out, const char *why, const char *fix, const char *safe);
void render_plain(struct buf *out, const char *label, const char *fmt, ...)
    PRINTF(3, 4); /* "label: value", with an empty value nothing */
/* JSON as it is handed out: indented, in the order given, without "ok". */
int print_json(json_t *object);
int print_buf(const struct buf *out); /* to standard output; 0 */

/* Shorthands for outside JSON: 0 and "" when missing. */
int64_t json_int(const json_t *object, const char *key);
int64_t json_time(const json_t *object, const char *key);

/* --- call.c -------------------------------------------------------------------------------------------------- */

struct cmd {
    const struct command *commands;
    struct args args;
    bool wants_json, is_plain, is_quiet;
    struct style style; /* of standard output */
    int64_t now_ms;
    char *profile_file;
    struct profile *profile;
};
void cmd_release(struct cmd *c);

/* "brandsync publish: ...", and for EX_USAGE where to read more. Returns `code`. */
int cmd_fail(const struct cmd *c, int code, const char *fmt, ...) PRINTF(3, 4);
int cmd_fail_err(const struct cmd *c, const struct err *e); /* with the exit code of its kind */
int exit_of(const struct err *e);
/* "attention  acme: what" and a card, on standard error. Returns exit_of(e). */
int cmd_fail_card(const struct cmd *c, const char *what, const struct err *e, const char *safe);
void cmd_hint(const struct cmd *c, const char *fmt, ...) PRINTF(2, 3); /* a line on standard error, unless -q */

/* Finds and loads c->profile, and sets its time zone. 0, else the exit code of what was said. */
int cmd_profile(struct cmd *c) MUST_CHECK;
/* The same without reading it: c->profile_file. */
int cmd_profile_find(struct cmd *c) MUST_CHECK;
char *cmd_start_line(const struct profile *p); /* what starts the agent */

extern const struct cause_info agent_not_running; /* known here, where no agent can say it */
#define OFFLINE_HINT "the agent is not running; this is from its ledger"

/* Both take `request` and need c->profile. NULL: *code is the exit code of what was said. */
json_t *cmd_operate(struct cmd *c, json_t *request, int *code);                /* needs the agent */
json_t *cmd_read(struct cmd *c, json_t *request, bool *is_offline, int *code); /* else from the ledger */
/* For what may be cancelled: commands are ended by Ctrl-C instead. */
extern const atomic_bool never_cancelled;
/* A running agent that had given up tries at once; without one there is nobody to tell. */
void cmd_wake(const struct cmd *c);

/* --- said by several commands ------------------------------------------------------------------------------------ */

/* Where an item or a receipt is, as the operator calls it: "campaigns/spring/hero.tif". Owned by the caller. */
char *asset_name(const struct profile *p, const json_t *object);
/* "3 assets have been queued up for publishing." */
void say_queued(const struct cmd *c, int64_t n, const char *thing, const char *purpose);
void say_skipped(const json_t *skipped); /* on standard error: path, state, reason */

/* publish --wait: until none of the jobs is left, or none moves by itself; says how those that are `counted` ended, and adds
 * it to `report`. An exit code. */
int wait_for_jobs(struct cmd *c, json_t *jobs, json_t *counted, json_t *report) MUST_CHECK;

/* --- ask.c: only when ask_is_possible, on standard error -------------------------------------------------------------- */

bool ask_is_possible(void);
char *ask_text(const char *question,
               const char *standard); /* NULL: the input ended. `standard` is what an empty line means, may be NULL */
bool ask_yes(const char *question, bool standard);
bool ask_secret(const char *question,
                struct secret *out); /* without echo; false: nothing was typed, or the echo cannot be put off */

/* --- the commands ---------------------------------------------------------------------------------------------- */

int check_run(struct cmd *c);
int explain_run(struct cmd *c);
int help_run(struct cmd *c);
int init_run(struct cmd *c);
int key_create_run(struct cmd *c);
int key_export_run(struct cmd *c);
int key_show_run(struct cmd *c);
int publish_run(struct cmd *c);
int queue_list_run(struct cmd *c);
int receipts_run(struct cmd *c);
int reload_run(struct cmd *c);
int scan_run(struct cmd *c);
int status_run(struct cmd *c);
int test_run(struct cmd *c);
int token_check_run(struct cmd *c);
int unpublish_run(struct cmd *c);

extern const struct option_spec check_options[], init_options[], key_create_options[], key_export_options[],
    key_show_options[], publish_options[], queue_list_options[], receipts_options[], test_options[],
    unpublish_options[];

/* The pure halves, for their tests. */
void explain_render(const json_t *answer, int64_t now_ms, struct buf *out);
void queue_render(const json_t *items, const struct profile *p, const struct style *s, struct buf *out);
void receipts_render(const json_t *receipts, const struct profile *p, const struct style *s, struct buf *out);
void receipts_csv(const json_t *receipts, struct buf *out);
void receipt_render(const json_t *receipt, int64_t now_ms, struct buf *out);
void status_render(const json_t *status, const struct style *s, bool is_quiet, struct buf *out);

#endif
