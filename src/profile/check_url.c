/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* check_url - what goes from a profile into requests: addresses, paths, headers. None may carry a second line. */
#include "profile_internal.h"

#include <arpa/inet.h>
#include <strings.h>

enum { HOST_MAX = 253 };
static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static bool has_only(const char *text, const char *more)
{
    for (; *text; text++)
        if (!strchr(alnum, *text) && !strchr(more, *text))
            return false;
    return true;
}

/* --- url ----------------------------------------------------------------------------------------------- */

void url_release(struct url *u)
{
    free(u->scheme);
    free(u->host);
    *u = (struct url){0};
}

static void look_at_address(struct url *u)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, u->host, &v4) == 1) {
        u->is_address = true;
        u->is_loopback = ntohl(v4.s_addr) >> 24 == 127;
    } else if (inet_pton(AF_INET6, u->host, &v6) == 1) {
        u->is_address = true;
        u->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    } else {
        u->is_loopback = strcasecmp(u->host, "localhost") == 0;
    }
}

/* Names between dots, not empty, not beginning with a dash. */
static bool is_host_name(const char *host)
{
    if (!has_only(host, ".-_") || strlen(host) > HOST_MAX)
        return false;
    for (const char *label = host;; label++) {
        size_t len = strcspn(label, ".");
        if (len == 0 || len > 63 || *label == '-')
            return false;
        label += len;
        if (!*label)
            return true;
    }
}

/* "host", "host:8443", "[::1]:8443": `len` bytes. */
static bool parse_authority(struct url *u, const char *text, size_t len, const char *hint, struct complaint *c)
{
    AUTO(mem_freep) char *authority = str_copy_n(text, len);
    bool is_v6 = *authority == '[';
    size_t host_len = is_v6 ? strcspn(authority, "]") : strcspn(authority, ":");
    u->host = str_copy_n(authority + is_v6, host_len - is_v6);
    look_at_address(u);
    bool is_closed = is_v6 && authority[host_len] == ']';
    const char *rest = authority + host_len + is_closed;
    if (is_v6 ? !u->is_address || !is_closed || !strchr(u->host, ':') : !is_host_name(u->host))
        return complain(c, hint, "%s has no valid host name", SHOWN(authority));
    int64_t port = 0;
    if (*rest && (*rest != ':' || !parse_int64(rest + 1, 1, 65535, &port)))
        return complain(c, "expected 1 to 65535", "%s has no valid port", SHOWN(authority));
    u->port = (int)port;
    return true;
}

bool url_parse(struct url *u, const char *text, struct complaint *c)
{
    static const char hint[] = "expected a URL such as https://acme.brand-portal.adobe.com/";
    *u = (struct url){0};
    const char *colon = strstr(text, "://");
    if (!colon || colon == text)
        return complain(c, hint, "%s is not a URL", SHOWN(text));
    if (strchr(text, '@'))
        return complain(c, "leave out what stands before the host", "a URL here has no user or password");
    if (strpbrk(text, "?#"))
        return complain(c, "leave out what follows the path", "a URL here has no query (?) or fragment (#)");
    const char *authority = colon + strlen("://");
    size_t len = strcspn(authority, "/");
    u->scheme = str_copy_n(text, (size_t)(colon - text));
    u->path = authority + len;
    if (!has_only(u->path, "/._~!$&'()*+,;=:%-"))
        return complain(c, "percent-encode what a URL cannot hold", "%s is not the path of a URL", SHOWN(u->path));
    return parse_authority(u, authority, len, hint, c);
}

static bool is_scheme(const struct url *u, const char *scheme)
{
    return str_eq(u->scheme, scheme);
}

static bool check_protected(const struct url *u, struct complaint *c)
{
    if (is_scheme(u, "https"))
        return true;
    if (!is_scheme(u, "http"))
        return complain(c, "write https://", "%s is not a known scheme", SHOWN(u->scheme));
    if (!u->is_loopback)
        return complain(c, "write https://", "http:// is only for this host itself (127.0.0.1, [::1], localhost)");
    return warn(c, "nothing is encrypted; for trying out only", "http:// to %s", SHOWN(u->host));
}

bool check_origin(char **text, struct complaint *c)
{
    AUTO(url_release) struct url u;
    if (!url_parse(&u, *text, c))
        return false;
    if (*u.path && !str_eq(u.path, "/"))
        return complain(c, "expected scheme, host and perhaps a port", "this URL has a path: %s", SHOWN(u.path));
    (*text)[u.path - *text] = '\0';
    return check_protected(&u, c);
}

bool check_webhook(char **text, struct complaint *c)
{
    AUTO(url_release) struct url u;
    return url_parse(&u, *text, c) && check_protected(&u, c);
}

bool check_proxy(char **text, struct complaint *c)
{
    AUTO(url_release) struct url u;
    if (!url_parse(&u, *text, c))
        return false;
    if (!is_scheme(&u, "http") && !is_scheme(&u, "https") && !is_scheme(&u, "socks5h"))
        return complain(c, "expected http://, https:// or socks5h://", "%s is not a known kind of proxy",
                        SHOWN(u.scheme));
    if (*u.path && !str_eq(u.path, "/"))
        return complain(c, "expected scheme, host and port", "a proxy has no path: %s", SHOWN(u.path));
    (*text)[u.path - *text] = '\0';
    return true;
}

bool check_url_path(char **text, struct complaint *c)
{
    static const char hint[] = "expected an absolute path such as /bin/receive, without a query";
    if (**text != '/' || !path_is_clean(*text + 1) || !has_only(*text, "/._~!$&'()*+,;=:%-"))
        return complain(c, hint, "%s is not a path on the tenant", SHOWN(*text));
    return true;
}

bool check_host(char **text, struct complaint *c)
{
    if (!is_host_name(*text))
        return complain(c, "expected a name such as uploads.example.com", "%s is not a host name", SHOWN(*text));
    return true;
}

/* --- headers ------------------------------------------------------------------------------------------- */

/* What the protocols set themselves, or what frames a request. */
/* clang-format off */
static const char *const own_headers[] = {
    "Accept-Encoding", "Action", "Authorization", "Connection", "Content-Encoding", "Content-Length", "Content-Type",
    "Digest", "Expect", "Handle", "Host", "Keep-Alive", "Path", "Proxy-Authorization", "Proxy-Connection", "Range",
    "TE", "Trailer", "Transfer-Encoding", "Upgrade", "x-api-key",
};
/* clang-format on */

bool check_header(char **text, struct complaint *c)
{
    static const char hint[] = "expected \"Name: value\", in quotes";
    size_t name_len = strcspn(*text, ":");
    AUTO(mem_freep) char *name = str_copy_n(*text, name_len);
    const char *value = *text + name_len;
    value += *value == ':';
    value += strspn(value, " ");
    if (!check_line(text, c))
        return false;
    if (!*name || !has_only(name, "!#$%&'*+-.^_`|~") || !*value)
        return complain(c, hint, "%s is not a header", SHOWN(*text));
    for (size_t i = 0; i < ARRAY_LEN(own_headers); i++)
        if (strcasecmp(name, own_headers[i]) == 0)
            return complain(c, "remove it", "the header %s belongs to the protocol", own_headers[i]);
    return true;
}
