/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* page - what one browses: folders, pictures, one asset; as administrator or as guest. Plain HTML, no scripts. */
#include "page.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PER_PAGE = 120 };

/* --- what a folder holds --------------------------------------------------------------------------- */

static void crumb(struct view *v, const char *path, const char *name)
{
    const char *below = path_below(path, store_root(v->site->store));
    view_put(v, "<li><a href=\"/%s%u%s\"%s>%t</a></li>", below ? "at/" : "", below ? below : "", v->suffix,
             str_eq(path, v->path) ? " aria-current=\"page\"" : "", name);
}

static void crumbs(struct view *v)
{
    const char *root = store_root(v->site->store);
    view_put(v, "<nav class=\"crumbs\" aria-label=\"Breadcrumb\"><ol>");
    crumb(v, root, "All");
    for (const char *at = path_below(v->path, root); at && *at;) {
        at += strcspn(at, "/");
        AUTO(mem_freep) char *path = str_copy_n(v->path, (size_t)(at - v->path));
        crumb(v, path, path_name(path));
        at += *at == '/';
    }
    view_put(v, "</ol></nav>");
}

static void visibility(struct view *v, const char *path)
{
    AUTO(mem_freep) char *by = NULL;
    bool is_public = store_is_public(v->site->store, path, &by);
    view_put(v, is_public ? "<span class=\"chip open\">public</span>" : "<span class=\"chip shut\">not public</span>");
    if (!by) {
        view_put(v, " <span class=\"quiet\">no folder says so</span>");
        return;
    }
    const char *below = path_below(by, store_root(v->site->store));
    view_put(v, " <span class=\"quiet\">set by the folder</span> <a href=\"/%s%u%s\">%t</a>", below ? "at/" : "",
             below ? below : "", v->suffix, below ? below : "All");
}

static void count_line(struct view *v, int64_t assets, int64_t bytes)
{
    view_put(v, "%d %s, %t", assets, assets == 1 ? "asset" : "assets", BYTES(bytes));
}

static void folder_card(struct view *v, const struct folder *f)
{
    const char *below = path_below(f->path, store_root(v->site->store));
    view_put(v,
             "<li><a class=\"folder\" href=\"/at/%u%s\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
             "<path d=\"M3 5h6l2 2h10v12H3z\"/></svg><span><b><bdi>%t</bdi></b><span class=\"quiet\">",
             below, v->suffix, f->title);
    count_line(v, f->assets, f->bytes);
    view_put(v, "</span>%s</span></a></li>", f->is_public ? "<span class=\"chip open\">public</span>" : "");
}

static void folder_cards(struct view *v, const struct listing *l)
{
    size_t hidden = 0;
    for (size_t i = 0; i < l->folders; i++)
        hidden += !l->folder[i].is_visible;
    if (l->folders > hidden) {
        view_put(v, "<h2>Folders</h2><ul class=\"folders\">");
        for (size_t i = 0; i < l->folders; i++)
            if (l->folder[i].is_visible)
                folder_card(v, &l->folder[i]);
        view_put(v, "</ul>");
    }
    if (hidden > 0)
        view_put(v, "<p class=\"note\">%d %s not public.</p>", (int64_t)hidden,
                 hidden == 1 ? "folder is" : "folders are");
}

static const char *shown_type(const struct node *n)
{
    const char *format = node_property(n, "jcr:content/metadata/dc:format");
    return format && *format ? format : "no type given";
}

/* A picture only when its bytes say so: never a broken one. */
static void thumbnail(struct view *v, const struct node *n, const char *below, bool is_large)
{
    if (view_picture_type(v->site->store, n->path)) {
        view_put(v, "<img src=\"/asset/%u%s\" alt=\"\"%s>", below, v->suffix, is_large ? "" : " loading=\"lazy\"");
        return;
    }
    const char *dot = strrchr(path_name(n->path), '.');
    bool has_extension = dot && dot[1] && strlen(dot) <= 6;
    view_put(v, "<span class=\"tile\" aria-hidden=\"true\">%t</span>", has_extension ? dot + 1 : "file");
}

static void asset_card(struct view *v, const struct node *n)
{
    const char *below = path_below(n->path, store_root(v->site->store));
    int64_t age_ms = MAX(v->request->now_ms - n->arrived_ms, 0);
    view_put(v, "<li><a class=\"asset\" href=\"/at/%u%s\"><span class=\"thumb\">", below, v->suffix);
    thumbnail(v, n, below, false);
    view_put(v, "</span><b><bdi>%t</bdi></b>", path_name(n->path));
    AUTO(mem_freep) char *folder = path_parent(below);
    if (v->request->search && *folder)
        view_put(v, "<span class=\"quiet\">in <bdi>%t</bdi></span>", folder);
    view_put(v, "<span class=\"quiet\">%t, %t</span><span class=\"quiet\">%t ago</span></a></li>", shown_type(n),
             n->bytes < 0 ? "no bytes" : BYTES(n->bytes), SPAN(age_ms));
}

static void pager_link(struct view *v, int64_t from, const char *text)
{
    view_put(v, "<a href=\"?from=%d%s", from, v->request->as_guest ? "&amp;as=guest" : "");
    if (v->request->search)
        view_put(v, "&amp;q=%u", v->request->search);
    view_put(v, "\">%t</a> ", text);
}

static void pager(struct view *v, int64_t from, int64_t assets)
{
    if (assets <= PER_PAGE)
        return;
    view_put(v, "<nav class=\"pager\" aria-label=\"Pages\"><span>%d to %d of %d</span> ", from + 1,
             MIN(from + PER_PAGE, assets), assets);
    if (from > 0)
        pager_link(v, MAX(from - PER_PAGE, 0), "Newer");
    if (from + PER_PAGE < assets)
        pager_link(v, from + PER_PAGE, "Older");
    view_put(v, "</nav>");
}

static void asset_cards(struct view *v, const struct listing *l)
{
    int64_t assets = (int64_t)l->assets;
    int64_t from = v->request->from < assets ? v->request->from : 0;
    if (assets == 0)
        return;
    view_put(v, "<h2>%s</h2><ul class=\"grid\">", v->request->search ? "Found" : "Assets");
    for (int64_t i = from; i < MIN(from + PER_PAGE, assets); i++)
        asset_card(v, l->asset[i]);
    view_put(v, "</ul>");
    pager(v, from, assets);
}

/* --- nothing to show is said, with what to do ---------------------------------------------------------- */

static void nothing_published(struct view *v)
{
    const char *watched = v->site->watched;
    view_put(
        v,
        "<section class=\"empty\"><h2>Nothing published yet</h2><p>Drop a file into a folder that brandsync watches, "
        "and it stands here a moment later:</p><pre>cp ~/Pictures/*.jpg %t/</pre><p class=\"quiet\">Nothing comes? "
        "<code>brandsync status</code> says why.</p></section>",
        watched ? SHELL(watched) : "WATCHED-FOLDER");
}

static void nothing_here(struct view *v, const struct listing *l)
{
    if (l->assets > 0)
        return;
    if (v->request->search)
        view_put(v,
                 "<section class=\"empty\"><h2>Nothing found</h2><p>No asset below this folder has "
                 "<q><bdi>%t</bdi></q> in its name or title.</p></section>",
                 v->request->search);
    else if (l->is_bare && !v->request->as_guest && str_eq(v->path, store_root(v->site->store)))
        nothing_published(v);
    else if (l->folders == 0)
        view_put(v, "<section class=\"empty\"><h2>%s</h2></section>",
                 l->is_bare ? "No assets in this folder" : "Nothing in this folder is public");
}

static void folder_view(struct view *v, const struct node *n)
{
    struct listing l;
    listing_make(&l, v->site->store, v->path, v->request);
    bool is_root = str_eq(v->path, store_root(v->site->store));
    const char *title = node_property(n, "jcr:content/jcr:title");
    view_begin(v, is_root ? v->site->tenant : path_name(v->path));
    crumbs(v);
    view_put(v, "<h1><bdi>%t</bdi></h1><p class=\"sum\">",
             title && *title ? title
             : is_root       ? v->site->tenant
                             : path_name(v->path));
    count_line(v, l.all_assets, l.all_bytes);
    view_put(v, " ");
    visibility(v, v->path);
    view_put(v, "</p>");
    if (!v->request->search)
        folder_cards(v, &l);
    asset_cards(v, &l);
    nothing_here(v, &l);
    view_end(v);
    listing_release(&l);
}

/* --- one asset ------------------------------------------------------------------------------------------- */

static void fact(struct view *v, const char *name, const char *value)
{
    view_put(v, "<tr><th scope=\"row\">%t</th><td><bdi>%t</bdi></td></tr>", name, value);
}

static void asset_facts(struct view *v, const struct node *n)
{
    AUTO(mem_freep) char *bytes = str_printf("%lld (%s)", (long long)n->bytes, BYTES(n->bytes));
    AUTO(mem_freep) char *request = str_printf("%lld", (long long)n->request);
    view_put(v, "<table><caption>As stored</caption>");
    fact(v, "Type", shown_type(n));
    fact(v, "Bytes", n->bytes < 0 ? "no original" : bytes);
    fact(v, "SHA-256", n->sha256[0] ? n->sha256 : "none");
    fact(v, "Arrived", RFC3339(n->arrived_ms));
    fact(v, "By request", request);
    fact(v, "Path", n->path);
    view_put(v, "</table><table><caption>Properties</caption>");
    for (size_t i = 0; i < n->properties; i++)
        fact(v, n->property[i].name, n->property[i].value);
    view_put(v, "</table>");
}

static void asset_view(struct view *v, const struct node *n)
{
    const char *below = path_below(n->path, store_root(v->site->store));
    const char *title = node_property(n, "jcr:content/metadata/dc:title");
    view_begin(v, path_name(n->path));
    crumbs(v);
    view_put(v, "<h1><bdi>%t</bdi></h1><p class=\"sum\">", path_name(n->path));
    if (title && *title && !str_eq(title, path_name(n->path)))
        view_put(v, "<bdi>%t</bdi> ", title);
    visibility(v, n->path);
    view_put(v, "</p><article class=\"detail\"><div class=\"preview\">");
    thumbnail(v, n, below, true);
    if (n->bytes >= 0)
        view_put(v, "<p><a class=\"button\" href=\"/asset/%u%s\" download>Download the original</a></p>", below,
                 v->suffix);
    view_put(v, "</div><div class=\"facts\">");
    asset_facts(v, n);
    view_put(v, "</div></article>");
    view_end(v);
}

/* --- which of them ---------------------------------------------------------------------------------------- */

static void not_found(struct view *v)
{
    v->reply->status = 404;
    v->path = v->folder = store_root(v->site->store);
    view_begin(v, "Not here");
    crumbs(v);
    view_put(v, "<section class=\"empty\"><h1>%s</h1><p><a href=\"/%s\">All that is published</a></p></section>",
             v->request->as_guest ? "Not here, or not public" : "Not here", v->suffix);
    view_end(v);
}

static void original(struct view *v, const struct node *n)
{
    struct stat now;
    const char *picture = view_picture_type(v->site->store, n->path);
    int fd = store_original(v->site->store, n->path);
    if (fd < 0 || fstat(fd, &now) < 0) {
        fd_close(&fd);
        not_found(v);
        return;
    }
    *v->reply = (struct page_reply){.status = 200,
                                    .type = picture ? picture : "application/octet-stream",
                                    .is_download = !picture,
                                    .body = v->reply->body,
                                    .fd = fd,
                                    .bytes = now.st_size};
}

/* The node at "PREFIX..." as far as this viewer may see it. The path is anybody's. */
static bool find_node(struct view *v, const char *prefix, char **path, struct node *n)
{
    if (!str_starts(v->request->path, prefix))
        return false;
    AUTO(mem_freep) char *below = str_copy(v->request->path + strlen(prefix));
    size_t len = strlen(below);
    if (len > 0 && below[len - 1] == '/')
        below[len - 1] = '\0';
    if (*below && !path_is_clean(below))
        return false;
    *path = *below ? path_join(store_root(v->site->store), below) : str_copy(store_root(v->site->store));
    if (!store_get(v->site->store, *path, n))
        return false;
    if (!v->request->as_guest || n->kind == NODE_FOLDER || view_is_public(v->site->store, *path))
        return true;
    node_release(n);
    return false;
}

static const struct {
    const char *prefix;
    enum node_kind kind;
    void (*show)(struct view *v, const struct node *n);
} views[] = {
    {"/asset/", NODE_ASSET, original},
    {"/at/", NODE_ASSET, asset_view},
    {"/at/", NODE_FOLDER, folder_view},
};

static bool show(struct view *v, const char *prefix, enum node_kind kind,
                 void (*shows)(struct view *, const struct node *))
{
    AUTO(mem_freep) char *path = NULL;
    struct node n;
    if (!find_node(v, prefix, &path, &n))
        return false;
    bool is_shown = n.kind == kind;
    AUTO(mem_freep) char *parent = path_parent(path);
    if (is_shown) {
        v->path = path;
        v->folder = kind == NODE_FOLDER ? path : parent;
        shows(v, &n);
    }
    node_release(&n);
    return is_shown;
}

void page_answer(const struct page_site *site, const struct page_request *request, struct page_reply *reply)
{
    struct page_request as_root = *request;
    if (str_eq(request->path, "/"))
        as_root.path = "/at/";
    if (request->search && !*request->search)
        as_root.search = NULL;
    struct view v = {.site = site, .request = &as_root, .reply = reply, .suffix = request->as_guest ? "?as=guest" : ""};
    reply->status = 200;
    reply->type = "text/html;charset=utf-8";
    if (str_eq(request->path, "/page.css")) {
        reply->type = "text/css;charset=utf-8";
        buf_str(&reply->body, page_css);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(views); i++)
        if (show(&v, views[i].prefix, views[i].kind, views[i].show))
            return;
    not_found(&v);
}
