/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * package - a FileVault content package as a stream of known length, made in one pass (protocol.md 7.2, 7.3, 11; premises.md 1 to 3).
 *
 * Order of entries: META-INF/vault/properties.xml; per asset its binary, then its .content.xml (which may carry the digest of what was
 * really sent); folders' .content.xml; META-INF/vault/filter.xml last, the commit record; central directory.
 * Files up to 1 MiB and all XML STORED with sizes and CRC in the local header; larger ones as stored blocks inside deflate with a data
 * descriptor; flag bit 11; zip64 by the rules of premises.md 1. Nothing is ever held whole but one small file. Thread: its uploader's.
 * Not a filter: the tenant's root and what is above it; package_new refuses it. The only place for zlib in the agent.
 */
#ifndef BRANDSYNC_PACKAGE_H
#define BRANDSYNC_PACKAGE_H

#include "base.h"
#include "types.h"

enum { PACKAGE_SMALL_BYTES = 1 << 20 };

struct package_item {
    bool is_folder;
    const char *remote;          /* /content/dam/mac/acme/campaigns/a.jpg */
    const char *title;           /* UTF-8 */
    const char *mime;            /* assets */
    int64_t bytes;               /* assets: by the fstat before */
    int64_t modified_ms;         /* assets: jcr:lastModified */
    bool is_public;              /* folders */
    const char *public_property; /* folders: "publicFolder" */
};

/* Where the bytes come from. All called from package_read, in the order of the items. */
struct package_source {
    /* Reads on through item's content: *got 0 is its end. The source takes its digests from what passes here. */
    bool (*read)(void *arg, size_t item, void *data, size_t size, size_t *got, struct err *e);
    /* After an item's last byte: its SHA-1 in hex for dam:sha1; false: not known (larger than PACKAGE_SMALL_BYTES). */
    bool (*sha1)(void *arg, size_t item, char hex[41]);
    /* Once, before the first byte of filter.xml: does everything sent still look as it did? false breaks the package off. */
    bool (*commit)(void *arg, struct err *e);
    void *arg;
};

/* May it go at all? ERR_REFUSED (CAUSE_ASSET_NAME, _TOO_LARGE) for one that no package can carry: for sorting items out beforehand. */
bool package_item_check(const char *tenant_root, const struct package_item *item, struct err *e) MUST_CHECK;

struct package;
/* Keeps pointers to items and source. NULL: an item that package_item_check refuses. */
struct package *package_new(const char *tenant_root, const struct package_item *item, size_t items,
                            const struct package_source *source, struct err *e) MUST_CHECK;
void package_free(struct package *p);
DEFINE_FREEP(package)
int64_t package_bytes(const struct package *p); /* exact, before the first byte */
/* Fills up to `size` bytes; *got 0 at the end. ERR_CHANGED when an item gave more or fewer bytes than it said. */
bool package_read(struct package *p, void *data, size_t size, size_t *got, struct err *e) MUST_CHECK;

/* FileVault's platform name format for one JCR name ("jcr:content" -> "_jcr_content"). */
void package_platform_name(struct buf *out, const char *jcr_name);

#endif
