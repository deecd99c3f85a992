/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * glob - one pattern against a path.
 *
 * Both levels, names and directories, keep only the last star to come back to: an earlier star could take no more than
 * the last one can. So the work is at most the length of the pattern times the length of the path.
 */
#include "base.h"

struct span {
    const char *at, *end;
};

/* The end of the set that begins at `p.at` ('['), past its ']'; NULL when it is not closed, then '[' means itself. */
static const char *set_end(struct span p)
{
    const char *at = p.at + 1;
    if (at < p.end && (*at == '!' || *at == '^'))
        at++;
    if (at < p.end) /* ']' standing first is a member */
        at++;
    while (at < p.end && *at != ']')
        at++;
    return at < p.end ? at + 1 : NULL;
}

static bool set_has(struct span set, unsigned char c)
{
    const unsigned char *at = (const unsigned char *)set.at + 1, *end = (const unsigned char *)set.end - 1;
    bool is_negated = *at == '!' || *at == '^', is_in = false;
    for (at += is_negated; at < end; at++) {
        bool is_range = end - at > 2 && at[1] == '-';
        is_in |= is_range ? at[0] <= c && c <= at[2] : at[0] == c;
        at += is_range ? 2 : 0;
    }
    return is_in != is_negated;
}

/* One element of the pattern against one byte: where the pattern goes on, NULL when it does not match. */
static const char *element_match(struct span p, char c)
{
    const char *end = *p.at == '[' ? set_end(p) : NULL;
    if (end)
        return set_has((struct span){p.at, end}, (unsigned char)c) ? end : NULL;
    return *p.at == '?' || *p.at == c ? p.at + 1 : NULL;
}

static bool name_match(struct span p, struct span name)
{
    struct span star_p = {0}, star_name = {0};
    while (name.at < name.end) {
        const char *next;
        if (p.at < p.end && *p.at == '*') {
            p.at++;
            star_p = p;
            star_name = name;
        } else if (p.at < p.end && (next = element_match(p, *name.at))) {
            p.at = next;
            name.at++;
        } else if (star_p.at) {
            p = star_p;
            star_name.at++;
            name = star_name;
        } else {
            return false;
        }
    }
    while (p.at < p.end && *p.at == '*')
        p.at++;
    return p.at == p.end;
}

/* The first part of a path; `at` NULL when there is none left. */
static struct span part_of(const char *path)
{
    return (struct span){path, path ? path + strcspn(path, "/") : NULL};
}

static const char *after(struct span part)
{
    return part.end && *part.end == '/' ? part.end + 1 : NULL;
}

static bool is_any_dirs(struct span part)
{
    return part.at && part.end - part.at == 2 && memcmp(part.at, "**", 2) == 0;
}

static bool parts_match(const char *pattern, const char *path)
{
    const char *star_pattern = NULL, *star_path = NULL;
    while (path) {
        struct span p = part_of(pattern), name = part_of(path);
        if (is_any_dirs(p)) {
            if (!after(p)) /* at the end: all that is below */
                return true;
            pattern = star_pattern = after(p);
            star_path = path;
        } else if (p.at && name_match(p, name)) {
            pattern = after(p);
            path = after(name);
        } else if (star_path) {
            pattern = star_pattern;
            path = star_path = after(part_of(star_path));
        } else {
            return false;
        }
    }
    return pattern == NULL;
}

bool glob_match(const char *pattern, const char *path)
{
    if (!strchr(pattern, '/'))
        path = path_name(path);
    else if (*pattern == '/') /* anchored, as all patterns with '/' are */
        pattern++;
    return *path && parts_match(pattern, path);
}
