/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault - FileVault's names and documents: platform names, properties.xml, filter.xml, .content.xml (DocView).
 *
 * Read in apache/jackrabbit-filevault a6834ba9: PlatformNameFormat, DocViewProperty2, Importer.
 */
#include "package_internal.h"

static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/* --- names --------------------------------------------------------------------------------------------------- */

/* The first colon after a prefix without '_' becomes '_' and the name gets a leading one; a name that only looks like
 * that gets a second one. */
void package_platform_name(struct buf *out, const char *jcr_name)
{
    size_t first = strcspn(jcr_name, ":_");
    const char *prefix_end = first > 0 && jcr_name[first] == ':' ? jcr_name + first : NULL;

    if (prefix_end || (jcr_name[0] == '_' && strchr(jcr_name + 1, '_')))
        buf_char(out, '_');
    for (const char *at = jcr_name; *at; at++) {
        size_t plain = strcspn(at, ":\\<>|\"/?%");
        buf_add(out, at, plain);
        at += plain;
        if (!*at)
            return;
        if (at == prefix_end)
            buf_char(out, '_');
        else
            buf_printf(out, "%%%02x", (unsigned)*at);
    }
}

/* The importer takes one ".dir" off a directory's name, whatever it means (Importer.prepare): a name of its own gets a
 * second. */
void vault_path(struct buf *out, const char *remote)
{
    AUTO(mem_freep) char *path = str_copy(remote);
    char *rest = NULL;

    buf_str(out, "jcr_root");
    for (char *name = strtok_r(path, "/", &rest); name; name = strtok_r(NULL, "/", &rest)) {
        buf_char(out, '/');
        package_platform_name(out, name);
        if (str_ends(name, ".dir"))
            buf_str(out, ".dir");
    }
}

/* --- META-INF/vault -------------------------------------------------------------------------------------------- */

/* Java reads this with java.util.Properties, which wants the DOCTYPE. One save at the end: all of the package or
 * nothing. */
void vault_properties(struct buf *out)
{
    static const char *const entry[][2] = {
        {"name", "publish"},        {"group", "brandsync"},          {"version", BRANDSYNC_VERSION},
        {"createdBy", "brandsync"}, {"packageFormatVersion", "2"},   {"packageType", "content"},
        {"acHandling", "ignore"},   {"noIntermediateSaves", "true"},
    };
    buf_str(out, "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n"
                 "<!DOCTYPE properties SYSTEM \"http://java.sun.com/dtd/properties.dtd\">\n<properties>\n");
    for (size_t i = 0; i < ARRAY_LEN(entry); i++)
        buf_printf(out, "<entry key=\"%s\">%s</entry>\n", entry[i][0], entry[i][1]);
    buf_str(out, "</properties>\n");
}

/* A path as the pattern that matches it alone, the same for Java and for POSIX. */
static void put_pattern(struct buf *out, const char *path)
{
    AUTO(buf_release) struct buf pattern = BUF_INIT(2 * strlen(path) + 1);
    for (; *path; path++) {
        if (strchr("\\.[]{}()*+?^$|", *path))
            buf_char(&pattern, '\\');
        buf_char(&pattern, *path);
    }
    text_xml(out, pattern.data, pattern.len);
}

/* An asset's root covers the asset and nothing else. A folder's covers its own node and properties, never a child. */
static void put_filter(struct buf *out, const struct package_item *item)
{
    buf_str(out, "<filter root=\"");
    text_xml(out, item->remote, strlen(item->remote));
    if (!item->is_folder) {
        buf_str(out, "\" mode=\"replace\"/>\n");
        return;
    }
    buf_str(out, "\" mode=\"update_properties\"><include pattern=\"");
    put_pattern(out, item->remote);
    buf_str(out, "\"/><include pattern=\"");
    put_pattern(out, item->remote);
    buf_str(out, "/jcr:content(/.*)?\"/></filter>\n");
}

static int by_length_falling(const void *a, const void *b)
{
    size_t left = strlen((*(const struct package_item *const *)a)->remote);
    size_t right = strlen((*(const struct package_item *const *)b)->remote);
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The first root that covers a path decides about it: a folder below another one has to stand before it. */
void vault_filter(struct buf *out, const struct package_item *item, size_t items)
{
    AUTO(mem_freep) const struct package_item **sorted = mem_array(items, sizeof(*sorted));
    for (size_t i = 0; i < items; i++)
        sorted[i] = &item[i];
    qsort(sorted, items, sizeof(*sorted), by_length_falling);

    buf_str(out, xml_head);
    buf_str(out, "<workspaceFilter version=\"1.0\">\n");
    for (size_t i = 0; i < items; i++)
        put_filter(out, sorted[i]);
    buf_str(out, "</workspaceFilter>\n");
}

/* --- .content.xml ------------------------------------------------------------------------------------------------ */

/* Bytes that DocView takes as they are; XML may not. */
static size_t docview_run(const char *value)
{
    size_t run = 0;
    while ((unsigned char)value[run] >= ' ' && value[run] != '\\')
        run++;
    return run;
}

/* A String property. Backslashes and what an XML attribute cannot hold, line ends and tabs too, are DocView's to escape. */
static void put_string(struct buf *out, const char *name, const char *value)
{
    buf_char(out, ' ');
    buf_str(out, name);
    buf_str(out, "=\"");
    if (*value == '[' || *value == '{')
        buf_char(out, '\\');
    for (;; value++) {
        size_t run = docview_run(value);
        text_xml(out, value, run);
        value += run;
        if (!*value)
            break;
        if (*value == '\\')
            buf_str(out, "\\\\");
        else
            buf_printf(out, "\\u%04x", (unsigned)*value);
    }
    buf_char(out, '"');
}

static void put_date(struct buf *out, const char *name, int64_t ms)
{
    if (ms)
        buf_printf(out, " %s=\"{Date}%s\"", name, RFC3339(ms));
}

void vault_folder(struct buf *out, const struct package_item *item)
{
    buf_str(out, xml_head);
    buf_str(out,
            "<jcr:root xmlns:sling=\"http://sling.apache.org/jcr/sling/1.0\" xmlns:jcr=\"http://www.jcp.org/jcr/1.0\""
            " xmlns:nt=\"http://www.jcp.org/jcr/nt/1.0\" jcr:primaryType=\"sling:OrderedFolder\">\n"
            "<jcr:content jcr:primaryType=\"nt:unstructured\"");
    put_string(out, "jcr:title", item->title);
    buf_printf(out, " %s=\"{Boolean}%s\"/>\n</jcr:root>\n", item->public_property, item->is_public ? "true" : "false");
}

/* `renditions` is not named here: FileVault would then drop the original that stands beside this document. */
void vault_asset(struct buf *out, const struct package_item *item, const char *sha1)
{
    buf_str(out, xml_head);
    buf_str(out, "<jcr:root xmlns:dam=\"http://www.day.com/dam/1.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\""
                 " xmlns:jcr=\"http://www.jcp.org/jcr/1.0\" xmlns:nt=\"http://www.jcp.org/jcr/nt/1.0\" "
                 "jcr:primaryType=\"dam:Asset\">\n"
                 "<jcr:content jcr:primaryType=\"dam:AssetContent\"");
    put_date(out, "jcr:lastModified", item->modified_ms);
    buf_str(out, ">\n<metadata jcr:primaryType=\"nt:unstructured\"");
    put_string(out, "dc:format", item->mime);
    put_string(out, "dc:title", item->title);
    buf_printf(out, " dam:size=\"{Long}%lld\"", (long long)item->bytes);
    if (sha1)
        put_string(out, "dam:sha1", sha1);
    buf_str(out, "/>\n</jcr:content>\n</jcr:root>\n");
}

void vault_original(struct buf *out, const struct package_item *item)
{
    buf_str(out, xml_head);
    buf_str(out, "<jcr:root xmlns:jcr=\"http://www.jcp.org/jcr/1.0\" xmlns:nt=\"http://www.jcp.org/jcr/nt/1.0\""
                 " jcr:primaryType=\"nt:file\">\n<jcr:content jcr:primaryType=\"nt:resource\"");
    put_string(out, "jcr:mimeType", item->mime);
    buf_str(out, "/>\n</jcr:root>\n");
}
