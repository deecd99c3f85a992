/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch under churn, for ThreadSanitizer: threads make, rename and remove files and trees while scans and looks are asked
 * for and a small mailbox overflows. Afterwards one scan must have put everything right: each directory that is there is
 * watched, under the name it has, and nothing else is.
 */
#include "watch.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WRITERS = 2, STEPS = 3000, NAMES = 8, PATIENCE_MS = 60000 };

static struct {
    char base[64];
    char *root;
    struct mailbox *out;
    struct watch *watch;
    atomic_int writing;
} g;

static void free_event(void *ev)
{
    event_free(ev);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
    return remove(path);
}

static void write_file(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
}

/* --- churn: every step may fail, for another thread was faster -------------------------------------------- */

static char *some_path(unsigned *seed)
{
    int a = rand_r(seed) % NAMES, b = rand_r(seed) % NAMES;
    switch (rand_r(seed) % 3) {
    case 0:
        return str_printf("%s/%d", g.root, a);
    case 1:
        return str_printf("%s/%d/%d", g.root, a, b);
    default:
        return str_printf("%s/%d/%d/%d", g.root, a, b, rand_r(seed) % NAMES);
    }
}

static void *churn(void *number)
{
    unsigned seed = *(const unsigned *)number;
    for (int i = 0; i < STEPS; i++) {
        AUTO(mem_freep) char *one = some_path(&seed), *other = some_path(&seed);
        switch (rand_r(&seed) % 8) {
        case 0:
        case 1:
        case 2:
            mkdir(one, 0755);
            break;
        case 3:
            write_file(one);
            break;
        case 4:
        case 5:
            rename(one, other);
            break;
        case 6:
            remove(one);
            break;
        default:
            nftw(one, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        }
    }
    atomic_fetch_sub(&g.writing, 1);
    return NULL;
}

/* --- the reader -------------------------------------------------------------------------------------------- */

static struct event *next_event(int wait_ms)
{
    struct event *ev = mailbox_take(g.out);
    struct pollfd wait = {.fd = mailbox_fd(g.out), .events = POLLIN};
    if (!ev && poll(&wait, 1, wait_ms) > 0)
        ev = mailbox_take(g.out);
    return ev;
}

static void wait_scanned(uint64_t number)
{
    for (bool is_done = false; !is_done;) {
        AUTO(event_freep) struct event *ev = next_event(PATIENCE_MS);
        assert_non_null(ev);
        is_done = ev->kind == EVENT_SCANNED && ev->scan == number;
    }
}

static void wait_written(const char *path)
{
    write_file(path);
    for (bool is_done = false; !is_done;) {
        AUTO(event_freep) struct event *ev = next_event(PATIENCE_MS);
        assert_non_null(ev);
        is_done = ev->kind == EVENT_WRITTEN && str_eq(ev->path, path);
    }
}

static void read_while_writing(void)
{
    unsigned seed = 7;
    while (atomic_load(&g.writing) > 0) {
        event_free(next_event(1));
        AUTO(mem_freep) char *path = some_path(&seed);
        if (rand_r(&seed) % 16 == 0)
            watch_look(g.watch, 0, path);
        if (rand_r(&seed) % 256 == 0)
            (void)watch_scan(g.watch, 0, rand_r(&seed) % 2 ? g.root : path);
        struct watch_stats stats;
        watch_stats(g.watch, &stats);
    }
}

static size_t found;

static int prove(const char *path, const struct stat *st UNUSED, int type, struct FTW *ftw UNUSED)
{
    if (type != FTW_D)
        return 0;
    found++;
    AUTO(mem_freep) char *file = path_join(path, "proof");
    wait_written(file);
    return 0;
}

static void after_churn_every_directory_is_watched_under_its_name(void **state UNUSED)
{
    struct err e = {0};
    snprintf(g.base, sizeof(g.base), "/tmp/brandsync-watch-XXXXXX");
    assert_non_null(mkdtemp(g.base));
    g.root = path_join(g.base, "r");
    assert_int_equal(mkdir(g.root, 0755), 0);
    g.out = mailbox_new(64, &e);
    struct watch_folder folder = {.path = g.root};
    struct watch_opts opts = {.folder = &folder, .folders = 1, .out = g.out};
    g.watch = watch_start(&opts, &e);
    assert_non_null(g.watch);

    pthread_t writer[WRITERS];
    unsigned seed[WRITERS];
    g.writing = WRITERS;
    for (unsigned i = 0; i < WRITERS; i++) {
        seed[i] = i + 1;
        assert_int_equal(pthread_create(&writer[i], NULL, churn, &seed[i]), 0);
    }
    read_while_writing();
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(writer[i], NULL);

    wait_scanned(watch_scan(g.watch, 0, g.root));
    wait_scanned(watch_scan(g.watch, 0, g.root)); /* the first may have met moves that were told after it */
    nftw(g.root, prove, 8, FTW_PHYS);
    struct watch_stats stats;
    watch_stats(g.watch, &stats);
    assert_int_equal(stats.directories, found);
    assert_int_equal(stats.refused, 0);

    watch_stop(g.watch);
    mailbox_free(g.out, free_event);
    nftw(g.base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    mem_freep(&g.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(after_churn_every_directory_is_watched_under_its_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
