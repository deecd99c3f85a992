/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* walk - the table of keys walked over a document (reading), and over a struct (printing, freeing). */
#include "profile_internal.h"

static char *path_of(const char *where, const char *key)
{
    return str_printf("%s%s%s", where, *where ? "." : "", key);
}

static void *field_of(const struct key *k, void *base)
{
    return base && k->at != NOT_STORED ? (char *)base + k->at : NULL;
}

static void problem_at(struct load *l, const yaml_node_t *node, const char *hint, const char *text)
{
    problems_add(l->problems, false, document_spot(node), hint, "%s", text);
}

/* --- keys ---------------------------------------------------------------------------------------------- */

static bool is_known(const struct key *keys, const char *name)
{
    while (keys->name && !str_eq(keys->name, name))
        keys++;
    return keys->name;
}

static void report_unknown(struct load *l, const struct key *keys, const yaml_node_t *key, const char *where)
{
    const char *names[32];
    size_t count = 0;
    for (; keys[count].name; count++) {
        BUG_ON(count == ARRAY_LEN(names));
        names[count] = keys[count].name;
    }
    const char *near = text_nearest(node_text(key), names, count);
    AUTO(mem_freep) char *hint = near ? str_printf("the nearest known key is \"%s\"", near) : NULL;
    problems_add(l->problems, false, document_spot(key), hint, "unknown key %s%s%s", SHOWN(node_text(key)),
                 *where ? " in " : "", where);
}

static void look_at_key(struct load *l, const struct key *keys, yaml_node_t *map, const yaml_node_t *key,
                        const char *where)
{
    if (key->type != YAML_SCALAR_NODE || key->data.scalar.length != strlen(node_text(key))) {
        problem_at(l, key, "expected name: value", "a key is one word");
        return;
    }
    if (!is_known(keys, node_text(key))) {
        report_unknown(l, keys, key, where);
        return;
    }
    const yaml_node_t *first = document_key(l->document, map, node_text(key));
    if (first && first != key)
        problems_add(l->problems, false, document_spot(key), "remove one of them", "key \"%s\" is already in line %d",
                     node_text(key), document_spot(first).line);
}

static void look_at_keys(struct load *l, const struct key *keys, yaml_node_t *map, const char *where)
{
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++)
        look_at_key(l, keys, map, yaml_document_get_node(l->document, pair->key), where);
}

/* --- one value ----------------------------------------------------------------------------------------- */

static bool is_null(const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    bool is_plain = node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    for (size_t i = 0; is_plain && i < ARRAY_LEN(nulls); i++)
        if (str_eq(node_text(node), nulls[i]))
            return true;
    return false;
}

/* The node is not of the kind that the key wants. */
static void report_kind(struct load *l, const struct key *k, const yaml_node_t *node, const char *name)
{
    static const char *const kinds[] = {
        [YAML_SCALAR_NODE] = "a single value", [YAML_SEQUENCE_NODE] = "a list", [YAML_MAPPING_NODE] = "a map of keys"};
    char hint[200];
    value_expected(k, hint, sizeof(hint));
    if (is_null(node))
        problems_add(l->problems, false, document_spot(node), hint, "%s has no value", name);
    else
        problems_add(l->problems, false, document_spot(node), hint, "%s is %s", name, kinds[node->type]);
}

static bool may_be_quoted(const struct key *k)
{
    return k->type != KEY_BOOL && k->type != KEY_INT;
}

static bool is_scalar_fit(struct load *l, const struct key *k, const yaml_node_t *node, const char *name)
{
    if (node->type != YAML_SCALAR_NODE || is_null(node)) {
        report_kind(l, k, node, name);
        return false;
    }
    if (node->data.scalar.length != strlen(node_text(node))) {
        problem_at(l, node, "remove \\0", "this text has a NUL in it");
        return false;
    }
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE && !may_be_quoted(k)) {
        problems_add(l->problems, false, document_spot(node), "write it without quotes", "%s is text", name);
        return false;
    }
    return true;
}

static void report_unbuilt_word(struct load *l, const struct key *k, const yaml_node_t *node, const char *name)
{
    char hint[200] = "remove it";
    size_t len = *k->built ? (size_t)snprintf(hint, sizeof(hint), "in this version: ") : 0;
    for (const char *at = k->built; *at && len < sizeof(hint); at++)
        len += (size_t)snprintf(hint + len, sizeof(hint) - len, *at == '|' ? " or " : "%c", *at);
    problems_add(l->problems, false, document_spot(node), hint, "%s: %s is not built in this version yet", name,
                 node_text(node));
}

static bool parse_text(struct load *l, const struct key *k, const yaml_node_t *node, const char *text, union value *v)
{
    struct complaint c;
    bool is_good = value_parse(k, text, v, &c);
    if (c.text[0])
        problems_add(l->problems, is_good, document_spot(node), c.hint, "%s", c.text);
    return is_good;
}

static void read_scalar(struct load *l, const struct key *k, const yaml_node_t *node, const char *name, void *field)
{
    union value v;
    if (!is_scalar_fit(l, k, node, name) || !parse_text(l, k, node, node_text(node), &v))
        return;
    if (!value_is_built(k, node_text(node)))
        report_unbuilt_word(l, k, node, name);
    value_store(k, &v, field);
}

/* --- lists --------------------------------------------------------------------------------------------- */

static void add_item(struct load *l, const struct key *k, const yaml_node_t *node, const char *text,
                     struct strlist *list)
{
    union value v;
    if (!parse_text(l, k, node, text, &v))
        return;
    strlist_add(list, v.text);
    free(v.text);
}

/* "openid,AdobeID" as the console shows it. */
static void split_line(struct load *l, const struct key *k, const yaml_node_t *node, const char *text,
                       struct strlist *list)
{
    for (size_t len; *text; text += len) {
        text += strspn(text, ", \t");
        len = strcspn(text, ", \t");
        AUTO(mem_freep) char *item = str_copy_n(text, len);
        if (len)
            add_item(l, k, node, item, list);
    }
}

static void read_item(struct load *l, const struct key *k, const yaml_node_t *node, const char *name,
                      struct strlist *list)
{
    static const struct key item = {.type = KEY_TEXT};
    if (!is_scalar_fit(l, &item, node, name))
        return;
    if (k->type == KEY_LINE)
        split_line(l, k, node, node_text(node), list);
    else
        add_item(l, k, node, node_text(node), list);
}

static void read_list(struct load *l, const struct key *k, const yaml_node_t *node, const char *name, void *field)
{
    union value v = {.texts = {0}};
    if (node->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
            AUTO(mem_freep) char *item_name = str_printf("%s[%td]", name, i - node->data.sequence.items.start);
            read_item(l, k, yaml_document_get_node(l->document, *i), item_name, &v.texts);
        }
    } else if (node->type == YAML_SCALAR_NODE && k->type == KEY_LINE && !is_null(node)) {
        read_item(l, k, node, name, &v.texts);
    } else {
        report_kind(l, k, node, name);
    }
    value_store(k, &v, field);
}

static void read_map(struct load *l, const struct key *k, yaml_node_t *node, const char *name, void *field)
{
    if (node->type == YAML_MAPPING_NODE)
        walk_read(l, k->below, node, name, field);
    else
        report_kind(l, k, node, name);
}

static void read_maps(struct load *l, const struct key *k, yaml_node_t *node, const char *name, void *base)
{
    if (node->type != YAML_SEQUENCE_NODE) {
        report_kind(l, k, node, name);
        return;
    }
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    char *items = NULL;
    if (k->at != NOT_STORED && base) {
        items = mem_array(count, k->item_bytes);
        memcpy((char *)base + k->at, &items, sizeof(items));
        memcpy((char *)base + k->count_at, &count, sizeof(count));
    }
    for (size_t i = 0; i < count; i++) {
        AUTO(mem_freep) char *item_name = str_printf("%s[%zu]", name, i);
        yaml_node_t *item = yaml_document_get_node(l->document, node->data.sequence.items.start[i]);
        read_map(l, k, item, item_name, items ? items + i * k->item_bytes : NULL);
    }
}

/* --- the table ----------------------------------------------------------------------------------------- */

static bool is_empty(const yaml_node_t *node)
{
    return (node->type == YAML_SEQUENCE_NODE && node->data.sequence.items.start == node->data.sequence.items.top) ||
           (node->type == YAML_MAPPING_NODE && node->data.mapping.pairs.start == node->data.mapping.pairs.top);
}

/* Lists and maps; single values are looked at word by word. */
static void refuse_unbuilt(struct load *l, const struct key *k, yaml_node_t *map, const yaml_node_t *node,
                           const char *name)
{
    if (!k->built || node->type == YAML_SCALAR_NODE || is_empty(node))
        return;
    problems_add(l->problems, false, document_spot(document_key(l->document, map, k->name)), "remove it",
                 "%s is not built in this version yet", name);
}

static void read_value(struct load *l, const struct key *k, yaml_node_t *node, const char *name, void *base)
{
    switch (k->type) {
    case KEY_TEXTS:
    case KEY_LINE:
        read_list(l, k, node, name, field_of(k, base));
        return;
    case KEY_MAP:
        read_map(l, k, node, name, field_of(k, base));
        return;
    case KEY_MAPS:
        read_maps(l, k, node, name, base);
        return;
    default:
        read_scalar(l, k, node, name, field_of(k, base));
        return;
    }
}

static void set_standard_list(const struct key *k, struct strlist *list)
{
    for (const char *at = k->standard; *at; at += strcspn(at, " "), at += *at == ' ') {
        AUTO(mem_freep) char *item = str_copy_n(at, strcspn(at, " "));
        strlist_add(list, item);
    }
}

static void set_standard(struct load *l, const struct key *k, const char *name, void *field)
{
    if (k->type == KEY_MAP) {
        walk_read(l, k->below, NULL, name, field);
    } else if (!field || !k->standard) {
        return;
    } else if (k->type == KEY_TEXTS || k->type == KEY_LINE) {
        set_standard_list(k, field);
    } else if (k->type == KEY_TEXT) {
        *(char **)field = str_copy(k->standard);
    } else {
        union value v;
        struct complaint c;
        bool is_good = value_parse(k, k->standard, &v, &c);
        BUG_ON(!is_good);
        value_store(k, &v, field);
    }
}

static void report_missing(struct load *l, const struct key *k, const char *name, const char *where)
{
    char hint[200];
    value_expected(k, hint, sizeof(hint));
    problems_add(l->problems, false, load_spot(l, name), hint, "missing key \"%s\"%s%s", k->name, *where ? " in " : "",
                 where);
}

/* `map` NULL: the map is not in the file, so that all its keys have their defaults. */
void walk_read(struct load *l, const struct key *keys, yaml_node_t *map, const char *where, void *base)
{
    if (map)
        look_at_keys(l, keys, map, where);
    for (const struct key *k = keys; k->name; k++) {
        AUTO(mem_freep) char *name = path_of(where, k->name);
        yaml_node_t *node = document_child(l->document, map, k->name);
        if (node) {
            refuse_unbuilt(l, k, map, node, name);
            read_value(l, k, node, name, base);
        } else {
            if (k->is_required && map)
                report_missing(l, k, name, where);
            set_standard(l, k, name, field_of(k, base));
        }
    }
}

/* --- printing and freeing ------------------------------------------------------------------------------ */

static void print_item(const struct key *k, const char *item, int indent, struct buf *out)
{
    AUTO(buf_release) struct buf text = BUF_INIT(out->max);
    walk_print(k->below, item, indent + 4, &text);
    if (text.len)
        text.data[indent + 2] = '-';
    buf_add(out, text.data, text.len);
}

static void print_below(const struct key *k, const void *base, const void *field, int indent, struct buf *out)
{
    if (k->type == KEY_MAP) {
        walk_print(k->below, field, indent + 2, out);
        return;
    }
    size_t count = *(const size_t *)(const void *)((const char *)base + k->count_at);
    for (size_t i = 0; i < count; i++)
        print_item(k, *(char *const *)field + i * k->item_bytes, indent, out);
}

void walk_print(const struct key *keys, const void *base, int indent, struct buf *out)
{
    for (const struct key *k = keys; k->name; k++) {
        if (k->at == NOT_STORED)
            continue;
        AUTO(buf_release) struct buf text = BUF_INIT(out->max);
        const void *field = (const char *)base + k->at;
        bool is_below = k->type == KEY_MAP || k->type == KEY_MAPS;
        if (is_below)
            print_below(k, base, field, indent, &text);
        else
            value_print(k, field, &text);
        if (text.len)
            buf_printf(out, "%*s%s:%s%s%s", indent, "", k->name, is_below ? "\n" : " ", text.data,
                       is_below ? "" : "\n");
    }
}

static void release_items(const struct key *k, void *base, void *field)
{
    char *items = *(char **)field;
    size_t count = *(size_t *)(void *)((char *)base + k->count_at);
    for (size_t i = 0; i < count; i++)
        walk_release(k->below, items + i * k->item_bytes);
    free(items);
}

void walk_release(const struct key *keys, void *base)
{
    for (const struct key *k = keys; k->name; k++) {
        void *field = field_of(k, base);
        if (field && k->type == KEY_MAP)
            walk_release(k->below, field);
        else if (field && k->type == KEY_MAPS)
            release_items(k, base, field);
        else if (field)
            value_release(k, field);
    }
}
