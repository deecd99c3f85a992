/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* names - maps one local name, or a path of them, to the portal's. */
#include "names.h"

#include <utf8proc.h>

static const char forbidden_in_assets[] = "*/:[\\]|#%{}?&";
static const char forbidden_in_folders[] = "\".^;+";
static const char replacement_character[] = "\xEF\xBF\xBD"; /* U+FFFD */

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

/* XML 1.0 has no way to write these, so no package could carry the name. */
static bool is_beyond_xml(uint32_t code)
{
    return code == 0xFFFE || code == 0xFFFF;
}

static bool is_forbidden(enum name_kind kind, uint32_t code)
{
    if (is_control(code) || is_beyond_xml(code))
        return true;
    if (code >= 0x80)
        return false;
    return strchr(forbidden_in_assets, (int)code) || (kind == NAME_FOLDER && strchr(forbidden_in_folders, (int)code));
}

/* Each byte that is not UTF-8 as `instead`. */
static char *make_utf8(const char *name, const char *instead)
{
    struct buf out = BUF_INIT(SIZE_MAX);
    size_t len = strlen(name);
    while (len) {
        uint32_t code;
        size_t bytes = text_utf8_next(name, len, &code);
        if (bytes)
            buf_add(&out, name, bytes);
        else
            buf_str(&out, instead);
        name += MAX(bytes, 1);
        len -= MAX(bytes, 1);
    }
    return buf_take(&out);
}

/* `text` is UTF-8, so only memory can be missing. */
static char *make_nfc(const char *text)
{
    AUTO(mem_freep) char *composed = (char *)utf8proc_NFC((const utf8proc_uint8_t *)text);
    BUG_ON(!composed);
    return str_copy(composed);
}

/* Each character for which `is_bad` as `instead`. `text` is UTF-8. */
static char *replace_each(const char *text, bool (*is_bad)(enum name_kind, uint32_t), enum name_kind kind,
                          const char *instead)
{
    struct buf out = BUF_INIT(SIZE_MAX);
    for (size_t len = strlen(text), bytes; len; text += bytes, len -= bytes) {
        uint32_t code;
        bytes = text_utf8_next(text, len, &code);
        BUG_ON(bytes == 0);
        if (is_bad(kind, code))
            buf_str(&out, instead);
        else
            buf_add(&out, text, bytes);
    }
    return buf_take(&out);
}

static void replace_outer_blanks(char *name)
{
    for (char *at = name; *at == ' '; at++)
        *at = '-';
    for (char *at = name + strlen(name); at > name && at[-1] == ' '; at--)
        at[-1] = '-';
}

/* Most names need no mapping at all. */
static bool is_mapped(enum name_kind kind, const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    bool has_dot = name[0] == '.' || (kind == NAME_FOLDER && strchr(name, '.'));
    return name[0] && !has_dot && name[strspn(name, plain)] == '\0' && !str_eq(name, "subassets");
}

/* Composing comes before the forbidden characters: U+037E is a semicolon once composed. */
char *names_map(enum name_kind kind, const char *name)
{
    if (is_mapped(kind, name))
        return str_copy(name);
    AUTO(mem_freep) char *utf8 = make_utf8(name, "-");
    AUTO(mem_freep) char *composed = make_nfc(utf8);
    AUTO(mem_freep) char *mapped = replace_each(composed, is_forbidden, kind, "-");
    replace_outer_blanks(mapped);
    if (str_eq(mapped, "subassets"))
        return str_copy("subassets-"); /* AEM keeps this name for itself */
    if (str_eq(mapped, "") || str_eq(mapped, "."))
        return str_copy("-");
    return str_eq(mapped, "..") ? str_copy("--") : take(&mapped);
}

char *names_map_path(enum name_kind last, const char *path)
{
    struct buf out = BUF_INIT(SIZE_MAX);
    for (const char *slash; (slash = strchr(path, '/')); path = slash + 1) {
        AUTO(mem_freep) char *part = str_copy_n(path, (size_t)(slash - path));
        AUTO(mem_freep) char *mapped = names_map(NAME_FOLDER, part);
        buf_str(&out, mapped);
        buf_char(&out, '/');
    }
    AUTO(mem_freep) char *mapped = names_map(last, path);
    buf_str(&out, mapped);
    return buf_take(&out);
}

static bool is_untitled(UNUSED enum name_kind kind, uint32_t code)
{
    return is_beyond_xml(code) || (code < 0x20 && code != '\t' && code != '\n' && code != '\r');
}

char *names_title(const char *name)
{
    AUTO(mem_freep) char *utf8 = make_utf8(name, replacement_character);
    return replace_each(utf8, is_untitled, NAME_ASSET, replacement_character);
}
