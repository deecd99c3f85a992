/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault_filter - a package's workspace filter, as FileVault reads it: a path is contained if any filter above it lets
 * it in; its import mode is that of the first filter above it. Lookups walk up the path, not through the filters: a
 * package has 200.
 */
#include "vault_internal.h"
#include <ctype.h>
#include <regex.h>

enum { PATTERN_MAX = 2000 };

struct rule {
    bool is_include;
    regex_t regex;
};
struct filter_set {
    char *root;
    enum import_mode mode;
    size_t place;            /* in the file */
    struct filter_set *same; /* one more with this root */
    struct rule *rule;
    size_t rules;
};
struct filter {
    struct filter_set **set;
    size_t count;
    struct map by_root;
    size_t shortest, longest; /* root */
    struct strlist above;     /* owns the keys of is_above */
    struct map is_above;
};

static const char *const mode_names[IMPORT_MODES] = {"replace", "merge", "merge_properties", "update",
                                                     "update_properties"};

struct filter *filter_new(void)
{
    struct filter *f = mem_alloc(sizeof *f);
    f->shortest = SIZE_MAX;
    return f;
}

static void remember_above(struct filter *f, const char *root)
{
    char *path = path_parent(root);
    while (!map_get(&f->is_above, path)) {
        char *above = path_parent(path);
        strlist_add(&f->above, path);
        map_put(&f->is_above, f->above.item[f->above.count - 1], f);
        free(path);
        path = above;
    }
    free(path);
}

struct filter_set *filter_add(struct filter *f, const char *root, const char *mode, struct err *e)
{
    enum import_mode m = MODE_REPLACE;
    while (mode && m < IMPORT_MODES && strcasecmp(mode_names[m], mode) != 0)
        m++;
    if (m == IMPORT_MODES) {
        err_set(e, ERR_REFUSED, "filter.xml: invalid value given for attribute 'mode': '%s'", mode);
        return NULL;
    }
    if (!root || root[0] != '/' || strlen(root) >= JCR_PATH_MAX || !path_is_clean(root + 1)) {
        err_set(e, ERR_REFUSED, "filter.xml: '%s' is no root for a filter", root ? root : "/");
        return NULL;
    }
    struct filter_set *set = mem_alloc(sizeof *set);
    *set = (struct filter_set){.root = str_copy(root), .mode = m, .place = f->count};
    f->set = mem_grow(f->set, f->count + 1, sizeof *f->set);
    f->set[f->count++] = set;
    f->shortest = MIN(f->shortest, strlen(root));
    f->longest = MAX(f->longest, strlen(root));
    set->same = map_put(&f->by_root, set->root, set);
    remember_above(f, root);
    return set;
}

/* Java's pattern in POSIX's words: \Q...\E and (?: are put differently; what only Java knows is refused. */
static bool translate(struct buf *out, const char *pattern)
{
    bool is_quoting = false;
    for (const char *c = pattern; *c; c++) {
        if (str_starts(c, is_quoting ? "\\E" : "\\Q")) {
            is_quoting = !is_quoting;
            c++;
        } else if (is_quoting || (*c == '\\' && ispunct((unsigned char)c[1]))) {
            const char *literal = is_quoting ? c : ++c;
            buf_printf(out, strchr("^.[$()|*+?{\\", *literal) ? "\\%c" : "%c", *literal);
        } else if (str_starts(c, "(?:")) {
            buf_char(out, '(');
            c += 2;
        } else if (*c == '\\' || *c == '{' || str_starts(c, "(?")) {
            return false;
        } else {
            buf_char(out, *c);
        }
    }
    return true;
}

bool filter_add_rule(struct filter_set *set, bool is_include, const char *pattern, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(2 * PATTERN_MAX);
    struct rule rule = {.is_include = is_include};
    buf_str(&text, "^(");
    if (strlen(pattern) > PATTERN_MAX || !translate(&text, pattern) || !buf_str(&text, ")$") ||
        regcomp(&rule.regex, text.data, REG_EXTENDED | REG_NOSUB) != 0)
        return err_set(e, ERR_REFUSED, "filter.xml: the pattern '%s' is not understood here", pattern);
    set->rule = mem_grow(set->rule, set->rules + 1, sizeof *set->rule);
    set->rule[set->rules++] = rule;
    return true;
}

/* The last rule that matches wins; none: out if the first is an include, else in. */
static bool lets_in(const struct filter_set *set, const char *path)
{
    bool is_in = set->rules == 0 || !set->rule[0].is_include;
    for (size_t i = 0; i < set->rules; i++) {
        if (regexec(&set->rule[i].regex, path, 0, NULL, 0) == 0)
            is_in = set->rule[i].is_include;
    }
    return is_in;
}

struct coverage filter_look(const struct filter *f, const char *path)
{
    struct coverage found = {.mode = MODE_REPLACE};
    size_t place = SIZE_MAX;
    AUTO(mem_freep) char *above = str_copy(path);
    for (char *end = above + strlen(above); end > above; end = strrchr(above, '/')) {
        *end = '\0';
        if ((size_t)(end - above) < f->shortest || (size_t)(end - above) > f->longest)
            continue;
        for (const struct filter_set *set = map_get(&f->by_root, above); set; set = set->same) {
            found.is_contained = found.is_contained || lets_in(set, path);
            if (set->place < place) {
                place = set->place;
                found.mode = set->mode;
            }
        }
    }
    return found;
}

bool filter_is_root(const struct filter *f, const char *path)
{
    return map_get(&f->by_root, path) != NULL;
}

bool filter_is_above_root(const struct filter *f, const char *path)
{
    return map_get(&f->is_above, path) != NULL;
}

const char *filter_root(const struct filter *f, size_t i)
{
    return i < f->count ? f->set[i]->root : NULL;
}

void filter_free(struct filter *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->count; i++) {
        for (size_t r = 0; r < f->set[i]->rules; r++)
            regfree(&f->set[i]->rule[r].regex);
        free(f->set[i]->rule);
        free(f->set[i]->root);
        free(f->set[i]);
    }
    free(f->set);
    map_release(&f->by_root);
    map_release(&f->is_above);
    strlist_release(&f->above);
    free(f);
}
