/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* values - the types of a profile's values: how each is read, kept, printed and let go. */
#include "profile_internal.h"

#include <inttypes.h>

static const char *const bool_words[] = {"false", "true", NULL};

static const char *const *words_of(const struct key *k)
{
    return k->type == KEY_BOOL ? bool_words : k->words;
}

size_t words_count(const char *const *words)
{
    size_t count = 0;
    while (words[count])
        count++;
    return count;
}

static int word_index(const char *const *words, const char *text)
{
    for (int i = 0; words[i]; i++)
        if (str_eq(words[i], text))
            return i;
    return -1;
}

bool value_is_built(const struct key *k, const char *word)
{
    if (!k->built)
        return true;
    size_t len = strlen(word);
    for (const char *at = k->built; *at; at += strcspn(at, "|"), at += *at == '|')
        if (strcspn(at, "|") == len && memcmp(at, word, len) == 0)
            return true;
    return false;
}

/* --- what was expected --------------------------------------------------------------------------------- */

/* Durations as one would write them: in the largest unit that leaves no rest. */
static void duration_text(char *out, size_t size, int64_t ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    size_t i = 0;
    while (ms % units[i].ms || (ms == 0 && !str_eq(units[i].name, "s")))
        i++;
    snprintf(out, size, "%" PRId64 "%s", ms / units[i].ms, units[i].name);
}

static void expected_words(const char *const *words, const char *quote, char *out, size_t size)
{
    struct buf text = BUF_INIT(size - 1);
    for (size_t i = 0, count = words_count(words); i < count; i++)
        buf_printf(&text, "%s%s%s%s", i == 0 ? "expected " : i + 1 == count ? " or " : ", ", quote, words[i], quote);
    snprintf(out, size, "%s", text.data);
    buf_release(&text);
}

void value_expected(const struct key *k, char *out, size_t size)
{
    char min[32], max[32];
    switch (k->type) {
    case KEY_TEXT:
        snprintf(out, size, "expected text");
        return;
    case KEY_TEXTS:
    case KEY_LINE:
        snprintf(out, size, "expected a list, such as [a, b]");
        return;
    case KEY_WORD:
    case KEY_FLAG:
        expected_words(k->words, "\"", out, size);
        return;
    case KEY_BOOL:
        snprintf(out, size, "expected true or false, without quotes");
        return;
    case KEY_INT:
        if (k->min == k->max)
            snprintf(out, size, "expected %" PRId64, k->min);
        else
            snprintf(out, size, "expected %" PRId64 " to %" PRId64, k->min, k->max);
        return;
    case KEY_DURATION:
        duration_text(min, sizeof(min), k->min);
        duration_text(max, sizeof(max), k->max);
        snprintf(out, size, "expected %s to %s, with its unit: ms, s, m, h or d", min, max);
        return;
    case KEY_MAP:
        snprintf(out, size, "expected keys below it");
        return;
    case KEY_MAPS:
        snprintf(out, size, "expected a list, each item with keys: - %s: ...", k->below[0].name);
        return;
    }
}

static bool complain_expected(const struct key *k, struct complaint *c, const char *text, const char *is_not)
{
    char hint[200];
    value_expected(k, hint, sizeof(hint));
    return complain(c, hint, "%s is not %s", SHOWN(text), is_not);
}

/* --- text -> value ------------------------------------------------------------------------------------- */

static bool parse_text(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    if (!*text)
        return complain(c, NULL, "%s is empty", k->name);
    if (k->words && word_index(k->words, text) < 0) {
        char hint[200];
        expected_words(k->words, "\"", hint, sizeof(hint));
        return complain(c, hint, "%s is not an item of %s", SHOWN(text), k->name);
    }
    AUTO(mem_freep) char *normal = str_copy(text);
    if (!(k->check ? k->check : check_line)(&normal, c))
        return false;
    out->text = take(&normal);
    return true;
}

static bool complain_word(const struct key *k, const char *text, struct complaint *c)
{
    char hint[200];
    const char *near = text_nearest(text, k->words, words_count(k->words));
    if (near)
        snprintf(hint, sizeof(hint), "the nearest known word is \"%s\"", near);
    else
        value_expected(k, hint, sizeof(hint));
    return complain(c, hint, "%s is not a word for %s", SHOWN(text), k->name);
}

static bool parse_word(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    out->number = word_index(k->words, text);
    return out->number >= 0 || complain_word(k, text, c);
}

static bool parse_flag(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    int index = word_index(k->words, text);
    out->flag = index == 1;
    return index >= 0 || complain_word(k, text, c);
}

/* YAML 1.1 has 22 words for two values, among them the country code of Norway. */
static bool parse_bool(UNUSED const struct key *k, const char *text, union value *out, struct complaint *c)
{
    static const char *const yes[] = {"yes", "Yes", "YES", "on", "On", "ON", "y", "Y", "True", "TRUE", "1", NULL};
    int index = word_index(bool_words, text);
    out->flag = index == 1;
    if (index >= 0)
        return true;
    static const char *const no[] = {"no", "No", "NO", "off", "Off", "OFF", "n", "N", "False", "FALSE", "0", NULL};
    bool is_yes = word_index(yes, text) >= 0, is_no = word_index(no, text) >= 0;
    const char *hint = is_yes ? "write true" : is_no ? "write false" : "expected true or false";
    return complain(c, hint, "%s is not true or false", SHOWN(text));
}

static bool parse_int(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    int64_t number;
    if (!parse_int64(text, INT64_MIN, INT64_MAX, &number))
        return complain_expected(k, c, text, "a whole number");
    if (number >= k->min && number <= k->max) {
        out->number = (int)number;
        return true;
    }
    char hint[80];
    value_expected(k, hint, sizeof(hint));
    return complain(c, hint, "%s cannot be %" PRId64, k->name, number);
}

static bool parse_span(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    if (!parse_duration(text, &out->wide))
        return complain_expected(k, c, text, "a duration");
    if (out->wide >= k->min && out->wide <= k->max)
        return true;
    char hint[120];
    value_expected(k, hint, sizeof(hint));
    return complain(c, hint, "%s cannot be %s", k->name, text);
}

/* --- value -> text ------------------------------------------------------------------------------------- */

/* Text that YAML reads as itself without quotes. */
static bool is_plain_scalar(const char *text)
{
    static const char letters[] = "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    static const char *const nulls[] = {"null", "Null", "NULL", NULL};
    size_t begin = strcspn(letters, "0"); /* a digit, a dot or a dash may begin something else */
    return *text && memchr(letters, *text, begin) && text[strspn(text, letters)] == '\0' && word_index(nulls, text) < 0;
}

/* What YAML folds, or does not allow to stand as it is. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 || code == 0xFEFF ||
           code == 0xFFFE || code == 0xFFFF;
}

static void quote_character(struct buf *out, const char *text, size_t bytes, uint32_t code)
{
    if (code == '"' || code == '\\')
        buf_printf(out, "\\%c", (int)code);
    else if (needs_escape(code))
        buf_printf(out, "\\U%08" PRIX32, code);
    else
        buf_add(out, text, bytes);
}

/* A YAML scalar that reads back as this text. */
static void value_quote(struct buf *out, const char *text)
{
    if (is_plain_scalar(text)) {
        buf_str(out, text);
        return;
    }
    buf_char(out, '"');
    for (size_t len = strlen(text), bytes; len; text += bytes, len -= bytes) {
        uint32_t code;
        bytes = text_utf8_next(text, len, &code);
        BUG_ON(bytes == 0); /* it came from YAML */
        quote_character(out, text, bytes, code);
    }
    buf_char(out, '"');
}

static void print_text(UNUSED const struct key *k, const void *field, struct buf *out)
{
    const char *text = *(char *const *)field;
    if (text && *text)
        value_quote(out, text);
}

/* A list that may not be written in this version is left out: it is what the default says. */
static void print_texts(const struct key *k, const void *field, struct buf *out)
{
    const struct strlist *list = field;
    if (k->built && list->count)
        return;
    for (size_t i = 0; i < list->count; i++) {
        buf_str(out, i == 0 ? "[" : ", ");
        value_quote(out, list->item[i]);
    }
    buf_str(out, list->count ? "]" : "[]");
}

static void print_word(const struct key *k, const void *field, struct buf *out)
{
    buf_str(out, k->words[*(const int *)field]);
}

static void print_flag(const struct key *k, const void *field, struct buf *out)
{
    buf_str(out, words_of(k)[*(const bool *)field]);
}

static void print_int(UNUSED const struct key *k, const void *field, struct buf *out)
{
    buf_printf(out, "%d", *(const int *)field);
}

static void print_span(UNUSED const struct key *k, const void *field, struct buf *out)
{
    char text[40];
    duration_text(text, sizeof(text), *(const int64_t *)field);
    buf_str(out, text);
}

/* --- the table of types -------------------------------------------------------------------------------- */

static void release_text(void *field)
{
    free(*(char **)field);
    *(char **)field = NULL;
}

static void release_texts(void *field)
{
    strlist_release(field);
}

/* Lists are parsed item by item: `parse` reads one. */
static const struct value_type {
    size_t bytes;
    bool (*parse)(const struct key *k, const char *text, union value *out, struct complaint *c);
    void (*print)(const struct key *k, const void *field, struct buf *out);
    void (*release)(void *field);
} types[] = {
    [KEY_TEXT] = {sizeof(char *), parse_text, print_text, release_text},
    [KEY_TEXTS] = {sizeof(struct strlist), parse_text, print_texts, release_texts},
    [KEY_LINE] = {sizeof(struct strlist), parse_text, print_texts, release_texts},
    [KEY_WORD] = {sizeof(int), parse_word, print_word, NULL},
    [KEY_FLAG] = {sizeof(bool), parse_flag, print_flag, NULL},
    [KEY_BOOL] = {sizeof(bool), parse_bool, print_flag, NULL},
    [KEY_INT] = {sizeof(int), parse_int, print_int, NULL},
    [KEY_DURATION] = {sizeof(int64_t), parse_span, print_span, NULL},
};

bool value_parse(const struct key *k, const char *text, union value *out, struct complaint *c)
{
    *c = (struct complaint){0};
    return types[k->type].parse(k, text, out, c);
}

void value_store(const struct key *k, union value *v, void *field)
{
    const struct value_type *type = &types[k->type];
    if (field)
        memcpy(field, v, type->bytes);
    else if (type->release)
        type->release(v);
}

void value_print(const struct key *k, const void *field, struct buf *out)
{
    types[k->type].print(k, field, out);
}

void value_release(const struct key *k, void *field)
{
    if (types[k->type].release)
        types[k->type].release(field);
}
