/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* XML, percent, hexadecimal and base64 codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <ctype.h>

#define REPLACED "\xef\xbf\xbd"

static void xml_holds_any_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        size_t len;
        const char *want;
    } rows[] = {
        {"plain", 5, "plain"},
        {"a&b<c>d\"e'f", 11, "a&amp;b&lt;c&gt;d&quot;e&apos;f"},
        {"]]>", 3, "]]&gt;"},
        {"\t\n\r", 3, "&#x9;&#xA;&#xD;"},
        {"\x01\x1f", 2, REPLACED REPLACED},
        {"a\0b", 3, "a" REPLACED "b"},
        {"\x7f", 1, "\x7f"},
        {"\xc3\xbc\xf0\x9f\x98\x80", 6, "\xc3\xbc\xf0\x9f\x98\x80"},
        {"\xff", 1, REPLACED},
        {"\xed\xa0\x80", 3, REPLACED REPLACED REPLACED},
        {"\xef\xbf\xbe\xef\xbf\xbf", 6, REPLACED REPLACED},
        {"", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        buf_str(&out, "");
        text_xml(&out, rows[i].raw, rows[i].len);
        assert_string_equal(out.data, rows[i].want);
    }
}

static void percent_encoding(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *want;
    } rows[] = {
        {"/a-b._~/Z9", "/a-b._~/Z9"},
        {"a b", "a%20b"},
        {"100%", "100%25"},
        {"a?b#c&d=e+f", "a%3Fb%23c%26d%3De%2Bf"},
        {"\xc3\xbc", "%C3%BC"},
        {"\n\xff", "%0A%FF"},
        {"", ""},
        {":@!$'()*,;[]\\", "%3A%40%21%24%27%28%29%2A%2C%3B%5B%5D%5C"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(1000);
        buf_str(&out, "");
        text_percent(&out, rows[i].raw);
        assert_string_equal(out.data, rows[i].want);
    }
}

static void percent_encoding_of_every_byte(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char raw[2] = {(char)byte, '\0'}, want[4];
        bool is_kept = (byte < 128 && isalnum(byte)) || strchr("-._~/", byte);
        snprintf(want, sizeof(want), is_kept ? "%c" : "%%%02X", byte);
        AUTO(buf_release) struct buf out = BUF_INIT(3);
        text_percent(&out, raw);
        assert_string_equal(out.data, want);
    }
}

static void hexadecimal(void **state)
{
    (void)state;
    char out[9];
    uint8_t back[4];
    text_hex(out, "\x00\x1f\xa0\xff", 4);
    assert_string_equal(out, "001fa0ff");
    assert_true(text_unhex(back, 4, "001FA0fF"));
    assert_memory_equal(back, "\x00\x1f\xa0\xff", 4);
    text_hex(out, "", 0);
    assert_string_equal(out, "");

    for (unsigned byte = 0; byte < 256; byte++) {
        char upper[3], lower[3];
        uint8_t got[2] = {(uint8_t)~byte, (uint8_t)~byte};
        snprintf(upper, sizeof(upper), "%02X", byte);
        snprintf(lower, sizeof(lower), "%02x", byte);
        assert_true(text_unhex(&got[0], 1, upper) && text_unhex(&got[1], 1, lower));
        assert_true(got[0] == byte && got[1] == byte);
    }

    static const char *const bad[] = {"", "001fa0f", "001fa0fff", "001fa0fg", "0x1fa0ff", " 01fa0ff"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(text_unhex(back, 4, bad[i]));
    assert_memory_equal(back, "\x00\x1f\xa0\xff", 4); /* untouched */
}

static void base64_as_in_rfc_4648(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *standard, *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xff\xef\xfe\xfb", "/+/++w==", "_-_--w"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(100), url = BUF_INIT(100), back = BUF_INIT(100);
        buf_str(&out, "");
        buf_str(&url, "");
        text_base64(&out, rows[i].raw, strlen(rows[i].raw));
        text_base64url(&url, rows[i].raw, strlen(rows[i].raw));
        assert_string_equal(out.data, rows[i].standard);
        assert_string_equal(url.data, rows[i].url);
        assert_true(text_unbase64url(&back, url.data, url.len));
        assert_string_equal(back.data, rows[i].raw);
    }
}

static void base64_uses_the_whole_alphabet(void **state)
{
    (void)state;
    static const char in_order[] =
        "00108310518720928b30d38f41149351559761969b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3dfbf";
    uint8_t data[48];
    assert_true(text_unhex(data, sizeof(data), in_order));
    AUTO(buf_release) struct buf plain = BUF_INIT(64), url = BUF_INIT(64);
    text_base64(&plain, data, sizeof(data));
    text_base64url(&url, data, sizeof(data));
    assert_string_equal(plain.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    assert_string_equal(url.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

static void base64url_keeps_every_byte(void **state)
{
    (void)state;
    uint8_t all[256];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    for (size_t len = 0; len <= sizeof(all); len++) {
        AUTO(buf_release) struct buf text = BUF_INIT(400), back = BUF_INIT(256);
        text_base64url(&text, all, len);
        assert_true(text_unbase64url(&back, text.data, text.len));
        assert_int_equal(back.len, len);
        assert_memory_equal(back.data, all, len);
    }
}

static void base64url_decoding_is_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg==", "Zg=", "Zm9vY", "Zm 9v",    "Zm9v\n", "A",
                                      "Zm+v", "Zm/v", "Zh",  "Zm9",   "\xc3\xbc", "AAAAA"};
    AUTO(buf_release) struct buf out = BUF_INIT(100);
    buf_str(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (text_unbase64url(&out, bad[i], strlen(bad[i])))
            fail_msg("'%s' was taken", bad[i]);
    assert_false(text_unbase64url(&out, "Zg\0", 3));
    assert_string_equal(out.data, "kept");
    AUTO(buf_release) struct buf small = BUF_INIT(2);
    assert_false(text_unbase64url(&small, "Zm9v", 4));
    assert_true(small.is_over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xml_holds_any_bytes),
        cmocka_unit_test(percent_encoding),
        cmocka_unit_test(percent_encoding_of_every_byte),
        cmocka_unit_test(hexadecimal),
        cmocka_unit_test(base64_as_in_rfc_4648),
        cmocka_unit_test(base64_uses_the_whole_alphabet),
        cmocka_unit_test(base64url_keeps_every_byte),
        cmocka_unit_test(base64url_decoding_is_strict),
    };
    return cmocka_run_group_tests_name("base: text codes", tests, NULL, NULL);
}
