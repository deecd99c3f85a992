/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* path - joining, splitting and comparing paths as bytes. */
#include "base.h"

#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
    size_t len = strlen(dir), rest = strlen(name) + 1;
    bool needs_slash = len && *name && dir[len - 1] != '/';
    char *path = mem_grow(NULL, len + needs_slash + rest, 1);
    memcpy(path, dir, len);
    path[len] = '/';
    memcpy(path + len + needs_slash, name, rest);
    return path;
}

const char *path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == path)
        return str_copy("/");
    return str_copy_n(path, slash ? (size_t)(slash - path) : 0);
}

const char *path_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (strncmp(path, dir, len) != 0)
        return NULL;
    const char *rest = path + len;
    bool is_at_part = len == 0 ? *rest != '/' : dir[len - 1] == '/' || *rest++ == '/';
    return is_at_part && *rest ? rest : NULL;
}

bool path_is_below(const char *path, const char *dir)
{
    return path_below(path, dir) != NULL;
}

bool path_is_same_or_below(const char *path, const char *dir)
{
    return str_eq(path, dir) || path_is_below(path, dir);
}

static bool part_is(const char *part, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(part, word, len) == 0;
}

bool path_is_clean(const char *path)
{
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        if (len == 0 || part_is(part, len, ".") || part_is(part, len, ".."))
            return false;
        part += len;
        if (!*part)
            return true;
    }
}

/* Appends the parts of `path` to the absolute `out`, which has no trailing '/' ("" is the root). */
static void fold(struct buf *out, const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        if (part_is(path, len, "..")) {
            const char *slash = out->len ? strrchr(out->data, '/') : NULL;
            out->len = slash ? (size_t)(slash - out->data) : 0;
            buf_add(out, "", 0);
        } else if (len && !part_is(path, len, ".")) {
            buf_char(out, '/');
            buf_add(out, path, len);
        }
        path += len + (path[len] == '/');
    }
}

char *path_absolute(const char *path)
{
    AUTO(mem_freep) char *here = *path == '/' ? str_copy("/") : getcwd(NULL, 0);
    if (!here) /* the working directory was removed: nothing below it can be opened either */
        return str_copy(path);
    struct buf out = BUF_INIT(SIZE_MAX);
    fold(&out, here);
    fold(&out, path);
    if (out.len == 0)
        buf_char(&out, '/');
    return buf_take(&out);
}
