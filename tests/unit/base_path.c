/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Paths and patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <unistd.h>

static void joining(void **state)
{
    (void)state;
    static const struct {
        const char *dir, *name, *want;
    } rows[] = {
        {"a", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}, {"/a", "b/c", "/a/b/c"}, {"a", "", "a"}, {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *got = path_join(rows[i].dir, rows[i].name);
        assert_string_equal(got, rows[i].want);
    }
}

static void parent_and_name(void **state)
{
    (void)state;
    static const struct {
        const char *path, *parent, *name;
    } rows[] = {
        {"a", "", "a"}, {"/a", "/", "a"}, {"a/b", "a", "b"}, {"/a/b/c", "/a/b", "c"}, {"/", "/", ""}, {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *parent = path_parent(rows[i].path);
        assert_string_equal(parent, rows[i].parent);
        assert_string_equal(path_name(rows[i].path), rows[i].name);
    }
}

static void below_is_by_whole_parts(void **state)
{
    (void)state;
    static const struct {
        const char *path, *dir, *rest;
    } rows[] = {
        {"/a/b", "/a", "b"}, {"/a/b/c", "/a", "b/c"}, {"/ab", "/a", NULL},      {"/a", "/a", NULL}, {"/a/", "/a", NULL},
        {"/a", "/", "a"},    {"/", "/", NULL},        {"a/b", "", "a/b"},       {"", "", NULL},     {"/a", "", NULL},
        {"b/a", "a", NULL},  {"/A/b", "/a", NULL},    {"/a/b", "/a/b/c", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *rest = path_below(rows[i].path, rows[i].dir);
        assert_int_equal(rest != NULL, rows[i].rest != NULL);
        if (rest)
            assert_string_equal(rest, rows[i].rest);
        assert_int_equal(path_is_below(rows[i].path, rows[i].dir), rows[i].rest != NULL);
        bool is_same = str_eq(rows[i].path, rows[i].dir);
        assert_int_equal(path_is_same_or_below(rows[i].path, rows[i].dir), is_same || rows[i].rest);
    }
}

static void only_a_path_that_stays_below_is_clean(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool is_clean;
    } rows[] = {
        {"a", true},      {"a/b.c", true},   {"...", true},   {".a", true},   {"a/..b", true},
        {"\n", true},     {"", false},       {"/", false},    {"/a", false},  {"a/", false},
        {"a//b", false},  {".", false},      {"..", false},   {"./a", false}, {"../a", false},
        {"a/./b", false}, {"a/../b", false}, {"a/..", false}, {"a/.", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (path_is_clean(rows[i].path) != rows[i].is_clean)
            fail_msg("row %zu: '%s'", i, rows[i].path);
}

static void an_absolute_path_is_folded_by_text(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } rows[] = {
        {"/a/b", "/a/b"},  {"/", "/"},      {"//", "/"},       {"/a/", "/a"},  {"/a//b", "/a/b"}, {"/a/./b", "/a/b"},
        {"/a/../b", "/b"}, {"/../..", "/"}, {"/a/b/..", "/a"}, {"/a/..", "/"}, {"/...", "/..."},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *got = path_absolute(rows[i].path);
        assert_string_equal(got, rows[i].want);
    }
}

static void a_relative_path_begins_where_we_are(void **state)
{
    (void)state;
    AUTO(mem_freep) char *was = getcwd(NULL, 0);
    assert_int_equal(chdir("/usr/lib"), 0);
    AUTO(mem_freep) char *here = getcwd(NULL, 0); /* may be a link elsewhere */
    AUTO(mem_freep) char *want = path_join(here, "x"), *above = path_parent(here);
    AUTO(mem_freep) char *x = path_absolute("x"), *self = path_absolute("."), *up = path_absolute("../y/..");
    assert_int_equal(chdir(was), 0);
    assert_string_equal(x, want);
    assert_string_equal(self, here);
    assert_string_equal(up, above);
}

/* --- patterns ---------------------------------------------------------------------------------------- */

static void patterns(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *pattern, *path;
        bool is_match;
    } rows[] = {
        /* without '/': the name, at any depth */
        {"*.jpg", "a.jpg", true}, {"*.jpg", "x/y/a.jpg", true}, {"*.jpg", "a.jpg/b.png", false}, {"*", "x/y", true},
        {"**", "x/y", true}, {"a.jpg", "A.jpg", false}, {"*.jpg", ".jpg", true}, {"*", ".hidden", true},
        {"", "a", false},
        {"?", "a", true}, {"?", "", false}, {"?", "ab", false}, {"a?c", "abc", true}, {"*a*b*", "xxaxxbxx", true},
        {"*a*b*", "xxbxxa", false}, {"a*", "a", true}, {"*.tar.gz", "x.tar.tar.gz", true}, {"\\*", "\\x", true},
        /* with '/': from the folder on */
        {"a/*.jpg", "a/x.jpg", true}, {"a/*.jpg", "b/a/x.jpg", false}, {"a/*.jpg", "a/b/x.jpg", false},
        {"a/?", "a/b", true}, {"a?b", "a/b", false}, {"*/b", "a/b", true}, {"*/b", "b", false}, {"*/b", "x/a/b", false},
        {"/a", "a", true}, {"/a", "b/a", false}, {"/*.jpg", "x.jpg", true}, {"/*.jpg", "x/x.jpg", false},
        {"a[/]b", "a/b", false}, {"a/b", "a", false}, {"a", "a/b", false},
        /* directories */
        {"**/*.jpg", "a.jpg", true}, {"**/*.jpg", "x/y/a.jpg", true}, {"**/*.jpg", "x/a.png", false},
        {"**/drafts/**", "drafts/a", true}, {"**/drafts/**", "x/drafts/y/z", true}, {"**/drafts/**", "drafts", false},
        {"**/drafts/**", "x/drafts2/y", false}, {"a/**", "a/b/c", true}, {"a/**", "a", false}, {"a/**", "ab/c", false},
        {"a/**/b", "a/b", true}, {"a/**/b", "a/x/y/b", true}, {"a/**/b", "a/x/b/y", false},
        {"**/a/**/b", "x/a/a/b", true},
        {"**/a/b", "a/x/a/b", true}, {"**/a/b", "a/a/b", true}, {"**/**/a", "a", true}, {"a/**/**", "a/b", true},
        {"a**/b", "ax/b", true}, {"a**/b", "a/x/b", false}, {"**/a*c/**/d", "x/abc/y/d", true},
        /* sets */
        {"[abc]", "b", true}, {"[abc]", "d", false}, {"[a-c]x", "bx", true}, {"[a-c]", "a", true},
        {"[a-c]", "c", true}, {"[a-c]", "d", false}, {"[!a-c]", "b", false}, {"[!a-c]", "d", true},
        {"[^a]", "b", true}, {"[]]", "]", true}, {"[!]]", "]", false}, {"[!]]", "a", true}, {"[a-]", "-", true},
        {"[-a]", "-", true}, {"[*]", "*", true}, {"[*]", "a", false}, {"[?].jpg", "?.jpg", true}, {"[[]", "[", true},
        {"[a", "[a", true}, {"[a", "a", false}, {"[", "[", true}, {"[!", "[!", true}, {"[]", "[]", true},
        {"x[0-9][0-9]*", "x07-front", true}, {"[c-a]", "b", false}, {"[\xc0-\xff]x", "\xe9x", true},
        {"*[0-9]", "ab7", true},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (glob_match(rows[i].pattern, rows[i].path) != rows[i].is_match)
            fail_msg("row %zu: '%s' and '%s'", i, rows[i].pattern, rows[i].path);
}

/* The meaning of a pattern, written down as plainly as can be; exponential, so for short texts only. `is_start`: at the
 * beginning of a part of the pattern. */
static bool means(const char *p, const char *path, bool is_start)
{
    if (is_start && strcmp(p, "**") == 0)
        return *path != '\0';
    if (is_start && strncmp(p, "**/", 3) == 0) {
        if (means(p + 3, path, true))
            return true;
        const char *slash = strchr(path, '/');
        return slash && means(p, slash + 1, true);
    }
    if (*p == '*')
        return means(p + 1, path, false) || (*path && *path != '/' && means(p, path + 1, false));
    if (!*p || !*path)
        return *p == *path;
    bool is_same = *p == '?' ? *path != '/' : *p == *path;
    return is_same && means(p + 1, path + 1, *p == '/');
}

/* A clean path of up to 8 bytes over "ab/", or a pattern over "ab/?*". */
static void make_short(uint64_t *seed, const char *letters, char *out)
{
    size_t len, count = strlen(letters);
    do {
        *seed = *seed * 6364136223846793005 + 1442695040888963407;
        len = 1 + (*seed >> 33) % 8;
        for (size_t i = 0; i < len; i++) {
            *seed = *seed * 6364136223846793005 + 1442695040888963407;
            out[i] = letters[(*seed >> 33) % count];
        }
        out[len] = '\0';
    } while (!path_is_clean(out));
}

static void random_patterns_mean_what_is_written_down(void **state)
{
    (void)state;
    uint64_t seed = 1;
    int matches = 0;
    for (int i = 0; i < 200000; i++) {
        char pattern[16], path[16];
        make_short(&seed, "ab/?**", pattern);
        make_short(&seed, "ab/", path);
        bool want = means(pattern, strchr(pattern, '/') ? path : path_name(path), true);
        if (glob_match(pattern, path) != want)
            fail_msg("'%s' and '%s' should be %d", pattern, path, want);
        matches += want;
    }
    assert_in_range(matches, 10000, 190000); /* both answers were asked for */
}

/* Naive backtracking would need longer than the universe has. */
static void a_hostile_pattern_ends(void **state)
{
    (void)state;
    enum { STARS = 400, NAME = 4000 };
    AUTO(buf_release) struct buf pattern = BUF_INIT(10000), dirs = BUF_INIT(10000), path = BUF_INIT(10000);
    for (int i = 0; i < STARS; i++) {
        buf_str(&pattern, "*a");
        buf_str(&dirs, "**/a/");
    }
    buf_char(&pattern, 'b');
    buf_char(&dirs, 'b');
    for (int i = 0; i < NAME; i++)
        buf_char(&path, 'a');
    assert_false(glob_match(pattern.data, path.data));
    for (int i = 1; i < NAME; i += 2)
        path.data[i] = '/';
    assert_false(glob_match(dirs.data, path.data));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joining),
        cmocka_unit_test(parent_and_name),
        cmocka_unit_test(below_is_by_whole_parts),
        cmocka_unit_test(only_a_path_that_stays_below_is_clean),
        cmocka_unit_test(an_absolute_path_is_folded_by_text),
        cmocka_unit_test(a_relative_path_begins_where_we_are),
        cmocka_unit_test(patterns),
        cmocka_unit_test(random_patterns_mean_what_is_written_down),
        cmocka_unit_test(a_hostile_pattern_ends),
    };
    return cmocka_run_group_tests_name("base: path, glob", tests, NULL, NULL);
}
