/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* plan - from a local path to its verdict: watched, ignored, held, or published under which remote path. */
#include "plan_internal.h"

#include <inttypes.h>
#include <strings.h>

/* Other transports than distribution have no limit of their own in the product's promise but this one. */
#define ANY_TRANSPORT_MAX_BYTES (INT64_C(64) << 30)

void plan_release(struct plan *p)
{
    free(p->remote);
    free(p->remote_folder);
    free(p->title);
    *p = (struct plan){0};
}

PRINTF(4, 5)
static bool say(struct plan *out, enum verdict verdict, struct place place, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->verdict = verdict;
    out->place = place;
    vsnprintf(out->reason, sizeof(out->reason), fmt, args);
    va_end(args);
    return true;
}

/* --- ignored ------------------------------------------------------------------------------------------ */

/* What is being judged: a path relative to its folder, or one of the directories above it. */
struct subject {
    const struct profile *profile;
    const struct profile_folder *folder;
    const char *relative;
    bool is_dir;
    const char *said; /* "it", or "its directory x" */
};

static const struct place built_in = {0, 0};

/* An exclude of all that is below a directory leaves nothing to see in it: the directory itself need not be entered. */
static bool exclude_match(const char *pattern, const struct subject *s)
{
    if (glob_match(pattern, s->relative))
        return true;
    if (!s->is_dir || !str_ends(pattern, "/**"))
        return false;
    AUTO(mem_freep) char *dir = str_copy_n(pattern, strlen(pattern) - strlen("/**"));
    return glob_match(dir, s->relative);
}

static bool is_xmp(const char *name)
{
    size_t len = strlen(name);
    return len >= 4 && strcasecmp(name + len - 4, ".xmp") == 0;
}

/* .xmp files are assets where an include says so in as many words. */
static bool is_asked_for(const struct subject *s, const struct ignore_row *row)
{
    const struct strlist *include = &s->folder->include;
    for (size_t i = 0; is_xmp(row->pattern) && i < include->count; i++)
        if (is_xmp(include->item[i]) && glob_match(include->item[i], s->relative))
            return true;
    return false;
}

static bool is_built_in(const struct subject *s, struct plan *why)
{
    const struct ignore_row *row = plan_ignore_row(path_name(s->relative), s->is_dir);
    if (!row || is_asked_for(s, row))
        return false;
    return say(why, PLAN_IGNORED, built_in, "%s matches the built-in \"%s\" (%s)", s->said, row->pattern, row->from);
}

static bool is_excluded(const struct subject *s, struct plan *why)
{
    const struct strlist *exclude = &s->folder->exclude;
    for (size_t i = 0; i < exclude->count; i++)
        if (exclude_match(exclude->item[i], s))
            return say(why, PLAN_IGNORED, s->folder->exclude_place, "%s matches exclude \"%s\" (%s:%d)", s->said,
                       exclude->item[i], path_name(s->profile->file), s->folder->exclude_place.line);
    return false;
}

/* Only files are included by name; a directory is entered for what may lie below it. */
static bool is_not_included(const struct subject *s, struct plan *why)
{
    const struct strlist *include = &s->folder->include;
    for (size_t i = 0; i < include->count; i++)
        if (glob_match(include->item[i], s->relative))
            return false;
    if (s->is_dir || include->count == 0)
        return false;
    return say(why, PLAN_IGNORED, s->folder->include_place, "no include matches it (%s:%d)",
               path_name(s->profile->file), s->folder->include_place.line);
}

static bool is_subject_ignored(const struct subject *s, struct plan *why)
{
    return is_built_in(s, why) || is_excluded(s, why) || is_not_included(s, why);
}

static bool is_directory_ignored(const struct subject *whole, size_t len, struct plan *why)
{
    AUTO(mem_freep) char *relative = str_copy_n(whole->relative, len);
    struct subject dir = *whole;
    dir.relative = relative;
    dir.is_dir = true;
    if (!is_subject_ignored(&dir, why))
        return false;
    AUTO(mem_freep) char *said = str_printf("its directory %s", QUOTED(relative)); /* only now: it is seldom needed */
    dir.said = said;
    return is_subject_ignored(&dir, why);
}

bool plan_is_ignored(const struct profile *p, const struct profile_folder *f, const char *path, bool is_dir,
                     struct plan *why)
{
    const char *relative = path_below(path, f->path);
    if (!relative) /* the folder itself */
        return false;
    struct subject s = {p, f, relative, is_dir, "it"};
    for (const char *slash = relative; (slash = strchr(slash, '/')); slash++)
        if (is_directory_ignored(&s, (size_t)(slash - relative), why))
            return true;
    return is_subject_ignored(&s, why);
}

/* --- held --------------------------------------------------------------------------------------------- */

PRINTF(3, 4)
static bool hold(struct plan *out, int cause, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    out->verdict = PLAN_HELD;
    out->cause = cause;
    vsnprintf(out->reason, sizeof(out->reason), fmt, args);
    va_end(args);
    return true;
}

static bool is_name_too_long(struct plan *out)
{
    if (strlen(out->remote) > PLAN_PATH_MAX)
        return hold(out, CAUSE_ASSET_NAME, "its path on the portal has %zu bytes, %d are allowed", strlen(out->remote),
                    PLAN_PATH_MAX);
    for (const char *part = out->remote; *part; part += strcspn(part, "/")) {
        part++; /* the remote path is absolute */
        size_t len = strcspn(part, "/");
        if (len > PLAN_NAME_MAX)
            return hold(out, CAUSE_ASSET_NAME, "a name in its path on the portal has %zu bytes, %d are allowed", len,
                        PLAN_NAME_MAX);
    }
    return false;
}

static bool is_size_unfit(const struct profile *p, int64_t bytes, struct plan *out)
{
    if (bytes == 0 && out->folder->holds_empty)
        return hold(out, CAUSE_ASSET_EMPTY, "the file is empty (empty_files: hold)");
    if (p->tenant.transport == TRANSPORT_DISTRIBUTION && bytes > DISTRIBUTION_MAX_BYTES)
        return hold(out, CAUSE_ASSET_TOO_LARGE,
                    "larger than the portal's importer can take (%" PRId64 " bytes, at most %" PRId64 ")", bytes,
                    DISTRIBUTION_MAX_BYTES);
    if (bytes > ANY_TRANSPORT_MAX_BYTES)
        return hold(out, CAUSE_ASSET_TOO_LARGE, "larger than 64 GiB (%" PRId64 " bytes)", bytes);
    return false;
}

/* --- verdicts ----------------------------------------------------------------------------------------- */

/* The watched folder of a path and the part below it ("" for the folder itself). false: not watched, `out` says why. */
static bool find_folder(const struct profile *p, const char *path, struct plan *out, const char **relative)
{
    out->folder = profile_folder_of(p, path);
    if (!out->folder) {
        say(out, PLAN_NOT_WATCHED, built_in, "it lies in no folder of the profile");
        return false;
    }
    const char *below = path_below(path, out->folder->path);
    *relative = below ? below : "";
    if (!below || path_is_clean(below))
        return true;
    say(out, PLAN_NOT_WATCHED, built_in, "it is not a plain path: it has an empty, \".\" or \"..\" part");
    return false;
}

static void name_remote(struct plan *out, enum name_kind kind, const char *relative)
{
    AUTO(mem_freep) char *mapped = names_map_path(kind, relative);
    out->remote = path_join(out->folder->remote, mapped);
    out->remote_folder = path_parent(out->remote);
    out->title = names_title(path_name(relative));
}

void plan_asset(const struct profile *p, const char *path, int64_t bytes, struct plan *out)
{
    const char *relative;
    *out = (struct plan){0};
    if (!find_folder(p, path, out, &relative))
        return;
    if (!*relative) {
        say(out, PLAN_IGNORED, built_in, "it is a watched folder itself, not an asset");
        return;
    }
    if (plan_is_ignored(p, out->folder, path, false, out))
        return;
    name_remote(out, NAME_ASSET, relative);
    if (is_name_too_long(out) || is_size_unfit(p, bytes, out))
        return;
    out->verdict = PLAN_PUBLISH;
}

void plan_folder(const struct profile *p, const char *path, struct plan *out)
{
    const char *relative;
    *out = (struct plan){0};
    if (!find_folder(p, path, out, &relative) || plan_is_ignored(p, out->folder, path, true, out))
        return;
    if (*relative) {
        name_remote(out, NAME_FOLDER, relative);
    } else {
        out->remote = str_copy(out->folder->remote);
        out->remote_folder = path_parent(out->remote);
        out->title = names_title(path_name(out->folder->to));
    }
    if (!is_name_too_long(out))
        out->verdict = PLAN_PUBLISH;
}
