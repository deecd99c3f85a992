/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The operator's end: connect, one line out, one line in, all before a deadline.
 */
#include "control_internal.h"
#include "types.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

static int64_t now_mono_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool fail_to_connect(int sys, const char *path, struct err *e)
{
    err_sys(e, sys, "no agent answers at '%s'", path);
    e->kind = ERR_TENANT;
    if (sys != EACCES && sys != EPERM)
        return false;
    err_sys(e, sys, "cannot talk to the agent at '%s' (run as root, as its user or as a member of its group)", path);
    e->kind = ERR_CONFIG;
    return false;
}

static bool fail_late(const char *path, int64_t wait_ms, struct err *e)
{
    return err_set(e, ERR_TENANT, "the agent at '%s' did not answer within %s", path, SPAN(wait_ms));
}

/* For connect, which waits while the agent's queue is full, and for send. */
static void set_send_timeout(int fd, int64_t wait_ms)
{
    const struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
}

static int connect_to(const char *path, int64_t wait_ms, struct err *e)
{
    AUTO(place_release) struct place_of_socket place = {.dir = -1};
    AUTO(fd_close) int fd = -1;
    if (!place_open(&place, path, e)) {
        if (e->kind != ERR_CONFIG)
            fail_to_connect(e->sys, path, e);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_sys(e, errno, "cannot make a socket");
        return -1;
    }
    set_send_timeout(fd, wait_ms);
    if (connect(fd, (const struct sockaddr *)&place.address, sizeof(place.address)) == 0)
        return fd_take(&fd);
    fail_to_connect(errno, path, e);
    return -1;
}

/* A peer that closed early may still have said why: that is read, so EPIPE is no failure here. */
static bool send_all(int fd, const struct buf *frame, const char *path, int64_t wait_ms, struct err *e)
{
    for (size_t sent = 0; sent < frame->len;) {
        ssize_t part = send(fd, frame->data + sent, frame->len - sent, MSG_NOSIGNAL);
        if (part >= 0)
            sent += (size_t)part;
        else if (errno == EPIPE)
            return true;
        else if (errno == EAGAIN)
            return fail_late(path, wait_ms, e);
        else if (errno != EINTR)
            return fail_to_connect(errno, path, e);
    }
    return true;
}

static bool fail_cut(const char *path, struct err *e)
{
    return err_set(e, ERR_TENANT, "the agent at '%s' closed the connection without a whole answer", path);
}

static bool receive_line(int fd, struct buf *line, const char *path, int64_t wait_ms, struct err *e)
{
    char part[64 * 1024];
    for (int64_t end_ms = now_mono_ms() + wait_ms; line->len == 0 || line->data[line->len - 1] != '\n';) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int64_t left_ms = end_ms - now_mono_ms();
        if (left_ms <= 0)
            return fail_late(path, wait_ms, e);
        if (poll(&ready, 1, (int)MIN(left_ms, INT32_MAX)) <= 0)
            continue;
        ssize_t got = recv(fd, part, sizeof(part), MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return fail_cut(path, e);
        if (got > 0 && !buf_add(line, part, (size_t)got))
            return err_set(e, ERR_LOCAL, "the agent's answer is larger than %d bytes", REPLY_MAX);
    }
    return true;
}

json_t *control_call(const char *socket_path, json_t *request, int64_t wait_ms, struct err *e)
{
    AUTO(buf_release) struct buf frame = BUF_INIT(LIST_FRAME_MAX), line = BUF_INIT(REPLY_MAX);
    if (!frame_write(&frame, request)) {
        err_set(e, ERR_CONFIG, "the request is larger than %d bytes; give fewer paths at once", LIST_FRAME_MAX);
        return NULL;
    }
    AUTO(fd_close) int fd = connect_to(socket_path, wait_ms, e);
    if (fd < 0 || !send_all(fd, &frame, socket_path, wait_ms, e) || !receive_line(fd, &line, socket_path, wait_ms, e))
        return NULL;
    json_t *reply = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(reply))
        return reply;
    json_decref(reply);
    err_set(e, ERR_TENANT, "what answers at '%s' is not the agent", socket_path);
    return NULL;
}
