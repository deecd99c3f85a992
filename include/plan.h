/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * plan - what a local path means on the portal: its remote name, or the reason why not.
 * Pure: no clock, no disk, no network.
 *
 * Ignored come first the built-in rows, then the folder's exclude, then its include; names are mapped by `names`.
 */
#ifndef BRANDSYNC_PLAN_H
#define BRANDSYNC_PLAN_H

#include "base.h"
#include "names.h"
#include "profile.h"
#include "types.h"

enum verdict {
    PLAN_PUBLISH,
    PLAN_IGNORED, /* a default ignore, exclude, or no include matches */
    PLAN_HELD,    /* name too long, path too long, empty file, too large */
    PLAN_NOT_WATCHED,
};
struct plan {
    enum verdict verdict;
    const struct profile_folder *folder;
    char *remote;        /* PLAN_PUBLISH and PLAN_HELD: the asset; mapped parts joined below folder->remote */
    char *remote_folder; /* its parent */
    char *title;
    int cause;          /* PLAN_HELD */
    char reason[240];   /* one sentence: it matches exclude "drafts" (acme.yaml:21) */
    struct place place; /* of the rule; line 0: a built-in rule */
};
void plan_release(struct plan *p);

/* Is this path, file or directory, one that we never look at? Judges the path itself and the directories between it and
 * the folder, which may be ignored for it. Fills verdict, reason and place when true. Directories that are ignored are
 * not entered. */
bool plan_is_ignored(const struct profile *p, const struct profile_folder *f, const char *path, bool is_dir,
                     struct plan *why);
/* `bytes` -1: not known (no check of size). */
void plan_asset(const struct profile *p, const char *path, int64_t bytes, struct plan *out);
/* The remote folder of a local directory in or at a watched folder. */
void plan_folder(const struct profile *p, const char *path, struct plan *out);

enum { PLAN_NAME_MAX = 255, PLAN_PATH_MAX = 2000 };

/* The ignore table, for the man page: pattern and what makes it. NULL pattern ends it. */
struct ignore_row {
    const char *pattern, *from;
    bool only_dirs;
};
extern const struct ignore_row plan_ignores[];

/* MIME type by file name's ending ("image/jpeg"); "application/octet-stream" when unknown. By content comes later. */
const char *plan_mime(const char *name);

#endif
