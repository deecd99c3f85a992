/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* buf - bytes that grow up to a ceiling; strlist - owned strings. */
#include "base.h"

enum { BUF_FIRST = 64, LIST_FIRST = 8 };

/* Makes room for `len` more bytes and a NUL. The ceiling is said once and for all: what comes later is not added
 * either, or the text would have a hole. */
static bool has_room(struct buf *b, size_t len)
{
    if (b->is_over || len > b->max - b->len || len >= SIZE_MAX / 2 - b->len) {
        b->is_over = true;
        return false;
    }
    size_t needed = b->len + len + 1;
    if (needed > b->size) {
        b->size = MAX(needed, MAX(b->size + b->size / 2, BUF_FIRST));
        b->data = mem_grow(b->data, b->size, 1);
    }
    return true;
}

bool buf_add(struct buf *b, const void *data, size_t len)
{
    if (!has_room(b, len))
        return false;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return true;
}

bool buf_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    bool is_added = len >= 0 && has_room(b, (size_t)len);
    if (is_added) {
        vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
    return is_added;
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->is_over = false;
    if (b->data)
        b->data[0] = '\0';
}

void buf_release(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT(b->max);
}

char *buf_take(struct buf *b)
{
    char *text = b->data ? b->data : str_copy("");
    *b = (struct buf)BUF_INIT(b->max);
    return text;
}

void strlist_add(struct strlist *l, const char *text)
{
    /* Full at 8, 16, 32, ...: the size need not be kept. */
    bool is_full = l->count == 0 || (l->count >= LIST_FIRST && (l->count & (l->count - 1)) == 0);
    if (is_full)
        l->item = mem_grow(l->item, MAX(l->count * 2, LIST_FIRST), sizeof(*l->item));
    l->item[l->count++] = str_copy(text);
}

void strlist_release(struct strlist *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->item[i]);
    free(l->item);
    *l = (struct strlist){0};
}
