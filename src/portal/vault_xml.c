/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault_xml - the XML of a package: document views, the filter, the properties.
 *
 * A namespace the tenant does not know is refused. Prefixes are those of the tenant, whatever the file calls them, as in
 * FileVault.
 */
#include "vault_internal.h"

enum { VALUE_MAX = 4096 };
#define ORIGINAL "/jcr:content/renditions/original"

static const struct {
    const char *prefix, *uri;
} namespaces[] = {
    {"jcr", "http://www.jcp.org/jcr/1.0"},
    {"nt", "http://www.jcp.org/jcr/nt/1.0"},
    {"mix", "http://www.jcp.org/jcr/mix/1.0"},
    {"rep", "internal"},
    {"sling", "http://sling.apache.org/jcr/sling/1.0"},
    {"dam", "http://www.day.com/dam/1.0"},
    {"cq", "http://www.day.com/jcr/cq/1.0"},
    {"dc", "http://purl.org/dc/elements/1.1/"},
    {"xmp", "http://ns.adobe.com/xap/1.0/"},
    {"xmpRights", "http://ns.adobe.com/xap/1.0/rights/"},
    {"xmpMM", "http://ns.adobe.com/xap/1.0/mm/"},
    {"photoshop", "http://ns.adobe.com/photoshop/1.0/"},
    {"tiff", "http://ns.adobe.com/tiff/1.0/"},
    {"exif", "http://ns.adobe.com/exif/1.0/"},
    {"Iptc4xmpCore", "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/"},
};

static const char *attribute_of(const char **attribute, const char *name)
{
    for (; *attribute; attribute += 2) {
        if (str_eq(attribute[0], name))
            return attribute[1];
    }
    return NULL;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static bool prefix_is_known(const char *prefix, size_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++) {
        if (strlen(namespaces[i].prefix) == len && strncmp(namespaces[i].prefix, prefix, len) == 0)
            return true;
    }
    return false;
}

bool jcr_name_check(const char *name, struct err *e)
{
    size_t len = strlen(name);
    const char *colon = strchr(name, ':');
    if (len == 0 || str_eq(name, ".") || str_eq(name, "..") || strpbrk(name, "/[]|*") || name[0] == ' ' ||
        name[len - 1] == ' ' || !text_is_utf8(name, len))
        return err_set(e, ERR_REFUSED, "'%s' is no JCR name", name);
    if (colon && (strchr(colon + 1, ':') || !colon[1] || !prefix_is_known(name, (size_t)(colon - name))))
        return err_set(e, ERR_REFUSED, "'%s' has a prefix that is no registered namespace", name);
    return true;
}

static void add_utf8(struct buf *out, uint32_t code)
{
    if (code < 0x80)
        buf_char(out, (char)code);
    else if (code < 0x800)
        buf_printf(out, "%c%c", 0xC0 | code >> 6, 0x80 | (code & 0x3F));
    else
        buf_printf(out, "%c%c%c", 0xE0 | code >> 12, 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F));
}

/* Four hex digits; -1: none. */
static int read_hex4(const char *text)
{
    uint8_t byte[2];
    char digits[5] = {0};
    memcpy(digits, text, strnlen(text, 4));
    return strlen(digits) == 4 && text_unhex(byte, 2, digits) ? byte[0] << 8 | byte[1] : -1;
}

/* An XML name is ISO 9075 encoded: _x0020_ is a blank. */
static void add_name(struct buf *out, const char *name, size_t len)
{
    for (const char *c = name; c < name + len; c++) {
        bool is_code = name + len - c >= 7 && c[0] == '_' && c[1] == 'x' && c[6] == '_' && read_hex4(c + 2) > 0;
        if (is_code)
            add_utf8(out, (uint32_t)read_hex4(c + 2));
        else
            buf_char(out, *c);
        c += is_code ? 6 : 0;
    }
}

/* "uri\nlocal" -> "prefix:local", NULL when the namespace is not known. */
static char *qualified(struct reader *r, const char *expat_name)
{
    struct buf name = BUF_INIT(VALUE_MAX);
    const char *local = strchr(expat_name, XML_SEPARATOR);
    size_t i = 0, uri = local ? (size_t)(local - expat_name) : 0;
    while (local && i < ARRAY_LEN(namespaces) &&
           !(strncmp(namespaces[i].uri, expat_name, uri) == 0 && !namespaces[i].uri[uri]))
        i++;
    if (i == ARRAY_LEN(namespaces)) {
        reader_refuse(r, "the namespace is not registered:", expat_name);
        return NULL;
    }
    if (local && buf_str(&name, namespaces[i].prefix))
        buf_char(&name, ':');
    local = local ? local + 1 : expat_name;
    add_name(&name, local, strlen(local));
    return buf_take(&name);
}

/* --- document views ---------------------------------------------------------------------------------------------- */

struct docview {
    struct reader reader;
    const char *root; /* the node's path */
    char *path;       /* of the element read now */
    bool is_asset;
    struct parts *parts;
};

/* A value without its type; a single one without its escapes, an array as it stands. */
static char *plain_value(const char *value)
{
    struct buf plain = BUF_INIT(XML_MAX);
    const char *type_end = value[0] == '{' ? strchr(value, '}') : NULL;
    value = type_end ? type_end + 1 : value;
    if (value[0] == '[' || !strchr(value, '\\'))
        return str_copy(value);
    for (const char *c = value; *c; c++) {
        int code = c[0] == '\\' && c[1] == 'u' ? read_hex4(c + 2) : -1;
        if (code > 0) {
            add_utf8(&plain, (uint32_t)code);
            c += 5;
        } else if (c[0] == '\\' && c[1] == '0') {
            c++; /* an empty value */
        } else {
            c += c[0] == '\\' && c[1];
            buf_char(&plain, *c);
        }
    }
    return buf_take(&plain);
}

static bool add_properties(struct docview *d, struct part *part, const char **attribute)
{
    const char *type = NULL;
    for (; *attribute; attribute += 2) {
        char *name = qualified(&d->reader, attribute[0]);
        if (!name)
            return false;
        part_add(part, name, plain_value(attribute[1]));
        if (str_eq(name, "jcr:primaryType"))
            type = part->property[part->properties - 1].value;
    }
    if (!type)
        return reader_refuse(&d->reader, "mandatory property 'jcr:primaryType' missing from", part->path);
    if (d->reader.depth == 1)
        d->is_asset = str_eq(type, "dam:Asset");
    return true;
}

static bool element_path(struct docview *d, const char *element)
{
    AUTO(mem_freep) char *name = qualified(&d->reader, element);
    if (!name)
        return false;
    if (d->reader.depth == 1) {
        d->path = str_copy(d->root);
        return str_eq(name, "jcr:root") || reader_refuse(&d->reader, "jcr:root expected, not", name);
    }
    if (!jcr_name_check(name, d->reader.e))
        return err_wrap(d->reader.e, "%s", d->reader.file);
    char *path = path_join(d->path, name);
    free(d->path);
    d->path = path;
    return strlen(path) < JCR_PATH_MAX || reader_refuse(&d->reader, "the path is too long:", path);
}

static bool docview_start(struct reader *r, const char *element, const char **attribute)
{
    struct docview *d = container_of(r, struct docview, reader);
    if (!element_path(d, element))
        return false;
    /* FileVault then imports the node without its bytes: "Mandatory property jcr:data not found" (protocol.md 7.3). */
    const char *below = path_below(d->path, d->root);
    if (d->is_asset && below && str_eq(below, "jcr:content/renditions"))
        return reader_refuse(r, "an asset must not mention its renditions, the original would be lost:", d->root);
    struct part *part = parts_make(d->parts, d->path);
    if (part->properties > 0)
        return reader_refuse(r, "the package describes it twice:", d->path);
    if (r->depth > 1 && part->parent->is_order_only)
        return reader_refuse(r, "its parent has no jcr:primaryType:", d->path);
    bool is_first = !part->is_present;
    part_mark_present(part);
    part->is_order_only = is_first && !*attribute;
    return !*attribute || add_properties(d, part, attribute);
}

static bool docview_end(struct reader *r)
{
    struct docview *d = container_of(r, struct docview, reader);
    char *above = path_parent(d->path);
    free(d->path);
    d->path = above;
    return true;
}

bool xml_read_docview(struct walker *w, const char *xml, size_t len, const char *path, struct parts *p, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(path, ".content.xml");
    /* All originals of a kind are described in the same bytes. */
    struct docview d = {.reader = {.start = docview_start,
                                   .end = docview_end,
                                   .file = file,
                                   .is_usually_repeated = str_ends(path, ORIGINAL)},
                        .root = path,
                        .parts = p};
    bool is_done = reader_run(&d.reader, w, xml, len, e);
    free(d.path);
    return is_done;
}

/* --- filter.xml -------------------------------------------------------------------------------------------------- */

struct filter_reader {
    struct reader reader;
    struct filter *filter;
    struct filter_set *set; /* read now */
};

static bool add_rule(struct filter_reader *f, const char *element, const char **attribute)
{
    const char *pattern = attribute_of(attribute, "pattern"), *property = attribute_of(attribute, "matchProperties");
    if (!str_eq(element, "include") && !str_eq(element, "exclude"))
        return reader_refuse(&f->reader, "either <include> or <exclude> expected, not", element);
    if (property && str_eq(property, "true"))
        return reader_refuse(&f->reader, "filters for properties are not supported here", NULL);
    if (!pattern)
        return reader_refuse(&f->reader, "a pattern is missing in", element);
    return filter_add_rule(f->set, str_eq(element, "include"), pattern, f->reader.e);
}

static bool filter_start(struct reader *r, const char *element, const char **attribute)
{
    struct filter_reader *f = container_of(r, struct filter_reader, reader);
    if (r->depth == 1)
        return str_eq(element, "workspaceFilter") || reader_refuse(r, "<workspaceFilter> expected, not", element);
    if (r->depth > 2)
        return add_rule(f, element, attribute);
    if (!str_eq(element, "filter"))
        return reader_refuse(r, "<filter> expected, not", element);
    f->set = filter_add(f->filter, attribute_of(attribute, "root"), attribute_of(attribute, "mode"), r->e);
    return f->set != NULL;
}

struct filter *xml_read_filter(struct walker *w, const char *xml, size_t len, struct err *e)
{
    struct filter_reader f = {.reader = {.start = filter_start, .file = "META-INF/vault/filter.xml"},
                              .filter = filter_new()};
    if (reader_run(&f.reader, w, xml, len, e))
        return f.filter;
    filter_free(f.filter);
    return NULL;
}

/* --- properties.xml ---------------------------------------------------------------------------------------------- */

struct properties_reader {
    struct reader reader;
    bool is_version; /* reading packageFormatVersion */
};

static bool properties_start(struct reader *r, const char *element, const char **attribute)
{
    struct properties_reader *p = container_of(r, struct properties_reader, reader);
    const char *key = attribute_of(attribute, "key");
    p->is_version = r->depth == 2 && key && str_eq(key, "packageFormatVersion");
    return r->depth > 1 || str_eq(element, "properties") || reader_refuse(r, "<properties> expected, not", element);
}

static bool properties_end(struct reader *r)
{
    struct properties_reader *p = container_of(r, struct properties_reader, reader);
    const char *version = r->text.len > 0 ? r->text.data : "";
    int64_t number;
    if (p->is_version && !parse_int64(version, 1, 2, &number))
        return reader_refuse(r, "content format version not supported:", version);
    p->is_version = false;
    return true;
}

bool xml_check_properties(struct walker *w, const char *xml, size_t len, struct err *e)
{
    struct properties_reader p = {.reader = {.start = properties_start,
                                             .end = properties_end,
                                             .may_have_doctype = true,
                                             .file = "META-INF/vault/properties.xml",
                                             .text = BUF_INIT(VALUE_MAX)}};
    return reader_run(&p.reader, w, xml, len, e);
}
