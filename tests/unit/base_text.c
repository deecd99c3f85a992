/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Outside text shown in logs and on terminals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <unistd.h>

static void utf8_is_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len, bytes;
        uint32_t code;
    } rows[] = {
        {"a", 1, 1, 'a'},
        {"\x7f", 1, 1, 0x7f},
        {"\xc2\x80", 2, 2, 0x80},
        {"\xdf\xbf", 2, 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 3, 0x800},
        {"\xed\x9f\xbf", 3, 3, 0xd7ff},
        {"\xee\x80\x80", 3, 3, 0xe000},
        {"\xef\xbf\xbf", 3, 3, 0xffff},
        {"\xf0\x90\x80\x80", 4, 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"\xc3\xbcx", 3, 2, 0xfc},
        {"", 0, 0, 0},
        {"\0", 1, 0, 0},
        {"\x80", 1, 0, 0},     /* continues nothing */
        {"\xc0\xaf", 2, 0, 0}, /* overlong '/' */
        {"\xc1\xbf", 2, 0, 0},
        {"\xe0\x9f\xbf", 3, 0, 0}, /* overlong */
        {"\xf0\x8f\xbf\xbf", 4, 0, 0},
        {"\xed\xa0\x80", 3, 0, 0}, /* surrogate */
        {"\xed\xbf\xbf", 3, 0, 0},
        {"\xf4\x90\x80\x80", 4, 0, 0}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 4, 0, 0},
        {"\xff", 1, 0, 0},
        {"\xc3", 1, 0, 0}, /* cut */
        {"\xe2\x82", 2, 0, 0},
        {"\xf0\x9f\x98", 3, 0, 0},
        {"\xc3x", 2, 0, 0},
        {"\xe2\x82x", 3, 0, 0},
        {"\xf0\x9f\x98x", 4, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t code = 0;
        size_t bytes = text_utf8_next(rows[i].text, rows[i].len, &code);
        if (bytes != rows[i].bytes || (bytes && code != rows[i].code))
            fail_msg("row %zu: %zu bytes, U+%04X", i, bytes, code);
    }
}

static void every_code_point_is_read_and_no_other(void **state)
{
    (void)state;
    for (uint32_t code = 1; code < 0x120000; code++) {
        char text[4];
        size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const int first[] = {0, 0, 0xc0, 0xe0, 0xf0};
        for (size_t i = 0; i < len; i++)
            text[i] = (char)((i ? 0x80 : first[len]) | (code >> (6 * (len - 1 - i)) & (len == 1 ? 0x7f : 0x3f)));
        bool is_character = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
        uint32_t got = 0;
        if (text_utf8_next(text, len, &got) != (is_character ? len : 0) || (is_character && got != code))
            fail_msg("U+%04X became U+%04X", code, got);
    }
}

static void whole_texts_are_utf8_or_not(void **state)
{
    (void)state;
    assert_true(text_is_utf8("", 0));
    assert_true(text_is_utf8("Gr\303\274\303\237e \xf0\x9f\x98\x80", 12));
    assert_false(text_is_utf8("a\0b", 3));
    assert_false(text_is_utf8("Gr\374\337e", 5));
    assert_false(text_is_utf8("abc\xe2\x82", 5));
}

struct row {
    const char *raw, *want;
};

static void quoting_for_logs(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct row rows[] = {
        {"a/b.jpg", "a/b.jpg"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"it's", "it's"},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"a\\b", "\"a\\\\b\""},
        {"a\nb\tc", "\"a\\nb\\tc\""},
        {"\x1b[31m", "\"\\x1b[31m\""},
        {"\r\x01\x7f", "\"\\x0d\\x01\\x7f\""},
        {"Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e"},
        {"\xe6\x97\xa5\xe6\x9c\xac.png", "\xe6\x97\xa5\xe6\x9c\xac.png"},
        {"\xff", "\"\\xff\""},
        {"\xc2\x9b" "31m", "\"\\xc2\\x9b31m\""},       /* C1: CSI */
        {"\xc2\xa0", "\xc2\xa0"},                      /* the first after C1 */
        {"a\xe2\x80\xae" "gpj", "\"a\\xe2\\x80\\xaegpj\""}, /* U+202E */
        {"\xe2\x80\xaa", "\"\\xe2\\x80\\xaa\""},       /* U+202A */
        {"\xe2\x81\xa6", "\"\\xe2\\x81\\xa6\""},       /* U+2066 */
        {"\xe2\x81\xa9", "\"\\xe2\\x81\\xa9\""},       /* U+2069 */
        {"\xe2\x80\x8e", "\"\\xe2\\x80\\x8e\""},       /* U+200E */
        {"\xe2\x80\x8f", "\"\\xe2\\x80\\x8f\""},       /* U+200F */
        {"\xd8\x9c", "\"\\xd8\\x9c\""},                /* U+061C */
        {"\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\""},       /* U+2028: a line to some readers */
        {"\xe2\x80\x8d", "\xe2\x80\x8d"},              /* U+200D joins emoji */
        {"\xe2\x81\xaa", "\xe2\x81\xaa"},              /* the first after U+2069 */
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(QUOTED(rows[i].raw), rows[i].want);
}

/* clang-format off */
static const struct row shell_rows[] = {
    {"a/b.jpg", "a/b.jpg"},
    {"", "''"},
    {"a b", "'a b'"},
    {"it's", "\"it's\""},
    {"it's $5", "'it'\\''s $5'"},
    {"say \"hi\"", "'say \"hi\"'"},
    {"a\\b", "'a\\b'"},
    {"$HOME", "'$HOME'"},
    {"`id`", "'`id`'"},
    {"a;b", "'a;b'"},
    {"~", "'~'"},
    {"#x", "'#x'"},
    {"a=b", "'a=b'"},
    {"*.jpg", "'*.jpg'"},
    {"{a,b}", "'{a,b}'"},
    {"wow!", "'wow!'"},
    {"a\nb", "'a'$'\\n''b'"},
    {"\n", "''$'\\n'"},
    {"a\n\tb", "'a'$'\\n\\t''b'"},
    {"\x1b[31m", "''$'\\033''[31m'"},
    {"a\x01" "1", "'a'$'\\001''1'"},
    {"it's\n", "'it'\\''s'$'\\n'"},
    {"\n'", "''$'\\n'''\\'''"},
    {"Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e"},
    {"\xff", "''$'\\377'"},
    {"a\xe2\x80\xae" "gpj", "'a'$'\\342\\200\\256''gpj'"},
    {"-rf", "-rf"},
};
/* clang-format on */

static void quoting_for_terminals(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shell_rows); i++)
        assert_string_equal(SHELL(shell_rows[i].raw), shell_rows[i].want);
}

/* --- ten thousand hostile names ------------------------------------------------------------------------ */

/* Pieces that hurt, and plain bytes of every value between them. */
/* clang-format off */
static const char *const pieces[] = {
    "\x1b]0;x\x07", "\x1b[2J", "\r\n", "\n", "\t", "'", "\"", "\\", "\\n", "$", "`", "!", " ", "$(id)",
    "\xc2\x9b", "\xc2\x85", "\xe2\x80\xae", "\xe2\x81\xa7", "\xd8\x9c", "\xe2\x80\xa9", "\xff\xfe", "\xed\xa0\x80",
    "\xc0\xaf", "\xf0\x9f\x98\x80", "\xc3\xbc", "\xe2\x82", "abc", "x/y", "=", "...", "''", "$'",
};
/* clang-format on */

static void make_name(uint64_t *seed, char *out, size_t size)
{
    size_t len = 0, wanted = 1 + (*seed >> 40) % 12;
    for (size_t i = 0; i < wanted; i++) {
        *seed = *seed * 6364136223846793005 + 1442695040888963407;
        size_t pick = (*seed >> 33) % (2 * ARRAY_LEN(pieces));
        char byte[2] = {(char)(1 + (*seed >> 20) % 255), '\0'};
        len += (size_t)snprintf(out + len, size - len, "%s", pick < ARRAY_LEN(pieces) ? pieces[pick] : byte);
    }
}

/* Says nothing of how the product finds out: decoded anew, compared with the list in the threat model. */
static bool is_safe(const char *shown)
{
    static const uint32_t acting[] = {0x61c,  0x200e, 0x200f, 0x202a, 0x202b, 0x202c,
                                      0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069};
    size_t len = strlen(shown), bytes;
    for (uint32_t code; len; shown += bytes, len -= bytes) {
        bytes = text_utf8_next(shown, len, &code);
        if (bytes == 0 || code < 0x20 || (code >= 0x7f && code < 0xa0))
            return false;
        for (size_t i = 0; i < ARRAY_LEN(acting); i++)
            if (code == acting[i])
                return false;
    }
    return true;
}

/* Reads back what text_quote wrote. */
static void unquote(const char *shown, char *out)
{
    bool is_quoted = *shown == '"';
    for (shown += is_quoted; *shown && !(is_quoted && str_eq(shown, "\"")); shown++) {
        if (!is_quoted || *shown != '\\') {
            *out++ = *shown;
            continue;
        }
        shown++;
        char hex[3] = {0};
        if (*shown == 'x') {
            memcpy(hex, shown + 1, 2);
            shown += 2;
        }
        *out++ = hex[0] ? (char)strtol(hex, NULL, 16) : *shown == 'n' ? '\n' : *shown == 't' ? '\t' : *shown;
    }
    *out = '\0';
}

static void hostile_names_are_safe_and_nothing_is_lost(void **state)
{
    (void)state;
    uint64_t seed = 2026;
    for (int i = 0; i < 10000; i++) {
        char name[256], back[256];
        make_name(&seed, name, sizeof(name));
        const char *quoted = QUOTED(name);
        assert_true(is_safe(quoted));
        assert_true(is_safe(SHELL(name)));
        unquote(quoted, back);
        assert_string_equal(back, name);
        assert_true(*quoted == '"' || !strpbrk(quoted, " =\"\\"));
    }
}

/* The shell itself reads the names back: no better judge. */
static void a_shell_reads_back_what_is_pasted(void **state)
{
    (void)state;
    enum { NAMES = 2000, NAME_SIZE = 256 };
    if (access("/bin/bash", X_OK) != 0)
        skip();
    AUTO(mem_freep) char *names = mem_array(NAMES, NAME_SIZE);
    AUTO(buf_release) struct buf script = BUF_INIT(1 << 22);
    uint64_t seed = 7;
    for (size_t i = 0; i < NAMES; i++) {
        char *name = names + i * NAME_SIZE;
        if (i < ARRAY_LEN(shell_rows))
            snprintf(name, NAME_SIZE, "%s", shell_rows[i].raw);
        else
            make_name(&seed, name, NAME_SIZE);
        buf_printf(&script, "printf '%%s\\0' %s\n", SHELL(name));
    }
    char file[] = "/tmp/base_text.XXXXXX";
    AUTO(fd_close) int fd = mkstemp(file);
    struct err e;
    assert_true(fd >= 0 && write_all(fd, script.data, script.len, &e));
    AUTO(mem_freep) char *command = str_printf("LC_ALL=C /bin/bash %s", file);
    FILE *shell = popen(command, "r");
    assert_non_null(shell);
    char *back = NULL;
    size_t size = 0;
    for (size_t i = 0; i < NAMES; i++) {
        assert_true(getdelim(&back, &size, '\0', shell) > 0);
        assert_string_equal(back, names + i * NAME_SIZE);
    }
    free(back);
    assert_int_equal(pclose(shell), 0);
    unlink(file);
}

static void a_long_name_ends_in_dots_within_its_space(void **state)
{
    (void)state;
    static const char *const raws[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "a a a a a a a a a a a a a a a a a a a a a",
        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
        "\n'a'\n'a'\n'a'\n'a'\n'a'\n'a'\n'a'",
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
    };
    char *(*const shows[])(char *, size_t, const char *) = {text_quote, text_shell};
    for (size_t i = 0; i < ARRAY_LEN(raws); i++)
        for (size_t which = 0; which < ARRAY_LEN(shows); which++)
            for (size_t size = 8; size < 30; size++) {
                AUTO(mem_freep) char *out = mem_alloc(size); /* so that a sanitizer sees each byte too far */
                /* cppcheck-suppress uninitvar - does not see the initialiser of an array of functions */
                assert_ptr_equal(shows[which](out, size, raws[i]), out);
                assert_true(strlen(out) < size);
                assert_true(is_safe(out));
                assert_non_null(strstr(out, "..."));
                assert_true(str_ends(out, "...") || str_ends(out, "...\"") || str_ends(out, "...'"));
            }
}

static void what_fits_is_not_cut(void **state)
{
    (void)state;
    char out[16];
    assert_string_equal(text_quote(out, sizeof(out), "0123456789a"), "0123456789a");
    assert_string_equal(text_quote(out, sizeof(out), "0123456789abcdef"), "0123456789a...");
    assert_string_equal(text_shell(out, sizeof(out), "01 3456789"), "'01 3456789'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(every_code_point_is_read_and_no_other),
        cmocka_unit_test(whole_texts_are_utf8_or_not),
        cmocka_unit_test(quoting_for_logs),
        cmocka_unit_test(quoting_for_terminals),
        cmocka_unit_test(hostile_names_are_safe_and_nothing_is_lost),
        cmocka_unit_test(a_shell_reads_back_what_is_pasted),
        cmocka_unit_test(a_long_name_ends_in_dots_within_its_space),
        cmocka_unit_test(what_fits_is_not_cut),
    };
    return cmocka_run_group_tests_name("base: text shown", tests, NULL, NULL);
}
