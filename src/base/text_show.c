/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* text_show - outside text made safe for logs and terminals: no byte of it steers the terminal or forges a line. */
#include "base.h"

/* Characters that act instead of showing: C0, DEL, C1, and those that turn or break the line. */
static const struct {
    uint32_t from, to;
} acting[] = {
    {0x00, 0x1f}, {0x7f, 0x9f}, {0x061c, 0x061c}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

/* Rows of Unicode 15 table 3-7 but for ASCII: how a character begins, and between what its second byte lies. */
static const struct {
    uint8_t from, to, second_from, second_to, len;
} utf8_rows[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static bool is_ascii(char c) /* but NUL */
{
    return (uint8_t)c - 1U < 0x7f;
}

size_t text_utf8_next(const char *text, size_t len, uint32_t *code)
{
    const uint8_t *c = (const uint8_t *)text;
    if (len && c[0] - 1U < 0x7f) {
        *code = c[0];
        return 1;
    }
    size_t row = 0;
    if (len && is_ascii(*text)) {
        *code = c[0];
        return 1;
    }
    while (len && row < ARRAY_LEN(utf8_rows) && (c[0] < utf8_rows[row].from || c[0] > utf8_rows[row].to))
        row++;
    if (len == 0 || row == ARRAY_LEN(utf8_rows) || utf8_rows[row].len > len)
        return 0;
    size_t bytes = utf8_rows[row].len;
    if (c[1] < utf8_rows[row].second_from || c[1] > utf8_rows[row].second_to)
        return 0;
    static const uint8_t first_bits[] = {0, 0, 0x1f, 0x0f, 0x07};
    *code = c[0] & first_bits[bytes];
    for (size_t i = 1; i < bytes; i++) {
        if ((c[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (c[i] & 0x3f);
    }
    return bytes;
}

bool text_is_utf8(const char *text, size_t len)
{
    uint32_t code;
    for (size_t bytes; len; text += bytes, len -= bytes)
        if (!(bytes = is_ascii(*text) ? 1 : text_utf8_next(text, len, &code)))
            return false;
    return true;
}

/* Nearly all outside text is made of these. */
static bool is_plain_ascii(char c)
{
    return c >= ' ' && c <= '~';
}

/* Bytes of the next character if it may be shown as it is, 0 if its first byte must be escaped. The rest of an
 * escaped character is not UTF-8 by itself, so it gets escaped byte by byte, too. */
static size_t showable(const char *raw, size_t len)
{
    uint32_t code;
    if (is_plain_ascii(*raw))
        return 1;
    size_t bytes = text_utf8_next(raw, len, &code);
    for (size_t i = 0; bytes && i < ARRAY_LEN(acting); i++)
        if (acting[i].from <= code && code <= acting[i].to)
            return 0;
    return bytes;
}

/* Text being written into a fixed space. Once something did not fit, it ends in "..." and takes only what closes it. */
struct shown {
    char *out;
    size_t size, len;
    bool is_cut;
};
enum { CLOSING = 4 }; /* "..." and a quote always have room */

static struct shown shown_init(char *out, size_t size)
{
    BUG_ON(size < 2 * CLOSING);
    out[0] = '\0';
    return (struct shown){.out = out, .size = size};
}

static void put_bytes(struct shown *s, const char *text, size_t len)
{
    memcpy(s->out + s->len, text, len);
    s->len += len;
    s->out[s->len] = '\0';
}

static size_t room(const struct shown *s)
{
    return s->size - 1 - CLOSING - s->len;
}

static void put_n(struct shown *s, const char *text, size_t len)
{
    if (s->is_cut)
        return;
    s->is_cut = len > room(s);
    put_bytes(s, s->is_cut ? "..." : text, s->is_cut ? 3 : len);
}

static void put(struct shown *s, const char *text)
{
    put_n(s, text, strlen(text));
}

static void put_close(struct shown *s, const char *quote)
{
    put_bytes(s, quote, 1);
}

/* One byte as \n, \t, \xHH, \" or \\. */
static void put_escaped(struct shown *s, char c)
{
    char escape[5];
    if (c == '\n' || c == '\t')
        snprintf(escape, sizeof(escape), "\\%c", c == '\n' ? 'n' : 't');
    else if (c == '"' || c == '\\')
        snprintf(escape, sizeof(escape), "\\%c", c);
    else
        snprintf(escape, sizeof(escape), "\\x%02x", (unsigned)(uint8_t)c);
    put(s, escape);
}

/* Bytes at the start of `raw` that can be written at once. */
static size_t plain_run(const struct shown *s, const char *raw, const char *also)
{
    size_t run = 0, most = MIN(strcspn(raw, also), room(s));
    while (run < most && is_plain_ascii(raw[run]))
        run++;
    return run;
}

/* Writes `raw`; what cannot be shown and the ASCII characters of `also` are escaped. */
static void put_text(struct shown *s, const char *raw, const char *also)
{
    for (size_t len = strlen(raw), bytes; len && !s->is_cut; raw += bytes, len -= bytes) {
        bytes = plain_run(s, raw, also);
        if (bytes == 0)
            bytes = strchr(also, *raw) ? 0 : showable(raw, len);
        if (bytes)
            put_n(s, raw, bytes);
        else
            put_escaped(s, *raw);
        bytes = MAX(bytes, 1);
    }
}

/* True when all characters are showable and none is in `special`. */
static bool is_plain(const char *raw, const char *special)
{
    size_t len = strlen(raw), bytes;
    if (len == 0 || strpbrk(raw, special))
        return false;
    for (; len; raw += bytes, len -= bytes)
        if (!(bytes = showable(raw, len)))
            return false;
    return true;
}

char *text_safe(char *out, size_t size, const char *raw)
{
    struct shown s = shown_init(out, size);
    put_text(&s, raw, "");
    return out;
}

char *text_quote(char *out, size_t size, const char *raw)
{
    struct shown s = shown_init(out, size);
    if (is_plain(raw, " \"\\=")) {
        put_text(&s, raw, "");
        return out;
    }
    put(&s, "\"");
    put_text(&s, raw, "\"\\");
    put_close(&s, "\"");
    return out;
}

/* --- as `ls` quotes -------------------------------------------------------------------------------- */

static const char shell_special[] = " !\"#$&'()*;<=>?[\\]^`{|}~";

/* One byte within $'...': octal, because every shell that knows $'' knows it. */
static void put_octal(struct shown *s, char c)
{
    char escape[5];
    if (c == '\n' || c == '\t')
        snprintf(escape, sizeof(escape), "\\%c", c == '\n' ? 'n' : 't');
    else
        snprintf(escape, sizeof(escape), "\\%03o", (unsigned)(uint8_t)c);
    put(s, escape);
}

/* 'a'$'\n''b': stretches that can be shown in '...', bytes that cannot in $'...'. */
static void put_shell(struct shown *s, const char *raw)
{
    bool is_dollar = false;
    put(s, "'");
    for (size_t len = strlen(raw), bytes; len && !s->is_cut; raw += bytes, len -= bytes) {
        bytes = showable(raw, len);
        if (is_dollar != (bytes == 0))
            put(s, bytes ? "''" : "'$'");
        is_dollar = bytes == 0;
        if (is_dollar)
            put_octal(s, *raw);
        else if (*raw == '\'')
            put(s, "'\\''");
        else
            put_n(s, raw, bytes);
        bytes = MAX(bytes, 1);
    }
    put_close(s, "'");
}

char *text_shell(char *out, size_t size, const char *raw)
{
    struct shown s = shown_init(out, size);
    if (is_plain(raw, shell_special)) {
        put_text(&s, raw, "");
    } else if (strchr(raw, '\'') && is_plain(raw, "\"\\$`!")) {
        put(&s, "\""); /* "it's" */
        put_text(&s, raw, "");
        put_close(&s, "\"");
    } else {
        put_shell(&s, raw);
    }
    return out;
}
