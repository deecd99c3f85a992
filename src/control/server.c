/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * The agent's end: connections in the loop, one frame answered at a time. While a reply is not taken nothing more is
 * read, so a peer costs at most one frame and one reply; a peer that neither asks nor takes for ten seconds is gone.
 */
#include "control_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 64, IDLE_MS = 10000, READ_BYTES = 64 * 1024, KEPT_BYTES = 64 * 1024 };

struct control {
    struct loop *loop;
    int listener;
    int spare; /* given up for a moment when there are no descriptors left, to turn a peer away instead of spinning */
    struct place_of_socket place;
    struct stat made;
    const struct control_verb *verbs;
    const char **names; /* of the verbs, for "did you mean" */
    size_t verb_count;
    void *arg;
    struct conn *conns;
    size_t conn_count;
};

struct conn {
    struct control *control;
    struct conn *next, **at; /* `at` is what points to this one */
    int fd;
    struct control_peer peer;
    struct loop_timer idle;
    struct buf in, out;
    size_t sent;    /* of `out` */
    bool has_ended; /* sends no more; closed once answered */
};

/* --- connections ---------------------------------------------------------------------------------------- */

static void conn_close(struct conn *c)
{
    loop_fd_remove(c->control->loop, c->fd);
    loop_timer_stop(c->control->loop, &c->idle);
    *c->at = c->next;
    if (c->next)
        c->next->at = c->at;
    c->control->conn_count--;
    fd_close(&c->fd);
    buf_release(&c->in);
    buf_release(&c->out);
    free(c);
}

static void conn_is_idle(void *arg)
{
    conn_close(arg);
}

static void conn_lives(struct conn *c)
{
    loop_timer_set(c->control->loop, &c->idle, IDLE_MS);
}

static size_t frame_len(const struct conn *c)
{
    const char *end = c->in.len > 0 ? memchr(c->in.data, '\n', c->in.len) : NULL;
    return end ? (size_t)(end - c->in.data) + 1 : 0;
}

/* false: the connection is broken. */
static bool conn_receive(struct conn *c)
{
    char part[READ_BYTES];
    ssize_t got = recv(c->fd, part, MIN(sizeof(part), c->in.max - c->in.len), MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        c->has_ended = true;
    return got == 0 || buf_add(&c->in, part, (size_t)got);
}

static bool conn_send(struct conn *c)
{
    while (c->sent < c->out.len) {
        ssize_t part = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (part < 0)
            return errno == EAGAIN || errno == EINTR;
        c->sent += (size_t)part;
        conn_lives(c);
    }
    c->sent = 0;
    if (c->out.size > KEPT_BYTES)
        buf_release(&c->out);
    else
        buf_clear(&c->out);
    return true;
}

/* --- requests --------------------------------------------------------------------------------------------- */

static json_t *request_read(const char *frame, size_t len, json_t *reply)
{
    json_error_t wrong;
    json_t *request = json_loadb(frame, len, JSON_REJECT_DUPLICATES, &wrong);
    if (!request)
        control_fail(reply, EXIT_USAGE_WRONG, "the request is not JSON: column %d: %s", wrong.column, wrong.text);
    else if (!json_is_object(request))
        control_fail(reply, EXIT_USAGE_WRONG, "the request is not a JSON object");
    else if (len > FRAME_MAX && !json_is_array(json_object_get(request, "paths")))
        control_fail(reply, EXIT_USAGE_WRONG, "the request is larger than %d bytes", FRAME_MAX);
    else
        return request;
    json_decref(request);
    return NULL;
}

static const struct control_verb *verb_find(const struct control *c, const char *name)
{
    for (size_t i = 0; i < c->verb_count; i++)
        if (str_eq(c->verbs[i].name, name))
            return &c->verbs[i];
    return NULL;
}

static void refuse_unknown(const struct control *c, const char *name, json_t *reply)
{
    const char *near = text_nearest(name, c->names, c->verb_count);
    if (!*name)
        control_fail(reply, EXIT_USAGE_WRONG, "the request has no \"verb\"");
    else if (near)
        control_fail(reply, EXIT_USAGE_WRONG, "unknown verb %s; the nearest is \"%s\"", QUOTED(name), near);
    else
        control_fail(reply, EXIT_USAGE_WRONG, "unknown verb %s", QUOTED(name));
}

static void request_run(struct conn *c, json_t *request, json_t *reply)
{
    const char *name = control_get_text(request, "verb");
    const struct control_verb *verb = verb_find(c->control, name);
    if (!verb) {
        refuse_unknown(c->control, name, reply);
        return;
    }
    if (verb->is_operator && !c->peer.may_operate) {
        control_fail(reply, EXIT_NO_PERMISSION, "%s is for operators: root, the agent's user, or its socket's group",
                     name);
        return;
    }
    if (verb->is_operator)
        log_info("command", "verb=%s user=%s pid=%d", name, QUOTED(c->peer.user), (int)c->peer.pid);
    verb->run(c->control->arg, &c->peer, request, reply);
    if (!json_object_get(reply, "ok"))
        json_object_set_new(reply, "ok", json_true());
}

static void reply_write(struct conn *c, json_t *reply)
{
    if (frame_write(&c->out, reply))
        return;
    AUTO(json_freep) json_t *instead = json_object();
    buf_clear(&c->out);
    control_fail(instead, EXIT_INTERNAL, "the answer is larger than %d bytes; ask for less", REPLY_MAX);
    BUG_ON(!frame_write(&c->out, instead));
}

static void conn_answer(struct conn *c, size_t len)
{
    AUTO(json_freep) json_t *reply = json_object();
    AUTO(json_freep) json_t *request = request_read(c->in.data, len, reply);
    if (request)
        request_run(c, request, reply);
    reply_write(c, reply);
    memmove(c->in.data, c->in.data + len, c->in.len - len);
    c->in.len -= len;
    conn_lives(c);
}

static void conn_refuse_endless(struct conn *c)
{
    AUTO(json_freep) json_t *reply = json_object();
    control_fail(reply, EXIT_USAGE_WRONG, "the request is larger than %d bytes", LIST_FRAME_MAX);
    reply_write(c, reply);
    buf_clear(&c->in);
    c->has_ended = true;
}

/* --- turns -------------------------------------------------------------------------------------------------- */

/* One step, so that a peer with many requests in its pocket takes turns with the rest of the agent. */
static bool conn_step(struct conn *c)
{
    if (c->out.len > 0)
        return conn_send(c);
    if (frame_len(c) == 0 && !conn_receive(c))
        return false;
    size_t len = frame_len(c);
    if (len > 0)
        conn_answer(c, len);
    else if (c->in.len == c->in.max)
        conn_refuse_endless(c);
    return conn_send(c);
}

static void conn_ready(void *arg, uint32_t events UNUSED)
{
    struct conn *c = arg;
    bool is_alive = conn_step(c);
    bool has_more = c->out.len > 0 || frame_len(c) > 0;
    if (!is_alive || (c->has_ended && !has_more))
        conn_close(c);
    else
        loop_fd_want(c->control->loop, c->fd, has_more ? EPOLLOUT : EPOLLIN);
}

static void conn_open(struct control *control, int fd, const struct control_peer *peer)
{
    struct err e;
    struct conn *c = mem_alloc(sizeof(*c));
    *c = (struct conn){.control = control, .next = control->conns, .at = &control->conns, .fd = fd, .peer = *peer};
    c->in.max = LIST_FRAME_MAX;
    c->out.max = REPLY_MAX;
    c->idle = (struct loop_timer){.handler = conn_is_idle, .arg = c};
    if (c->next)
        c->next->at = &c->next;
    control->conns = c;
    control->conn_count++;
    conn_lives(c);
    if (!loop_fd_add(control->loop, fd, EPOLLIN, conn_ready, c, &e)) {
        log_warning("control", "why=%s", QUOTED(e.text));
        conn_close(c);
    }
}

/* --- the listener ------------------------------------------------------------------------------------------- */

static void turn_away(struct control *c)
{
    fd_close(&c->spare);
    AUTO(fd_close) int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    fd_close(&fd);
    c->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void peer_arrives(void *arg, uint32_t events UNUSED)
{
    struct control *c = arg;
    struct control_peer peer;
    struct stat now;
    AUTO(fd_close) int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            turn_away(c);
        return;
    }
    if (fstatat(c->place.dir, c->place.name, &now, AT_SYMLINK_NOFOLLOW) < 0)
        now = c->made; /* somebody removed the name; the administrator's last word is not known then */
    if (c->conn_count >= CONNECTIONS_MAX || !peer_look(fd, &now, &peer))
        return;
    conn_open(c, fd_take(&fd), &peer);
}

static void names_fill(struct control *c)
{
    while (c->verbs[c->verb_count].name)
        c->verb_count++;
    c->names = mem_array(c->verb_count + 1, sizeof(*c->names));
    for (size_t i = 0; i < c->verb_count; i++)
        c->names[i] = c->verbs[i].name;
}

struct control *control_open(struct loop *l, const char *path, const struct control_verb *verbs, void *arg,
                             struct err *e)
{
    struct control *c = mem_alloc(sizeof(*c));
    *c = (struct control){.loop = l, .verbs = verbs, .arg = arg, .listener = -1, .spare = -1, .place.dir = -1};
    names_fill(c);
    if (place_open(&c->place, path, e))
        c->listener = listen_at(&c->place, path, &c->made, e);
    if (c->listener >= 0 && loop_fd_add(l, c->listener, EPOLLIN, peer_arrives, c, e)) {
        c->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return c;
    }
    control_close(c);
    return NULL;
}

/* Only our own socket is removed: another agent may have put its own there since. */
static void socket_remove(struct control *c)
{
    struct stat now;
    if (c->listener >= 0 && fstatat(c->place.dir, c->place.name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        now.st_ino == c->made.st_ino && now.st_dev == c->made.st_dev)
        unlinkat(c->place.dir, c->place.name, 0);
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (struct conn *conn = c->conns, *next; conn; conn = next) {
        next = conn->next;
        conn_close(conn);
    }
    socket_remove(c);
    loop_fd_remove(c->loop, c->listener);
    fd_close(&c->listener);
    fd_close(&c->spare);
    place_release(&c->place);
    free(c->names);
    free(c);
}
