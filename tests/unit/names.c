/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A local name and what it is called on the portal (product.md 3 "Names"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "names.h"

/* folder NULL: the same as asset */
/* clang-format off */
static const struct {
    const char *local, *asset, *folder;
} rows[] = {
    {"hero.jpg", "hero.jpg", "hero-jpg"},
    {"Hero", "Hero", NULL},
    {"HERO.JPG", "HERO.JPG", "HERO-JPG"},
    {"a b", "a b", NULL},
    {"a  b", "a  b", NULL},
    {"-", "-", NULL},
    {"a_b-c", "a_b-c", NULL},
    {"(1) [2]", "(1) -2-", NULL},
    /* each forbidden character */
    {"a*b", "a-b", NULL},
    {"a/b", "a-b", NULL},
    {"a:b", "a-b", NULL},
    {"a[b", "a-b", NULL},
    {"a\\b", "a-b", NULL},
    {"a]b", "a-b", NULL},
    {"a|b", "a-b", NULL},
    {"a#b", "a-b", NULL},
    {"a%b", "a-b", NULL},
    {"a{b", "a-b", NULL},
    {"a}b", "a-b", NULL},
    {"a?b", "a-b", NULL},
    {"a&b", "a-b", NULL},
    {"a\"b", "a\"b", "a-b"},
    {"a.b", "a.b", "a-b"},
    {"a^b", "a^b", "a-b"},
    {"a;b", "a;b", "a-b"},
    {"a+b", "a+b", "a-b"},
    {"a\tb", "a-b", NULL},
    {"a'b!$~`@=,<>b", "a'b!$~`@=,<>b", NULL}, /* all of these may stay */
    {"???", "---", NULL},
    {"100%.jpg", "100-.jpg", "100--jpg"},
    {"Q&A {final} #2.pdf", "Q-A -final- -2.pdf", "Q-A -final- -2-pdf"},
    /* control characters */
    {"a\nb", "a-b", NULL},
    {"a\x01\x1f""b", "a--b", NULL},
    {"a\x7f""b", "a-b", NULL},
    {"a\xc2\x85""b", "a-b", NULL}, /* U+0085: one character, one dash */
    {"Icon\r", "Icon-", NULL},
    /* blanks at either end: U+0020 only */
    {" a", "-a", NULL},
    {"a ", "a-", NULL},
    {"  a  ", "--a--", NULL},
    {" ", "-", NULL},
    {"   ", "---", NULL},
    {"\xc2\xa0""a", "\xc2\xa0""a", NULL},
    {"a .jpg", "a .jpg", "a -jpg"},
    {"? a", "- a", NULL}, /* the blank is not at the end */
    /* bytes that are not UTF-8: one dash each */
    {"a\xff""b", "a-b", NULL},
    {"caf\xe9.jpg", "caf-.jpg", "caf--jpg"},
    {"\xe2\x82", "--", NULL},
    {"\xed\xa0\x80", "---", NULL},         /* a surrogate */
    {"\xc0\xaf", "--", NULL},              /* an overlong '/' */
    {"\xf4\x90\x80\x80", "----", NULL},    /* beyond U+10FFFF */
    {"\xef\xbf\xbf", "-", NULL},           /* U+FFFF: no XML can hold it */
    /* NFC */
    {"Bo\xcc\x88rse", "B\xc3\xb6rse", NULL},
    {"B\xc3\xb6rse", "B\xc3\xb6rse", NULL},
    {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c", NULL}, /* Hangul */
    {"\xe2\x84\xab", "\xc3\x85", NULL},                             /* Angstrom sign */
    {"a\xcd\xbe""b", "a;b", "a-b"},                                 /* the Greek question mark is a semicolon */
    {"?\xcc\x81", "-\xcc\x81", NULL},
    {"\xf0\x9f\x98\x80.png", "\xf0\x9f\x98\x80.png", "\xf0\x9f\x98\x80-png"},
    {"\xe2\x80\xae""gpj", "\xe2\x80\xae""gpj", NULL}, /* bidi controls are not control characters */
    /* names with a meaning */
    {"subassets", "subassets-", NULL},
    {"Subassets", "Subassets", NULL},
    {"subassets-", "subassets-", NULL},
    {"subassets.jpg", "subassets.jpg", "subassets-jpg"},
    {"", "-", NULL},
    {".", "-", NULL},
    {"..", "--", NULL},
    {"...", "...", "---"},
};
/* clang-format on */

static void check_map(enum name_kind kind, const char *local, const char *expected)
{
    AUTO(mem_freep) char *mapped = names_map(kind, local);
    assert_string_equal(mapped, expected);
}

static void each_name_has_its_name_on_the_portal(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_map(NAME_ASSET, rows[i].local, rows[i].asset);
        check_map(NAME_FOLDER, rows[i].local, rows[i].folder ? rows[i].folder : rows[i].asset);
    }
}

static void a_mapped_name_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        for (enum name_kind kind = NAME_ASSET; kind <= NAME_FOLDER; kind++) {
            AUTO(mem_freep) char *once = names_map(kind, rows[i].local);
            check_map(kind, once, once);
        }
}

/* Whatever bytes a name has, the portal gets a sound one. */
static void any_bytes_become_a_sound_name(void **state)
{
    (void)state;
    uint32_t random = 7;
    for (int round = 0; round < 20000; round++) {
        char name[12] = "";
        for (size_t i = 0; i < sizeof(name) - 1; i++) {
            random = random * 1664525 + 1013904223;
            name[i] = (char)(random >> 24);
        }
        AUTO(mem_freep) char *mapped = names_map(NAME_FOLDER, name);
        assert_true(*mapped && text_is_utf8(mapped, strlen(mapped)));
        assert_null(strpbrk(mapped, "*/:[\\]|#%{}?&\".^;+\t"));
        assert_true(mapped[0] != ' ' && mapped[strlen(mapped) - 1] != ' ');
        check_map(NAME_FOLDER, mapped, mapped);
    }
}

static void a_path_is_mapped_part_by_part(void **state)
{
    (void)state;
    AUTO(mem_freep) char *asset = names_map_path(NAME_ASSET, "Q1.2026/ a /x.jpg");
    AUTO(mem_freep) char *folder = names_map_path(NAME_FOLDER, "Q1.2026/x.jpg");
    AUTO(mem_freep) char *single = names_map_path(NAME_ASSET, "x?.jpg");
    assert_string_equal(asset, "Q1-2026/-a-/x.jpg");
    assert_string_equal(folder, "Q1-2026/x-jpg");
    assert_string_equal(single, "x-.jpg");
}

static void the_title_is_the_local_name_as_far_as_xml_can_hold_it(void **state)
{
    static const struct {
        const char *local, *title;
    } titles[] = {
        {"Q&A {final} #2.pdf", "Q&A {final} #2.pdf"},
        {" a ", " a "},
        {"caf\xe9", "caf\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\001b\tc", "a\357\277\275b\tc"},
        {"\xef\xbf\xbe", "\xef\xbf\xbd"},
        {"subassets", "subassets"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        AUTO(mem_freep) char *title = names_title(titles[i].local);
        assert_string_equal(title, titles[i].title);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_has_its_name_on_the_portal),
        cmocka_unit_test(a_mapped_name_stays_as_it_is),
        cmocka_unit_test(any_bytes_become_a_sound_name),
        cmocka_unit_test(a_path_is_mapped_part_by_part),
        cmocka_unit_test(the_title_is_the_local_name_as_far_as_xml_can_hold_it),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
