/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* problems - what is wrong with a profile: collected, put in order of place, shown with the line and a caret. */
#include "profile_internal.h"

enum { SOURCE_SHOWN = 200 }; /* columns; a problem further right is shown without its line */

char *shown(char *out, size_t size, const char *text)
{
    char inner[80];
    text_quote(inner, MIN(size, sizeof(inner)) - 2, text);
    snprintf(out, size, inner[0] == '"' ? "%s" : "\"%s\"", inner);
    return out;
}

PRINTF(3, 0)
static void fill(struct complaint *c, const char *hint, const char *fmt, va_list args)
{
    vsnprintf(c->text, sizeof(c->text), fmt, args);
    snprintf(c->hint, sizeof(c->hint), "%s", hint ? hint : "");
}

void complaint_set(struct complaint *c, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(c, hint, fmt, args);
    va_end(args);
}

bool warn(struct complaint *c, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(c, hint, fmt, args);
    va_end(args);
    return true;
}

void problems_add(struct problems *p, bool is_warning, struct spot at, const char *hint, const char *fmt, ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    p->item = mem_grow(p->item, p->count + 1, sizeof(p->item[0]));
    p->item[p->count++] = (struct problem){
        .line = at.line,
        .column = at.column,
        .width = at.width,
        .is_warning = is_warning,
        .text = str_copy(text),
        .hint = hint && *hint ? str_copy(hint) : NULL,
    };
    p->errors += !is_warning;
}

static bool is_before(const struct problem *a, const struct problem *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* By insertion: stable, and they are nearly in order. */
void problems_sort(struct problems *p)
{
    for (size_t i = 1; i < p->count; i++) {
        struct problem moving = p->item[i];
        size_t at = i;
        for (; at > 0 && is_before(&moving, &p->item[at - 1]); at--)
            p->item[at] = p->item[at - 1];
        p->item[at] = moving;
    }
}

void problems_release(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->item[i].text);
        free(p->item[i].hint);
    }
    free(p->item);
    free(p->file);
    free(p->source);
    *p = (struct problems){0};
}

/* Line `number` of the source, without its end; NULL: there is none. */
static const char *source_line(const char *source, int number, size_t *len)
{
    for (; source && number > 1; number--) {
        source = strchr(source, '\n');
        source = source ? source + 1 : NULL;
    }
    *len = source ? strcspn(source, "\r\n") : 0;
    return source;
}

static bool shows_itself(const char *character, size_t bytes)
{
    if (bytes == 1)
        return *character == '\t' || (*character >= ' ' && *character <= '~');
    char raw[8] = "", plain[40];
    memcpy(raw, character, bytes);
    return bytes && str_eq(text_quote(plain, sizeof(plain), raw), raw);
}

/* The line as it may be shown: each character takes one column, so that the caret stands below its own. */
static void print_source(const char *line, size_t len, int columns, bool as_blanks, struct buf *out)
{
    for (int column = 0; len && column < columns; column++) {
        uint32_t code;
        size_t bytes = text_utf8_next(line, len, &code);
        if (as_blanks)
            buf_char(out, *line == '\t' ? '\t' : ' ');
        else if (shows_itself(line, bytes))
            buf_add(out, line, bytes);
        else
            buf_char(out, '?');
        line += MAX(bytes, 1);
        len -= MAX(bytes, 1);
    }
}

static void print_caret(const struct problems *p, const struct problem *at, struct buf *out)
{
    size_t len;
    const char *line = source_line(p->source, at->line, &len);
    if (!line || at->line == 0 || at->column > SOURCE_SHOWN) {
        if (at->hint)
            buf_printf(out, "        %s\n", at->hint);
        return;
    }
    buf_printf(out, "%5d | ", at->line);
    print_source(line, len, SOURCE_SHOWN, false, out);
    buf_str(out, "\n      | ");
    print_source(line, len, at->column - 1, true, out);
    for (int i = 0; i < MAX(at->width, 1) && at->column + i <= SOURCE_SHOWN; i++)
        buf_char(out, '^');
    buf_printf(out, "%s%s\n", at->hint ? " " : "", at->hint ? at->hint : "");
}

void problems_print(const struct problems *p, struct buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *at = &p->item[i];
        buf_str(out, p->file ? p->file : "profile");
        if (at->line)
            buf_printf(out, ":%d:%d", at->line, at->column);
        buf_printf(out, ": %s: %s\n", at->is_warning ? "warning" : "error", at->text);
        print_caret(p, at, out);
    }
}
