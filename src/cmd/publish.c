/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* publish - queue paths for publishing. Directories are walked here: the agent never waits for a disk while it answers. */
#include "cmd_internal.h"
#include "plan.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>

enum {
    CHUNK_PATHS = 1000,       /* in one request: the agent plans them in one turn of its loop */
    CHUNK_BYTES = 900 * 1024, /* a frame is at most 1 MiB */
    FILES_FROM_BYTES = 64 << 20,
};

const struct option_spec publish_options[] = {
    {"wait", 0, NULL, "until it is on the portal, and say so; Ctrl-C leaves it queued"},
    {"files-from", 0, "FILE", "read paths from FILE, one a line; - is standard input"},
    {"null", '0', NULL, "paths in that file end with a NUL byte (find -print0)"},
    {0},
};

/* --- what is on its way to the agent ----------------------------------------------------------------------------- */

struct chunk {
    json_t *paths;
    size_t bytes;
    json_t *jobs; /* of all chunks of this kind so far */
};

struct order {
    struct cmd *c;
    struct chunk assets, folders;
    json_t *skipped;
    int code; /* the worst that happened; EX_UNAVAILABLE and the like end it */
    bool is_over;
};

static void order_release(struct order *o)
{
    json_decref(o->assets.paths);
    json_decref(o->assets.jobs);
    json_decref(o->folders.paths);
    json_decref(o->folders.jobs);
    json_decref(o->skipped);
}

static void send_chunk(struct order *o, struct chunk *chunk)
{
    if (o->is_over || json_array_size(chunk->paths) == 0)
        return;
    AUTO(json_freep)
    json_t *answer = cmd_operate(o->c, json_pack("{s:s, s:O}", "verb", "publish", "paths", chunk->paths), &o->code);
    json_array_clear(chunk->paths);
    chunk->bytes = 0;
    if (!answer) {
        o->is_over = true;
        return;
    }
    json_array_extend(chunk->jobs, json_object_get(answer, "jobs"));
    json_array_extend(o->skipped, json_object_get(answer, "skipped"));
}

/* `bytes` -1: a directory. */
static void add_path(struct order *o, const char *path, int64_t bytes)
{
    struct chunk *chunk = bytes < 0 ? &o->folders : &o->assets;
    json_t *item = json_pack("{s:b, s:I}", "is_dir", bytes < 0, "bytes", (json_int_t)bytes);

    control_set_path(item, "path", path);
    chunk->bytes += json_dumpb(item, NULL, 0, JSON_COMPACT) + 1;
    json_array_append_new(chunk->paths, item);
    if (json_array_size(chunk->paths) >= CHUNK_PATHS || chunk->bytes >= CHUNK_BYTES)
        send_chunk(o, chunk);
}

static void skip_path(struct order *o, const char *path, const char *reason)
{
    json_t *item = json_pack("{s:s, s:s}", "state", "ignored", "reason", reason);
    control_set_path(item, "path", path);
    json_array_append_new(o->skipped, item);
}

/* --- walking -------------------------------------------------------------------------------------------------------- */

/* Below a directory that was named, what is ignored or not watched is passed over in silence. */
static bool is_wanted(const struct profile *p, const char *path, bool is_dir)
{
    const struct profile_folder *f = profile_folder_of(p, path);
    struct plan why = {0};

    if (!f)
        return false;
    bool is_ignored = plan_is_ignored(p, f, path, is_dir, &why);
    plan_release(&why);
    return !is_ignored;
}

static bool leads_to_a_folder(const struct profile *p, const char *path)
{
    for (size_t i = 0; i < p->folders; i++)
        if (path_is_below(p->folder[i].path, path))
            return true;
    return false;
}

static void walk_unreadable(struct order *o, const FTSENT *entry)
{
    o->code = entry->fts_errno == EACCES ? EX_NOPERM : EX_NOINPUT;
    cmd_fail(o->c, o->code, "cannot read %s: %s", SHELL(entry->fts_path), strerrordesc_np(entry->fts_errno));
}

static void walk_entry(struct order *o, FTS *tree, FTSENT *entry)
{
    const struct profile *p = o->c->profile;
    const char *path = entry->fts_path;

    switch (entry->fts_info) {
    case FTS_D:
        if (is_wanted(p, path, true))
            add_path(o, path, -1);
        else if (!leads_to_a_folder(p, path))
            fts_set(tree, entry, FTS_SKIP);
        break;
    case FTS_F:
        if (is_wanted(p, path, false))
            add_path(o, path, entry->fts_statp->st_size);
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        walk_unreadable(o, entry);
        break;
    default:
        break; /* links, sockets and the like are no assets */
    }
}

static void walk(struct order *o, const char *dir)
{
    AUTO(mem_freep) char *root = str_copy(dir);
    char *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    if (!tree) {
        o->code = cmd_fail(o->c, EX_OSERR, "cannot walk %s: %s", SHELL(dir), strerrordesc_np(errno));
        return;
    }
    for (FTSENT *entry; !o->is_over && (entry = fts_read(tree));)
        walk_entry(o, tree, entry);
    fts_close(tree);
}

static void add_named(struct order *o, const char *named)
{
    AUTO(mem_freep) char *path = path_absolute(named);
    const struct profile *p = o->c->profile;
    struct stat st;

    if (lstat(path, &st) < 0) {
        o->code = errno == EACCES ? EX_NOPERM : EX_NOINPUT;
        cmd_fail(o->c, o->code, "%s: %s", SHELL(named),
                 errno == ENOENT ? "no such file or directory" : strerrordesc_np(errno));
    } else if (S_ISREG(st.st_mode) ||
               (S_ISDIR(st.st_mode) && !profile_folder_of(p, path) && !leads_to_a_folder(p, path))) {
        add_path(o, path, S_ISDIR(st.st_mode) ? -1 : st.st_size); /* the agent says what it thinks of it */
    } else if (S_ISDIR(st.st_mode)) {
        walk(o, path);
    } else {
        skip_path(o, path,
                  S_ISLNK(st.st_mode) ? "it is a symbolic link, which is not followed" : "it is no regular file");
    }
}

/* --- names from a file ----------------------------------------------------------------------------------------------- */

static bool read_names(const char *file, struct buf *out, struct err *e)
{
    char part[1 << 16];
    size_t got;

    if (!str_eq(file, "-"))
        return file_read(file, FILES_FROM_BYTES, out, e);
    while ((got = fread(part, 1, sizeof(part), stdin)) > 0)
        if (!buf_add(out, part, got))
            return err_set(e, ERR_LOCAL, "the list of paths is larger than %d bytes", FILES_FROM_BYTES);
    return !ferror(stdin) || err_sys(e, errno, "cannot read standard input");
}

static void add_from_file(struct order *o, const char *file)
{
    AUTO(buf_release) struct buf names = BUF_INIT(FILES_FROM_BYTES);
    char end = args_has(&o->c->args, "null") ? '\0' : '\n';
    struct err e;

    if (!read_names(file, &names, &e)) {
        o->code = cmd_fail(o->c, e.sys == ENOENT ? EX_NOINPUT : exit_of(&e), "%s", e.text);
        return;
    }
    for (size_t at = 0; at < names.len && !o->is_over;) {
        const char *from = names.data + at, *to = memchr(from, end, names.len - at);
        size_t len = to ? (size_t)(to - from) : names.len - at;
        AUTO(mem_freep) char *name = str_copy_n(from, len);
        if (name[0])
            add_named(o, name);
        at += len + 1;
    }
}

/* --- the command ------------------------------------------------------------------------------------------------------- */

static int64_t queued(const struct chunk *chunk)
{
    return (int64_t)json_array_size(chunk->jobs);
}

/* A directory without assets is queued for its own sake; else the assets count. */
static const struct chunk *what_counts(const struct order *o)
{
    return queued(&o->assets) > 0 || queued(&o->folders) == 0 ? &o->assets : &o->folders;
}

static void say_order(const struct order *o)
{
    const struct chunk *counts = what_counts(o);

    say_queued(o->c, queued(counts), counts == &o->assets ? "asset" : "folder", "publishing");
    say_skipped(o->skipped);
}

/* Nothing of what was named is on its way: a script must not take that for success. */
static bool is_in_vain(const struct order *o)
{
    return queued(&o->assets) + queued(&o->folders) == 0;
}

static int finish(struct order *o)
{
    struct cmd *c = o->c;
    AUTO(json_freep) json_t *jobs = json_copy(o->folders.jobs);

    json_array_extend(jobs, o->assets.jobs);
    AUTO(json_freep)
    json_t *answer = json_pack("{s:I, s:O, s:O}", "queued", (json_int_t)json_array_size(jobs), "jobs", jobs, "skipped",
                               o->skipped);
    if (!c->wants_json)
        say_order(o);
    if (args_has(&c->args, "wait") && !is_in_vain(o)) {
        int code = wait_for_jobs(c, jobs, what_counts(o)->jobs, answer);
        o->code = code ? code : o->code;
    }
    if (c->wants_json)
        print_json(answer);
    return o->code || !is_in_vain(o) ? o->code : EX_DATAERR;
}

int publish_run(struct cmd *c)
{
    const char *from = args_text(&c->args, "files-from");
    int code = cmd_profile(c);

    if (code)
        return code;
    if (c->args.operands == 0 && !from)
        return cmd_fail(c, EX_USAGE, "what is missing: PATH..., or --files-from FILE");
    AUTO(order_release)
    struct order o = {
        .c = c,
        .assets = {.paths = json_array(), .jobs = json_array()},
        .folders = {.paths = json_array(), .jobs = json_array()},
        .skipped = json_array(),
    };
    for (size_t i = 0; i < c->args.operands && !o.is_over; i++)
        add_named(&o, c->args.operand[i]);
    if (from && !o.is_over)
        add_from_file(&o, from);
    send_chunk(&o, &o.folders);
    send_chunk(&o, &o.assets);
    bool has_nothing = o.is_over || (is_in_vain(&o) && json_array_size(o.skipped) == 0 && o.code);
    return has_nothing ? o.code : finish(&o);
}
