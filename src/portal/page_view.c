/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* page_view - the words of which the page is written: escaping, head and foot, the look at a picture's first bytes. */
#include "page.h"

#include <inttypes.h>
#include <unistd.h>

static void put_text(struct buf *out, char as, const char *text)
{
    if (as == 't')
        text_xml(out, text, strlen(text));
    else if (as == 'u')
        text_percent(out, text);
    else
        buf_str(out, text);
}

void view_put(struct view *v, const char *html, ...)
{
    struct buf *out = &v->reply->body;
    va_list args;
    va_start(args, html);
    for (const char *at = html; *at;) {
        size_t plain = strcspn(at, "%");
        buf_add(out, at, plain);
        at += plain;
        if (!*at)
            break;
        if (at[1] == 'd')
            buf_printf(out, "%" PRId64, va_arg(args, int64_t));
        else
            put_text(out, at[1], va_arg(args, const char *));
        at += 2;
    }
    va_end(args);
}

static void viewer(struct view *v, const char *name, bool is_guest)
{
    bool is_current = is_guest == v->request->as_guest;
    view_put(v, "<a href=\"?as=%s", name);
    if (v->request->search)
        view_put(v, "&amp;q=%u", v->request->search);
    view_put(v, "\"%s>%s</a>", is_current ? " aria-current=\"true\"" : "", name);
}

void view_begin(struct view *v, const char *title)
{
    const char *below = path_below(v->folder, store_root(v->site->store));
    const char *search = v->request->search;
    view_put(v,
             "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
             "content=\"width=device-width, initial-scale=1\"><title>%t - %t</title><link rel=\"stylesheet\" "
             "href=\"/page.css\"></head><body><a class=\"skip\" href=\"#main\">Skip to content</a>",
             title, v->site->tenant);
    view_put(v,
             "<header><a class=\"home\" href=\"/%s\"><b>%t</b> <span>Brand Portal, local tenant</span></a>"
             "<span class=\"warn\">for trying out, not Adobe</span><nav class=\"as\" aria-label=\"View as\"><span>"
             "View as</span>",
             v->suffix, v->site->tenant);
    viewer(v, "administrator", false);
    viewer(v, "guest", true);
    view_put(v, "</nav><form role=\"search\" action=\"/%s%u\">%s", below ? "at/" : "", below ? below : "",
             v->request->as_guest ? "<input type=\"hidden\" name=\"as\" value=\"guest\">" : "");
    view_put(v,
             "<input type=\"search\" name=\"q\" value=\"%t\" aria-label=\"Name or title, in this folder and below\" "
             "placeholder=\"Name or title\"><button>Search</button></form></header><main id=\"main\">",
             search ? search : "");
}

void view_end(struct view *v)
{
    view_put(v,
             "</main><footer>brandsync-portal %t: a local tenant for trying out, not for production. "
             "<a href=\"/stats\">Counters</a></footer></body></html>\n",
             BRANDSYNC_VERSION);
}

bool view_is_public(struct store *s, const char *path)
{
    AUTO(mem_freep) char *by = NULL;
    return store_is_public(s, path, &by);
}

static const struct {
    const char *type, *magic;
    size_t len;
    const char *then; /* at byte 8, for containers that hold other things too */
} pictures[] = {
    {"image/jpeg", "\xff\xd8\xff", 3, ""}, {"image/png", "\x89PNG\r\n\x1a\n", 8, ""}, {"image/gif", "GIF87a", 6, ""},
    {"image/gif", "GIF89a", 6, ""},        {"image/webp", "RIFF", 4, "WEBP"},
};

const char *view_picture_type(struct store *s, const char *path)
{
    char head[16] = "";
    AUTO(fd_close) int fd = store_original(s, path);
    if (fd < 0 || pread(fd, head, sizeof(head), 0) < 12)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(pictures); i++)
        if (memcmp(head, pictures[i].magic, pictures[i].len) == 0 &&
            memcmp(head + 8, pictures[i].then, strlen(pictures[i].then)) == 0)
            return pictures[i].type;
    return NULL;
}
