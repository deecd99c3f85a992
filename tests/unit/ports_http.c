/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The real HTTP client against a server on loopback that does as each test tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ports.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server: for each request the next reply of its script, byte for byte --------------------------------------- */

enum { STEPS = 8 };

struct step {
    const char *reply;
    size_t len;
    enum { KEEP, CLOSE, HANG, CANCEL_AND_HANG, CLOSE_WITHOUT_A_WORD } then;
};

static struct server {
    int fd, port;
    struct step step[STEPS];
    size_t steps, at;
    struct buf seen[STEPS]; /* whole requests */
    size_t connections;
    pthread_t thread;
} server;

static atomic_bool cancel; /* the client's */

static bool receive(int fd, struct buf *request)
{
    char data[65536];
    int64_t want = -1;
    while (want < 0 || (int64_t)request->len < want) {
        ssize_t n = recv(fd, data, sizeof(data), 0);
        if (n <= 0)
            return false;
        buf_add(request, data, (size_t)n);
        const char *end = memmem(request->data, request->len, "\r\n\r\n", 4);
        const char *length = strcasestr(request->data, "\r\nContent-Length:");
        if (end && want < 0)
            want = end + 4 - request->data + (length && length < end ? strtol(length + 17, NULL, 10) : 0);
    }
    return true;
}

static void wait_for_end(int fd)
{
    char data[65536];
    while (recv(fd, data, sizeof(data), 0) > 0) {
    }
}

static bool answer(int fd, const struct step *s)
{
    if (s->then == CLOSE_WITHOUT_A_WORD)
        return false;
    send(fd, s->reply, s->len, MSG_NOSIGNAL);
    if (s->then == CANCEL_AND_HANG)
        atomic_store(&cancel, true);
    if (s->then == HANG || s->then == CANCEL_AND_HANG)
        wait_for_end(fd);
    return s->then == KEEP;
}

static void *serve(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(server.fd, NULL, NULL)) >= 0; close(fd)) {
        server.connections++;
        while (server.at < server.steps && receive(fd, &server.seen[server.at]) &&
               answer(fd, &server.step[server.at++])) {
        }
    }
    return NULL;
}

static void say(const char *reply, int then)
{
    server.step[server.steps++] = (struct step){.reply = reply, .len = strlen(reply), .then = then};
}

static int given_a_server(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    memset(&server, 0, sizeof(server));
    for (size_t i = 0; i < STEPS; i++)
        server.seen[i].max = 64 << 20;
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(server.fd, 8), 0);
    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &len), 0);
    server.port = ntohs(address.sin_port);
    return pthread_create(&server.thread, NULL, serve, NULL);
}

static void stop_serving(void)
{
    if (server.fd < 0)
        return;
    shutdown(server.fd, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    fd_close(&server.fd);
}

/* --- a client -------------------------------------------------------------------------------------- */

static struct http_opts opts;
static void *client;
static struct http_reply reply;
static struct err e;

static int given_a_client(void **state)
{
    opts = (struct http_opts){0};
    atomic_store(&cancel, false);
    reply = (struct http_reply){0};
    e = (struct err){0};
    client = NULL;
    return given_a_server(state);
}

static void close_client(void)
{
    if (client)
        real_http.close(client);
    client = NULL;
}

static int then_all_goes(void **state)
{
    (void)state;
    close_client();
    stop_serving();
    http_reply_release(&reply);
    for (size_t i = 0; i < STEPS; i++)
        buf_release(&server.seen[i]);
    return 0;
}

static bool perform_at(const char *scheme, struct http_request *q)
{
    AUTO(mem_freep) char *url = str_printf("%s://127.0.0.1:%d/a%%20b?c=d", scheme, server.port);
    if (!client)
        client = real_http.open(real_http.arg, &opts, &cancel);
    if (!q->url)
        q->url = url;
    http_reply_release(&reply);
    bool is_done = real_http.perform(client, q, &reply, &e);
    q->url = NULL;
    return is_done;
}

static bool post(const char *text)
{
    struct http_request q = {.method = "POST", .body = text, .body_bytes = (int64_t)strlen(text)};
    return perform_at("http", &q);
}

struct body {
    int64_t at, bytes;
    int rewinds;
    int64_t fails_at;
};

static bool body_read(void *arg, void *data, size_t size, size_t *got, struct err *err)
{
    struct body *b = arg;
    if (b->fails_at && b->at >= b->fails_at)
        return err_set(err, ERR_CHANGED, "changed under way");
    *got = (size_t)MIN((int64_t)size, b->bytes - b->at);
    memset(data, 'x', *got);
    b->at += (int64_t)*got;
    return true;
}

static bool body_rewind(void *arg, struct err *err)
{
    struct body *b = arg;
    (void)err;
    b->at = 0;
    b->rewinds++;
    return true;
}

static bool post_stream(struct body *b)
{
    struct http_request q = {
        .method = "POST", .body_bytes = b->bytes, .read_body = body_read, .rewind_body = body_rewind, .arg = b};
    return perform_at("http", &q);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"

/* --- promises -------------------------------------------------------------------------------------- */

static void a_request_arrives_as_it_was_meant(void **state)
{
    (void)state;
    static const char *const lines[] = {"Content-Type: application/octet-stream", "X-Other: 1"};
    struct secret token = {.data = (char[]){"T0KEN"}, .len = 5};
    struct http_request q = {
        .method = "POST", .header = lines, .headers = 2, .bearer = &token, .body = "body", .body_bytes = 4};
    say(OK, KEEP);
    assert_true(perform_at("http", &q));
    close_client();
    stop_serving();

    const char *seen = server.seen[0].data;
    assert_true(str_starts(seen, "POST /a%20b?c=d HTTP/1.1\r\n"));
    assert_true(str_ends(seen, "\r\n\r\nbody"));
    static const char agent[] = "\r\nUser-Agent: brandsync/" BRANDSYNC_VERSION "\r\n";
    static const char *const wanted[] = {"\r\nContent-Type: application/octet-stream\r\n", "\r\nX-Other: 1\r\n",
                                         "\r\nContent-Length: 4\r\n", "\r\nAuthorization: Bearer T0KEN\r\n", agent};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        assert_non_null(strstr(seen, wanted[i]));
    assert_null(strcasestr(seen, "Expect"));
    assert_null(strcasestr(seen, "Transfer-Encoding"));
}

static void a_reply_is_read_whole(void **state)
{
    (void)state;
    say("HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nRetry-After: 17\r\nDate: Mon, 24 Nov 2025 16:00:00 "
        "GMT\r\n"
        "Content-Length: 8\r\n\r\n{\"a\": 1}",
        KEEP);
    assert_true(post("x"));
    assert_int_equal(reply.status, 503);
    assert_string_equal(reply.body.data, "{\"a\": 1}");
    assert_string_equal(reply.content_type, "application/json");
    assert_int_equal(reply.retry_after_ms, 17000);
    assert_int_equal(reply.date_ms, INT64_C(1764000000000));
    assert_true(reply.sent_mono_ms > 0 && reply.sent_mono_ms <= mono_ms(&real_clock));
}

static void retry_after_is_kept_within_an_hour(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t ms;
    } rows[] = {{"999999999", 3600000},
                {"-5", 0},
                {"soon", 0},
                {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                {"Fri, 31 Dec 2100 00:00:00 GMT", 3600000}};
    AUTO(mem_freep) char *text[ARRAY_LEN(rows)] = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        say(text[i] = str_printf("HTTP/1.1 429 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n", rows[i].value),
            KEEP);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(post("x"));
        assert_int_equal(reply.retry_after_ms, rows[i].ms);
    }
    close_client();
    stop_serving();
    for (size_t i = 1; i < ARRAY_LEN(rows); i++)
        free(text[i]);
}

static void a_connection_is_kept_and_a_stream_has_a_length(void **state)
{
    (void)state;
    struct body b = {.bytes = 3000000};
    say(OK, KEEP);
    say(OK, KEEP);
    assert_true(post_stream(&b));
    b.at = 0;
    assert_true(post_stream(&b));
    close_client();
    stop_serving();
    assert_int_equal(server.connections, 1);
    assert_non_null(strstr(server.seen[0].data, "\r\nContent-Length: 3000000\r\n"));
    assert_true(str_ends(server.seen[1].data, "xxxx"));
    assert_int_equal(server.seen[0].len, server.seen[1].len);
}

static void connection_close_is_said_and_done(void **state)
{
    (void)state;
    opts.close_connection = true;
    say(OK, KEEP);
    say(OK, KEEP);
    assert_true(post("x") && post("y"));
    close_client();
    stop_serving();
    assert_int_equal(server.connections, 2);
    assert_non_null(strstr(server.seen[0].data, "\r\nConnection: close\r\n"));
}

static void a_stale_connection_is_not_an_error(void **state)
{
    (void)state;
    struct body b = {.bytes = 100000};
    say(OK, KEEP);
    say("", CLOSE_WITHOUT_A_WORD);
    say(OK, KEEP);
    assert_true(post_stream(&b));
    b.at = 0;
    assert_true(post_stream(&b));
    assert_int_equal(b.rewinds, 1);
    assert_int_equal(reply.status, 200);
    close_client();
    stop_serving();
    assert_int_equal(server.seen[2].len, server.seen[0].len);
}

static void a_redirect_is_a_reply(void **state)
{
    (void)state;
    say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", KEEP);
    assert_true(post("x"));
    assert_int_equal(reply.status, 302);
}

static void no_header_can_bring_another(void **state)
{
    (void)state;
    static const char *const bad[] = {"X: a\r\nEvil: 1", "X: a\nEvil: 1", "no colon", ": no name",
                                      "a b: c",          "X\r: y",        "X: \x7f",  ""};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_request q = {.method = "POST", .header = &bad[i], .headers = 1};
        e = (struct err){0};
        assert_false(perform_at("http", &q));
        assert_int_equal(e.kind, ERR_REFUSED);
    }
    struct secret token = {.data = (char[]){"a\r\nEvil: 1"}, .len = 10};
    struct http_request q = {.method = "POST", .bearer = &token};
    assert_false(perform_at("http", &q));
    assert_int_equal(e.kind, ERR_AUTH);
    assert_null(strstr(e.text, "Evil"));
}

static void a_url_is_a_url(void **state)
{
    (void)state;
    static const char *const bad[] = {"http://127.0.0.1/a b", "http://127.0.0.1/\r\nEvil: 1", "", "no scheme",
                                      "http://127.0.0.1:99999/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_request q = {.method = "GET", .url = bad[i]};
        assert_false(perform_at("http", &q));
    }
    assert_int_equal(server.connections, 0);
}

static void a_reply_without_end_is_cut_off(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf body = BUF_INIT(1 << 20), headers = BUF_INIT(1 << 20);
    buf_str(&body, "HTTP/1.1 200 OK\r\n\r\n");
    buf_str(&headers, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 5000; i++) {
        buf_str(&body, "0123456789012345678901234567890");
        buf_printf(&headers, "X-%d: 0123456789\r\n", i);
    }
    say(body.data, CLOSE);
    say(headers.data, CLOSE);
    assert_false(post("x"));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_non_null(strstr(e.text, "over 65536 bytes"));
    assert_false(post("x"));
    assert_non_null(strstr(e.text, "headers are over"));
    close_client();
    stop_serving();
}

static void a_cut_reply_is_the_tenants_trouble(void **state)
{
    (void)state;
    say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", CLOSE);
    assert_false(post("x"));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_int_equal(e.cause, CAUSE_TENANT_UNREACHABLE);
    assert_true(str_starts(e.text, "cannot reach 127.0.0.1: "));
    assert_null(reply.body.data);
}

static void nobody_there_is_the_tenants_trouble(void **state)
{
    (void)state;
    stop_serving();
    assert_false(post("x"));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_int_equal(e.cause, CAUSE_TENANT_UNREACHABLE);
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    opts.reply_ms = 100;
    say("", HANG);
    assert_false(post("x"));
    assert_int_equal(e.kind, ERR_TENANT);
    assert_string_equal(e.text, "cannot reach 127.0.0.1: no reply for 0.1 s");
    close_client();
}

static void a_cancelled_request_ends_within_about_a_second(void **state)
{
    (void)state;
    say("", CANCEL_AND_HANG);
    int64_t began = mono_ms(&real_clock);
    assert_false(post("x"));
    assert_int_equal(e.kind, ERR_CANCELLED);
    assert_in_range(mono_ms(&real_clock) - began, 0, 3000);
    close_client();
}

static void a_body_that_breaks_off_breaks_the_request_off(void **state)
{
    (void)state;
    struct body b = {.bytes = 3000000, .fails_at = 1000000};
    say(OK, KEEP);
    assert_false(post_stream(&b));
    assert_int_equal(e.kind, ERR_CHANGED);
    assert_string_equal(e.text, "changed under way");
    close_client();
    stop_serving();
    assert_true(server.seen[0].len < 3000000);
    assert_int_equal(server.at, 0);
}

static void the_environment_is_not_asked(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    say(OK, KEEP);
    assert_true(post("x"));
    unsetenv("http_proxy");
    unsetenv("all_proxy");
}

static void the_upload_limit_is_kept(void **state)
{
    (void)state;
    struct body b = {.bytes = 400000};
    struct http_request q = {
        .method = "POST", .body_bytes = b.bytes, .read_body = body_read, .arg = &b, .bytes_per_s = 400000};
    say(OK, KEEP);
    int64_t began = mono_ms(&real_clock);
    assert_true(perform_at("http", &q));
    assert_true(mono_ms(&real_clock) - began >= 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_a_client, then_all_goes)

int main(void)
{
    http_global_init();
    const struct CMUnitTest tests[] = {
        TEST(a_request_arrives_as_it_was_meant),
        TEST(a_reply_is_read_whole),
        TEST(retry_after_is_kept_within_an_hour),
        TEST(a_connection_is_kept_and_a_stream_has_a_length),
        TEST(connection_close_is_said_and_done),
        TEST(a_stale_connection_is_not_an_error),
        TEST(a_redirect_is_a_reply),
        TEST(no_header_can_bring_another),
        TEST(a_url_is_a_url),
        TEST(a_reply_without_end_is_cut_off),
        TEST(a_cut_reply_is_the_tenants_trouble),
        TEST(nobody_there_is_the_tenants_trouble),
        TEST(a_silent_server_is_given_up),
        TEST(a_cancelled_request_ends_within_about_a_second),
        TEST(a_body_that_breaks_off_breaks_the_request_off),
        TEST(the_environment_is_not_asked),
        TEST(the_upload_limit_is_kept),
    };
    return cmocka_run_group_tests_name("ports http", tests, NULL, NULL);
}
