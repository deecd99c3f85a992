/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The tenant as a client meets it: real TLS, real sockets, ports of the kernel's choice. */
#include "../../src/portal/portal.h"

#include <curl/curl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define IMPORTER "/libs/sling/distribution/services/importers/default"
#define FORM "application/x-www-form-urlencoded"

struct world {
    char dir[64];
    struct authority authority;
    struct server_opts opts;
    struct server *server;
    char *client_id, *secret;
    CURL *curl;
};

struct reply {
    CURLcode code;
    long status, new_connections;
    struct buf body, header;
};

/* --- given ------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st UNUSED, int flag UNUSED, struct FTW *ftw UNUSED)
{
    return remove(path);
}

static void enrol(struct world *w)
{
    struct err e = {0};
    struct credentials all;
    struct secret secret = {0};
    size_t index;
    assert_true(
        credentials_register(w->dir, &(struct registration){.kind = CREDENTIAL_OAUTH}, &all, &index, &secret, &e));
    w->client_id = str_copy(all.item[index].client_id);
    w->secret = str_copy(secret.data);
    credentials_release(&all);
    secret_release(&secret);
}

static int open_world(void **state)
{
    struct err e = {0};
    struct world *w = mem_alloc(sizeof(*w));
    snprintf(w->dir, sizeof(w->dir), "/tmp/brandsync-server-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    AUTO(mem_freep) char *journal = path_join(w->dir, "journal.jsonl");
    enrol(w);
    assert_true(authority_open(w->dir, &w->authority, &e));
    w->opts = (struct server_opts){.listen = "127.0.0.1", .importer_path = IMPORTER, .authority = &w->authority};
    w->opts.page = (struct page_site){.store = store_open(w->dir, "/content/dam/mac/acme", &e), .tenant = "acme"};
    w->opts.journal = journal_open(journal, &e);
    w->opts.ims = ims_open(w->dir, 3600000, &e);
    w->opts.importer = importer_new(w->opts.page.store);
    w->server = server_start(&w->opts, &e);
    assert_non_null(w->server);
    w->curl = curl_easy_init();
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    curl_easy_cleanup(w->curl);
    server_stop(w->server);
    importer_free(w->opts.importer);
    ims_close(w->opts.ims);
    journal_close(w->opts.journal);
    store_close(w->opts.page.store);
    authority_release(&w->authority);
    mem_freep(&w->client_id);
    mem_freep(&w->secret);
    nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    mem_freep(&w);
    return 0;
}

static size_t take_bytes(char *data, size_t size, size_t count, void *arg)
{
    buf_add(arg, data, size * count);
    return size * count;
}

static void reply_release(struct reply *r)
{
    buf_release(&r->body);
    buf_release(&r->header);
}

/* `body` NULL: no body is sent, unless the method is POST (then an empty one). */
struct question {
    const char *method, *host, *path, *body, *type, *bearer, *header;
    curl_mime *mime;
    bool is_plain, has_no_ca;
};

static struct reply ask(struct world *w, const struct question *q)
{
    struct reply r = {.body = BUF_INIT(1 << 20), .header = BUF_INIT(1 << 20)};
    struct curl_slist *headers = NULL;
    AUTO(mem_freep) char *type = str_printf("Content-Type: %s", q->type ? q->type : "application/octet-stream");
    AUTO(mem_freep) char *bearer = str_printf("Authorization: Bearer %s", q->bearer ? q->bearer : "");
    AUTO(mem_freep)
    char *url = str_printf("%s://%s:%d%s", q->is_plain ? "http" : "https", q->host ? q->host : "127.0.0.1",
                           q->is_plain ? server_page_port(w->server) : server_port(w->server), q->path);
    if (!q->mime)
        headers = curl_slist_append(headers, type);
    if (q->bearer)
        headers = curl_slist_append(headers, bearer);
    if (q->header)
        headers = curl_slist_append(headers, q->header);
    curl_easy_reset(w->curl);
    curl_easy_setopt(w->curl, CURLOPT_URL, url);
    curl_easy_setopt(w->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    if (!q->has_no_ca)
        curl_easy_setopt(w->curl, CURLOPT_CAINFO, w->authority.ca_file);
    curl_easy_setopt(w->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(w->curl, CURLOPT_WRITEDATA, &r.body);
    curl_easy_setopt(w->curl, CURLOPT_HEADERFUNCTION, take_bytes);
    curl_easy_setopt(w->curl, CURLOPT_HEADERDATA, &r.header);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT, 60L);
    if (q->mime)
        curl_easy_setopt(w->curl, CURLOPT_MIMEPOST, q->mime);
    else if (q->body || (q->method && str_eq(q->method, "POST")))
        curl_easy_setopt(w->curl, CURLOPT_COPYPOSTFIELDS, q->body ? q->body : "");
    if (q->method)
        curl_easy_setopt(w->curl, CURLOPT_CUSTOMREQUEST, q->method);
    r.code = curl_easy_perform(w->curl);
    curl_easy_getinfo(w->curl, CURLINFO_RESPONSE_CODE, &r.status);
    curl_easy_getinfo(w->curl, CURLINFO_NUM_CONNECTS, &r.new_connections);
    curl_slist_free_all(headers);
    return r;
}

static char *token_in(const struct reply *r)
{
    json_t *json = json_loads(r->body.data ? r->body.data : "", 0, NULL);
    char *token = str_copy(json_string_value(json_object_get(json, "access_token")));
    json_decref(json);
    return token;
}

static char *token_form(const struct world *w)
{
    return str_printf("grant_type=client_credentials&client_id=%s&client_secret=%s&scope=openid%%2CAdobeID",
                      w->client_id, w->secret);
}

static char *get_token(struct world *w)
{
    AUTO(mem_freep) char *form = token_form(w);
    AUTO(reply_release)
    struct reply r = ask(w, &(struct question){.path = "/ims/token/v3", .body = form, .type = FORM});
    return token_in(&r);
}

/* --- TLS ---------------------------------------------------------------------------------------------- */

static void only_our_ca_vouches_for_the_server(void **state)
{
    AUTO(reply_release) struct reply known = ask(*state, &(struct question){.path = "/"});
    AUTO(reply_release) struct reply by_name = ask(*state, &(struct question){.path = "/", .host = "localhost"});
    AUTO(reply_release) struct reply foreign = ask(*state, &(struct question){.path = "/", .has_no_ca = true});
    assert_int_equal(known.code, CURLE_OK);
    assert_int_equal(by_name.code, CURLE_OK);
    assert_int_equal(foreign.code, CURLE_PEER_FAILED_VERIFICATION);
}

/* --- IMS ---------------------------------------------------------------------------------------------- */

static void a_token_is_got_with_either_kind_of_form(void **state)
{
    struct world *w = *state;
    AUTO(mem_freep) char *urlencoded = get_token(w);
    const char *const field[][2] = {{"grant_type", "client_credentials"},
                                    {"client_id", w->client_id},
                                    {"client_secret", w->secret},
                                    {"scope", "openid"}};
    curl_mime *mime = curl_mime_init(w->curl);
    for (size_t i = 0; i < ARRAY_LEN(field); i++) {
        curl_mimepart *part = curl_mime_addpart(mime);
        curl_mime_name(part, field[i][0]);
        curl_mime_data(part, field[i][1], CURL_ZERO_TERMINATED);
    }
    AUTO(reply_release) struct reply r = ask(w, &(struct question){.path = "/ims/token/v3", .mime = mime});
    AUTO(mem_freep) char *multipart = token_in(&r);
    curl_mime_free(mime);
    assert_non_null(urlencoded);
    assert_non_null(multipart);
}

static void the_exchange_is_there_with_and_without_a_slash(void **state)
{
    static const char *const paths[] = {"/ims/exchange/jwt", "/ims/exchange/jwt/"};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        AUTO(reply_release)
        struct reply r = ask(
            *state,
            &(struct question){.path = paths[i], .body = "client_id=x&client_secret=y&jwt_token=a.b.c", .type = FORM});
        assert_int_equal(r.status, 400);
        assert_non_null(strstr(r.body.data, "\"error\":\"invalid_client\""));
        assert_non_null(strstr(r.header.data, "application/json"));
    }
}

static void a_form_too_large_is_refused(void **state)
{
    AUTO(mem_freep) char *form = mem_alloc(200001);
    memset(form, 'a', 200000);
    memcpy(form, "client_id=", 10);
    AUTO(reply_release)
    struct reply r = ask(*state, &(struct question){.path = "/ims/token/v3", .body = form, .type = FORM});
    assert_int_equal(r.status, 413);
}

/* --- importer and replication test ------------------------------------------------------------------- */

static void a_token_opens_the_importer(void **state)
{
    AUTO(mem_freep) char *token = get_token(*state);
    AUTO(reply_release)
    struct reply r = ask(
        *state, &(struct question){.path = IMPORTER, .body = "DSTRPCK::TEST|/content/dam/mac/acme", .bearer = token});
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.body.data, "\"message\""));
}

static void a_refused_body_is_read_to_its_end(void **state)
{
    AUTO(mem_freep) char *body = mem_alloc(3000001);
    memset(body, 'x', 3000000);
    AUTO(reply_release)
    struct reply refused = ask(*state, &(struct question){.path = IMPORTER, .body = body, .bearer = "nonsense"});
    AUTO(reply_release) struct reply next = ask(*state, &(struct question){.path = "/"});
    assert_int_equal(refused.status, 401);
    assert_non_null(strcasestr(refused.header.data, "WWW-Authenticate: Bearer"));
    assert_int_equal(next.new_connections, 0); /* the connection is still good */
}

static void the_replication_test_says_the_words(void **state)
{
    AUTO(mem_freep) char *token = get_token(*state);
    AUTO(reply_release)
    struct reply r = ask(*state, &(struct question){.method = "POST",
                                                    .header = "Action: Test",
                                                    .bearer = token,
                                                    .path = "/bin/receive?sling:authRequestLogin=1"});
    assert_int_equal(r.status, 200);
    assert_string_equal(r.body.data, "ReplicationAction TEST ok.");
    assert_non_null(strcasestr(r.header.data, "Content-Type: text/plain;charset=utf-8"));
    AUTO(reply_release)
    struct reply other = ask(
        *state,
        &(struct question){.method = "POST", .header = "Action: Activate", .bearer = token, .path = "/bin/receive"});
    assert_int_equal(other.status, 400);
    assert_non_null(strstr(other.body.data, "Activate refused"));
}

static void each_wrong_request_has_its_status(void **state)
{
    static const struct {
        struct question q;
        long status;
    } rows[] = {
        {{.path = "/"}, 404},
        {{.path = "/stats"}, 404}, /* the page's things are not here */
        {{.path = IMPORTER "x", .method = "POST"}, 404},
        {{.path = IMPORTER}, 405},
        {{.path = "/ims/token/v3", .method = "PUT", .body = "x"}, 405},
        {{.path = IMPORTER, .body = "x"}, 401},
        {{.path = "/bin/receive", .method = "POST", .header = "Action: Test"}, 401},
        {{.path = "/ims/token/v3", .body = "{}", .type = "application/json"}, 415},
        {{.path = "/ims/token/v3", .body = "a=b", .type = FORM, .header = "Host: evil.example"}, 421},
        {{.path = "/", .is_plain = true, .header = "Host: evil.example"}, 421},
        {{.path = "/", .is_plain = true, .header = "Host:"}, 421},
        {{.path = "/", .is_plain = true, .method = "POST", .body = "x"}, 405},
        {{.path = "/at/../../etc/passwd", .is_plain = true}, 404},
        {{.path = "/asset/%2e%2e/nodes.log", .is_plain = true}, 404},
        {{.path = "/", .is_plain = true}, 200},
        {{.path = "/", .is_plain = true, .host = "localhost"}, 200},
        {{.path = "/stats", .is_plain = true}, 200},
        {{.path = "/page.css", .is_plain = true}, 200},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(reply_release) struct reply r = ask(*state, &rows[i].q);
        if (r.status != rows[i].status)
            fail_msg("row %zu, %s: %ld instead of %ld", i, rows[i].q.path, r.status, rows[i].status);
    }
}

static void the_page_forbids_everything_from_elsewhere(void **state)
{
    AUTO(reply_release) struct reply r = ask(*state, &(struct question){.path = "/", .is_plain = true});
    assert_non_null(
        strstr(r.header.data, "Content-Security-Policy: default-src 'none'; img-src 'self'; style-src 'self'"));
    assert_non_null(strstr(r.header.data, "X-Content-Type-Options: nosniff"));
    assert_null(strstr(r.header.data, "Access-Control"));
    assert_null(strstr(r.body.data, "<script"));
}

static void host_names_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool is_local;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.0.0.1:38080", true},
        {"localhost", true},
        {"LOCALHOST:1", true},
        {"[::1]", true},
        {"[::1]:38443", true},
        {"", false},
        {"evil.example", false},
        {"localhost.evil", false},
        {"127.0.0.1.nip", false},
        {"127.0.0.1:", false},
        {"localhost:80x", false},
        {"127.0.0.2", false},
        {"::1", false},
        {"localhost:99999", false},
        {"localhost:-1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (server_host_is_local(rows[i].host) != rows[i].is_local)
            fail_msg("'%s'", rows[i].host);
}

/* --- journal, ports ------------------------------------------------------------------------------------ */

static size_t give_half(char *out, size_t size, size_t count, void *arg)
{
    int *calls = arg;
    if ((*calls)++ > 0)
        return CURL_READFUNC_ABORT;
    memset(out, 'x', size * count);
    return size * count;
}

static void a_body_broken_off_is_journalled_and_answers_nobody(void **state)
{
    struct world *w = *state;
    AUTO(mem_freep) char *token = get_token(w);
    AUTO(mem_freep) char *bearer = str_printf("Authorization: Bearer %s", token);
    AUTO(mem_freep) char *url = str_printf("https://127.0.0.1:%d" IMPORTER, server_port(w->server));
    AUTO(mem_freep) char *file = path_join(w->dir, "journal.jsonl");
    struct curl_slist *headers = curl_slist_append(NULL, bearer);
    int calls = 0;
    curl_easy_reset(w->curl);
    curl_easy_setopt(w->curl, CURLOPT_URL, url);
    curl_easy_setopt(w->curl, CURLOPT_CAINFO, w->authority.ca_file);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(w->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(w->curl, CURLOPT_POSTFIELDSIZE, 10000000L);
    curl_easy_setopt(w->curl, CURLOPT_READFUNCTION, give_half);
    curl_easy_setopt(w->curl, CURLOPT_READDATA, &calls);
    assert_int_equal(curl_easy_perform(w->curl), CURLE_ABORTED_BY_CALLBACK);
    curl_slist_free_all(headers);
    server_stop(w->server); /* joins its threads: the journal is complete */
    w->server = NULL;
    struct err e = {0};
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 20);
    assert_true(file_read(file, 1 << 20, &text, &e));
    assert_non_null(strstr(text.data, "\"status\":0"));
    assert_null(strstr(text.data, token));
}

static void a_taken_port_moves_only_when_it_may(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct server_opts opts = w->opts;
    opts.port = server_port(w->server);
    assert_null(server_start(&opts, &e));
    assert_non_null(strstr(e.text, "cannot listen"));
    opts.port_moves = true;
    struct server *second = server_start(&opts, &e);
    assert_non_null(second);
    assert_int_not_equal(server_port(second), server_port(w->server));
    server_stop(second);
}

static void the_ca_stays_and_the_server_certificate_changes(void **state)
{
    struct world *w = *state;
    struct err e = {0};
    struct authority again;
    AUTO(buf_release) struct buf before = BUF_INIT(65536), after = BUF_INIT(65536);
    assert_true(file_read(w->authority.ca_file, 65536, &before, &e));
    assert_true(authority_open(w->dir, &again, &e));
    assert_true(file_read(w->authority.ca_file, 65536, &after, &e));
    assert_string_equal(before.data, after.data);
    assert_string_not_equal(again.certificate, w->authority.certificate);
    authority_release(&again);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(only_our_ca_vouches_for_the_server),
        WITH_WORLD(a_token_is_got_with_either_kind_of_form),
        WITH_WORLD(the_exchange_is_there_with_and_without_a_slash),
        WITH_WORLD(a_form_too_large_is_refused),
        WITH_WORLD(a_token_opens_the_importer),
        WITH_WORLD(a_refused_body_is_read_to_its_end),
        WITH_WORLD(the_replication_test_says_the_words),
        WITH_WORLD(each_wrong_request_has_its_status),
        WITH_WORLD(the_page_forbids_everything_from_elsewhere),
        cmocka_unit_test(host_names_are_told_apart),
        WITH_WORLD(a_body_broken_off_is_journalled_and_answers_nobody),
        WITH_WORLD(a_taken_port_moves_only_when_it_may),
        WITH_WORLD(the_ca_stays_and_the_server_certificate_changes),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests_name("portal_server", tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
