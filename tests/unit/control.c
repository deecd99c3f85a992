/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * control: both ends of the socket. The server runs in this thread's loop, turned by hand; control_call in a thread
 * beside it.
 */
#include "control.h"
#include "types.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SECOND = 1000 };

struct fixture {
    struct loop *loop;
    struct control *control;
    char dir[64];
    char *path;
    int touched; /* times the operator's verb ran */
    struct control_peer peer;
};

/* --- the loop's clock, put forward by hand ------------------------------------------------------------------ */

static int64_t forward_s;

int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);
    if (id == CLOCK_MONOTONIC)
        now->tv_sec += forward_s;
    return result;
}

/* --- verbs ---------------------------------------------------------------------------------------------- */

static void run_status(void *arg, const struct control_peer *peer, json_t *request, json_t *reply)
{
    struct fixture *f = arg;
    f->peer = *peer;
    json_object_set(reply, "asked", request);
}

static void run_touch(void *arg, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    struct fixture *f = arg;
    f->touched++;
    AUTO(mem_freep) char *path = control_get_path(request, "path");
    if (!path)
        control_fail(reply, 64, "touch needs a path");
    else
        control_set_path(reply, "path", path);
}

/* As large as asked for. */
static void run_big(void *arg UNUSED, const struct control_peer *peer UNUSED, json_t *request, json_t *reply)
{
    size_t bytes = (size_t)json_integer_value(json_object_get(request, "bytes"));
    AUTO(mem_freep) char *text = mem_alloc(bytes + 1);
    memset(text, 'x', bytes);
    json_object_set_new(reply, "text", json_string(text));
}

static const struct control_verb verbs[] = {
    {"status", false, run_status},
    {"touch", true, run_touch},
    {"big", false, run_big},
    {NULL, false, NULL},
};

static int setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof(*f));
    struct err e = {0};
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->dir, sizeof(f->dir), "/tmp/brandsync-control-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->path = path_join(f->dir, "control.sock");
    f->loop = loop_new(&e);
    f->control = control_open(f->loop, f->path, verbs, f, &e);
    assert_non_null(f->control);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    AUTO(mem_freep) char *command = str_printf("rm -rf %s", f->dir);
    control_close(f->control);
    loop_free(f->loop);
    free(f->path);
    free(f);
    return system(command);
}

/* --- a bare client ------------------------------------------------------------------------------------------ */

static int dial(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* Turns the loop until the next line is here or the connection ended; NULL then. Takes nothing beyond the newline. */
static char *line_from(struct fixture *f, int fd)
{
    struct buf line = BUF_INIT(100 << 20);
    static char part[1 << 16];
    for (ssize_t got; (got = recv(fd, part, sizeof(part), MSG_PEEK)) != 0;) {
        if (got < 0 && errno != EAGAIN)
            break;
        if (got < 0) {
            loop_turn(f->loop, 1);
            continue;
        }
        const char *end = memchr(part, '\n', (size_t)got);
        size_t len = end ? (size_t)(end - part) : (size_t)got;
        buf_add(&line, part, len);
        assert_int_equal(recv(fd, part, len + (end != NULL), 0), len + (end != NULL));
        if (end)
            return buf_take(&line);
    }
    buf_release(&line);
    return NULL;
}

static void say(struct fixture *f, int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            loop_turn(f->loop, 1);
            continue;
        }
        text += sent;
        len -= (size_t)sent;
    }
}

static void assert_answer(struct fixture *f, int fd, const char *request, const char *wanted)
{
    say(f, fd, request, strlen(request));
    AUTO(mem_freep) char *line = line_from(f, fd);
    assert_non_null(line);
    assert_string_equal(line, wanted);
}

/* --- frames -------------------------------------------------------------------------------------------------- */

static void a_line_is_answered_by_a_line(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    assert_answer(f, fd, "{\"verb\":\"status\",\"n\":1}\n", "{\"asked\":{\"verb\":\"status\",\"n\":1},\"ok\":true}");
    assert_answer(f, fd, "{\"verb\":\"touch\",\"path\":\"/a\"}\n", "{\"path\":\"/a\",\"ok\":true}");
    assert_answer(f, fd, "{\"verb\":\"touch\"}\n", "{\"ok\":false,\"exit\":64,\"error\":\"touch needs a path\"}");
    assert_int_equal(f->peer.uid, geteuid());
    assert_int_equal(f->peer.pid, getpid());
    assert_true(f->peer.may_operate);
    if (geteuid() == 0)
        assert_string_equal(f->peer.user, "root");
}

static void pieces_and_several_frames_at_once_are_whole_frames(void **state)
{
    static const char text[] =
        "{\"verb\":\"touch\",\"path\":\"1\"}\n{\"verb\":\"touch\",\"path\":\"2\"}\n{\"verb\":\"touch\"";
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    for (size_t i = 0; i < strlen(text); i += 7) {
        say(f, fd, text + i, MIN(7, strlen(text) - i));
        loop_turn(f->loop, 0);
    }
    for (int i = 1; i <= 2; i++) {
        AUTO(mem_freep) char *line = line_from(f, fd), *wanted = str_printf("{\"path\":\"%d\",\"ok\":true}", i);
        assert_string_equal(line, wanted);
    }
    assert_int_equal(f->touched, 2);
    assert_answer(f, fd, ",\"path\":\"3\"}\n", "{\"path\":\"3\",\"ok\":true}");
}

static void a_client_that_only_sends_first_is_answered_before_the_end(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    static const char text[] = "{\"verb\":\"touch\",\"path\":\"1\"}\n{\"verb\":\"touch\",\"path\":\"2\"}\n";
    say(f, fd, text, strlen(text));
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 2; i++) {
        AUTO(mem_freep) char *line = line_from(f, fd);
        assert_non_null(line);
    }
    assert_null(line_from(f, fd));
}

static void what_is_no_request_is_told_so(void **state)
{
    static const struct {
        const char *request, *error;
    } rows[] = {
        {"{\"verb\":\"stauts\"}\n", "unknown verb stauts; the nearest is \"status\""},
        {"{\"verb\":\"zzzzzzzzzz\"}\n", "unknown verb zzzzzzzzzz"},
        {"{\"verb\":7}\n", "the request has no \"verb\""},
        {"{}\n", "the request has no \"verb\""},
        {"[1]\n", "the request is not a JSON object"},
        {"\n", NULL},
        {"{\"verb\":\"status\",\"verb\":\"touch\"}\n", NULL},
        {"{\"verb\":\"status\"} x\n", NULL},
        {"GET / HTTP/1.1\r\n", NULL},
        {"{\"verb\":\"\xff\"}\n", NULL},
    };
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        say(f, fd, rows[i].request, strlen(rows[i].request));
        AUTO(mem_freep) char *line = line_from(f, fd);
        json_t *reply = json_loads(line, 0, NULL);
        assert_true(json_is_false(json_object_get(reply, "ok")));
        assert_int_equal(json_integer_value(json_object_get(reply, "exit")), 64);
        const char *error = control_get_text(reply, "error");
        if (rows[i].error)
            assert_string_equal(error, rows[i].error);
        else
            assert_true(str_starts(error, "the request is not JSON: column "));
        json_decref(reply);
    }
}

static char *padded_request(const char *key, size_t bytes)
{
    const char *end = str_eq(key, "paths") ? "\"]}\n" : "\"}\n";
    char *text = mem_alloc(bytes + 1);
    memset(text, 'x', bytes);
    int len = snprintf(text, bytes, "{\"verb\":\"touch\",\"path\":\"a\",\"%s\":%s\"", key,
                       str_eq(key, "paths") ? "[" : "");
    text[len] = 'x';
    memcpy(text + bytes - strlen(end), end, strlen(end));
    return text;
}

static void frames_have_a_ceiling_and_lists_a_higher_one(void **state)
{
    static const struct {
        const char *key;
        size_t bytes;
        bool is_taken, is_last;
    } rows[] = {
        {"text", 65536, true, false},    {"text", 65537, false, false},         {"paths", 65537, true, false},
        {"paths", 1 << 20, true, false}, {"paths", (1 << 20) + 1, false, true},
    };
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *request = padded_request(rows[i].key, rows[i].bytes);
        say(f, fd, request, rows[i].bytes - rows[i].is_last); /* its newline would come too late */
        AUTO(mem_freep) char *line = line_from(f, fd);
        assert_non_null(line);
        assert_int_equal(strstr(line, "\"ok\":true") != NULL, rows[i].is_taken);
        if (!rows[i].is_taken)
            assert_non_null(strstr(line, "is larger than"));
    }
    assert_null(line_from(f, fd));
}

static void a_large_reply_waits_for_a_slow_reader(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int slow = dial(f->path);
    AUTO(fd_close) int other = dial(f->path);
    static const char request[] = "{\"verb\":\"big\",\"bytes\":8000000}\n{\"verb\":\"touch\",\"path\":\"1\"}\n";
    say(f, slow, request, strlen(request));
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop, 0);
    assert_int_equal(f->touched, 0); /* nothing more is taken from who does not read */
    assert_answer(f, other, "{\"verb\":\"touch\",\"path\":\"2\"}\n", "{\"path\":\"2\",\"ok\":true}");
    AUTO(mem_freep) char *line = line_from(f, slow), *next = line_from(f, slow);
    assert_int_equal(strlen(line), 8000000 + strlen("{\"text\":\"\",\"ok\":true}"));
    assert_string_equal(next, "{\"path\":\"1\",\"ok\":true}");
}

static void a_reply_beyond_the_ceiling_becomes_an_error(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    assert_answer(f, fd, "{\"verb\":\"big\",\"bytes\":67108864}\n",
                  "{\"ok\":false,\"exit\":70,\"error\":\"the answer is larger than 67108864 bytes; ask for less\"}");
    assert_answer(f, fd, "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
}

static void a_peer_that_goes_away_in_the_midst_does_no_harm(void **state)
{
    struct fixture *f = *state;
    static const char request[] = "{\"verb\":\"big\",\"bytes\":8000000}\n";
    for (int i = 0; i < 3; i++) {
        AUTO(fd_close) int fd = dial(f->path);
        say(f, fd, request, strlen(request));
        for (int turn = 0; turn < 1 + i; turn++)
            loop_turn(f->loop, 0);
    }
    AUTO(fd_close) int fd = dial(f->path);
    assert_answer(f, fd, "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
}

static void forward(struct fixture *f, int64_t seconds)
{
    forward_s += seconds;
    loop_turn(f->loop, 0);
}

/* And has nothing to read. */
static bool is_open(int fd)
{
    char c;
    return recv(fd, &c, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

static void who_neither_asks_nor_takes_for_ten_seconds_is_gone(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int silent = dial(f->path);
    AUTO(fd_close) int dripping = dial(f->path);
    AUTO(fd_close) int busy = dial(f->path);
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop, 0);
    forward(f, 9);
    say(f, dripping, "{", 1); /* pieces of a frame are no request */
    assert_answer(f, busy, "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
    assert_true(is_open(silent) && is_open(dripping));
    forward(f, 2);
    assert_false(is_open(silent));
    assert_false(is_open(dripping));
    assert_true(is_open(busy));
    static const char big[] = "{\"verb\":\"big\",\"bytes\":8000000}\n";
    say(f, busy, big, strlen(big));
    loop_turn(f->loop, 0);
    assert_false(is_open(busy)); /* its answer has begun */
    forward(f, 11);
    assert_null(line_from(f, busy)); /* cut: it did not take its answer */
}

static void more_than_64_connections_are_turned_away(void **state)
{
    struct fixture *f = *state;
    int fd[65];
    for (int i = 0; i < 65; i++) {
        fd[i] = dial(f->path);
        loop_turn(f->loop, 0);
    }
    assert_null(line_from(f, fd[64]));
    fd_close(&fd[0]);
    loop_turn(f->loop, 0);
    fd_close(&fd[64]);
    fd[64] = dial(f->path);
    assert_answer(f, fd[64], "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
    for (int i = 0; i < 65; i++)
        fd_close(&fd[i]);
}

/* splitmix64: a failing round can be played again from its number. */
static uint64_t dice(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t random_frame(uint64_t *seed, char *out, size_t size)
{
    static const char *const words[] = {
        "{",          "}",     "[",         "]",        "\"verb\"",    ":",
        "\"status\"", ",",     "\"touch\"", "\"path\"", "\"\\u0000\"", "\"path_base64\"",
        "\"/w==\"",   "1e999", "-0",        "null",     "\xff",        "\\",
        "\"",         "\n",    "\xc3\xa9"};
    size_t len = 0, pieces = dice(seed) % 24;
    for (size_t i = 0; i < pieces && len + 40 < size; i++) {
        if (dice(seed) % 8 == 0)
            out[len++] = (char)dice(seed);
        else
            len += (size_t)snprintf(out + len, size - len, "%s", words[dice(seed) % ARRAY_LEN(words)]);
    }
    out[len++] = '\n';
    return len;
}

static void random_frames_do_no_harm(void **state)
{
    struct fixture *f = *state;
    for (uint64_t round = 0; round < 2000; round++) {
        char frame[2048];
        uint64_t seed = round;
        AUTO(fd_close) int fd = dial(f->path);
        for (uint64_t left = 1 + dice(&seed) % 4; left > 0; left--)
            say(f, fd, frame, random_frame(&seed, frame, sizeof(frame)));
        static const char last[] = "{\"verb\":\"touch\",\"path\":\"the last\"}\n";
        say(f, fd, last, strlen(last));
        bool was_answered = false;
        while (!was_answered) {
            AUTO(mem_freep) char *line = line_from(f, fd);
            assert_non_null(line);
            json_t *reply = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
            assert_true(json_is_boolean(json_object_get(reply, "ok")));
            was_answered = str_eq(control_get_text(reply, "path"), "the last");
            json_decref(reply);
        }
    }
}

static void deep_nesting_is_refused(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = dial(f->path);
    AUTO(mem_freep) char *request = mem_alloc(60002);
    memset(request, '[', 60000);
    request[60000] = '\n';
    say(f, fd, request, 60001);
    AUTO(mem_freep) char *line = line_from(f, fd);
    assert_non_null(strstr(line, "not JSON"));
}

/* --- the socket's file -------------------------------------------------------------------------------------------- */

static void the_socket_is_0660_whatever_the_umask(void **state)
{
    static const mode_t masks[] = {0, 0022, 0077, 0777};
    struct fixture *f = *state;
    for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
        struct err e = {0};
        struct stat st;
        control_close(f->control);
        assert_int_equal(stat(f->path, &st), -1);
        mode_t saved = umask(masks[i]);
        f->control = control_open(f->loop, f->path, verbs, f, &e);
        umask(saved);
        assert_non_null(f->control);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode, S_IFSOCK | 0660);
    }
}

static void a_living_agents_socket_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    assert_null(control_open(f->loop, f->path, verbs, f, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_int_equal(e.cause, CAUSE_AGENT_SECOND);
    AUTO(fd_close) int fd = dial(f->path);
    assert_answer(f, fd, "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
}

static void a_dead_agents_socket_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    AUTO(mem_freep) char *path = path_join(f->dir, "dead.sock");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&at, sizeof(at)), 0);
    fd_close(&dead);
    struct control *second = control_open(f->loop, path, verbs, f, &e);
    assert_non_null(second);
    AUTO(fd_close) int fd = dial(path);
    assert_answer(f, fd, "{\"verb\":\"touch\",\"path\":\"1\"}\n", "{\"path\":\"1\",\"ok\":true}");
    control_close(second);
}

static void what_is_no_socket_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct stat st;
    AUTO(mem_freep) char *path = path_join(f->dir, "precious");
    assert_true(file_replace(path, "data", 4, 0600, &e));
    assert_null(control_open(f->loop, path, verbs, f, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
}

static void a_closing_agent_leaves_its_successors_socket(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    struct stat st;
    unlink(f->path);
    struct control *successor = control_open(f->loop, f->path, verbs, f, &e);
    assert_non_null(successor);
    control_close(f->control);
    assert_int_equal(stat(f->path, &st), 0);
    f->control = successor;
}

/* --- control_call ------------------------------------------------------------------------------------------------- */

struct call {
    struct fixture *f;
    const char *path;
    json_t *request, *reply;
    struct err e;
    int64_t wait_ms;
    pthread_t thread;
    struct mailbox *done;
};

static void *call_in_thread(void *arg)
{
    struct call *c = arg;
    c->reply = control_call(c->path, c->request, c->wait_ms, &c->e);
    if (!mailbox_put(c->done, c))
        abort();
    return NULL;
}

static void call_is_done(void *arg, void *value UNUSED)
{
    struct fixture *f = arg;
    loop_stop(f->loop);
}

/* Takes `request`; the reply is the caller's. */
static struct call call(struct fixture *f, const char *path, json_t *request)
{
    struct err e = {0};
    struct call c = {.f = f, .path = path, .request = request, .wait_ms = 10 * SECOND, .done = mailbox_new(1, &e)};
    assert_true(loop_mailbox_add(f->loop, c.done, call_is_done, f, &e));
    assert_int_equal(pthread_create(&c.thread, NULL, call_in_thread, &c), 0);
    loop_run(f->loop);
    pthread_join(c.thread, NULL);
    loop_fd_remove(f->loop, mailbox_fd(c.done));
    mailbox_free(c.done, free);
    json_decref(request);
    return c;
}

static void a_call_brings_the_answer(void **state)
{
    struct fixture *f = *state;
    struct call c = call(f, f->path, json_pack("{s:s, s:i}", "verb", "big", "bytes", 3000000));
    assert_non_null(c.reply);
    assert_int_equal(json_string_length(json_object_get(c.reply, "text")), 3000000);
    json_decref(c.reply);
}

static void a_path_longer_than_the_kernels_108_works_at_both_ends(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    AUTO(mem_freep) char *dir = str_printf("%s/%0100d/%0100d", f->dir, 1, 2);
    AUTO(mem_freep) char *path = path_join(dir, "control.sock");
    assert_true(dir_make(dir, 0700, &e));
    struct control *far = control_open(f->loop, path, verbs, f, &e);
    assert_non_null(far);
    struct call c = call(f, path, json_pack("{s:s, s:s}", "verb", "touch", "path", "x"));
    assert_true(json_is_true(json_object_get(c.reply, "ok")));
    json_decref(c.reply);
    control_close(far);
    struct stat st;
    assert_int_equal(stat(path, &st), -1);

    AUTO(mem_freep) char *name = str_printf("%s/%0200d", f->dir, 1);
    assert_null(control_open(f->loop, name, verbs, f, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, f->dir));
    assert_non_null(strstr(e.text, "`state`"));
}

static void without_an_agent_a_call_says_so(void **state)
{
    struct fixture *f = *state;
    AUTO(mem_freep)
    char *missing = path_join(f->dir, "missing.sock"), *no_dir = path_join(f->dir, "missing/control.sock");
    AUTO(mem_freep) char *dead = path_join(f->dir, "dead.sock");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", dead);
    AUTO(fd_close) int bound = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(bound, (struct sockaddr *)&at, sizeof(at)), 0);
    const char *const paths[] = {missing, no_dir, dead};
    json_t *request = json_pack("{s:s}", "verb", "status");
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct err e = {0};
        assert_null(control_call(paths[i], request, SECOND, &e));
        assert_int_equal(e.kind, ERR_TENANT);
        assert_true(str_starts(e.text, "no agent answers at '"));
    }
    json_decref(request);
}

static void an_agent_that_does_not_answer_is_not_waited_for_for_ever(void **state)
{
    struct fixture *f = *state; /* nobody turns its loop here */
    struct err e = {0};
    json_t *request = json_pack("{s:s}", "verb", "status");
    assert_null(control_call(f->path, request, 20, &e));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_non_null(strstr(e.text, "did not answer within"));
    json_decref(request);
}

static void a_request_too_large_is_not_sent(void **state)
{
    struct fixture *f = *state;
    struct err e = {0};
    AUTO(mem_freep) char *text = mem_alloc(1 << 20);
    memset(text, 'x', (1 << 20) - 1);
    json_t *request = json_pack("{s:s, s:[s]}", "verb", "touch", "paths", text);
    assert_null(control_call(f->path, request, SECOND, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    json_decref(request);
}

/* --- rights ------------------------------------------------------------------------------------------- */

enum { STRANGER = 65533, GROUP = 64321, OTHER_GROUP = 64322 };

/* As another user in a child: its exit code is what the agent answered, 0 for ok; 99: not let in. */
static int touch_as(struct fixture *f, gid_t group, const gid_t *more, size_t count)
{
    pid_t child = fork();
    if (child == 0) {
        struct err e = {0};
        if (setgroups(count, more) != 0 || setgid(group) != 0 || setuid(STRANGER) != 0)
            _exit(98);
        json_t *reply = control_call(f->path, json_pack("{s:s, s:s}", "verb", "touch", "path", "x"), 10 * SECOND, &e);
        _exit(!reply ? (e.kind == ERR_CONFIG ? 99 : 97) : (int)json_integer_value(json_object_get(reply, "exit")));
    }
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0)
        loop_turn(f->loop, 1);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void only_operators_may_operate(void **state)
{
    static const gid_t with[] = {5, GROUP, 7}, without[] = {5, OTHER_GROUP};
    static const struct {
        mode_t mode;
        gid_t group;
        const gid_t *more;
        size_t count;
        int exit_code;
    } rows[] = {
        {0660, OTHER_GROUP, without, 2, 99}, {0660, GROUP, NULL, 0, 0},        {0660, OTHER_GROUP, with, 3, 0},
        {0666, OTHER_GROUP, without, 2, 77}, {0666, OTHER_GROUP, NULL, 0, 77}, {0666, OTHER_GROUP, with, 3, 0},
        {0606, OTHER_GROUP, without, 2, 77},
    };
    struct fixture *f = *state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(chown(f->path, 0, GROUP), 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(chmod(f->path, rows[i].mode), 0);
        int before = f->touched;
        assert_int_equal(touch_as(f, rows[i].group, rows[i].more, rows[i].count), rows[i].exit_code);
        assert_int_equal(f->touched - before, rows[i].exit_code == 0);
    }
}

/* --- JSON --------------------------------------------------------------------------------------------- */

static void names_survive_json_byte_by_byte(void **state UNUSED)
{
    static const struct {
        const char *path, *shown, *base64;
    } rows[] = {
        {"/srv/a.jpg", "/srv/a.jpg", NULL},
        {"/srv/\xc3\xa9 \x1b[31m\n\"", "/srv/\xc3\xa9 \x1b[31m\n\"", NULL},
        {"/srv/\xff\xfe\xfb.jpg", "/srv/\\xff\\xfe\\xfb.jpg", "L3Nydi///vsuanBn"},
        {"\xff", "\\xff", "/w=="},
        {"", "", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *o = json_object();
        control_set_path(o, "path", rows[i].path);
        assert_string_equal(control_get_text(o, "path"), rows[i].shown);
        assert_string_equal(control_get_text(o, "path_base64"), rows[i].base64 ? rows[i].base64 : "");
        AUTO(mem_freep) char *text = json_dumps(o, 0);
        json_t *again = json_loads(text, 0, NULL);
        AUTO(mem_freep) char *path = control_get_path(again, "path");
        assert_string_equal(path, rows[i].path);
        json_decref(again);
        json_decref(o);
    }
}

static void a_name_that_is_none_is_missing(void **state UNUSED)
{
    static const char *const bad[] = {"{}", "{\"path\":1}", "{\"path_base64\":\"a\"}", "{\"path_base64\":\"AA==\"}",
                                      "{\"path_base64\":\"L*==\",\"path\":\"/a\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        json_t *o = json_loads(bad[i], 0, NULL);
        assert_null(control_get_path(o, "path"));
        json_decref(o);
    }
}

static void a_failure_says_even_what_is_not_utf8(void **state UNUSED)
{
    json_t *o = json_pack("{s:b}", "ok", 1);
    control_fail(o, 65, "no such asset: %s", "a\xff");
    assert_true(json_is_false(json_object_get(o, "ok")));
    assert_int_equal(json_integer_value(json_object_get(o, "exit")), 65);
    assert_non_null(strstr(control_get_text(o, "error"), "a\\xff"));
    json_decref(o);
}

static void without_a_run_directory_the_socket_is_in_state(void **state UNUSED)
{
    AUTO(mem_freep) char *path = control_socket_path("no such profile", "/var/lib/brandsync/acme");
    assert_string_equal(path, "/var/lib/brandsync/acme/control.sock");
}

#define WITH_SOCKET(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOCKET(a_line_is_answered_by_a_line),
        WITH_SOCKET(pieces_and_several_frames_at_once_are_whole_frames),
        WITH_SOCKET(a_client_that_only_sends_first_is_answered_before_the_end),
        WITH_SOCKET(what_is_no_request_is_told_so),
        WITH_SOCKET(frames_have_a_ceiling_and_lists_a_higher_one),
        WITH_SOCKET(a_large_reply_waits_for_a_slow_reader),
        WITH_SOCKET(a_reply_beyond_the_ceiling_becomes_an_error),
        WITH_SOCKET(a_peer_that_goes_away_in_the_midst_does_no_harm),
        WITH_SOCKET(who_neither_asks_nor_takes_for_ten_seconds_is_gone),
        WITH_SOCKET(more_than_64_connections_are_turned_away),
        WITH_SOCKET(random_frames_do_no_harm),
        WITH_SOCKET(deep_nesting_is_refused),
        WITH_SOCKET(the_socket_is_0660_whatever_the_umask),
        WITH_SOCKET(a_living_agents_socket_is_not_taken),
        WITH_SOCKET(a_dead_agents_socket_is_replaced),
        WITH_SOCKET(what_is_no_socket_is_left_alone),
        WITH_SOCKET(a_closing_agent_leaves_its_successors_socket),
        WITH_SOCKET(a_call_brings_the_answer),
        WITH_SOCKET(a_path_longer_than_the_kernels_108_works_at_both_ends),
        WITH_SOCKET(without_an_agent_a_call_says_so),
        WITH_SOCKET(an_agent_that_does_not_answer_is_not_waited_for_for_ever),
        WITH_SOCKET(a_request_too_large_is_not_sent),
        WITH_SOCKET(only_operators_may_operate),
        cmocka_unit_test(names_survive_json_byte_by_byte),
        cmocka_unit_test(a_name_that_is_none_is_missing),
        cmocka_unit_test(a_failure_says_even_what_is_not_utf8),
        cmocka_unit_test(without_a_run_directory_the_socket_is_in_state),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
