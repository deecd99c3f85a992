/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* document - the YAML of a profile as a libyaml document. What surprises in YAML (anchors, tags) is refused first. */
#include "profile_internal.h"

enum { NESTING_MAX = 24 }; /* a profile nests 5 deep; libyaml takes quadratic time for deep flow collections */

static struct spot spot_between(yaml_mark_t from, yaml_mark_t to)
{
    bool is_one_line = from.line == to.line && to.column > from.column;
    return (struct spot){(int)from.line + 1, (int)from.column + 1, is_one_line ? (int)(to.column - from.column) : 1};
}

struct spot document_spot(const yaml_node_t *node)
{
    return node ? spot_between(node->start_mark, node->end_mark) : (struct spot){0};
}

/* The reader says only how many bytes it had read. */
static struct spot spot_of_byte(const char *text, size_t offset)
{
    struct spot at = {1, 1, 1};
    for (size_t i = 0; i < offset && text[i]; i++) {
        at.column += ((unsigned char)text[i] & 0xC0) != 0x80; /* characters, not bytes */
        if (text[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return at;
}

/* What people meet most, in words that cure; by how libyaml 0.2 names it. */
static const struct {
    const char *context, *hint;
} syntax_hints[] = {
    {"while scanning an alias", "put text that begins with * in quotes"},
    {"while scanning an anchor", "put text that begins with & in quotes"},
    {"while scanning for the next token", "indent with blanks, not tabs; put text with special characters in quotes"},
    {"while parsing a block mapping", "keys of one map begin in the same column"},
};

static void report_syntax(const yaml_parser_t *parser, const char *text, struct problems *p)
{
    const char *problem = parser->problem ? parser->problem : "this is not YAML";
    if (parser->error == YAML_READER_ERROR) {
        problems_add(p, false, spot_of_byte(text, parser->problem_offset), "a profile is text in UTF-8", "%s", problem);
        return;
    }
    char hint[200] = "";
    if (parser->context)
        snprintf(hint, sizeof(hint), "%s that begins in line %zu", parser->context, parser->context_mark.line + 1);
    for (size_t i = 0; parser->context && i < ARRAY_LEN(syntax_hints); i++)
        if (str_eq(parser->context, syntax_hints[i].context))
            snprintf(hint, sizeof(hint), "%s", syntax_hints[i].hint);
    problems_add(p, false, spot_between(parser->problem_mark, parser->problem_mark), hint, "%s", problem);
}

/* --- first look: tokens -------------------------------------------------------------------------------- */

static const struct {
    yaml_token_type_t type;
    const char *what;
    const char *hint;
} refused[] = {
    {YAML_ANCHOR_TOKEN, "a profile has no anchors (&)",
     "write the value in full; put text that begins with & in quotes"},
    {YAML_ALIAS_TOKEN, "a profile has no aliases (*)",
     "write the value in full; put text that begins with * in quotes"},
    {YAML_TAG_TOKEN, "a profile has no tags (!)",
     "the type of each key is known; put text that begins with ! in quotes"},
    {YAML_TAG_DIRECTIVE_TOKEN, "a profile has no %TAG line", "remove it"},
};

static void refuse_token(const yaml_token_t *token, struct problems *p)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (token->type == refused[i].type)
            problems_add(p, false, spot_between(token->start_mark, token->end_mark), refused[i].hint, "%s",
                         refused[i].what);
}

static int nesting_step(yaml_token_type_t type)
{
    switch (type) {
    case YAML_BLOCK_SEQUENCE_START_TOKEN:
    case YAML_BLOCK_MAPPING_START_TOKEN:
    case YAML_FLOW_SEQUENCE_START_TOKEN:
    case YAML_FLOW_MAPPING_START_TOKEN:
        return 1;
    case YAML_BLOCK_END_TOKEN:
    case YAML_FLOW_SEQUENCE_END_TOKEN:
    case YAML_FLOW_MAPPING_END_TOKEN:
        return -1;
    default:
        return 0;
    }
}

/* One token. false: no more are wanted. */
static bool look_at_token(yaml_parser_t *scanner, const char *text, int *nesting, struct problems *p)
{
    yaml_token_t token;
    if (!yaml_parser_scan(scanner, &token)) {
        report_syntax(scanner, text, p);
        return false;
    }
    refuse_token(&token, p);
    *nesting += nesting_step(token.type);
    bool is_deep = *nesting > NESTING_MAX, is_end = token.type == YAML_STREAM_END_TOKEN;
    if (is_deep)
        problems_add(p, false, spot_between(token.start_mark, token.end_mark), NULL, "this is nested too deeply");
    yaml_token_delete(&token);
    return !is_deep && !is_end;
}

static void parser_begin(yaml_parser_t *parser, const char *text, size_t len)
{
    if (!yaml_parser_initialize(parser))
        abort(); /* no memory, as in mem_alloc */
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, len);
}

static bool tokens_are_plain(const char *text, size_t len, struct problems *p)
{
    AUTO(yaml_parser_delete) yaml_parser_t scanner;
    parser_begin(&scanner, text, len);
    int nesting = 0;
    while (look_at_token(&scanner, text, &nesting, p))
        ;
    return p->errors == 0;
}

/* --- second look: the document ------------------------------------------------------------------------- */

static bool load(yaml_parser_t *parser, yaml_document_t *d, const char *text, struct problems *p)
{
    if (yaml_parser_load(parser, d))
        return true;
    report_syntax(parser, text, p);
    return false;
}

static bool root_is_map(yaml_document_t *d, struct problems *p)
{
    yaml_node_t *root = yaml_document_get_root_node(d);
    if (root && root->type == YAML_MAPPING_NODE)
        return true;
    static const struct spot start = {1, 1, 1};
    problems_add(p, false, root ? document_spot(root) : start, "expected keys, beginning with version: 1",
                 root ? "this is not a profile" : "the file is empty");
    return false;
}

static bool is_alone(yaml_parser_t *parser, const char *text, struct problems *p)
{
    yaml_document_t next;
    if (!load(parser, &next, text, p))
        return false;
    yaml_node_t *root = yaml_document_get_root_node(&next);
    if (root)
        problems_add(p, false, document_spot(root), "one tenant, one file", "a second document begins here");
    yaml_document_delete(&next);
    return !root;
}

bool document_read(yaml_document_t *d, const char *text, size_t len, struct problems *p)
{
    if (!tokens_are_plain(text, len, p))
        return false;
    AUTO(yaml_parser_delete) yaml_parser_t parser;
    parser_begin(&parser, text, len);
    if (!load(&parser, d, text, p))
        return false;
    if (root_is_map(d, p) && is_alone(&parser, text, p))
        return true;
    yaml_document_delete(d);
    return false;
}

/* --- finding ------------------------------------------------------------------------------------------- */

static const yaml_node_pair_t *find_pair(yaml_document_t *d, const yaml_node_t *map, const char *key, size_t len)
{
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = yaml_document_get_node(d, pair->key);
        if (name->type == YAML_SCALAR_NODE && name->data.scalar.length == len && memcmp(node_text(name), key, len) == 0)
            return pair;
    }
    return NULL;
}

yaml_node_t *document_key(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
    const yaml_node_pair_t *pair = find_pair(d, map, key, strlen(key));
    return pair ? yaml_document_get_node(d, pair->key) : NULL;
}

static yaml_node_t *child_n(yaml_document_t *d, const yaml_node_t *map, const char *key, size_t len)
{
    const yaml_node_pair_t *pair = find_pair(d, map, key, len);
    return pair ? yaml_document_get_node(d, pair->value) : NULL;
}

yaml_node_t *document_child(yaml_document_t *d, const yaml_node_t *map, const char *key)
{
    return child_n(d, map, key, strlen(key));
}

static yaml_node_t *item_of(yaml_document_t *d, const yaml_node_t *list, long index)
{
    if (!list || list->type != YAML_SEQUENCE_NODE)
        return NULL;
    yaml_node_item_t *item = list->data.sequence.items.start + index;
    return item < list->data.sequence.items.top ? yaml_document_get_node(d, *item) : NULL;
}

yaml_node_t *document_find(yaml_document_t *d, const char *path)
{
    yaml_node_t *node = yaml_document_get_root_node(d);
    while (node && *path) {
        if (*path == '[') {
            char *end;
            node = item_of(d, node, strtol(path + 1, &end, 10));
            path = end + 1;
        } else {
            path += *path == '.';
            size_t len = strcspn(path, ".[");
            node = child_n(d, node, path, len);
            path += len;
        }
    }
    return node;
}
