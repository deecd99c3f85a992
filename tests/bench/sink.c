/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * sink - the plainest TLS server that keeps what it is sent: each PUT is a file in DIR/tmp, then a rename to DIR/content/PATH.
 *
 *     sink DIR CERTIFICATE KEY       prints its port, runs until SIGTERM
 *
 * What curl is measured against: listens, threads and speaks TLS as the portal's own listener does (src/portal/server.c).
 */
#include "base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PEM_MAX = 1 << 16, CONNECTIONS_MAX = 128, IDLE_S = 300, BACKLOG = 64, FOLDER_MODE = 0755, FILE_MODE = 0644 };

static const char *dir;
static atomic_uint_fast64_t uploads;

struct upload {
    int fd;
    char *tmp;
    struct err err;
};

static struct upload *upload_begin(void)
{
    struct upload *u = mem_alloc(sizeof(*u));
    u->tmp = str_printf("%s/tmp/%" PRIuFAST64, dir, atomic_fetch_add(&uploads, 1));
    u->fd = open(u->tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (u->fd < 0)
        err_sys(&u->err, errno, "cannot make '%s'", u->tmp);
    return u;
}

/* Folders are made when a rename misses them: once each, as a package's folders are. */
static bool put_in_place(const char *from, const char *to, struct err *e)
{
    AUTO(mem_freep) char *folder = path_parent(to);
    if (rename(from, to) == 0)
        return true;
    return (errno == ENOENT && dir_make(folder, FOLDER_MODE, e) && rename(from, to) == 0) ||
           err_sys(e, errno, "cannot rename to '%s'", to);
}

static int upload_end(struct upload *u, const char *url)
{
    AUTO(mem_freep) char *place = str_printf("%s/content%s", dir, url);
    fd_close(&u->fd);
    if (u->err.kind == ERR_NONE && url[0] == '/' && path_is_clean(url + 1) && put_in_place(u->tmp, place, &u->err))
        return MHD_HTTP_CREATED;
    log_warning("refused", "path=%s why=%s", QUOTED(url), QUOTED(u->err.text));
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static enum MHD_Result answer(struct MHD_Connection *connection, int status)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *arg UNUSED, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version UNUSED, const char *data, size_t *len,
                                  void **state)
{
    struct upload *u = *state;
    if (!str_eq(method, MHD_HTTP_METHOD_PUT))
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
    if (!u) {
        *state = upload_begin();
        return MHD_YES;
    }
    if (*len == 0)
        return answer(connection, upload_end(u, path));
    if (u->err.kind == ERR_NONE && !write_all(u->fd, data, *len, &u->err))
        log_warning("lost", "path=%s why=%s", QUOTED(path), QUOTED(u->err.text));
    *len = 0;
    return MHD_YES;
}

static void on_end(void *arg UNUSED, struct MHD_Connection *connection UNUSED, void **state,
                   enum MHD_RequestTerminationCode why UNUSED)
{
    struct upload *u = *state;
    if (!u)
        return;
    fd_close(&u->fd);
    mem_freep(&u->tmp);
    mem_freep(&u);
    *state = NULL;
}

static int listen_anywhere(int *port, struct err *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, len) == 0 && listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0) {
        *port = ntohs(a.sin_port);
        return fd;
    }
    err_sys(e, errno, "cannot listen on loopback");
    fd_close(&fd);
    return -1;
}

static struct MHD_Daemon *start(int fd, const char *certificate, const char *key)
{
    return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                                MHD_USE_TLS | MHD_USE_ITC | MHD_USE_ERROR_LOG,
                            0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY,
                            key, MHD_OPTION_HTTPS_MEM_CERT, certificate, MHD_OPTION_HTTPS_PRIORITIES,
                            "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_S, MHD_OPTION_END);
}

static bool make_folders(struct err *e)
{
    AUTO(mem_freep) char *tmp = path_join(dir, "tmp");
    AUTO(mem_freep) char *content = path_join(dir, "content");
    return dir_make(tmp, FOLDER_MODE, e) && dir_make(content, FOLDER_MODE, e);
}

static int serve(const char *certificate_file, const char *key_file, struct err *e)
{
    AUTO(buf_release) struct buf certificate = BUF_INIT(PEM_MAX), key = BUF_INIT(PEM_MAX);
    sigset_t ends;
    int port, got;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = make_folders(e) && file_read(certificate_file, PEM_MAX, &certificate, e) &&
                     file_read(key_file, PEM_MAX, &key, e)
                 ? listen_anywhere(&port, e)
                 : -1;
    struct MHD_Daemon *daemon = fd < 0 ? NULL : start(fd, certificate.data, key.data);
    if (!daemon)
        return 1;
    printf("%d\n", port);
    fflush(stdout);
    sigwait(&ends, &got);
    MHD_stop_daemon(daemon);
    return 0;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    if (argc != 4) {
        fprintf(stderr, "usage: sink DIR CERTIFICATE KEY\n");
        return 64;
    }
    dir = argv[1];
    int code = serve(argv[2], argv[3], &e);
    if (code != 0)
        fprintf(stderr, "sink: %s\n", e.kind ? e.text : "cannot start");
    return code;
}
