/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* One batch, one result: real files, a scripted tenant. What changes, vanishes or is refused under way ends in the
 * right receipt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../fakes/clock.h"
#include "../fakes/tokens.h"
#include "package.h"
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#define DONE "{\"message\":\"package imported successfully\"}"
#define ROOT "/content/dam/mac/acme"
#define SHA256_OF_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define SHA1_OF_HELLO "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"

/* --- the house ------------------------------------------------------------------------------------- */

static char top[40];
static struct fake_clock clock_;
static struct fake_tokens tokens;
static struct fake_http portal;
static struct profile profile;
static struct profile_folder folder;
static struct fs fs;
static atomic_bool cancel;
static struct upload_one *uploader;
static struct result *result;

static int given_an_uploader(void **state)
{
    (void)state;
    snprintf(top, sizeof(top), "/tmp/brandsync-upload-XXXXXX");
    assert_non_null(mkdtemp(top));
    fake_clock_init(&clock_, 1764000000000);
    fake_tokens_init(&tokens, &clock_.clock);
    fake_http_init(&portal, 200, DONE);
    portal.clock = &clock_.clock;
    fs = real_fs;
    folder = (struct profile_folder){.path = top};
    profile = (struct profile){.folder = &folder, .folders = 1};
    profile.tenant = (struct profile_tenant){.url = str_copy("https://acme.portal.test"),
                                             .root = str_copy(ROOT),
                                             .importer_path = str_copy("/importer"),
                                             .public_property = str_copy("publicFolder")};
    atomic_store(&cancel, false);
    const struct upload_opts opts = {
        .profile = &profile, .fs = &fs, .http = &portal.http, .clock = &clock_.clock, .tokens = tokens.source};
    uploader = upload_one_new(&opts, 3, &cancel);
    result = NULL;
    return 0;
}

static int then_it_goes(void **state)
{
    (void)state;
    AUTO(mem_freep) char *command = str_printf("rm -rf '%s'", top);
    result_free(result);
    upload_one_free(uploader);
    fake_http_release(&portal);
    fake_tokens_release(&tokens);
    mem_freep(&profile.tenant.url);
    mem_freep(&profile.tenant.root);
    mem_freep(&profile.tenant.importer_path);
    mem_freep(&profile.tenant.public_property);
    return system(command);
}

static char *path_of(const char *name)
{
    return path_join(top, name);
}

static void write_file(const char *name, const void *data, size_t len)
{
    AUTO(mem_freep) char *path = path_of(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct err e;
    assert_true(fd >= 0 && write_all(fd, data, len, &e));
    close(fd);
}

static void given_file(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static void given_big_file(const char *name, size_t bytes)
{
    AUTO(mem_freep) char *data = mem_alloc(bytes);
    memset(data, 'b', bytes);
    write_file(name, data, bytes);
}

static struct job *asset_job(const char *name)
{
    AUTO(mem_freep) char *path = path_of(name), *remote = path_join(ROOT "/c", name);
    struct job *job = job_new(ACTION_PUBLISH, path, remote);
    job->title = str_copy(name);
    job->folder = 0;
    job->last_bytes = -1;
    return job;
}

static struct batch *batch_of(enum job_action action, struct job **job, size_t count)
{
    struct batch *b = mem_alloc(sizeof(*b));
    *b = (struct batch){.action = action, .count = count, .job = mem_copy(job, count * sizeof(*job))};
    return b;
}

static void publish(const char *const *name, size_t count)
{
    struct job *job[8];
    for (size_t i = 0; i < count; i++)
        job[i] = asset_job(name[i]);
    result = upload_run_one(uploader, batch_of(ACTION_PUBLISH, job, count));
}

static void run_job(struct job *job)
{
    result = upload_run_one(uploader, batch_of(job->action, &job, 1));
}

static bool was_sent(size_t request, const char *text)
{
    const struct buf *body = &portal.seen[request].body;
    return request < portal.requests && memmem(body->data, body->len, text, strlen(text));
}

#define THREE ((const char *const[]){"a.jpg", "b.jpg", "c.jpg"}), 3

static void given_three_files(void)
{
    given_file("a.jpg", "hello");
    given_file("b.jpg", "bb");
    given_file("c.jpg", "ccc");
}

/* --- what goes well -------------------------------------------------------------------------------- */

static void a_batch_is_one_package_and_a_receipt_for_each(void **state)
{
    (void)state;
    given_three_files();
    publish(THREE);
    assert_int_equal(portal.requests, 1);
    assert_int_equal(result->count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct receipt *r = &result->receipt[i];
        assert_int_equal(r->outcome, OUTCOME_PUBLISHED);
        assert_string_equal(r->proof, "accepted");
        assert_int_equal(r->status, 200);
        assert_int_equal(r->uploader, 3);
        assert_int_equal(r->tries, 1);
        assert_int_equal(r->err.kind, ERR_NONE);
        assert_int_equal(r->package, result->receipt[0].package);
        assert_int_equal(r->sent_ms, 1764000000000);
        assert_int_equal(r->confirmed_ms, 1764000000000);
    }
    assert_string_equal(result->receipt[0].sha256, SHA256_OF_HELLO);
    assert_int_equal(result->receipt[0].bytes, 5);
    assert_true(was_sent(0, "dam:sha1=\"" SHA1_OF_HELLO "\""));
    assert_true(was_sent(0, "dc:format=\"image/jpeg\" dc:title=\"c.jpg\""));
    assert_true(was_sent(0, "<filter root=\"" ROOT "/c/b.jpg\""));
}

static void the_receipts_digest_is_of_what_was_sent_large_or_empty(void **state)
{
    (void)state;
    given_big_file("large.tif", 3 * PACKAGE_SMALL_BYTES + 7);
    given_file("empty.txt", "");
    publish((const char *const[]){"large.tif", "empty.txt"}, 2);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_string_equal(result->receipt[0].sha256, "fe7e0700bcb9675f42818ca978019316e5d0a1832351d1d7ab2678fe8a8b35e6");
    assert_string_equal(result->receipt[1].sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_folder_travels_with_its_title_and_flag(void **state)
{
    (void)state;
    struct job *job = job_new(ACTION_FOLDER, top, ROOT "/c");
    job->title = str_copy("Campaigns & more");
    job->is_public = true;
    run_job(job);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_true(result->receipt[0].is_public);
    assert_true(was_sent(0, "jcr:title=\"Campaigns &amp; more\" publicFolder=\"{Boolean}true\""));
    assert_false(was_sent(0, "dam:Asset"));
}

static void an_unpublish_names_its_remote(void **state)
{
    (void)state;
    run_job(job_new(ACTION_UNPUBLISH, "/gone.jpg", ROOT "/c/gone.jpg"));
    assert_int_equal(result->receipt[0].outcome, OUTCOME_UNPUBLISHED);
    assert_string_equal(portal.seen[0].body.data, "DSTRPCK::DELETE|" ROOT "/c/gone.jpg");
}

static void a_body_can_be_sent_twice(void **state)
{
    (void)state;
    given_three_files();
    given_big_file("b.jpg", 2 * PACKAGE_SMALL_BYTES);
    fake_http_say(&portal, 401, "{}");
    fake_http_say(&portal, 200, DONE)->is_dropped_first = true;
    publish(THREE);
    assert_int_equal(result->receipt[1].outcome, OUTCOME_PUBLISHED);
    assert_string_equal(result->receipt[0].sha256, SHA256_OF_HELLO);
    assert_int_equal(portal.requests, 2);
    assert_int_equal(portal.seen[0].body.len, portal.seen[1].body.len);
    assert_memory_equal(portal.seen[0].body.data, portal.seen[1].body.data, portal.seen[0].body.len);
}

static void a_digest_is_of_the_whole_body(void **state)
{
    (void)state;
    unsigned char md[32];
    char want[100] = "Digest: SHA-256=";
    given_three_files();
    profile.tenant.digest = DIGEST_ALWAYS;
    publish(THREE);
    const struct fake_request *q = &portal.seen[0];
    assert_true(EVP_Q_digest(NULL, "SHA256", NULL, q->body.data, q->body.len, md, NULL));
    text_hex(want + strlen(want), md, sizeof(md));
    assert_non_null(strstr(q->headers, want));
    assert_string_equal(result->receipt[0].sha256, SHA256_OF_HELLO);
}

/* --- what is unchanged ----------------------------------------------------------------------------- */

static struct job *published_before(const char *name, int64_t bytes, const char *sha256)
{
    struct job *job = asset_job(name);
    job->last_bytes = bytes;
    snprintf(job->last_sha256, sizeof(job->last_sha256), "%s", sha256);
    return job;
}

static void what_is_published_already_is_not_sent(void **state)
{
    (void)state;
    given_file("a.jpg", "hello");
    run_job(published_before("a.jpg", 5, SHA256_OF_HELLO));
    const struct receipt *r = &result->receipt[0];
    assert_int_equal(r->outcome, OUTCOME_UNCHANGED);
    assert_string_equal(r->sha256, SHA256_OF_HELLO);
    assert_int_equal(r->seen.bytes, 5);
    assert_int_equal(portal.requests, 0);
    assert_int_equal(tokens.ims.requests, 0);
}

static void a_command_always_sends_and_so_does_other_content(void **state)
{
    (void)state;
    given_file("a.jpg", "hello");
    struct job *asked = published_before("a.jpg", 5, SHA256_OF_HELLO);
    asked->is_asked = true;
    run_job(asked);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    result_free(result);

    given_file("a.jpg", "hullo");
    run_job(published_before("a.jpg", 5, SHA256_OF_HELLO));
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_int_equal(portal.requests, 2);
    assert_true(was_sent(1, "hullo"));
}

static void the_unchanged_leave_the_batch_and_the_rest_goes(void **state)
{
    (void)state;
    given_three_files();
    struct job *job[] = {asset_job("b.jpg"), published_before("a.jpg", 5, SHA256_OF_HELLO), asset_job("c.jpg")};
    result = upload_run_one(uploader, batch_of(ACTION_PUBLISH, job, 3));
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_int_equal(result->receipt[1].outcome, OUTCOME_UNCHANGED);
    assert_int_equal(result->receipt[2].outcome, OUTCOME_PUBLISHED);
    assert_false(was_sent(0, "a.jpg"));
}

/* --- what cannot go -------------------------------------------------------------------------------- */

static void who_cannot_go_stays_and_the_rest_goes(void **state)
{
    (void)state;
    AUTO(mem_freep) char *link = path_of("b.jpg"), *dir = path_of("d.jpg");
    given_file("a.jpg", "hello");
    assert_int_equal(symlink("a.jpg", link), 0);
    assert_int_equal(mkdir(dir, 0755), 0);
    publish((const char *const[]){"none.jpg", "b.jpg", "d.jpg", "a.jpg"}, 4);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(result->receipt[i].outcome, OUTCOME_CHANGED);
        assert_int_equal(result->receipt[i].err.cause, CAUSE_FILE_GONE);
        assert_int_equal(result->receipt[i].package, 0);
    }
    assert_int_equal(result->receipt[3].outcome, OUTCOME_PUBLISHED);
    assert_false(was_sent(0, "none.jpg"));
}

static void a_batch_of_which_nothing_goes_sends_nothing(void **state)
{
    (void)state;
    publish(THREE);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(result->receipt[i].outcome, OUTCOME_CHANGED);
    assert_int_equal(portal.requests, 0);
}

static void a_folder_that_is_gone_is_waited_for(void **state)
{
    (void)state;
    folder.path = (char[]){"/nonexistent"};
    struct job *job = job_new(ACTION_PUBLISH, "/nonexistent/a.jpg", ROOT "/c/a.jpg");
    job->folder = 0;
    run_job(job);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_RETRY);
    assert_int_equal(result->receipt[0].err.kind, ERR_LOCAL);
    assert_int_equal(result->receipt[0].err.cause, CAUSE_FOLDER_GONE);
    folder.path = top;
}

static bool look_large(void *arg, int root, const char *below, int *fd, struct seen *seen, struct err *e)
{
    if (!real_fs.open_file(arg, root, below, fd, seen, e))
        return false;
    if (str_eq(below, "b.jpg"))
        seen->bytes = DISTRIBUTION_MAX_BYTES + 1;
    return true;
}

static void what_the_importer_would_cut_is_refused_and_the_rest_goes(void **state)
{
    (void)state;
    given_three_files();
    fs.open_file = look_large;
    publish(THREE);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_int_equal(result->receipt[1].outcome, OUTCOME_CHANGED);
    assert_int_equal(result->receipt[1].err.cause, CAUSE_ASSET_TOO_LARGE);
    assert_int_equal(result->receipt[2].outcome, OUTCOME_PUBLISHED);
}

/* --- what changes under way ------------------------------------------------------------------------ */

static int64_t change_at, last_read; /* of the body: -1 its last byte */

static void change_b(void *arg, int64_t body_read)
{
    (void)arg;
    bool is_last = body_read < last_read + (int64_t)portal.chunk; /* the last piece is a short one */
    last_read = body_read;
    if (change_at < 0 ? is_last : body_read == change_at)
        given_file("b.jpg", "changed");
}

static void when_b_changes_at(int64_t at, size_t chunk)
{
    given_three_files();
    given_big_file("a.jpg", 2 * PACKAGE_SMALL_BYTES);
    change_at = at;
    last_read = 0;
    portal.chunk = chunk;
    portal.meanwhile = change_b;
    publish(THREE);
}

static void a_change_before_the_commit_record_breaks_the_request_off(void **state)
{
    (void)state;
    when_b_changes_at(1 << 20, 64 << 10);
    assert_int_equal(portal.requests, 0); /* none came to its end */
    assert_int_equal(result->receipt[1].outcome, OUTCOME_CHANGED);
    assert_int_equal(result->receipt[1].err.cause, CAUSE_FILE_CHANGED);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_CANCELLED);
    assert_int_equal(result->receipt[0].err.kind, ERR_CANCELLED);
    assert_int_equal(result->receipt[2].outcome, OUTCOME_CANCELLED);
}

static void a_change_after_the_commit_record_asks_for_another_publish(void **state)
{
    (void)state;
    when_b_changes_at(-1, 1000);
    assert_int_equal(portal.requests, 1);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_PUBLISHED);
    assert_int_equal(result->receipt[0].err.kind, ERR_NONE);
    assert_int_equal(result->receipt[1].outcome, OUTCOME_PUBLISHED);
    assert_int_equal(result->receipt[1].err.kind, ERR_CHANGED);
    assert_int_equal(result->receipt[1].err.cause, CAUSE_FILE_CHANGED);
}

static bool read_not_b(void *arg, int fd, int64_t offset, void *data, size_t len, size_t *got, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size == 2)
        return err_sys(e, EIO, "cannot read");
    return real_fs.read_at(arg, fd, offset, data, len, got, e);
}

static void a_disk_error_is_its_own_files_trouble(void **state)
{
    (void)state;
    given_three_files();
    fs.read_at = read_not_b;
    publish(THREE);
    assert_int_equal(portal.requests, 0);
    assert_int_equal(result->receipt[0].outcome, OUTCOME_CANCELLED);
    assert_int_equal(result->receipt[1].outcome, OUTCOME_RETRY);
    assert_int_equal(result->receipt[1].err.kind, ERR_LOCAL);
    assert_int_equal(result->receipt[2].outcome, OUTCOME_CANCELLED);
}

static bool read_differently(void *arg, int fd, int64_t offset, void *data, size_t len, size_t *got, struct err *e)
{
    static int pass;
    if (!real_fs.read_at(arg, fd, offset, data, len, got, e))
        return false;
    if (offset == 0)
        memset(data, '0' + pass++, *got);
    return true;
}

static void a_writer_by_memory_map_is_caught_by_the_fingerprint(void **state)
{
    (void)state;
    given_file("a.jpg", "hello");
    fs.read_at = read_differently; /* the stamps stay, the content does not */
    run_job(published_before("a.jpg", 5, SHA256_OF_HELLO));
    assert_int_equal(result->receipt[0].outcome, OUTCOME_CHANGED);
    assert_int_equal(portal.requests, 0);
}

/* --- what the tenant says -------------------------------------------------------------------------- */

static void a_refusal_is_everybodys(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum outcome outcome;
    } rows[] = {{400, OUTCOME_RETRY}, {403, OUTCOME_RETRY}, {413, OUTCOME_RETRY},
                {404, OUTCOME_RETRY}, {500, OUTCOME_RETRY}, {503, OUTCOME_RETRY}};
    given_three_files();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_http_say(&portal, rows[i].status, "{\"message\":\"no\"}");
        publish(THREE);
        for (size_t k = 0; k < 3; k++) {
            assert_int_equal(result->receipt[k].outcome, rows[i].outcome);
            assert_int_equal(result->receipt[k].status, rows[i].status);
            assert_string_equal(result->receipt[k].message, "no");
            assert_string_equal(result->receipt[k].proof, "");
        }
        result_free(take(&result));
    }
}

static void stopping_leaves_everything_ready(void **state)
{
    (void)state;
    given_three_files();
    atomic_store(&cancel, true);
    publish(THREE);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(result->receipt[i].outcome, OUTCOME_CANCELLED);
    assert_int_equal(portal.requests, 0);
}

static void packages_have_rising_numbers(void **state)
{
    (void)state;
    int64_t last = 0;
    given_three_files();
    for (int i = 0; i < 3; i++) {
        publish(THREE);
        assert_true(result->receipt[0].package > last);
        last = result->receipt[0].package;
        result_free(take(&result));
    }
}

static void no_descriptor_stays_open(void **state)
{
    (void)state;
    given_three_files();
    publish(THREE);
    result_free(take(&result));
    int before = dup(0);
    for (int i = 0; i < 5; i++) {
        publish((const char *const[]){"a.jpg", "none.jpg", "b.jpg"}, 3);
        result_free(take(&result));
    }
    int after = dup(0);
    assert_int_equal(before + 1, after);
    close(before);
    close(after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, given_an_uploader, then_it_goes)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_is_one_package_and_a_receipt_for_each),
        TEST(the_receipts_digest_is_of_what_was_sent_large_or_empty),
        TEST(a_folder_travels_with_its_title_and_flag),
        TEST(an_unpublish_names_its_remote),
        TEST(a_body_can_be_sent_twice),
        TEST(a_digest_is_of_the_whole_body),
        TEST(what_is_published_already_is_not_sent),
        TEST(a_command_always_sends_and_so_does_other_content),
        TEST(the_unchanged_leave_the_batch_and_the_rest_goes),
        TEST(who_cannot_go_stays_and_the_rest_goes),
        TEST(a_batch_of_which_nothing_goes_sends_nothing),
        TEST(a_folder_that_is_gone_is_waited_for),
        TEST(what_the_importer_would_cut_is_refused_and_the_rest_goes),
        TEST(a_change_before_the_commit_record_breaks_the_request_off),
        TEST(a_change_after_the_commit_record_asks_for_another_publish),
        TEST(a_disk_error_is_its_own_files_trouble),
        TEST(a_writer_by_memory_map_is_caught_by_the_fingerprint),
        TEST(a_refusal_is_everybodys),
        TEST(stopping_leaves_everything_ready),
        TEST(packages_have_rising_numbers),
        TEST(no_descriptor_stays_open),
    };
    return cmocka_run_group_tests_name("upload", tests, NULL, NULL);
}
