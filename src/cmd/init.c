/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* init - asks for what a profile needs, or takes it as options, and writes it. Overwrites nothing, starts nothing (ux.md 1.2). */
#include "cmd_internal.h"

#include <errno.h>
#include <fts.h>
#include <grp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROFILES "/etc/brandsync"

const struct option_spec init_options[] = {
    {"url", 0, "URL", "the tenant, as in the browser"},
    {"mode", 0, "MODE", "oauth (default), or jwt for brandsync-portal's service accounts"},
    {"client-id", 0, "ID", "of the credential in the Developer Console"},
    {"secret-file", 0, "FILE",
     "where its client secret is, or shall be written when it is typed; default: NAME.secret"},
    {"scopes", 0, "LINE", "the credential's scopes, as they stand (oauth)"},
    {"technical-account-id", 0, "ID", "of the credential (jwt)"},
    {"organization-id", 0, "ID", "of the credential (jwt)"},
    {"private-key-file", 0, "FILE", "default: NAME.key (jwt)"},
    {"certificate-file", 0, "FILE", "default: NAME.crt (jwt)"},
    {"folder", 0, "DIR", "the folder to watch"},
    {"existing", 0, "WORD", "what is there already: publish, or skip"},
    {"window", 0, "WORD", "any: publish at any time, which is all that this version can"},
    {"public", 0, NULL, "visible to every portal user and guest (Public Folder Publish)"},
    {"server", 0, "URL", "IMS, when it is not Adobe's"},
    {"ca-file", 0, "FILE", "a CA beside the system's, for tenant and IMS"},
    {"tenant-id", 0, "ID", "when the URL does not begin with it"},
    {"state", 0, "DIR", "where the ledger shall be; default: /var/lib/brandsync/NAME"},
    {"out", 0, "FILE", "the profile; default: /etc/brandsync/NAME.yaml"},
    {0},
};

enum { IN_OAUTH = 1, IN_JWT = 2, IN_BOTH = 3 };

/* What must be known. In the order in which it is asked. */
static const struct question {
    const char *option, *text;
    int modes;
} questions[] = {
    {"url", "Tenant URL, as in the browser", IN_BOTH},
    {"client-id", "Developer Console > project > credential: Client ID", IN_BOTH},
    {"scopes", "  Scopes (that line as it stands)", IN_OAUTH},
    {"technical-account-id", "  Technical account ID", IN_JWT},
    {"organization-id", "  Organization ID", IN_JWT},
    {"folder", "Folder to watch", IN_BOTH},
    {"existing", "  Already there: publish all, or skip it and take new ones only", IN_BOTH},
};

struct draft {
    struct cmd *c;
    const char *name;
    bool is_jwt, is_public;
    char *out, *secret_file;
    char *answer[ARRAY_LEN(questions)];
    struct secret secret; /* typed, to be written */
    struct buf text;
};

static void draft_release(struct draft *d)
{
    free(d->out);
    free(d->secret_file);
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        free(d->answer[i]);
    secret_release(&d->secret);
    buf_release(&d->text);
}

static const char *option_of(const struct draft *d, const char *option)
{
    return args_text(&d->c->args, option);
}

static bool is_asked(const struct draft *d, const struct question *q)
{
    return q->modes & (d->is_jwt ? IN_JWT : IN_OAUTH);
}

static const char *answer_to(const struct draft *d, const char *option)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (str_eq(questions[i].option, option))
            return d->answer[i] ? d->answer[i] : "";
    return "";
}

/* --- places ------------------------------------------------------------------------------------------------------ */

/* NAME.secret and the like stand beside the profile. */
static char *beside(const struct draft *d, const char *ending)
{
    AUTO(mem_freep) char *dir = path_parent(d->out);
    AUTO(mem_freep) char *name = str_printf("%s.%s", d->name, ending);
    return path_join(dir, name);
}

static char *place_of(const struct draft *d, const char *option, const char *ending)
{
    const char *given = option_of(d, option);
    return given ? path_absolute(given) : beside(d, ending);
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || errno != ENOENT;
}

static int find_places(struct draft *d)
{
    const char *out = option_of(d, "out");

    d->name = d->c->args.operand[0];
    if (strchr(d->name, '/') || d->name[0] == '.' || !d->name[0])
        return cmd_fail(d->c, EX_USAGE, "%s is not a name for a profile; expected one such as acme", SHELL(d->name));
    d->out = out ? path_absolute(out) : str_printf("%s/%s.yaml", PROFILES, d->name);
    d->secret_file = place_of(d, "secret-file", "secret");
    if (is_there(d->out))
        return cmd_fail(d->c, EX_CANTCREAT, "%s is there already; nothing was changed", SHELL(d->out));
    return 0;
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static void say_folder(const char *dir)
{
    char *const roots[] = {(char *)(uintptr_t)dir, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    int64_t files = 0, bytes = 0;

    for (FTSENT *entry; tree && (entry = fts_read(tree));) {
        files += entry->fts_info == FTS_F;
        bytes += entry->fts_info == FTS_F ? entry->fts_statp->st_size : 0;
    }
    if (tree)
        fts_close(tree);
    fprintf(stderr, "  %s, %s\n", COUNT_OF(files, "file"), BYTES(bytes));
}

/* Short answers to the one question that has them. */
static char *existing_word(const char *answer)
{
    if (str_eq(answer, "p"))
        return str_copy(existing_name(EXISTING_PUBLISH));
    if (str_eq(answer, "n") || str_eq(answer, "new") || str_eq(answer, "s"))
        return str_copy(existing_name(EXISTING_SKIP));
    return str_copy(answer);
}

static bool ask_one(struct draft *d, size_t i)
{
    bool is_folder = str_eq(questions[i].option, "folder"), is_existing = str_eq(questions[i].option, "existing");

    do {
        free(take(&d->answer[i]));
        d->answer[i] = ask_text(questions[i].text, is_existing ? "publish" : NULL);
    } while (d->answer[i] && !d->answer[i][0]);
    if (d->answer[i] && is_folder)
        say_folder(d->answer[i]);
    return d->answer[i] != NULL;
}

static int say_missing(const struct draft *d)
{
    AUTO(buf_release) struct buf names = BUF_INIT(4096);

    for (size_t i = 0; i < ARRAY_LEN(questions); i++)
        if (is_asked(d, &questions[i]) && !d->answer[i])
            buf_printf(&names, " --%s", questions[i].option);
    return cmd_fail(d->c, EX_USAGE, "without a terminal to ask on it needs%s", names.data);
}

static int gather(struct draft *d)
{
    bool is_whole = true;

    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        d->answer[i] = str_copy(option_of(d, questions[i].option));
        if (!is_asked(d, &questions[i]) || d->answer[i])
            continue;
        is_whole = ask_is_possible() && ask_one(d, i) && is_whole;
    }
    if (!is_whole)
        return say_missing(d);
    d->is_public = args_has(&d->c->args, "public");
    if (!d->is_public && ask_is_possible())
        d->is_public = ask_yes("Visible to every portal user and guest (Public Folder Publish)?", false);
    return 0;
}

/* A file that is there is taken as it is; else the secret is typed here, and goes nowhere but into that file. */
static int gather_secret(struct draft *d)
{
    if (is_there(d->secret_file))
        return 0;
    if (!ask_is_possible())
        return option_of(d, "secret-file")
                   ? cmd_fail(d->c, EX_NOINPUT, "%s: no such file", SHELL(d->secret_file))
                   : cmd_fail(d->c, EX_USAGE, "without a terminal to ask on it needs --secret-file");
    if (ask_secret("Client secret (not shown)", &d->secret))
        return 0;
    return cmd_fail(d->c, EX_USAGE, "no client secret was given; nothing was written");
}

/* Words of the full product that this version cannot keep. */
static int check_words(struct draft *d)
{
    const char *mode = option_of(d, "mode"), *window = option_of(d, "window"), *existing = option_of(d, "existing");

    d->is_jwt = mode && str_eq(mode, identity_mode_name(IDENTITY_JWT));
    if (mode && !d->is_jwt && !str_eq(mode, identity_mode_name(IDENTITY_OAUTH)))
        return cmd_fail(d->c, EX_USAGE, "--mode %s: expected oauth or jwt", SHELL(mode));
    if (window && !str_eq(window, "any"))
        return cmd_fail(d->c, EX_USAGE, "--window %s is not built in this version yet; any is", SHELL(window));
    if (existing && !str_eq(existing, "publish") && !str_eq(existing, "skip"))
        return cmd_fail(d->c, EX_USAGE, "--existing %s is not built in this version yet; publish and skip are",
                        SHELL(existing));
    return 0;
}

/* --- writing -------------------------------------------------------------------------------------------------------------- */

/* `key: "value"`, and what it is for. */
static void add_key(struct draft *d, const char *key, const char *value, const char *comment)
{
    if (!value || !value[0])
        return;
    buf_printf(&d->text, "%s: \"", key);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_char(&d->text, '\\');
        buf_char(&d->text, *value);
    }
    buf_printf(&d->text, comment ? "\"  # %s\n" : "\"\n", comment);
}

static void add_word(struct draft *d, const char *key, const char *word, const char *comment)
{
    buf_printf(&d->text, "%s: %s  # %s\n", key, word, comment);
}

/* Network and user-space file systems send no events for what others change. */
static bool must_poll(const char *dir)
{
    static const unsigned silent[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                      FUSE_SUPER_MAGIC};
    struct statfs fs;

    if (statfs(dir, &fs) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(silent); i++)
        if ((unsigned)fs.f_type == silent[i])
            return true;
    return false;
}

static void write_tenant(struct draft *d, const char *ca_file)
{
    buf_str(&d->text, "\ntenant:\n");
    add_key(d, "  url", answer_to(d, "url"), "as in the browser");
    add_key(d, "  id", option_of(d, "tenant-id"), "assets go below /content/dam/mac/ID");
    add_word(d, "  public", d->is_public ? "true" : "false",
             "Public Folder Publish: may every portal user and guest see the folders?");
    add_key(d, "  ca_file", ca_file, "beside the system's CAs");
}

static void write_identity(struct draft *d, const char *ca_file)
{
    AUTO(mem_freep)
    char *key = place_of(d, "private-key-file", "key"), *certificate = place_of(d, "certificate-file", "crt");

    buf_str(&d->text, "\nidentity:\n");
    add_word(d, "  mode", d->is_jwt ? "jwt" : "oauth",
             d->is_jwt ? "a service account" : "Developer Console > project > OAuth Server-to-Server");
    add_key(d, "  server", option_of(d, "server"), "IMS");
    add_key(d, "  client_id", answer_to(d, "client-id"), NULL);
    add_key(d, "  client_secret_file", d->secret_file, "never the secret itself");
    add_key(d, "  scopes", d->is_jwt ? NULL : answer_to(d, "scopes"), "the credential's line, as it stands");
    add_key(d, "  technical_account_id", d->is_jwt ? answer_to(d, "technical-account-id") : NULL, NULL);
    add_key(d, "  organization_id", d->is_jwt ? answer_to(d, "organization-id") : NULL, NULL);
    add_key(d, "  private_key_file", d->is_jwt ? key : NULL, "brandsync key create");
    add_key(d, "  certificate_file", d->is_jwt ? certificate : NULL, "brandsync key export");
    add_key(d, "  ca_file", ca_file, NULL);
}

static void write_folders(struct draft *d)
{
    AUTO(mem_freep) char *folder = path_absolute(answer_to(d, "folder"));
    AUTO(mem_freep) char *existing = existing_word(answer_to(d, "existing"));

    buf_str(&d->text, "\nfolders:\n");
    add_key(d, "  - path", folder, NULL);
    add_word(d, "    existing", existing, "what was there before the first start: publish, or skip");
    if (must_poll(folder))
        add_word(d, "    watch", "poll", "this file system sends no events for what others change");
    buf_str(&d->text, "    # include: [\"**/*.jpg\", \"**/*.png\"]  # without it everything\n"
                      "    # exclude: [\"**/drafts/**\"]\n"
                      "    # on_delete: keep  # what is deleted here stays on the portal\n");
}

static void write_text(struct draft *d)
{
    const char *ca_option = option_of(d, "ca-file"), *state_option = option_of(d, "state");
    AUTO(mem_freep) char *ca_file = ca_option ? path_absolute(ca_option) : NULL;
    AUTO(mem_freep) char *state = state_option ? path_absolute(state_option) : NULL;

    buf_printf(&d->text,
               "# The profile %s, written by brandsync init. After a change: brandsync check, then brandsync "
               "reload\n\nversion: 1\n",
               d->name);
    add_key(d, "title", d->name, "shown with every verdict");
    write_tenant(d, ca_file);
    write_identity(d, ca_file);
    write_folders(d);
    buf_str(&d->text, "\n# uploaders: 4  # 1 to 8\n");
    add_key(d, "state", state, "the ledger");
}

static int check_text(const struct draft *d)
{
    AUTO(problems_release) struct problems problems = {0};
    AUTO(buf_release) struct buf shown = BUF_INIT(1 << 20);
    AUTO(profile_freep) struct profile *p = profile_parse(d->out, d->text.data, d->text.len, false, &problems);

    problems_print(&problems, &shown);
    fputs(shown.data ? shown.data : "", stderr);
    return p ? 0 : cmd_fail(d->c, EX_CONFIG, "these answers make no valid profile; nothing was written");
}

/* 0640 root:brandsync where the service has a group, else the mode as given. */
static bool hand_to_service(const char *path, struct err *e)
{
    const struct group *group = geteuid() == 0 ? getgrnam("brandsync") : NULL;

    if (!group)
        return true;
    if (chown(path, 0, group->gr_gid) == 0 && chmod(path, 0640) == 0)
        return true;
    return err_sys(e, errno, "cannot give '%s' to the group brandsync", path);
}

static bool write_files(struct draft *d, struct err *e)
{
    AUTO(mem_freep) char *dir = path_parent(d->out);

    if (!dir_make(dir, 0750, e))
        return false;
    if (d->secret.data &&
        (!file_replace(d->secret_file, d->secret.data, d->secret.len, 0600, e) || !hand_to_service(d->secret_file, e)))
        return false;
    return file_replace(d->out, d->text.data, d->text.len, 0644, e) && hand_to_service(d->out, e);
}

int init_run(struct cmd *c)
{
    AUTO(draft_release) struct draft d = {.c = c, .text = BUF_INIT(1 << 20)};
    struct err e;
    int (*const steps[])(struct draft *) = {find_places, check_words, gather, gather_secret};

    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int code = steps[i](&d);
        if (code)
            return code;
    }
    write_text(&d);
    int code = check_text(&d);
    if (code)
        return code;
    if (!write_files(&d, &e))
        return cmd_fail(c, e.sys == EACCES ? EX_NOPERM : EX_CANTCREAT, "%s", e.text);
    AUTO(mem_freep) char *secret = d.secret.data ? str_printf(" and %s", SHELL(d.secret_file)) : str_copy("");
    cmd_hint(c, "Wrote %s%s. Not started.  Next: %sbrandsync check -p %s", SHELL(d.out), secret,
             d.is_jwt ? "brandsync key create, then " : "", option_of(&d, "out") ? SHELL(d.out) : d.name);
    return 0;
}
