/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A state on disk: who may open it, what is refused, what a kill leaves behind. */
#include "../../src/ledger/ledger_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct ledger_binding acme = {"https://acme.example", "/content/dam/mac/acme", "distribution"};

/* --- a directory of its own for each test ----------------------------------------------------------------- */

static char *state_dir; /* does not exist yet */
static char *temporary;

static int make_dir(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    temporary = str_printf("%s/brandsync-ledger-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(temporary))
        return -1;
    state_dir = path_join(temporary, "state");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_dir(void **state)
{
    (void)state;
    nftw(temporary, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(take(&state_dir));
    free(take(&temporary));
    return 0;
}

static char *file_in_state(const char *name)
{
    return path_join(state_dir, name);
}

static struct ledger *open_state(void)
{
    struct err e;
    struct ledger *l = ledger_open(state_dir, &acme, &e);
    if (!l)
        fail_msg("%s", e.text);
    return l;
}

static void close_state(struct ledger *l)
{
    ledger_close(l);
}

static void assert_refused(struct ledger *l, const struct err *e, enum err_kind kind, const char *words)
{
    assert_null(l);
    assert_int_equal(e->kind, kind);
    if (!strstr(e->text, words))
        fail_msg("'%s' does not say '%s'", e->text, words);
}

static void done(bool is_done, const struct err *e)
{
    if (!is_done)
        fail_msg("%s", e->text);
}

static void put(struct ledger *l, const char *path, int64_t bytes)
{
    struct err e = {0};
    struct file_row row = {.state = FILE_PUBLISHED, .bytes = bytes};
    done(ledger_file_put(l, path, path, &row, &e), &e);
}

static void assert_mode(const char *name, mode_t mode)
{
    struct stat st;
    AUTO(mem_freep) char *file = *name ? file_in_state(name) : str_copy(state_dir);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, mode);
}

static void overwrite(const char *name, off_t at, const void *data, size_t len)
{
    AUTO(mem_freep) char *file = file_in_state(name);
    AUTO(fd_close) int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, data, len, at), (ssize_t)len);
}

/* --- files and modes ---------------------------------------------------------------------------------------- */

static void a_state_is_private_from_the_first_moment(void **state)
{
    (void)state;
    mode_t before = umask(0);
    struct ledger *l = open_state();
    put(l, "/w/a", 1);
    struct err e = {0};
    done(ledger_commit(l, true, &e), &e);
    assert_mode("", 0700);
    static const char *const files[] = {"ledger.db", "ledger.db-wal", "ledger.db-shm", "lock", "used"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        assert_mode(files[i], 0600);
    umask(before);
    close_state(l);
}

static void everything_is_there_after_reopening(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_row row;
    struct file_counts counts;
    struct ledger *l = open_state();
    AUTO(job_freep) struct job *job = job_new(ACTION_PUBLISH, "/w/a", "/r/a");
    AUTO(job_freep) struct job *later = job_new(ACTION_PUBLISH, "/w/b", "/r/b");
    struct receipt r = {.path = (char *)"/w/a",
                        .remote = (char *)"/r/a",
                        .outcome = OUTCOME_PUBLISHED,
                        .confirmed_ms = 1234,
                        .proof = ""};
    put(l, "/w/a", 5);
    done(ledger_job_put(l, job, &e), &e);
    done(ledger_job_remove(l, job->id, &e), &e);
    done(ledger_receipt_add(l, &r, &e), &e);
    close_state(l); /* commits */
    l = open_state();
    assert_true(ledger_file_get(l, "/w/a", &row));
    ledger_count_files(l, "/w", &counts);
    assert_int_equal(counts.bytes, 5);
    assert_int_equal(ledger_last_publish_ms(l), 1234);
    done(ledger_job_put(l, later, &e), &e);
    assert_true(later->id > job->id);
    close_state(l);
}

/* --- one agent ---------------------------------------------------------------------------------------------- */

static void a_second_agent_is_refused_with_the_pid_of_the_first(void **state)
{
    (void)state;
    struct err e;
    struct ledger *l = open_state();
    AUTO(mem_freep) char *words = str_printf("another agent (pid %d, since ", (int)getpid());
    assert_refused(ledger_open(state_dir, &acme, &e), &e, ERR_CONFIG, words);
    assert_int_equal(e.cause, CAUSE_AGENT_SECOND);
    assert_non_null(strstr(e.text, ") already uses this state folder"));
    close_state(l);
    close_state(open_state());
}

static void readers_see_what_is_committed_while_an_agent_writes(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_row row;
    struct file_counts counts;
    struct ledger *l = open_state();
    put(l, "/w/a", 1);
    done(ledger_commit(l, false, &e), &e);
    struct ledger *reader = ledger_open_reading(state_dir, &e);
    assert_non_null(reader);
    for (int i = 0; i < 50; i++) {
        put(l, "/w/a", i);
        put(l, "/x/b", i);
        ledger_count_files(reader, "", &counts);
        assert_int_equal(counts.bytes, i == 0 ? 1 : 2 * (i - 1));
        done(ledger_commit(l, false, &e), &e);
        assert_true(ledger_file_get(reader, "/w/a", &row));
        assert_int_equal(row.bytes, i);
    }
    assert_false(ledger_file_put(reader, "/w/a", "/w/a", &row, &e)); /* no writing */
    ledger_close(reader);
    done(ledger_file_remove(l, "/w/a", &e), &e);
    close_state(l);
    reader = ledger_open_reading(state_dir, &e); /* no agent runs */
    assert_non_null(reader);
    assert_false(ledger_file_get(reader, "/w/a", &row));
    assert_true(ledger_file_get(reader, "/x/b", &row));
    ledger_close(reader);
    close_state(open_state()); /* a reader leaves nothing that would stop an agent */
}

static void who_may_not_read_is_told_who_may(void **state)
{
    (void)state;
    struct err e;
    close_state(open_state());
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) { /* as nobody when we are root; else as ourselves without the right */
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(2);
        if (geteuid() != 65534)
            chmod(state_dir, 0);
        struct ledger *l = ledger_open_reading(state_dir, &e);
        _exit(!l && e.kind == ERR_CONFIG && strstr(e.text, "run as brandsync or root") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    chmod(state_dir, 0700);
    assert_int_equal(status, 0);
}

static void there_is_nothing_to_read_before_the_first_agent(void **state)
{
    (void)state;
    struct err e;
    assert_refused(ledger_open_reading(state_dir, &e), &e, ERR_CONFIG, "there is no ledger");
    assert_int_equal(access(state_dir, F_OK), -1); /* and nothing was made */
}

/* --- whose it is, and what version ---------------------------------------------------------------------------- */

static void a_state_of_another_tenant_is_refused(void **state)
{
    (void)state;
    static const struct {
        struct ledger_binding binding;
        const char *words;
    } rows[] = {
        {{"https://other.example", "/content/dam/mac/acme", "distribution"},
         "belongs to tenant 'https://acme.example'"},
        {{"https://acme.example", "/content/dam/mac/other", "distribution"}, "belongs to root"},
        {{"https://acme.example", "/content/dam/mac/acme", "assets-api"}, "belongs to transport"},
    };
    struct err e;
    close_state(open_state());
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_refused(ledger_open(state_dir, &rows[i].binding, &e), &e, ERR_CONFIG, rows[i].words);
    close_state(open_state());
}

static void run_sql(const char *text)
{
    sqlite3 *db;
    AUTO(mem_freep) char *file = file_in_state("ledger.db");
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_newer_schema_is_refused_by_agents_and_readers(void **state)
{
    (void)state;
    struct err e;
    close_state(open_state());
    run_sql("PRAGMA user_version = 7");
    assert_refused(ledger_open(state_dir, &acme, &e), &e, ERR_CONFIG, "has version 7, this brandsync knows version 1");
    assert_refused(ledger_open_reading(state_dir, &e), &e, ERR_CONFIG, "has version 7, this brandsync reads version 1");
}

/* The mechanism, with steps of its own: what version 2 will be is not known yet. */
struct lifted {
    sqlite3 *db;
    char *file;
};

static struct lifted lift_open(void)
{
    struct lifted x = {.file = path_join(temporary, "x.db")};
    assert_int_equal(sqlite3_open(x.file, &x.db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(x.db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
    return x;
}

static void lift_close(struct lifted *x)
{
    sqlite3_close(x->db);
    free(x->file);
}

static bool has_table(sqlite3 *db, const char *probe)
{
    return sqlite3_exec(db, probe, NULL, NULL, NULL) == SQLITE_OK;
}

static void older_versions_are_lifted_step_by_step_after_a_copy(void **state)
{
    (void)state;
    static const char *const steps[] = {"CREATE TABLE a(x); INSERT INTO a VALUES(1)",
                                        "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x", "CREATE TABLE b(z)"};
    struct err e = {0};
    int version;
    struct lifted x = lift_open();
    struct stat st;
    AUTO(mem_freep) char *copy = str_printf("%s.before-1", x.file);
    done(schema_lift(x.db, x.file, steps, 1, &e), &e);
    assert_int_equal(access(copy, F_OK), -1);
    done(schema_lift(x.db, x.file, steps, 3, &e), &e);
    done(schema_get_version(x.db, x.file, &version, &e), &e);
    assert_int_equal(version, 3);
    assert_true(has_table(x.db, "SELECT y, z FROM a LEFT JOIN b"));
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    sqlite3 *before;
    assert_int_equal(sqlite3_open(copy, &before), SQLITE_OK);
    assert_true(has_table(before, "SELECT x FROM a"));
    assert_false(has_table(before, "SELECT y FROM a"));
    sqlite3_close(before);
    lift_close(&x);
}

static void a_step_that_fails_leaves_the_old_version_whole(void **state)
{
    (void)state;
    static const char *const steps[] = {"CREATE TABLE a(x)", "CREATE TABLE b(y)", "CREATE TABLE a(z)"};
    struct err e = {0};
    int version;
    struct lifted x = lift_open();
    done(schema_lift(x.db, x.file, steps, 1, &e), &e);
    assert_false(schema_lift(x.db, x.file, steps, 3, &e));
    assert_non_null(strstr(e.text, "lift the ledger from version 1 to 3"));
    done(schema_get_version(x.db, x.file, &version, &e), &e);
    assert_int_equal(version, 1);
    assert_false(has_table(x.db, "SELECT y FROM b"));
    assert_true(has_table(x.db, "SELECT x FROM a"));
    lift_close(&x);
}

/* --- lost and damaged ----------------------------------------------------------------------------------------- */

#define CURE "a new one begins as `existing` says"

static void a_lost_ledger_is_not_made_anew(void **state)
{
    (void)state;
    struct err e;
    AUTO(mem_freep) char *file = file_in_state("ledger.db");
    close_state(open_state());
    assert_int_equal(unlink(file), 0);
    assert_refused(ledger_open(state_dir, &acme, &e), &e, ERR_LOCAL, CURE);
    assert_refused(ledger_open_reading(state_dir, &e), &e, ERR_LOCAL, CURE);
    assert_int_equal(access(file, F_OK), -1);
    overwrite("ledger.db", 0, "", 0); /* cut to nothing is lost, too */
    assert_refused(ledger_open(state_dir, &acme, &e), &e, ERR_LOCAL, CURE);
}

static void a_damaged_ledger_says_so_and_stays_as_it_is(void **state)
{
    (void)state;
    static const struct {
        off_t at;
        const char *bytes;
    } rows[] = {{0, "this is no database"}, {4096 + 1, "\xff\xff\xff\xff\xff\xff\xff"}, {100, "\xff\xff\xff\xff"}};
    struct err e;
    AUTO(mem_freep) char *file = file_in_state("ledger.db");
    struct ledger *l = open_state();
    put(l, "/w/a", 1);
    close_state(l);
    AUTO(buf_release) struct buf good = BUF_INIT(1 << 20);
    done(file_read(file, 1 << 20, &good, &e), &e);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        overwrite("ledger.db", 0, good.data, good.len);
        overwrite("ledger.db", rows[i].at, rows[i].bytes, strlen(rows[i].bytes));
        AUTO(buf_release) struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
        done(file_read(file, 1 << 20, &before, &e), &e);
        assert_refused(ledger_open(state_dir, &acme, &e), &e, ERR_LOCAL, CURE);
        assert_non_null(strstr(e.text, "is damaged"));
        done(file_read(file, 1 << 20, &after, &e), &e);
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.data, after.data, before.len);
    }
}

static void a_ledger_without_its_tables_is_damaged(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_row row = {.state = FILE_KNOWN};
    close_state(open_state());
    run_sql("DROP TABLE file; CREATE VIEW file AS SELECT 1 AS dir, 2 AS name");
    struct ledger *l = ledger_open(state_dir, &acme, &e);
    assert_non_null(l);
    assert_false(ledger_file_put(l, "/w/a", "/r/a", &row, &e));
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_non_null(strstr(e.text, "is damaged"));
    assert_true(ledger_has_uncommitted(l)); /* the commit has something to say */
    assert_false(ledger_commit(l, true, &e));
    assert_non_null(strstr(e.text, "is damaged"));
    close_state(l);
}

/* Bytes changed at random: an error or an answer, never a crash. The seed is printed when it dies by a signal. */
static void random_damage_never_crashes(void **state)
{
    (void)state;
    struct err e;
    AUTO(mem_freep) char *file = file_in_state("ledger.db");
    struct ledger *l = open_state();
    for (int i = 0; i < 300; i++) {
        AUTO(mem_freep) char *path = str_printf("/w/%d/%d", i % 7, i);
        AUTO(job_freep) struct job *job = job_new(ACTION_PUBLISH, path, path);
        struct receipt r = {
            .path = path, .remote = path, .job_id = 1, .outcome = OUTCOME_PUBLISHED, .confirmed_ms = i, .proof = ""};
        put(l, path, i);
        done(ledger_job_put(l, job, &e), &e);
        done(ledger_receipt_add(l, &r, &e), &e);
    }
    close_state(l);
    AUTO(buf_release) struct buf good = BUF_INIT(4 << 20);
    done(file_read(file, 4 << 20, &good, &e), &e);
    unsigned seed = (unsigned)getpid();
    log_set_level((enum log_level)0); /* what it says of the damage is not asked here */
    for (int round = 0; round < 150; round++) {
        overwrite("ledger.db", 0, good.data, good.len);
        for (int n = 1 + rand_r(&seed) % 8; n > 0; n--) {
            char byte = (char)rand_r(&seed);
            overwrite("ledger.db", rand_r(&seed) % (off_t)good.len, &byte, 1);
        }
        l = round % 2 ? ledger_open_reading(state_dir, &e) : ledger_open(state_dir, &acme, &e);
        if (!l)
            continue;
        struct file_counts counts;
        struct file_row row;
        ledger_count_files(l, "", &counts);
        ledger_file_get(l, "/w/3/10", &row);
        free(ledger_local_of(l, "/w/3/10"));
        ledger_close(l);
    }
    log_set_level(LOG_LEVEL_INFO);
}

/* --- a full disk ------------------------------------------------------------------------------------------------ */

static void a_spoilt_transaction_is_told_at_commit_and_then_over(void **state)
{
    (void)state;
    struct err e = {0};
    struct file_row row = {.state = FILE_PUBLISHED, .bytes = 1};
    struct file_counts counts;
    struct ledger *l = open_state();
    put(l, "/w/before", 1);
    done(ledger_commit(l, false, &e), &e);
    assert_int_equal(sqlite3_exec(l->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL),
                     SQLITE_OK); /* full from now on */
    int written = 0;
    for (bool is_written = true; is_written && written < 100000; written += is_written) {
        AUTO(mem_freep) char *path = str_printf("/w/%d/%d", written / 10, written);
        is_written = ledger_file_put(l, path, path, &row, &e);
    }
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_int_equal(e.cause, CAUSE_DISK_FULL);
    assert_false(ledger_folder_begun(l, "/w", true, &e)); /* would be lost, so it is refused */
    assert_true(ledger_has_uncommitted(l));
    assert_false(ledger_commit(l, false, &e));
    assert_int_equal(e.cause, CAUSE_DISK_FULL);
    assert_false(ledger_has_uncommitted(l));
    ledger_count_files(l, "", &counts);
    assert_int_equal(counts.files, 1); /* everything since the last commit is gone, counts too */
    assert_int_equal(sqlite3_exec(l->db, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL), SQLITE_OK);
    put(l, "/w/after", 1);
    done(ledger_commit(l, true, &e), &e);
    ledger_count_files(l, "", &counts);
    assert_int_equal(counts.files, 2);
    close_state(l);
}

/* --- kill -9 ----------------------------------------------------------------------------------------------------- */

/* Writes batches of rows for ever and tells each number that is committed. */
static void write_until_killed(int out, int from)
{
    struct err e;
    struct ledger *l = ledger_open(state_dir, &acme, &e);
    if (!l)
        _exit(1);
    for (int number = from;; number++) {
        AUTO(mem_freep) char *path = str_printf("/w/%d/%d", number % 13, number);
        AUTO(job_freep) struct job *job = job_new(ACTION_PUBLISH, path, path);
        struct receipt r = {.path = path,
                            .remote = path,
                            .job_id = number,
                            .outcome = OUTCOME_PUBLISHED,
                            .confirmed_ms = number,
                            .proof = ""};
        struct file_row row = {.state = FILE_PUBLISHED, .bytes = 1, .receipt = number};
        if (!ledger_job_put(l, job, &e) || !ledger_receipt_add(l, &r, &e) || !ledger_file_put(l, path, path, &row, &e))
            _exit(1);
        if (number % 3 == 0 && !ledger_job_remove(l, job->id, &e))
            _exit(1);
        if (number % 7 == 0 &&
            (!ledger_commit(l, number % 2, &e) || write(out, &number, sizeof(number)) != sizeof(number)))
            _exit(1);
    }
}

static int last_told(int in, int wanted)
{
    int last = 0, number;
    for (int i = 0; i < wanted && read(in, &number, sizeof(number)) == sizeof(number); i++)
        last = number;
    return last;
}

static int kill_one_writer(int from, int after)
{
    int tell[2], status;
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        write_until_killed(tell[1], from);
    close(tell[1]);
    int last = last_told(tell[0], after);
    kill(child, SIGKILL);
    int told_later = last_told(tell[0], INT32_MAX); /* committed between our look and its death */
    close(tell[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return MAX(last, told_later);
}

struct sums {
    int64_t files, bytes;
};

static bool sum_row(void *arg, const char *path, const struct file_row *row)
{
    struct sums *sums = arg;
    (void)path;
    sums->files++;
    sums->bytes += row->bytes;
    return true;
}

static void free_job(void *arg, struct job *job)
{
    ++*(size_t *)arg;
    job_free(job);
}

static void after_a_kill_all_that_was_committed_is_there(void **state)
{
    (void)state;
    unsigned seed = (unsigned)getpid();
    int from = 1;
    for (int round = 0; round < 25; round++) {
        struct err e = {0};
        struct file_row row;
        struct file_counts counts;
        struct sums sums = {0};
        size_t jobs = 0;
        int last = kill_one_writer(from, 1 + rand_r(&seed) % 60);
        struct ledger *l = open_state(); /* checks the file as well */
        for (int number = 1; number <= last; number++) {
            AUTO(mem_freep) char *path = str_printf("/w/%d/%d", number % 13, number);
            if (!ledger_file_get(l, path, &row))
                fail_msg("row %d of %d was committed and is lost", number, last);
        }
        ledger_files_each(l, "", sum_row, &sums);
        ledger_count_files(l, "", &counts);
        assert_int_equal(counts.files, sums.files);
        assert_int_equal(counts.bytes, sums.bytes);
        done(ledger_jobs_load(l, free_job, &jobs, &e), &e);
        assert_int_equal(jobs, sums.files - sums.files / 3); /* whole transactions only */
        from = (int)sums.files + 1;
        close_state(l);
    }
}

int main(void)
{
#define DISK_TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    static const struct CMUnitTest tests[] = {
        DISK_TEST(a_state_is_private_from_the_first_moment),
        DISK_TEST(everything_is_there_after_reopening),
        DISK_TEST(a_second_agent_is_refused_with_the_pid_of_the_first),
        DISK_TEST(readers_see_what_is_committed_while_an_agent_writes),
        DISK_TEST(who_may_not_read_is_told_who_may),
        DISK_TEST(there_is_nothing_to_read_before_the_first_agent),
        DISK_TEST(a_state_of_another_tenant_is_refused),
        DISK_TEST(a_newer_schema_is_refused_by_agents_and_readers),
        DISK_TEST(older_versions_are_lifted_step_by_step_after_a_copy),
        DISK_TEST(a_step_that_fails_leaves_the_old_version_whole),
        DISK_TEST(a_lost_ledger_is_not_made_anew),
        DISK_TEST(a_damaged_ledger_says_so_and_stays_as_it_is),
        DISK_TEST(a_ledger_without_its_tables_is_damaged),
        DISK_TEST(random_damage_never_crashes),
        DISK_TEST(a_spoilt_transaction_is_told_at_commit_and_then_over),
        DISK_TEST(after_a_kill_all_that_was_committed_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
