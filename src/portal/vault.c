/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault - a FileVault package being received: originals go to the store's spool and are hashed on the way, XML is
 * parsed as soon as its entry ends, in whatever order the entries come; filter.xml is usually the last, the commit
 * record.
 */
#include "vault_internal.h"
#include <openssl/evp.h>

enum { ENTRIES_MAX = 100000, ALL_XML_MAX = 64 * XML_MAX };
#define ROOT "jcr_root/"
#define DOCVIEW ".content.xml"
#define FILTER "META-INF/vault/filter.xml"
#define PROPERTIES "META-INF/vault/properties.xml"
#define ORIGINAL "/jcr:content/renditions/original"

enum sink { SINK_NONE, SINK_DOCVIEW, SINK_FILTER, SINK_PROPERTIES, SINK_ORIGINAL };

struct vault {
    struct store *store;
    struct unzip *unzip;
    struct strlist name; /* of all entries */
    struct map seen;     /* the same, to find one twice */
    struct parts parts;
    struct filter *filter;
    size_t xml_bytes;

    /* the entry that is arriving */
    enum sink sink;
    char *path; /* of its node */
    struct buf xml;
    struct walker *walker;
    struct part *part;
    int fd;
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
};

/* --- parts ------------------------------------------------------------------------------------------------------- */

struct part *parts_get(const struct parts *p, const char *path)
{
    return map_get(&p->by_path, path);
}

struct part *parts_make(struct parts *p, const char *path)
{
    struct part *part = parts_get(p, path), *parent = NULL;
    if (part)
        return part;
    AUTO(mem_freep) char *above = path_parent(path);
    if (!str_eq(above, "/"))
        parent = parts_make(p, above);
    part = mem_alloc(sizeof *part);
    *part = (struct part){.path = str_copy(path), .parent = parent, .bytes = -1};
    if (p->count == p->size) {
        p->size = MAX(2 * p->size, 64);
        p->item = mem_grow(p->item, p->size, sizeof *p->item);
    }
    p->item[p->count++] = part;
    map_put(&p->by_path, part->path, part);
    return part;
}

bool is_passed_by(const struct part *part)
{
    return part && part->is_present && !part->is_order_only;
}

void part_mark_present(struct part *part)
{
    for (; part && !is_passed_by(part); part = part->parent) {
        part->is_present = true;
        part->is_order_only = false;
    }
}

void part_add(struct part *part, char *name, char *value)
{
    if (part->properties == part->size) {
        part->size = MAX(2 * part->size, 8);
        part->property = mem_grow(part->property, part->size, sizeof *part->property);
    }
    part->property[part->properties++] = (struct property){.name = name, .value = value};
}

static void parts_release(struct parts *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct part *part = p->item[i];
        store_put_release(&(struct store_put){
            .path = part->path, .property = part->property, .properties = part->properties, .spooled = part->spooled});
        node_release(&part->before);
        free(part);
    }
    free(p->item);
    map_release(&p->by_path);
    *p = (struct parts){0};
}

/* --- names: FileVault's PlatformNameFormat, backwards ------------------------------------------------------------ */

static void add_decoded(struct buf *out, const char *name, size_t len)
{
    const char *end = name + len, *code;
    for (; (code = memchr(name, '%', (size_t)(end - name))) && code + 2 < end; name = code + 3) {
        uint8_t byte;
        const char digits[3] = {code[1], code[2]};
        buf_add(out, name, (size_t)(code - name));
        if (!text_unhex(&byte, 1, digits) || byte == 0)
            byte = '/'; /* no name has it: refused by the check that follows */
        if (byte < 0x80)
            buf_char(out, (char)byte);
        else
            buf_printf(out, "%c%c", 0xC0 | byte >> 6, 0x80 | (byte & 0x3F));
    }
    buf_add(out, name, (size_t)(end - name));
}

/* "_jcr_content" -> "jcr:content", "__x_y" -> "_x_y", "_x" -> "_x", "a%3fb" -> "a?b" */
static void add_jcr_name(struct buf *out, const char *name, size_t len)
{
    if (len < 2 || name[0] != '_') {
        add_decoded(out, name, len);
        return;
    }
    const char *colon = name[1] == '_' ? NULL : memchr(name + 2, '_', len - 2);
    if (!colon)
        buf_char(out, '_');
    if (name[1] != '_')
        buf_char(out, name[1]);
    add_decoded(out, name + 2, colon ? (size_t)(colon - name - 2) : len - 2);
    if (colon) {
        buf_char(out, ':');
        add_decoded(out, colon + 1, (size_t)(name + len - colon - 1));
    }
}

/* "jcr_root/content/dam/_jcr_content" -> "/content/dam/jcr:content" (FileVault's PlatformNameFormat), NULL with `e`. */
static char *jcr_path(const char *entry_name, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(JCR_PATH_MAX);
    const char *name = entry_name + strlen(ROOT), *end;
    for (; *name && !str_eq(name, DOCVIEW); name = *end ? end + 1 : end) {
        size_t start = path.len + 1;
        end = strchrnul(name, '/');
        buf_char(&path, '/');
        add_jcr_name(&path, name, (size_t)(end - name));
        if (path.is_over)
            break;
        /* FileVault takes it off every directory, not only of those that belong to a file. */
        if (*end && str_ends(path.data + start, ".dir"))
            path.data[path.len -= strlen(".dir")] = '\0';
        if (!jcr_name_check(path.data + start, e)) {
            err_wrap(e, "entry '%s'", entry_name);
            return NULL;
        }
    }
    if (path.is_over)
        err_set(e, ERR_REFUSED, "the path of an entry is too long: '%s'", entry_name);
    return path.is_over ? NULL : path.len > 0 ? buf_take(&path) : str_copy("/");
}

/* --- entries as they arrive -------------------------------------------------------------------------------------- */

static bool remember(struct vault *v, const char *name, struct err *e)
{
    if (v->name.count == ENTRIES_MAX)
        return err_set(e, ERR_REFUSED, "the package has more than %d entries", ENTRIES_MAX);
    strlist_add(&v->name, name);
    return !map_put(&v->seen, v->name.item[v->name.count - 1], v) ||
           err_set(e, ERR_REFUSED, "an entry comes twice: '%s'", name);
}

static bool spool_begin(struct vault *v, struct err *e)
{
    v->part = parts_make(&v->parts, v->path);
    if (v->part->spooled)
        return err_set(e, ERR_REFUSED, "two originals for '%s'", v->path);
    v->fd = store_spool(v->store, &v->part->spooled, e);
    return v->fd >= 0 && (EVP_DigestInit_ex2(v->digest, v->sha256, NULL) || err_set(e, ERR_LOCAL, "cannot hash"));
}

/* Below jcr_root: a directory, a document view, an original; nothing else has a place on this tenant. */
static bool content_begin(struct vault *v, const char *name, struct err *e)
{
    v->path = jcr_path(name, e);
    if (!v->path)
        return false;
    if (str_eq(v->path, "/"))
        return true;
    if (str_ends(name, "/")) {
        part_mark_present(parts_make(&v->parts, v->path));
        return true;
    }
    if (str_eq(path_name(name), DOCVIEW)) {
        v->sink = SINK_DOCVIEW;
        return true;
    }
    v->sink = SINK_ORIGINAL;
    if (!str_ends(v->path, ORIGINAL))
        return err_set(e, ERR_REFUSED, "neither %s nor an asset's original, this tenant keeps nothing else: '%s'",
                       DOCVIEW, name);
    return spool_begin(v, e);
}

static bool entry_begin(void *arg, const char *name, int64_t bytes UNUSED, struct err *e)
{
    struct vault *v = arg;
    v->sink = SINK_NONE;
    mem_freep(&v->path);
    v->path = NULL;
    buf_clear(&v->xml);
    if (!remember(v, name, e))
        return false;
    if (str_starts(name, ROOT))
        return content_begin(v, name, e);
    if (str_eq(name, FILTER))
        v->sink = SINK_FILTER;
    else if (str_eq(name, PROPERTIES))
        v->sink = SINK_PROPERTIES;
    return true;
}

static bool entry_data(void *arg, const void *data, size_t len, struct err *e)
{
    struct vault *v = arg;
    if (v->sink == SINK_ORIGINAL)
        return write_all(v->fd, data, len, e) &&
               (EVP_DigestUpdate(v->digest, data, len) || err_set(e, ERR_LOCAL, "cannot hash"));
    if (v->sink == SINK_NONE)
        return true;
    v->xml_bytes += len;
    return (buf_add(&v->xml, data, len) && v->xml_bytes <= ALL_XML_MAX) ||
           err_set(e, ERR_REFUSED, "too much XML: '%s'", v->name.item[v->name.count - 1]);
}

static bool spool_end(struct vault *v, int64_t bytes, struct err *e)
{
    uint8_t hash[32];
    if (!EVP_DigestFinal_ex(v->digest, hash, NULL))
        return err_set(e, ERR_LOCAL, "cannot hash");
    text_hex(v->part->sha256, hash, sizeof hash);
    v->part->bytes = bytes;
    part_mark_present(v->part);
    fd_close(&v->fd);
    return true;
}

static bool entry_end(void *arg, int64_t bytes, struct err *e)
{
    struct vault *v = arg;
    const char *xml = v->xml.len > 0 ? v->xml.data : "";
    switch (v->sink) {
    case SINK_NONE:
        return true;
    case SINK_DOCVIEW:
        return xml_read_docview(v->walker, xml, v->xml.len, v->path, &v->parts, e);
    case SINK_FILTER:
        v->filter = xml_read_filter(v->walker, xml, v->xml.len, e);
        return v->filter != NULL;
    case SINK_PROPERTIES:
        return xml_check_properties(v->walker, xml, v->xml.len, e);
    case SINK_ORIGINAL:
        return spool_end(v, bytes, e);
    }
    return false;
}

static const struct unzip_handler handler = {.entry = entry_begin, .data = entry_data, .end = entry_end};

/* --- from outside ------------------------------------------------------------------------------------------------ */

struct vault *vault_new(struct store *s)
{
    struct vault *v = mem_alloc(sizeof *v);
    v->store = s;
    v->unzip = unzip_new(&handler, v);
    v->xml = (struct buf)BUF_INIT(XML_MAX);
    v->walker = walker_new();
    v->fd = -1;
    v->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    v->digest = EVP_MD_CTX_new();
    BUG_ON(!v->sha256 || !v->digest);
    return v;
}

bool vault_push(struct vault *v, const void *data, size_t len, struct err *e)
{
    return unzip_push(v->unzip, data, len, e);
}

/* As the journal wants them: an asset's path, "PATH/" for what is none, "-PATH" for what went. */
static void list_names(const struct store_change *change, struct buf *names)
{
    for (size_t i = 0; i < change->removes; i++)
        buf_printf(names, "-%s\n", change->remove[i]);
    for (size_t i = 0; i < change->puts; i++)
        buf_printf(names, "%s%s\n", change->put[i].path, change->put[i].kind == NODE_ASSET ? "" : "/");
}

bool vault_import(struct vault *v, int64_t request, struct buf *names, struct err *e)
{
    AUTO(store_change_release) struct store_change change = {.request = request};
    if (!unzip_finish(v->unzip, e))
        return false;
    if (!v->filter)
        return err_set(e, ERR_REFUSED, "the package has no %s: nothing of it would be imported", FILTER);
    store_begin(v->store);
    bool is_done = vault_plan(v->store, &v->parts, v->filter, &change, e) &&
                   (change.puts + change.removes == 0 || store_apply(v->store, &change, e));
    store_end(v->store);
    if (is_done && names)
        list_names(&change, names);
    return is_done;
}

void vault_free(struct vault *v)
{
    if (!v)
        return;
    unzip_free(v->unzip);
    parts_release(&v->parts);
    filter_free(v->filter);
    map_release(&v->seen);
    strlist_release(&v->name);
    buf_release(&v->xml);
    fd_close(&v->fd);
    walker_free(v->walker);
    EVP_MD_free(v->sha256);
    EVP_MD_CTX_free(v->digest);
    free(v->path);
    free(v);
}
