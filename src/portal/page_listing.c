/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* page_listing - the folders and assets of one folder, as far as the viewer may see them. */
#include "page.h"

#include <stdlib.h>

static bool matches(const struct node *n, const char *search)
{
    const char *title = node_property(n, "jcr:content/metadata/dc:title");
    return strcasestr(path_name(n->path), search) || (title && strcasestr(title, search));
}

static int newest_first(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
    if (x->arrived_ms != y->arrived_ms)
        return x->arrived_ms < y->arrived_ms ? 1 : -1;
    return strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct folder *)a)->path, ((const struct folder *)b)->path);
}

static bool is_child(const struct node *n, const char *path)
{
    const char *below = path_below(n->path, path);
    return below && !strchr(below, '/');
}

static void add_folders(struct listing *l, struct store *s, const char *path, bool as_guest)
{
    l->folder = mem_array(l->nodes + 1, sizeof(*l->folder));
    for (size_t i = 0; i < l->nodes; i++) {
        const struct node *n = &l->node[i];
        if (n->kind != NODE_FOLDER || !is_child(n, path))
            continue;
        const char *title = node_property(n, "jcr:content/jcr:title");
        struct folder *f = &l->folder[l->folders++];
        f->path = str_copy(n->path);
        f->title = str_copy(title && *title ? title : path_name(n->path));
        f->is_public = view_is_public(s, n->path);
        f->is_visible = !as_guest || f->is_public;
    }
    qsort(l->folder, l->folders, sizeof(*l->folder), by_path);
}

/* The child folder in which `n` lies at whatever depth; NULL: none. */
static struct folder *folder_of(struct listing *l, const char *path, const struct node *n)
{
    const char *below = path_below(n->path, path);
    AUTO(mem_freep) char *name = str_copy_n(below, strcspn(below, "/"));
    AUTO(mem_freep) char *child = path_join(path, name);
    struct folder key = {.path = child};
    return bsearch(&key, l->folder, l->folders, sizeof(*l->folder), by_path);
}

static void add_asset(struct listing *l, const char *path, struct node *n, const char *search)
{
    struct folder *f = folder_of(l, path, n);
    int64_t bytes = MAX(n->bytes, 0);
    l->all_assets++;
    l->all_bytes += bytes;
    if (f) {
        f->assets++;
        f->bytes += bytes;
        f->is_visible = true;
    }
    if (search ? matches(n, search) : is_child(n, path))
        l->asset[l->assets++] = n;
}

void listing_make(struct listing *l, struct store *s, const char *path, const struct page_request *request)
{
    *l = (struct listing){.is_bare = true};
    l->node = store_list(s, path, true, &l->nodes);
    l->asset = mem_array(l->nodes + 1, sizeof(struct node *));
    add_folders(l, s, path, request->as_guest);
    for (size_t i = 0; i < l->nodes; i++) {
        struct node *n = &l->node[i];
        bool is_visible = !request->as_guest || view_is_public(s, n->path);
        if (n->kind == NODE_ASSET)
            l->is_bare = false;
        if (n->kind == NODE_ASSET && is_visible)
            add_asset(l, path, n, request->search);
        else if (n->kind == NODE_FOLDER && is_visible && folder_of(l, path, n))
            folder_of(l, path, n)->is_visible = true;
    }
    qsort(l->asset, l->assets, sizeof(struct node *), newest_first);
}

void listing_release(struct listing *l)
{
    for (size_t i = 0; i < l->nodes; i++)
        node_release(&l->node[i]);
    for (size_t i = 0; i < l->folders; i++) {
        mem_freep(&l->folder[i].path);
        mem_freep(&l->folder[i].title);
    }
    mem_freep(&l->node);
    mem_freep(&l->folder);
    mem_freep(&l->asset);
}
