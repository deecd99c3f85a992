/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * package - the order of a package's entries and the stream made of them.
 *
 * lay_out() writes every record once into a scratch buffer and keeps only its length: so the whole is known before the
 * first byte, by the same code that makes it. package_read() then walks the entries; the bytes of large files go
 * straight into the caller's memory.
 */
#include "package_internal.h"

#include <inttypes.h>
#include <zlib.h>

enum { XML_MAX_BYTES = 16 << 20, REMOTE_MAX_BYTES = 4096 };

enum entry_kind {
    ENTRY_PROPERTIES,
    ENTRY_ORIGINAL,
    ENTRY_ORIGINAL_XML,
    ENTRY_ASSET_XML,
    ENTRY_FOLDER_XML,
    ENTRY_FILTER
};

struct entry {
    enum entry_kind kind;
    size_t item;
    struct zip_entry zip;
};

struct package {
    const struct package_item *item;
    size_t items;
    const struct package_source *source;
    struct entry *entry;
    size_t entries;
    int64_t directory_offset, directory_bytes, bytes;

    size_t started, listed; /* entries begun; entries in the central directory */
    bool is_ended;
    struct strlist path; /* of each item, in the archive */
    struct buf name, xml, head;
    char *file; /* the small file under way */
    struct {
        const char *data;
        size_t len;
    } span[2];           /* made and not handed out yet */
    struct entry *large; /* the large file under way, */
    int64_t large_left;  /* its bytes not read yet, */
    size_t block_left;   /* and those of its present block */
};

/* --- may this item go? ----------------------------------------------------------------------------- */

static bool is_repository_path(const char *path)
{
    size_t len = strlen(path);
    if (len > REMOTE_MAX_BYTES || *path != '/' || !path_is_clean(path + 1) || !text_is_utf8(path, len))
        return false;
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return !strpbrk(path, ":[]|*\\");
}

bool package_item_check(const char *tenant_root, const struct package_item *item, struct err *e)
{
    if (!path_is_below(item->remote, tenant_root) || !is_repository_path(item->remote)) {
        err_set(e, ERR_REFUSED, "%s cannot be published: not a path below %s", QUOTED(item->remote), tenant_root);
        return err_cause(e, CAUSE_ASSET_NAME);
    }
    if (!item->is_folder && item->bytes > DISTRIBUTION_MAX_BYTES) {
        err_set(e, ERR_REFUSED, "%s is larger than the portal's importer can take (2 GiB - 1); it would arrive empty",
                QUOTED(path_name(item->remote)));
        return err_cause(e, CAUSE_ASSET_TOO_LARGE);
    }
    return true;
}

/* --- layout ---------------------------------------------------------------------------------------- */

static const struct package_item *item_of(const struct package *p, const struct entry *en)
{
    return &p->item[en->item];
}

/* Each is wanted a dozen times. */
static void name_items(struct package *p)
{
    for (size_t i = 0; i < p->items; i++) {
        buf_clear(&p->name);
        vault_path(&p->name, p->item[i].remote);
        strlist_add(&p->path, p->name.data);
    }
}

static const struct buf *name_of(struct package *p, const struct entry *en)
{
    static const char *const suffix[] = {
        [ENTRY_PROPERTIES] = "META-INF/vault/properties.xml",
        [ENTRY_ORIGINAL] = "/_jcr_content/renditions/original",
        [ENTRY_ORIGINAL_XML] = "/_jcr_content/renditions/original.dir/.content.xml",
        [ENTRY_ASSET_XML] = "/.content.xml",
        [ENTRY_FOLDER_XML] = "/.content.xml",
        [ENTRY_FILTER] = "META-INF/vault/filter.xml",
    };
    buf_clear(&p->name);
    if (suffix[en->kind][0] == '/')
        buf_str(&p->name, p->path.item[en->item]);
    buf_str(&p->name, suffix[en->kind]);
    return &p->name;
}

static bool has_sha1(const struct package *p, const struct entry *en)
{
    return p->source->sha1 && item_of(p, en)->bytes <= PACKAGE_SMALL_BYTES;
}

/* `sha1` is looked at for an asset's document alone. */
static const struct buf *xml_of(struct package *p, const struct entry *en, const char *sha1)
{
    buf_clear(&p->xml);
    switch (en->kind) {
    case ENTRY_PROPERTIES:
        vault_properties(&p->xml);
        break;
    case ENTRY_FILTER:
        vault_filter(&p->xml, p->item, p->items);
        break;
    case ENTRY_FOLDER_XML:
        vault_folder(&p->xml, item_of(p, en));
        break;
    case ENTRY_ASSET_XML:
        vault_asset(&p->xml, item_of(p, en), sha1);
        break;
    case ENTRY_ORIGINAL_XML:
        vault_original(&p->xml, item_of(p, en));
        break;
    case ENTRY_ORIGINAL:
        BUG_ON(true);
    }
    return &p->xml;
}

static void add_entry(struct package *p, enum entry_kind kind, size_t item)
{
    p->entry[p->entries++] = (struct entry){.kind = kind, .item = item};
}

static void add_entries(struct package *p)
{
    p->entry = mem_array(3 * p->items + 2, sizeof(*p->entry));
    add_entry(p, ENTRY_PROPERTIES, 0);
    for (size_t i = 0; i < p->items; i++) {
        if (p->item[i].is_folder) {
            add_entry(p, ENTRY_FOLDER_XML, i);
            continue;
        }
        add_entry(p, ENTRY_ORIGINAL, i);
        add_entry(p, ENTRY_ORIGINAL_XML, i);
        add_entry(p, ENTRY_ASSET_XML, i);
    }
    add_entry(p, ENTRY_FILTER, 0); /* last: without it nothing of a package cut short is imported */
}

static void size_entry(struct package *p, struct entry *en)
{
    static const char forty[] = "0000000000000000000000000000000000000000";
    if (en->kind != ENTRY_ORIGINAL) {
        en->zip.bytes = (int64_t)xml_of(p, en, has_sha1(p, en) ? forty : NULL)->len;
        return;
    }
    en->zip.bytes = item_of(p, en)->bytes;
    en->zip.is_blocks = en->zip.bytes > PACKAGE_SMALL_BYTES;
}

static int64_t measured(struct buf *record)
{
    int64_t len = (int64_t)record->len;
    buf_clear(record);
    return len;
}

static void lay_out(struct package *p)
{
    for (struct entry *en = p->entry; en < p->entry + p->entries; en++) {
        size_entry(p, en);
        en->zip.offset = p->bytes;
        zip_local(&p->head, &en->zip, name_of(p, en));
        zip_descriptor(&p->head, &en->zip);
        p->bytes += measured(&p->head) + zip_data_bytes(&en->zip);
    }
    p->directory_offset = p->bytes;
    for (struct entry *en = p->entry; en < p->entry + p->entries; en++) {
        zip_central(&p->head, &en->zip, name_of(p, en));
        p->bytes += measured(&p->head);
    }
    p->directory_bytes = p->bytes - p->directory_offset;
    zip_end(&p->head, (int64_t)p->entries, p->directory_offset, p->directory_bytes);
    p->bytes += measured(&p->head);
}

/* Room for the largest small file, and for one byte more: by it a file that grew is found. */
static char *file_buffer(const struct package *p)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < p->items; i++)
        if (!p->item[i].is_folder && p->item[i].bytes <= PACKAGE_SMALL_BYTES)
            bytes = MAX(bytes, p->item[i].bytes);
    return mem_alloc((size_t)bytes + 1);
}

struct package *package_new(const char *tenant_root, const struct package_item *item, size_t items,
                            const struct package_source *source, struct err *e)
{
    for (size_t i = 0; i < items; i++)
        if (!package_item_check(tenant_root, &item[i], e))
            return NULL;

    AUTO(package_freep) struct package *p = mem_alloc(sizeof(*p));
    *p = (struct package){.item = item, .items = items, .source = source};
    p->name = p->xml = p->head = (struct buf)BUF_INIT(XML_MAX_BYTES);
    name_items(p);
    add_entries(p);
    lay_out(p);
    if (p->xml.is_over) {
        err_set(e, ERR_REFUSED, "a package of %zu items is too large", items);
        return NULL;
    }
    p->file = file_buffer(p);
    return take(&p);
}

void package_free(struct package *p)
{
    if (!p)
        return;
    strlist_release(&p->path);
    buf_release(&p->name);
    buf_release(&p->xml);
    buf_release(&p->head);
    mem_freep(&p->entry);
    mem_freep(&p->file);
    mem_freep(&p);
}

int64_t package_bytes(const struct package *p)
{
    return p->bytes;
}

/* --- the stream ------------------------------------------------------------------------------------ */

static uint32_t crc_of(uint32_t crc, const void *data, size_t len)
{
    return (uint32_t)crc32(crc, data, (uInt)len);
}

static void hand_out(struct package *p, const char *content, size_t len)
{
    p->span[0].data = p->head.data;
    p->span[0].len = p->head.len;
    p->span[1].data = content;
    p->span[1].len = len;
}

static bool changed(const struct package *p, const struct entry *en, struct err *e)
{
    err_set(e, ERR_CHANGED, "%s is no longer of %" PRId64 " bytes", QUOTED(path_name(item_of(p, en)->remote)),
            en->zip.bytes);
    return err_cause(e, CAUSE_FILE_CHANGED);
}

static bool read_source(struct package *p, const struct entry *en, void *data, size_t size, size_t *got, struct err *e)
{
    return p->source->read(p->source->arg, en->item, data, size, got, e);
}

static bool start_small(struct package *p, struct entry *en, struct err *e)
{
    size_t have = 0, got = 1, size = (size_t)en->zip.bytes;
    while (got > 0 && have <= size) {
        if (!read_source(p, en, p->file + have, size + 1 - have, &got, e))
            return false;
        have += got;
    }
    if (have != size)
        return changed(p, en, e);
    en->zip.crc = crc_of(0, p->file, size);
    zip_local(&p->head, &en->zip, name_of(p, en));
    hand_out(p, p->file, size);
    return true;
}

static bool start_large(struct package *p, struct entry *en)
{
    en->zip.crc = 0;
    p->large = en;
    p->large_left = en->zip.bytes;
    zip_local(&p->head, &en->zip, name_of(p, en));
    hand_out(p, NULL, 0);
    return true;
}

static bool start_xml(struct package *p, struct entry *en, struct err *e)
{
    char sha1[41];
    bool is_asset = en->kind == ENTRY_ASSET_XML && has_sha1(p, en);

    if (en->kind == ENTRY_FILTER && !p->source->commit(p->source->arg, e))
        return false;
    BUG_ON(is_asset && !p->source->sha1(p->source->arg, en->item, sha1));
    const struct buf *xml = xml_of(p, en, is_asset ? sha1 : NULL);
    BUG_ON((int64_t)xml->len != en->zip.bytes);
    en->zip.crc = crc_of(0, xml->data, xml->len);
    zip_local(&p->head, &en->zip, name_of(p, en));
    hand_out(p, xml->data, xml->len);
    return true;
}

static bool start_entry(struct package *p, struct entry *en, struct err *e)
{
    if (en->kind != ENTRY_ORIGINAL)
        return start_xml(p, en, e);
    return en->zip.is_blocks ? start_large(p, en) : start_small(p, en, e);
}

/* The next block's header, or after the last block the descriptor. */
static bool go_on_large(struct package *p, struct err *e)
{
    char beyond;
    size_t got = 0;

    if (p->large_left > 0) {
        p->block_left = (size_t)MIN(p->large_left, ZIP_BLOCK_BYTES);
        p->large_left -= (int64_t)p->block_left;
        zip_block(&p->head, p->block_left, p->large_left == 0);
    } else {
        if (!read_source(p, p->large, &beyond, 1, &got, e))
            return false;
        if (got > 0)
            return changed(p, p->large, e);
        zip_descriptor(&p->head, &p->large->zip);
        p->large = NULL;
    }
    hand_out(p, NULL, 0);
    return true;
}

/* A block's content, from the source into the caller's memory. */
static bool read_block(struct package *p, char *data, size_t size, size_t *got, struct err *e)
{
    size_t have = 0;
    BUG_ON(!p->large); /* only its content comes in blocks */
    if (!read_source(p, p->large, data, MIN(size, p->block_left), &have, e))
        return false;
    if (have == 0)
        return changed(p, p->large, e);
    p->large->zip.crc = crc_of(p->large->zip.crc, data, have);
    p->block_left -= have;
    *got += have;
    return true;
}

/* Makes the next record ready, or says that all is made. */
static bool make_next(struct package *p, struct err *e)
{
    buf_clear(&p->head);
    if (p->large)
        return go_on_large(p, e);
    if (p->started < p->entries)
        return start_entry(p, &p->entry[p->started++], e);
    if (p->listed < p->entries) {
        struct entry *en = &p->entry[p->listed++];
        zip_central(&p->head, &en->zip, name_of(p, en));
    } else if (!p->is_ended) {
        zip_end(&p->head, (int64_t)p->entries, p->directory_offset, p->directory_bytes);
        p->is_ended = true;
    }
    hand_out(p, NULL, 0);
    return true;
}

static bool copy_ready(struct package *p, char *data, size_t size, size_t *got)
{
    for (size_t i = 0; i < ARRAY_LEN(p->span); i++) {
        size_t len = MIN(p->span[i].len, size);
        if (len == 0)
            continue;
        memcpy(data, p->span[i].data, len);
        p->span[i].data += len;
        p->span[i].len -= len;
        *got += len;
        return true;
    }
    return false;
}

bool package_read(struct package *p, void *data, size_t size, size_t *got, struct err *e)
{
    *got = 0;
    while (*got < size) {
        char *at = (char *)data + *got;
        if (copy_ready(p, at, size - *got, got))
            continue;
        if (p->block_left > 0) {
            if (!read_block(p, at, size - *got, got, e))
                return false;
            continue;
        }
        if (p->is_ended)
            break;
        if (!make_next(p, e))
            return false;
    }
    return true;
}
