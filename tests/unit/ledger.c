/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What is put into the ledger comes out again: files and their order, counts, remotes, folders, jobs, receipts. */
#include "ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define DIGEST_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct ledger_binding acme = {"https://acme.example", "/content/dam/mac/acme", "distribution"};

static struct ledger *open_memory(void)
{
    struct err e;
    struct ledger *l = ledger_open(":memory:", &acme, &e);
    assert_non_null(l);
    return l;
}

static void done(bool is_done, const struct err *e)
{
    if (!is_done)
        fail_msg("%s", e->text);
}

static void put(struct ledger *l, const char *path, const char *remote, enum file_state state, int64_t bytes)
{
    struct err e = {0};
    struct file_row row = {.state = state, .bytes = bytes, .seen.bytes = bytes};
    done(ledger_file_put(l, path, remote, &row, &e), &e);
}

static void commit(struct ledger *l)
{
    struct err e = {0};
    done(ledger_commit(l, false, &e), &e);
}

static void a_file_comes_back_as_it_was_put(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    struct file_row row = {
        .state = FILE_UNPUBLISHED,
        .seen = {.dev = UINT64_MAX, .ino = UINT64_MAX - 1, .bytes = INT64_MAX, .mtime_ns = -5, .ctime_ns = 7},
        .bytes = 11,
        .sha256 = DIGEST_A,
        .receipt = 99,
        .is_racy = true,
    };
    struct file_row back;
    assert_false(ledger_file_get(l, "/a/b.jpg", &back));
    done(ledger_file_put(l, "/a/b.jpg", "/r/b.jpg", &row, &e), &e);
    assert_true(ledger_file_get(l, "/a/b.jpg", &back));
    assert_int_equal(back.state, FILE_UNPUBLISHED);
    assert_true(seen_equal(&back.seen, &row.seen));
    assert_int_equal(back.bytes, 11);
    assert_string_equal(back.sha256, DIGEST_A);
    assert_int_equal(back.receipt, 99);
    assert_true(back.is_racy);
    row.sha256[0] = '\0';
    done(ledger_file_put(l, "/a/b.jpg", "/r/b.jpg", &row, &e), &e);
    assert_true(ledger_file_get(l, "/a/b.jpg", &back));
    assert_string_equal(back.sha256, "");
    done(ledger_file_remove(l, "/a/b.jpg", &e), &e);
    done(ledger_file_remove(l, "/a/b.jpg", &e), &e); /* harmless */
    assert_false(ledger_file_get(l, "/a/b.jpg", &back));
}

/* --- directories, order, odd bytes -------------------------------------------------------------------- */

static void rows_come_in_byte_order_after_a_name(void **state)
{
    (void)state;
    static const char *const names[] = {"%", "A", "B.jpg", "_", "a", "a b", "b\xff", "\xc3\xa4", "\xff", "\xff\xff"};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (size_t i = ARRAY_LEN(names); i-- > 0;) {
        AUTO(mem_freep) char *path = path_join("/w/dir", names[i]);
        put(l, path, path, FILE_KNOWN, 1);
    }
    put(l, "/w/dir2/z", "/r/z", FILE_KNOWN, 1);
    put(l, "/w/dir/sub/z", "/r/z", FILE_KNOWN, 1);
    for (size_t from = 0; from <= ARRAY_LEN(names); from++) {
        const char *name;
        struct file_row row;
        struct ledger_cursor *c = ledger_dir_rows(l, "/w/dir", from ? names[from - 1] : "");
        for (size_t i = from; i < ARRAY_LEN(names); i++) {
            assert_true(ledger_next(c, &name, &row));
            assert_string_equal(name, names[i]);
        }
        assert_false(ledger_next(c, &name, &row));
        assert_false(ledger_next(c, &name, &row));
        ledger_cursor_free(c);
    }
}

static char *numbered(const char *dir, int number)
{
    return str_printf("%s/%06d", dir, number);
}

static void fill(struct ledger *l, const char *dir, int files)
{
    for (int i = 0; i < files; i++) {
        AUTO(mem_freep) char *path = numbered(dir, i);
        put(l, path, path, FILE_PUBLISHED, i);
    }
}

static void several_cursors_run_while_rows_are_written(void **state)
{
    (void)state;
    enum { FILES = 700, DIRS = 3 };
    static const char *const dirs[DIRS] = {"/w/a", "/w/b", "/w/c"};
    struct ledger_cursor *c[DIRS];
    const char *name;
    struct file_row row;
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (int d = 0; d < DIRS; d++) {
        fill(l, dirs[d], FILES);
        c[d] = ledger_dir_rows(l, dirs[d], "");
    }
    for (int i = 0; i < FILES; i++) {
        for (int d = 0; d < DIRS; d++) {
            struct err e = {0};
            AUTO(mem_freep) char *path = numbered(dirs[d], i);
            assert_true(ledger_next(c[d], &name, &row));
            assert_string_equal(name, path_name(path));
            assert_int_equal(row.bytes, i);
            if (i % 3 == 0)
                done(ledger_file_remove(l, path, &e), &e);
            else
                put(l, path, path, FILE_PUBLISHED, i);
        }
        if (i % 100 == 0)
            commit(l);
    }
    for (int d = 0; d < DIRS; d++) {
        assert_false(ledger_next(c[d], &name, &row));
        ledger_cursor_free(c[d]);
    }
}

static void a_hundred_thousand_rows_keep_order_and_counts(void **state)
{
    (void)state;
    enum { DIRS = 50, FILES = 2000 };
    struct file_counts counts;
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (int d = DIRS; d-- > 0;) {
        AUTO(mem_freep) char *dir = numbered("/w", d);
        fill(l, dir, FILES);
        commit(l);
    }
    for (int d = 0; d < DIRS; d++) {
        AUTO(mem_freep) char *dir = numbered("/w", d);
        struct ledger_cursor *c = ledger_dir_rows(l, dir, "000499");
        const char *name;
        struct file_row row;
        int next = 500;
        for (; ledger_next(c, &name, &row); next++) {
            assert_int_equal(row.bytes, next);
            assert_int_equal(strtol(name, NULL, 10), next);
        }
        assert_int_equal(next, FILES);
        ledger_cursor_free(c);
    }
    ledger_count_files(l, "", &counts);
    assert_int_equal(counts.files, DIRS * FILES);
    assert_int_equal(counts.bytes, (int64_t)DIRS * FILES * (FILES - 1) / 2);
    ledger_count_files(l, "/w/000007", &counts);
    assert_int_equal(counts.published, FILES);
}

struct seen_paths {
    struct buf text;
    size_t count, end_after;
};

static bool see_path(void *arg, const char *path, const struct file_row *row)
{
    struct seen_paths *seen = arg;
    (void)row;
    buf_printf(&seen->text, "%s\n", path);
    return ++seen->count != seen->end_after;
}

static void a_prefix_is_a_directory_not_a_beginning_of_letters(void **state)
{
    (void)state;
    static const char *const paths[] = {"/w/a%/1",   "/w/a-b/1",       "/w/a/1",       "/w/a/2",
                                        "/w/a/b/3",  "/w/a0/1",        "/w/a_/1",      "/w/a\xff/1",
                                        "/w/\xff/1", "/w/\xff/\xff/1", "/w/\xff\xff/1"};
    static const struct {
        const char *below, *seen;
    } rows[] = {
        {"/w/a", "/w/a/1\n/w/a/2\n/w/a/b/3\n"},
        {"/w/a/1", "/w/a/1\n"},
        {"/w/a%", "/w/a%/1\n"},
        {"/w/a_", "/w/a_/1\n"},
        {"/w/\xff", "/w/\xff/1\n/w/\xff/\xff/1\n"},
        {"/w/nothing", ""},
        {"/w/a/1/x", ""},
    };
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        put(l, paths[i], paths[i], FILE_PUBLISHED, 10);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct seen_paths seen = {.text = BUF_INIT(10000)};
        struct file_counts counts;
        ledger_files_each(l, rows[i].below, see_path, &seen);
        assert_string_equal(seen.text.data ? seen.text.data : "", rows[i].seen);
        ledger_count_files(l, rows[i].below, &counts);
        assert_int_equal(counts.files, seen.count);
        assert_int_equal(counts.published, seen.count);
        assert_int_equal(counts.bytes, 10 * (int64_t)seen.count);
        buf_release(&seen.text);
    }
    struct seen_paths all = {.text = BUF_INIT(10000)}, two = {.text = BUF_INIT(10000), .end_after = 2};
    ledger_files_each(l, "", see_path, &all);
    assert_int_equal(all.count, ARRAY_LEN(paths));
    ledger_files_each(l, "", see_path, &two);
    assert_int_equal(two.count, 2);
    buf_release(&all.text);
    buf_release(&two.text);
}

static void counts_follow_states_and_removals(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_counts counts;
    AUTO(ledger_closep) struct ledger *l = open_memory();
    put(l, "/w/a/1", "/r/a/1", FILE_KNOWN, 5);
    put(l, "/w/a/2", "/r/a/2", FILE_PUBLISHED, 7);
    put(l, "/w/a/2", "/r/a/2", FILE_PUBLISHED, 9);
    put(l, "/w/a/b/3", "/r/a/b/3", FILE_PUBLISHED, 100);
    ledger_count_files(l, "/w/a", &counts);
    assert_int_equal(counts.files, 3);
    assert_int_equal(counts.published, 2);
    assert_int_equal(counts.bytes, 109);
    commit(l);
    put(l, "/w/a/2", "/r/a/2", FILE_UNPUBLISHED, 9);
    done(ledger_file_remove(l, "/w/a/1", &e), &e);
    ledger_count_files(l, "/w/a", &counts);
    assert_int_equal(counts.files, 2);
    assert_int_equal(counts.published, 1);
    assert_int_equal(counts.bytes, 100);
    done(ledger_file_remove(l, "/w/a/2", &e), &e);
    done(ledger_file_remove(l, "/w/a/b/3", &e), &e);
    commit(l);
    ledger_count_files(l, "", &counts);
    assert_int_equal(counts.files, 0);
    assert_int_equal(counts.bytes, 0);
    put(l, "/w/a/9", "/elsewhere/9", FILE_PUBLISHED, 1); /* the directory comes back, with another remote */
    AUTO(mem_freep) char *local = ledger_local_of(l, "/elsewhere/9");
    assert_string_equal(local, "/w/a/9");
}

static void a_remote_names_the_file_last_published_under_it(void **state)
{
    (void)state;
    static const struct {
        const char *path, *remote;
        enum file_state state;
    } rows[] = {
        {"/w/a/plain.jpg", "/r/a/plain.jpg", FILE_PUBLISHED},
        {"/w/a/odd#.jpg", "/r/a/odd-.jpg", FILE_PUBLISHED},       /* a mapped name */
        {"/w/a/moved.jpg", "/r/other/moved.jpg", FILE_PUBLISHED}, /* `to` was changed later */
        {"/w/a/gone.jpg", "/r/a/gone.jpg", FILE_UNPUBLISHED},
        {"/w/a/known.jpg", "/r/a/known.jpg", FILE_KNOWN},
        {"/w/a/X.jpg", "/r/a/x.jpg", FILE_UNPUBLISHED}, /* two for one remote: the published one */
        {"/w/a/x.jpg", "/r/a/x.jpg", FILE_PUBLISHED},
        {"/w/\xff/\xfe", "/r/\xef\xbf\xbd/-", FILE_PUBLISHED},
    };
    static const struct {
        const char *remote, *path;
    } asked[] = {
        {"/r/a/plain.jpg", "/w/a/plain.jpg"},
        {"/r/a/odd-.jpg", "/w/a/odd#.jpg"},
        {"/r/a/odd#.jpg", NULL},
        {"/r/other/moved.jpg", "/w/a/moved.jpg"},
        {"/r/a/moved.jpg", NULL},
        {"/r/a/gone.jpg", "/w/a/gone.jpg"},
        {"/r/a/known.jpg", NULL},
        {"/r/a/x.jpg", "/w/a/x.jpg"},
        {"/r/a/X.jpg", NULL},
        {"/r/a", NULL},
        {"", NULL},
        {"/r/\xef\xbf\xbd/-", "/w/\xff/\xfe"},
    };
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        put(l, rows[i].path, rows[i].remote, rows[i].state, 1);
    for (int round = 0; round < 2; round++) { /* before and after the commit */
        for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
            AUTO(mem_freep) char *path = ledger_local_of(l, asked[i].remote);
            if (asked[i].path)
                assert_string_equal(path, asked[i].path);
            else
                assert_null(path);
        }
        commit(l);
    }
}

/* --- folders -------------------------------------------------------------------------------------------- */

static bool see_folder(void *arg, const char *remote, const struct folder_row *row)
{
    buf_printf(arg, "%s:%s:%d%d:%d\n", remote, row->title, row->is_published, row->is_public, (int)row->receipt);
    return true;
}

static void remote_folders_are_kept(void **state)
{
    (void)state;
    struct err e = {0};
    struct folder_row row = {.is_published = true, .is_public = true, .title = "Spring", .receipt = 4};
    AUTO(buf_release) struct buf text = BUF_INIT(1000);
    AUTO(ledger_closep) struct ledger *l = open_memory();
    done(ledger_folder_put(l, "/r/b", &row, &e), &e);
    row.is_public = false;
    done(ledger_folder_put(l, "/r/a", &row, &e), &e);
    assert_false(ledger_folder_get(l, "/r/c", &row));
    assert_true(ledger_folder_get(l, "/r/b", &row));
    assert_true(row.is_public);
    ledger_folders_each(l, see_folder, &text);
    assert_string_equal(text.data, "/r/a:Spring:10:4\n/r/b:Spring:11:4\n");
}

static void a_watched_folder_is_begun_once(void **state)
{
    (void)state;
    struct err e = {0};
    bool is_finished;
    AUTO(ledger_closep) struct ledger *l = open_memory();
    assert_false(ledger_folder_is_begun(l, "/w", &is_finished));
    done(ledger_folder_begun(l, "/w", false, &e), &e);
    assert_true(ledger_folder_is_begun(l, "/w", &is_finished));
    assert_false(is_finished);
    done(ledger_folder_begun(l, "/w", true, &e), &e);
    assert_true(ledger_folder_is_begun(l, "/w", &is_finished));
    assert_true(is_finished);
}

/* --- jobs ----------------------------------------------------------------------------------------------- */

struct loaded {
    struct job *job[10];
    size_t count;
};

static void see_job(void *arg, struct job *job)
{
    struct loaded *loaded = arg;
    loaded->job[loaded->count++] = job;
}

static struct job *full_job(void)
{
    struct job *job = job_new(ACTION_COLLECTION, "/w/\xff", "/r/-");
    job->state = JOB_WAITING;
    job->priority = PRIORITY_HIGH;
    job->folder = 3;
    job->title = str_copy("a title");
    job->asked_by = str_copy("anna");
    job->is_asked = job->is_urgent = job->is_public = true;
    job->seen = (struct seen){1, 2, 3, 4, 5};
    job->last_bytes = 6;
    memcpy(job->last_sha256, DIGEST_A, sizeof(DIGEST_A));
    job->seen_ms = 7;
    job->settled_ms = 8;
    job->ready_ms = 9;
    job->due_ms = 10;
    job->tries = 11;
    err_set(&job->why, ERR_REFUSED, "the portal said no");
    job->why.cause = CAUSE_ASSET_REFUSED;
    job->why.sys = 12;
    return job;
}

static void assert_same_job(const struct job *a, const struct job *b)
{
    assert_int_equal(a->id, b->id);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->priority, b->priority);
    assert_int_equal(a->folder, b->folder);
    assert_string_equal(a->path, b->path);
    assert_string_equal(a->remote, b->remote);
    assert_string_equal(a->title, b->title);
    assert_string_equal(a->asked_by, b->asked_by);
    assert_int_equal(a->is_asked, b->is_asked);
    assert_int_equal(a->is_urgent, b->is_urgent);
    assert_int_equal(a->is_public, b->is_public);
    assert_true(seen_equal(&a->seen, &b->seen));
    assert_int_equal(a->last_bytes, b->last_bytes);
    assert_string_equal(a->last_sha256, b->last_sha256);
    assert_int_equal(a->seen_ms, b->seen_ms);
    assert_int_equal(a->settled_ms, b->settled_ms);
    assert_int_equal(a->ready_ms, b->ready_ms);
    assert_int_equal(a->due_ms, b->due_ms);
    assert_int_equal(a->tries, b->tries);
    assert_int_equal(a->why.kind, b->why.kind);
    assert_int_equal(a->why.cause, b->why.cause);
    assert_int_equal(a->why.sys, b->why.sys);
    assert_string_equal(a->why.text, b->why.text);
}

static void jobs_come_back_whole_and_one_that_was_sent_is_ready(void **state)
{
    (void)state;
    struct err e = {0};
    struct loaded loaded = {0};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    AUTO(job_freep) struct job *full = full_job();
    AUTO(job_freep) struct job *bare = job_new(ACTION_UNPUBLISH, "", "/r/x");
    AUTO(job_freep) struct job *dropped = job_new(ACTION_PUBLISH, "/w/y", "/r/y");
    bare->state = JOB_SENDING;
    done(ledger_job_put(l, full, &e), &e);
    done(ledger_job_put(l, bare, &e), &e);
    done(ledger_job_put(l, dropped, &e), &e);
    assert_int_not_equal(full->id, bare->id);
    full->tries++;
    done(ledger_job_put(l, full, &e), &e); /* the row of that id, not another */
    done(ledger_job_remove(l, dropped->id, &e), &e);
    done(ledger_jobs_load(l, see_job, &loaded, &e), &e);
    assert_int_equal(loaded.count, 2);
    assert_same_job(loaded.job[0], full);
    assert_int_equal(loaded.job[1]->state, JOB_READY);
    assert_null(loaded.job[1]->title);
    assert_string_equal(loaded.job[1]->last_sha256, "");
    assert_int_equal(loaded.job[1]->last_bytes, -1);
    assert_int_equal(loaded.job[1]->why.kind, ERR_NONE);
    for (size_t i = 0; i < loaded.count; i++)
        job_free(loaded.job[i]);
    AUTO(job_freep) struct job *next = job_new(ACTION_PUBLISH, "/w/z", "/r/z");
    done(ledger_job_put(l, next, &e), &e);
    assert_true(next->id > dropped->id); /* ids are for ever */
}

/* --- receipts ------------------------------------------------------------------------------------------- */

static int64_t receipt_for(struct ledger *l, const char *path, int64_t job, enum outcome outcome, int64_t at_ms)
{
    struct err e = {0};
    struct receipt r = {.path = (char *)path,
                        .remote = (char *)path,
                        .job_id = job,
                        .outcome = outcome,
                        .confirmed_ms = at_ms,
                        .proof = ""};
    done(ledger_receipt_add(l, &r, &e), &e);
    return r.id;
}

static bool see_receipt(void *arg, const struct receipt *r)
{
    struct buf *text = arg;
    buf_printf(text, "%d ", (int)r->id);
    return text->len < 40;
}

static void receipts_are_found_newest_first(void **state)
{
    (void)state;
    static const struct {
        struct receipt_query query;
        const char *ids;
    } rows[] = {
        {{.id = 0}, "7 6 5 4 3 2 1 "},
        {{.id = 3}, "3 "},
        {{.id = 30}, ""},
        {{.limit = 2}, "7 6 "},
        {{.since_ms = 400}, "7 6 5 "}, /* 4 was made while the clock was wrong */
        {{.job_from = 12}, "6 2 "},
        {{.path = "/w/a"}, "5 3 2 1 "},
        {{.path = "/w/a/1"}, "5 1 "},
        {{.path = "/w/a", .since_ms = 250, .limit = 1}, "5 "},
        {{.path = "/w/a", .job_from = 12}, "2 "},
        {{.path = "/w/a%"}, "7 "},
        {{.path = ""}, "7 6 5 4 3 2 1 "},
        {{.id = 3, .since_ms = 1000}, ""},
    };
    static const struct {
        const char *path;
        int64_t job, at_ms;
    } receipts[] = {{"/w/a/1", 11, 100}, {"/w/a/2", 12, 200},  {"/w/a", 13, 300},   {"/w/a-b/1", 14, 1},
                    {"/w/a/1", 15, 500}, {"/w/\xff", 12, 600}, {"/w/a%/x", 16, 700}};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (size_t i = 0; i < ARRAY_LEN(receipts); i++)
        receipt_for(l, receipts[i].path, receipts[i].job, OUTCOME_PUBLISHED, receipts[i].at_ms);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(1000);
        ledger_receipts_each(l, &rows[i].query, see_receipt, &text);
        assert_string_equal(text.data ? text.data : "", rows[i].ids);
    }
}

static bool check_receipt(void *arg, const struct receipt *r)
{
    const struct receipt *put = arg;
    assert_null(r->job);
    assert_int_equal(r->id, put->id);
    assert_int_equal(r->job_id, put->job->id);
    assert_string_equal(r->path, put->job->path);
    assert_string_equal(r->remote, put->job->remote);
    assert_string_equal(r->asked_by, put->job->asked_by);
    assert_int_equal(r->action, put->job->action);
    assert_int_equal(r->outcome, put->outcome);
    assert_int_equal(r->bytes, put->bytes);
    assert_string_equal(r->sha256, put->sha256);
    assert_int_equal(r->uploader, put->uploader);
    assert_int_equal(r->tries, put->tries);
    assert_int_equal(r->seen_ms, put->seen_ms);
    assert_int_equal(r->settled_ms, put->settled_ms);
    assert_int_equal(r->ready_ms, put->ready_ms);
    assert_int_equal(r->sent_ms, put->sent_ms);
    assert_int_equal(r->confirmed_ms, put->confirmed_ms);
    assert_int_equal(r->package, put->package);
    assert_int_equal(r->is_public, put->is_public);
    assert_string_equal(r->proof, put->proof);
    assert_int_equal(r->status, put->status);
    assert_string_equal(r->message, put->message);
    assert_int_equal(r->err.kind, put->err.kind);
    assert_int_equal(r->err.cause, put->err.cause);
    assert_string_equal(r->err.text, put->err.text);
    return true;
}

static void a_receipt_comes_back_whole(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    AUTO(receipt_release)
    struct receipt r = {
        .job = full_job(),
        .outcome = OUTCOME_REFUSED,
        .bytes = 1,
        .sha256 = DIGEST_A,
        .uploader = 2,
        .tries = 3,
        .seen_ms = 4,
        .settled_ms = 5,
        .ready_ms = 6,
        .sent_ms = 7,
        .confirmed_ms = 8,
        .package = 9,
        .is_public = true,
        .proof = "read-back",
        .status = 400,
        .message = "Invalid property",
    };
    err_set(&r.err, ERR_REFUSED, "400");
    r.err.cause = CAUSE_ASSET_REFUSED;
    done(ledger_job_put(l, r.job, &e), &e);
    done(ledger_receipt_add(l, &r, &e), &e);
    assert_true(r.id > 0);
    ledger_receipts_each(l, &(struct receipt_query){.id = r.id}, check_receipt, &r);
    assert_int_equal(ledger_last_publish_ms(l), 0); /* it was refused */
    receipt_for(l, "/w/a", 1, OUTCOME_PUBLISHED, 77);
    assert_int_equal(ledger_last_publish_ms(l), 77);
}

static void old_receipts_go_but_not_the_last_of_a_published_file(void **state)
{
    (void)state;
    enum { RECEIPTS = 5000, KEPT = 1234 };
    struct err e = {0};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    for (int i = 0; i < RECEIPTS; i++) {
        int64_t id = receipt_for(l, "/w/a", 1, OUTCOME_PUBLISHED, 1000 + i);
        struct file_row row = {.state = FILE_PUBLISHED, .receipt = id};
        if (i == KEPT)
            done(ledger_file_put(l, "/w/a", "/r/a", &row, &e), &e);
    }
    for (int i = 0; i < 4; i++) /* a piece at a time */
        done(ledger_receipts_prune(l, 1000 + RECEIPTS - 2, &e), &e);
    AUTO(buf_release) struct buf text = BUF_INIT(1000), wanted = BUF_INIT(1000);
    ledger_receipts_each(l, &(struct receipt_query){0}, see_receipt, &text);
    buf_printf(&wanted, "%d %d %d ", RECEIPTS, RECEIPTS - 1, KEPT + 1);
    assert_string_equal(text.data, wanted.data);
}

static void a_commit_is_wanted_only_after_a_write(void **state)
{
    (void)state;
    struct err e = {0};
    AUTO(ledger_closep) struct ledger *l = open_memory();
    assert_false(ledger_has_uncommitted(l));
    assert_true(ledger_commit(l, true, &e));
    put(l, "/w/a", "/r/a", FILE_KNOWN, 1);
    assert_true(ledger_has_uncommitted(l));
    assert_true(ledger_commit(l, true, &e));
    assert_false(ledger_has_uncommitted(l));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_comes_back_as_it_was_put),
        cmocka_unit_test(rows_come_in_byte_order_after_a_name),
        cmocka_unit_test(several_cursors_run_while_rows_are_written),
        cmocka_unit_test(a_hundred_thousand_rows_keep_order_and_counts),
        cmocka_unit_test(a_prefix_is_a_directory_not_a_beginning_of_letters),
        cmocka_unit_test(counts_follow_states_and_removals),
        cmocka_unit_test(a_remote_names_the_file_last_published_under_it),
        cmocka_unit_test(remote_folders_are_kept),
        cmocka_unit_test(a_watched_folder_is_begun_once),
        cmocka_unit_test(jobs_come_back_whole_and_one_that_was_sent_is_ready),
        cmocka_unit_test(receipts_are_found_newest_first),
        cmocka_unit_test(a_receipt_comes_back_whole),
        cmocka_unit_test(old_receipts_go_but_not_the_last_of_a_published_file),
        cmocka_unit_test(a_commit_is_wanted_only_after_a_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
