/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* request - the one chokepoint for header lines (reliability.md T5), and the meaning of libcurl's error codes. */
#include "http_internal.h"

#include <ctype.h>

/* libcurl sends lines as they are: a line end in one would be a header of somebody else's. */
static bool is_header(const char *line)
{
    size_t name = strspn(line, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    if (name == 0 || line[name] != ':')
        return false;
    for (const char *c = line + name; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

static void add(struct curl_slist **lines, const char *line)
{
    struct curl_slist *more = curl_slist_append(*lines, line);
    BUG_ON(!more); /* memory is never refused here, or the process ends */
    *lines = more;
}

static bool add_bearer(struct curl_slist **lines, const struct secret *token, struct err *e)
{
    static const char name[] = "Authorization: Bearer ";
    AUTO(secret_release) struct secret line = {0};
    size_t len = sizeof(name) - 1;
    char *text = mem_alloc(len + token->len + 1);

    memcpy(text, name, len);
    memcpy(text + len, token->data, token->len);
    line = (struct secret){.data = text, .len = len + token->len};
    if (strlen(text) != line.len || !is_header(text))
        return err_set(e, ERR_AUTH, "the access token cannot stand in a header");
    add(lines, text);
    return true;
}

bool request_headers(const struct http_request *request, bool closes_connection, struct curl_slist **out, struct err *e)
{
    AUTO(request_headers_release) struct curl_slist *lines = NULL;

    for (size_t i = 0; i < request->headers; i++) {
        if (!is_header(request->header[i]))
            return err_set(e, ERR_REFUSED, "not a header line: %s", QUOTED(request->header[i]));
        add(&lines, request->header[i]);
    }
    if (request->bearer && !add_bearer(&lines, request->bearer, e))
        return false;
    if (closes_connection)
        add(&lines, "Connection: close");
    add(&lines, "Expect:"); /* libcurl would wait for a 100 above 1 MiB */
    *out = take(&lines);
    return true;
}

void request_headers_release(struct curl_slist **lines)
{
    for (struct curl_slist *l = *lines; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(*lines);
    *lines = NULL;
}

/* A peer that hangs up in the middle of the handshake is away, not distrusted. */
static bool is_distrust(CURLcode code, const char *why)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return true;
    case CURLE_SSL_CONNECT_ERROR:
        return !strstr(why, "SYSCALL") && !strstr(why, "reset") && !strstr(why, "unexpected eof");
    default:
        return false;
    }
}

bool request_failed(CURLcode code, const char *host, const char *why, struct err *e)
{
    bool is_tls = is_distrust(code, why);
    AUTO(mem_freep) char *text = str_copy(*why ? why : curl_easy_strerror(code));

    if (islower((unsigned char)text[1]) && !str_starts(text, "OpenSSL"))
        text[0] = (char)tolower((unsigned char)text[0]);
    text[strcspn(text, "\r\n")] = '\0';
    err_set(e, ERR_TENANT, is_tls ? "%s is not trusted: %s" : "cannot reach %s: %s", host, text);
    return err_cause(e, is_tls ? CAUSE_TENANT_TLS : CAUSE_TENANT_UNREACHABLE);
}
