/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* server - the two listeners: TLS for the agent (IMS, importer, replication test), plain loopback http for the page. */
#include "call.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 128, IDLE_S = 300, PORTS_TRIED = 100, BACKLOG = 64, PAGE_MAX = 16 << 20 };
/* Twice MHD's own: a TLS record of 16 KiB then comes in one piece. More is slower. */
enum { CONNECTION_BYTES = 64 * 1024 };

struct server {
    struct server_opts opts;
    struct MHD_Daemon *tls, *plain;
    int port, page_port;
};

/* --- the page's listener --------------------------------------------------------------------------------- */

static const char *const page_headers[][2] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};
#define PAGE_POLICY                                                                                                    \
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

static enum MHD_Result send_page(struct MHD_Connection *connection, struct page_reply *r)
{
    bool is_page = r->fd < 0;
    struct MHD_Response *response = is_page ? MHD_create_response_from_buffer(r->body.len, r->body.data,
                                                                              MHD_RESPMEM_MUST_COPY)
                                            : MHD_create_response_from_fd64((uint64_t)r->bytes, r->fd);
    if (!response) {
        fd_close(&r->fd);
        return MHD_NO;
    }
    r->fd = -1; /* the response closes it */
    for (size_t i = 0; i < ARRAY_LEN(page_headers); i++)
        MHD_add_response_header(response, page_headers[i][0], page_headers[i][1]);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
    /* What was published is anybody's: it may be looked at, it never acts. */
    MHD_add_response_header(response, "Content-Security-Policy", is_page ? PAGE_POLICY : PAGE_POLICY "; sandbox");
    if (r->is_download)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_DISPOSITION, "attachment");
    if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return result;
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct page_reply *r, int status, const char *type, const char *text)
{
    r->status = status;
    r->type = type;
    buf_str(&r->body, text);
}

static void page_get(struct server *s, struct MHD_Connection *connection, const char *path, struct page_reply *r)
{
    const char *as = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "as");
    const char *from = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "from");
    struct page_request request = {.path = path,
                                   .search = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "q"),
                                   .as_guest = as && str_eq(as, "guest"),
                                   .now_ms = wall_ms()};
    if (from && !parse_int64(from, 0, INT32_MAX, &request.from))
        request.from = 0;
    if (str_eq(path, "/stats")) {
        char *stats = journal_stats(s->opts.journal);
        say(r, MHD_HTTP_OK, TYPE_JSON, stats);
        mem_freep(&stats);
        return;
    }
    page_answer(&s->opts.page, &request, r);
}

static enum MHD_Result on_page_request(void *arg, struct MHD_Connection *connection, const char *path,
                                       const char *method, const char *version UNUSED, const char *data UNUSED,
                                       size_t *len, void **state)
{
    static int begun;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (*len > 0) { /* a body is nothing we take: drained */
        *len = 0;
        return MHD_YES;
    }
    const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    struct page_reply r = {.fd = -1, .body = BUF_INIT(PAGE_MAX)};
    if (!host || !server_host_is_local(host)) /* against DNS rebinding */
        say(&r, MHD_HTTP_MISDIRECTED_REQUEST, TYPE_TEXT, "this page answers to 127.0.0.1, localhost and [::1] only\n");
    else if (!str_eq(method, MHD_HTTP_METHOD_GET) && !str_eq(method, MHD_HTTP_METHOD_HEAD))
        say(&r, MHD_HTTP_METHOD_NOT_ALLOWED, TYPE_TEXT, "only GET and HEAD are taken here\n");
    else
        page_get(arg, connection, path, &r);
    enum MHD_Result result = send_page(connection, &r);
    buf_release(&r.body);
    return result;
}

/* --- start and stop ---------------------------------------------------------------------------------------- */

bool server_host_is_local(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        int64_t port;
        if (strncasecmp(host, names[i], len) != 0)
            continue;
        return !host[len] || (host[len] == ':' && isdigit((unsigned char)host[len + 1]) &&
                              parse_int64(host + len + 1, 1, 65535, &port));
    }
    return false;
}

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(const char *listen, int port, union address *a)
{
    *a = (union address){0};
    if (inet_pton(AF_INET, listen, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons((uint16_t)port);
        return sizeof(a->v4);
    }
    BUG_ON(inet_pton(AF_INET6, listen, &a->v6.sin6_addr) != 1);
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons((uint16_t)port);
    return sizeof(a->v6);
}

/* A listening socket and its port. errno says why not. */
static int listen_at(const char *host, int *port)
{
    static const int on = 1;
    union address a;
    socklen_t len = make_address(host, *port, &a);
    AUTO(fd_close) int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 || bind(fd, &a.any, len) < 0 ||
        listen(fd, BACKLOG) < 0 || getsockname(fd, &a.any, &len) < 0)
        return -1;
    *port = ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    return fd_take(&fd);
}

static int listen_near(const char *host, int wanted, bool moves, int *port, struct err *e)
{
    int tries = moves && wanted ? PORTS_TRIED : 1;
    for (int i = 0; i < tries && wanted + i <= 65535; i++) {
        *port = wanted + i;
        int fd = listen_at(host, port);
        if (fd >= 0)
            return fd;
        if (errno != EADDRINUSE)
            break;
    }
    err_sys(e, errno, "cannot listen on %s port %d", host, wanted);
    return -1;
}

static PRINTF(2, 0) void on_log(void *arg UNUSED, const char *fmt, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof(text), fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http", "message=%s", QUOTED(text));
}

static bool start_tls(struct server *s, struct err *e)
{
    const struct server_opts *o = &s->opts;
    int fd = listen_near(o->listen, o->port, o->port_moves, &s->port, e);
    if (fd < 0)
        return false;
    s->tls = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_TLS | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, call_on_request, &s->opts, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET,
        fd, MHD_OPTION_HTTPS_MEM_KEY, o->authority->key, MHD_OPTION_HTTPS_MEM_CERT, o->authority->certificate,
        MHD_OPTION_HTTPS_PRIORITIES, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", MHD_OPTION_NOTIFY_COMPLETED,
        call_on_end, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (s->tls)
        return true;
    fd_close(&fd);
    return err_set(e, ERR_LOCAL, "cannot start the TLS listener");
}

static bool start_plain(struct server *s, struct err *e)
{
    const struct server_opts *o = &s->opts;
    int fd = listen_near(o->listen, o->page_port, o->page_port_moves, &s->page_port, e);
    if (fd < 0)
        return false;
    s->plain = MHD_start_daemon(MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
                                NULL, NULL, on_page_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (s->plain)
        return true;
    fd_close(&fd);
    return err_set(e, ERR_LOCAL, "cannot start the page's listener");
}

struct server *server_start(const struct server_opts *o, struct err *e)
{
    struct server *s = mem_alloc(sizeof(*s));
    s->opts = *o;
    if (start_tls(s, e) && start_plain(s, e))
        return s;
    server_stop(s);
    return NULL;
}

int server_port(const struct server *s)
{
    return s->port;
}

int server_page_port(const struct server *s)
{
    return s->page_port;
}

void server_stop(struct server *s)
{
    if (!s)
        return;
    if (s->plain)
        MHD_stop_daemon(s->plain);
    if (s->tls)
        MHD_stop_daemon(s->tls);
    mem_freep(&s);
}
