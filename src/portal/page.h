/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* page - what the page's files share: the view being written, and the listing of a folder. */
#ifndef BRANDSYNC_PORTAL_PAGE_H
#define BRANDSYNC_PORTAL_PAGE_H

#include "portal.h"

struct view {
    const struct page_site *site;
    const struct page_request *request;
    struct page_reply *reply;
    const char *path;   /* the node shown */
    const char *folder; /* where a search begins: `path`, or an asset's parent */
    const char *suffix; /* "?as=guest" or "" */
};

/* Adds to the reply: %t text (escaped), %u a path or query value (percent-encoded), %d int64_t, %s HTML of ours. */
void view_put(struct view *v, const char *html, ...);
void view_begin(struct view *v, const char *title); /* up to <main>, with the switch of viewers and the search */
void view_end(struct view *v);

/* "image/png" and the like when the original's first bytes are those of a picture that browsers show; else NULL. */
const char *view_picture_type(struct store *s, const char *path);

bool view_is_public(struct store *s, const char *path);

struct folder {
    char *path, *title;
    bool is_public, is_visible; /* visible to this viewer: public itself, or something below is */
    int64_t assets, bytes;      /* of all below, as far as visible */
};
struct listing {
    struct node *node; /* all below; the rest points into it */
    size_t nodes;
    struct folder *folder; /* the children that are folders, by name */
    size_t folders;
    /* the children that are visible assets, or with a search all below that match; new ones first */
    struct node **asset;
    size_t assets;
    int64_t all_assets, all_bytes; /* of all below, as far as visible */
    bool is_bare;                  /* no asset below, visible or not */
};
void listing_make(struct listing *l, struct store *s, const char *path, const struct page_request *request);
void listing_release(struct listing *l);

#endif
