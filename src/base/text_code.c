/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* text_code - bytes as XML text, percent, hexadecimal and base64 codes, and back. */
#include "base.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char unreserved_and_slash[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";

/* --- XML -------------------------------------------------------------------------------------------- */

/* Tab and line ends would be turned into blanks in an attribute (XML 1.0, 3.3.3): they go as references. */
static const struct {
    char c;
    const char *reference;
} xml_references[] = {
    {'&', "&amp;"},   {'<', "&lt;"},   {'>', "&gt;"},   {'"', "&quot;"},
    {'\'', "&apos;"}, {'\t', "&#x9;"}, {'\n', "&#xA;"}, {'\r', "&#xD;"},
};

static const char *xml_reference(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(xml_references); i++)
        if (xml_references[i].c == c)
            return xml_references[i].reference;
    return NULL;
}

/* Bytes at the start that are ASCII and stand for themselves: nearly always all. */
static size_t xml_run(const char *text, size_t len)
{
    size_t run = 0;
    for (; run < len && text[run] >= ' ' && text[run] <= '~'; run++)
        if (text[run] == '&' || text[run] == '<' || text[run] == '>' || text[run] == '"' || text[run] == '\'')
            break;
    return run;
}

void text_xml(struct buf *out, const char *text, size_t len)
{
    for (size_t bytes; len; text += bytes, len -= bytes) {
        uint32_t code = 0;
        bytes = xml_run(text, len);
        if (bytes) {
            buf_add(out, text, bytes);
            continue;
        }
        bytes = text_utf8_next(text, len, &code);
        const char *reference = xml_reference(*text);
        if (reference)
            buf_str(out, reference);
        else if (bytes && code >= 0x20 && code != 0xfffe && code != 0xffff)
            buf_add(out, text, bytes);
        else
            buf_str(out, "\xef\xbf\xbd");
        bytes = MAX(bytes, 1);
    }
}

/* --- percent and hexadecimal ------------------------------------------------------------------------ */

void text_percent(struct buf *out, const char *path)
{
    for (; *path; path++) {
        if (strchr(unreserved_and_slash, *path))
            buf_char(out, *path);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*path);
    }
}

/* Its value, -1: not one. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char letter = (char)(c | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The byte that two digits stand for, -1 if they are not two digits. */
static int hex_byte(const char *two)
{
    int high = hex_digit(two[0]), low = high < 0 ? -1 : hex_digit(two[1]);
    return low < 0 ? -1 : high * 16 + low;
}

void text_hex(char *out, const void *data, size_t len)
{
    const uint8_t *byte = data;
    for (size_t i = 0; i < len; i++) {
        *out++ = "0123456789abcdef"[byte[i] >> 4];
        *out++ = "0123456789abcdef"[byte[i] & 15];
    }
    *out = '\0';
}

bool text_unhex(void *out, size_t len, const char *hex)
{
    uint8_t *at = out;
    if (strlen(hex) != 2 * len)
        return false;
    for (; *hex; hex += 2) {
        int byte = hex_byte(hex);
        if (byte < 0)
            return false;
        *at++ = (uint8_t)byte;
    }
    return true;
}

/* --- base64 ----------------------------------------------------------------------------------------- */

static void base64(struct buf *out, const uint8_t *data, size_t len, const char *alphabet, bool is_padded)
{
    for (; len; data += MIN(len, 3), len -= MIN(len, 3)) {
        uint32_t bits = (uint32_t)data[0] << 16 | (uint32_t)(len > 1 ? data[1] : 0) << 8 | (len > 2 ? data[2] : 0);
        char four[4];
        for (size_t i = 0; i < 4; i++)
            four[i] = i <= len ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
        buf_add(out, four, is_padded ? 4 : MIN(len, 3) + 1);
    }
}

void text_base64(struct buf *out, const void *data, size_t len)
{
    base64(out, data, len, standard, true);
}

void text_base64url(struct buf *out, const void *data, size_t len)
{
    base64(out, data, len, url, false);
}

/* Strict (RFC 7515, 2): no padding, no blanks, and the bits that carry nothing are zero. */
bool text_unbase64url(struct buf *out, const char *text, size_t len)
{
    AUTO(mem_freep) char *plain = mem_alloc(len);
    size_t bytes = 0;
    uint32_t bits = 0, count = 0;
    for (size_t i = 0; i < len; i++) {
        const char *at = text[i] ? strchr(url, text[i]) : NULL;
        if (!at)
            return false;
        bits = bits << 6 | (uint32_t)(at - url);
        count += 6;
        if (count < 8)
            continue;
        count -= 8;
        plain[bytes++] = (char)(uint8_t)(bits >> count);
        bits &= (1U << count) - 1;
    }
    return count < 6 && bits == 0 && buf_add(out, plain, bytes);
}
