/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch against real directories and the real kernel. Nothing sleeps: each test waits for the event that must come, and a
 * file made last ("mark") shows that all events before it have been told.
 */
#include "watch.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct fixture {
    char base[64];
    char *root, *outside;
    struct mailbox *out;
    struct watch *watch;
    struct buf told;      /* "made /d/a; listed /d new: a b; " - paths below `base` */
    pthread_mutex_t gate; /* is_ignored waits for it */
};

/* --- files ------------------------------------------------------------------------------------------ */

static char *at(const struct fixture *f, const char *name)
{
    return str_printf("%s/%s", f->base, name);
}

static void make_dir(const struct fixture *f, const char *name)
{
    AUTO(mem_freep) char *path = at(f, name);
    struct err e = {0};
    assert_true(dir_make(path, 0755, &e));
}

static void write_file(const struct fixture *f, const char *name)
{
    AUTO(mem_freep) char *path = at(f, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static void move(const struct fixture *f, const char *from, const char *to)
{
    AUTO(mem_freep) char *old = at(f, from), *new = at(f, to);
    assert_int_equal(rename(old, new), 0);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
    return remove(path);
}

static void remove_all(const struct fixture *f, const char *name)
{
    AUTO(mem_freep) char *path = at(f, name);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the watch and what it says ---------------------------------------------------------------------- */

static bool ignores(void *arg, int folder UNUSED, const char *path, bool is_dir UNUSED)
{
    struct fixture *f = arg;
    pthread_mutex_lock(&f->gate);
    pthread_mutex_unlock(&f->gate);
    return str_starts(path_name(path), ".");
}

static void free_event(void *ev)
{
    event_free(ev);
}

static void watch_open_folder(struct fixture *f, size_t capacity, int64_t poll_every_ms)
{
    struct err e = {0};
    struct watch_folder folder = {.path = f->root, .is_polled = poll_every_ms > 0, .poll_every_ms = poll_every_ms};
    f->out = mailbox_new(capacity, &e);
    struct watch_opts opts = {.folder = &folder, .folders = 1, .out = f->out, .is_ignored = ignores, .arg = f};
    f->watch = watch_start(&opts, &e);
    assert_non_null(f->watch);
}

static int setup(void **state)
{
    struct fixture *f = mem_alloc(sizeof(*f));
    snprintf(f->base, sizeof(f->base), "/tmp/brandsync-watch-XXXXXX");
    assert_non_null(mkdtemp(f->base));
    f->root = at(f, "r");
    f->outside = at(f, "o");
    f->told = (struct buf)BUF_INIT(1 << 24);
    pthread_mutex_init(&f->gate, NULL);
    make_dir(f, "r");
    make_dir(f, "o");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    watch_stop(f->watch);
    mailbox_free(f->out, free_event);
    remove_all(f, "");
    buf_release(&f->told);
    pthread_mutex_destroy(&f->gate);
    mem_freep(&f->root);
    mem_freep(&f->outside);
    mem_freep(&f);
    return 0;
}

static void note_listing(struct fixture *f, const struct listing *l)
{
    if (l->is_new_dir)
        buf_str(&f->told, " new");
    buf_str(&f->told, ":");
    for (size_t i = 0; i < l->count; i++)
        buf_printf(&f->told, " %s%s", l->entry[i].name, l->entry[i].is_dir ? "/" : l->entry[i].is_regular ? "" : "?");
}

static void note(struct fixture *f, const struct event *ev)
{
    buf_printf(&f->told, "%s%s %s", event_kind_name(ev->kind), ev->is_dir && ev->kind < EVENT_LOOKED ? "-dir" : "",
               ev->path + strlen(f->base));
    if (ev->from)
        buf_printf(&f->told, " from %s", ev->from + strlen(f->base));
    if (ev->listing)
        note_listing(f, ev->listing);
    if (ev->kind == EVENT_SCANNED)
        buf_printf(&f->told, " %d", (int)ev->scan);
    buf_str(&f->told, "; ");
}

static struct event *next_event(struct fixture *f)
{
    struct event *ev;
    while (!(ev = mailbox_take(f->out))) {
        struct pollfd wait = {.fd = mailbox_fd(f->out), .events = POLLIN};
        if (poll(&wait, 1, PATIENCE_MS) == 0)
            fail_msg("nothing came; told: %s", f->told.data ? f->told.data : "");
    }
    note(f, ev);
    return ev;
}

/* Takes events until one of this kind and name came; the caller frees it. */
static struct event *wait_event(struct fixture *f, enum event_kind kind, const char *name)
{
    for (;;) {
        struct event *ev = next_event(f);
        if (ev->kind == kind && str_eq(ev->path + strlen(f->base) + 1, name))
            return ev;
        event_free(ev);
    }
}

static void wait_for(struct fixture *f, enum event_kind kind, const char *name)
{
    event_free(wait_event(f, kind, name));
}

static bool was_told(const struct fixture *f, const char *text)
{
    return f->told.data && strstr(f->told.data, text);
}

static void assert_told(const struct fixture *f, const char *text)
{
    if (!was_told(f, text))
        fail_msg("not told: '%s' in: %s", text, f->told.data ? f->told.data : "");
}

/* For what may come in any order. */
static void wait_told(struct fixture *f, const char *text)
{
    while (!was_told(f, text))
        event_free(next_event(f));
}

static void assert_not_told(const struct fixture *f, const char *text)
{
    if (was_told(f, text))
        fail_msg("told: '%s' in: %s", text, f->told.data);
}

static void wait_scanned(struct fixture *f, uint64_t number)
{
    for (uint64_t scan = UINT64_MAX; scan != number;) {
        AUTO(event_freep) struct event *ev = wait_event(f, EVENT_SCANNED, "r");
        scan = ev->scan;
    }
}

/* The watch stands, all was listed; what follows is told from here on. */
static void begin(struct fixture *f)
{
    watch_open_folder(f, 4096, 0);
    wait_scanned(f, 1);
    buf_clear(&f->told);
}

static void mark(struct fixture *f)
{
    write_file(f, "r/mark");
    wait_for(f, EVENT_WRITTEN, "r/mark");
}

static void scan_root(struct fixture *f)
{
    wait_scanned(f, watch_scan(f->watch, 0, f->root));
}

static uint64_t directories(const struct fixture *f)
{
    struct watch_stats stats;
    watch_stats(f->watch, &stats);
    return stats.directories;
}

/* --- listings --------------------------------------------------------------------------------------- */

static void the_first_scan_lists_everything_in_byte_order(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d/e");
    write_file(f, "r/b");
    write_file(f, "r/B");
    write_file(f, "r/a\xff");
    write_file(f, "r/d/x");
    write_file(f, "r/.hidden");
    make_dir(f, "r/.trash/sub");
    AUTO(mem_freep) char *link = at(f, "r/link");
    assert_int_equal(symlink(f->outside, link), 0);
    watch_open_folder(f, 4096, 0);
    wait_scanned(f, 1);
    assert_told(f, "listing /r: B a\xff b d/ link?; ");
    assert_told(f, "listing /r/d: e/ x; ");
    assert_told(f, "listing /r/d/e:; ");
    assert_not_told(f, "trash");
    assert_not_told(f, "hidden");
    assert_int_equal(directories(f), 3);
}

static void an_entry_carries_what_a_look_would_say(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/a");
    AUTO(mem_freep) char *path = at(f, "r/a");
    struct stat st;
    struct seen file, dir;
    assert_int_equal(stat(path, &st), 0);
    seen_from_stat(&file, &st);
    assert_int_equal(stat(f->root, &st), 0);
    seen_from_stat(&dir, &st);
    watch_open_folder(f, 4096, 0);
    AUTO(event_freep) struct event *ev = wait_event(f, EVENT_LISTING, "r");
    assert_int_equal(ev->listing->count, 1);
    assert_int_equal(ev->scan, 1);
    assert_true(seen_equal(&ev->listing->entry[0].seen, &file));
    assert_true(seen_equal(&ev->listing->dir, &dir));
    watch_look(f->watch, 0, path);
    AUTO(event_freep) struct event *looked = wait_event(f, EVENT_LOOKED, "r/a");
    assert_true(looked->exists && looked->is_regular);
    assert_true(seen_equal(&looked->seen, &file));
}

static void a_look_knows_whether_somebody_writes(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/a");
    AUTO(mem_freep) char *path = at(f, "r/a");
    AUTO(fd_close) int writer = open(path, O_WRONLY | O_CLOEXEC);
    begin(f);
    watch_look(f->watch, 0, path);
    AUTO(event_freep) struct event *open_for_writing = wait_event(f, EVENT_LOOKED, "r/a");
    fd_close(&writer);
    watch_look(f->watch, 0, path);
    AUTO(event_freep) struct event *closed = wait_event(f, EVENT_LOOKED, "r/a");
    assert_false(open_for_writing->is_closed);
    assert_true(closed->is_closed);
}

static void a_large_directory_comes_in_pieces_that_join(void **state)
{
    struct fixture *f = *state;
    enum { FILES = 2500 };
    for (int i = 0; i < FILES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "r/%05d", i);
        write_file(f, name);
    }
    watch_open_folder(f, 4096, 0);
    AUTO(mem_freep) char *last = str_copy("");
    size_t count = 0, pieces = 0;
    for (bool is_last = false; !is_last; pieces++) {
        AUTO(event_freep) struct event *ev = wait_event(f, EVENT_LISTING, "r");
        const struct listing *l = ev->listing;
        assert_string_equal(l->after, last);
        assert_int_equal(l->is_first, pieces == 0);
        assert_true(l->count > 0 && l->count <= 1024);
        assert_true(strcmp(l->entry[0].name, last) > 0);
        count += l->count;
        is_last = l->is_last;
        mem_freep(&last);
        last = str_copy(l->entry[l->count - 1].name);
    }
    assert_int_equal(count, FILES);
    assert_int_equal(pieces, 3);
    assert_string_equal(last, "02499");
}

static void an_enormous_directory_can_be_listed_twice(void **state)
{
    struct fixture *f = *state;
    enum { FILES = 6000 };
    for (int i = 0; i < FILES; i++) {
        AUTO(mem_freep) char *name = str_printf("r/%0200d", i); /* 1.2 MB of names */
        write_file(f, name);
    }
    watch_open_folder(f, 4096, 0);
    wait_scanned(f, 1);
    size_t told = f->told.len;
    scan_root(f);
    scan_root(f);
    assert_int_equal(f->told.len, 3 * told);
}

static void a_look_tells_absence_and_other_kinds(void **state)
{
    struct fixture *f = *state;
    begin(f);
    AUTO(mem_freep) char *none = at(f, "r/none");
    watch_look(f->watch, 0, none);
    AUTO(event_freep) struct event *missing = wait_event(f, EVENT_LOOKED, "r/none");
    watch_look(f->watch, 0, f->root);
    AUTO(event_freep) struct event *dir = wait_event(f, EVENT_LOOKED, "r");
    assert_false(missing->exists);
    assert_int_equal(missing->err.kind, ERR_NONE);
    assert_true(dir->exists && !dir->is_regular);
}

static void a_part_can_be_scanned(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d/e");
    make_dir(f, "r/z");
    begin(f);
    AUTO(mem_freep) char *path = at(f, "r/d");
    uint64_t number = watch_scan(f->watch, 0, path);
    assert_int_equal(number, 2);
    AUTO(event_freep) struct event *ev = wait_event(f, EVENT_SCANNED, "r/d");
    assert_int_equal(ev->scan, number);
    assert_told(f, "listing /r/d: e/; ");
    assert_told(f, "listing /r/d/e:; ");
    assert_not_told(f, "listing /r:");
    assert_not_told(f, "/r/z");
}

/* --- events of files -------------------------------------------------------------------------------- */

static void a_file_is_told_through_its_life(void **state)
{
    struct fixture *f = *state;
    begin(f);
    write_file(f, "r/a");
    wait_for(f, EVENT_WRITTEN, "r/a"); /* the kernel folds equal events in a row */
    write_file(f, "r/a");
    AUTO(mem_freep) char *path = at(f, "r/a");
    assert_int_equal(unlink(path), 0);
    wait_for(f, EVENT_REMOVED, "r/a");
    assert_string_equal(f->told.data, "made /r/a; written /r/a; written /r/a; removed /r/a; ");
}

static void the_halves_of_a_rename_meet(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d");
    write_file(f, "r/a");
    begin(f);
    move(f, "r/a", "r/d/b");
    mark(f);
    assert_told(f, "moved-in /r/d/b from /r/a; ");
    assert_not_told(f, "moved-out");
}

static void a_rename_over_the_border_has_one_half(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/out");
    write_file(f, "o/in");
    begin(f);
    move(f, "o/in", "r/in");
    move(f, "r/out", "o/out");
    wait_for(f, EVENT_MOVED_OUT, "r/out");
    assert_string_equal(f->told.data, "moved-in /r/in; moved-out /r/out; ");
}

static void a_name_that_is_left_and_taken_again_is_told_in_that_order(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/a");
    begin(f);
    move(f, "r/a", "o/a");
    write_file(f, "r/a");
    mark(f);
    assert_told(f, "moved-out /r/a; made /r/a; written /r/a; ");
}

static void names_exchanged_are_two_moves(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/a");
    write_file(f, "r/b");
    begin(f);
    AUTO(mem_freep) char *a = at(f, "r/a"), *b = at(f, "r/b");
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0)
        skip();
    mark(f);
    assert_told(f, "moved-in /r/b from /r/a; moved-in /r/a from /r/b; ");
}

static void ignored_names_are_silent(void **state)
{
    struct fixture *f = *state;
    write_file(f, "r/b");
    begin(f);
    write_file(f, "r/.tmp");
    move(f, "r/.tmp", "r/a");
    move(f, "r/b", "r/.gone");
    make_dir(f, "r/.d/sub");
    write_file(f, "r/.d/sub/x");
    mark(f);
    assert_told(f, "moved-in /r/a; ");
    assert_told(f, "moved-out /r/b; ");
    assert_not_told(f, "/.");
    assert_not_told(f, "from");
    assert_int_equal(directories(f), 1);
}

/* --- directories ------------------------------------------------------------------------------------ */

static void a_new_tree_is_followed_to_its_leaves(void **state)
{
    struct fixture *f = *state;
    begin(f);
    make_dir(f, "r/a/b/c");
    write_file(f, "r/a/b/c/x");
    wait_told(f, "made-dir /r/a; ");
    wait_told(f, "listing /r/a new:");
    wait_told(f, "listing /r/a/b new:");
    wait_told(f, "listing /r/a/b/c new:");
    if (!was_told(f, "listing /r/a/b/c new: x;"))
        wait_for(f, EVENT_WRITTEN, "r/a/b/c/x");
    assert_int_equal(directories(f), 4);
    write_file(f, "r/a/b/c/y");
    wait_for(f, EVENT_WRITTEN, "r/a/b/c/y");
}

static void a_moved_directory_speaks_by_its_new_name(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d/e");
    make_dir(f, "r/q");
    write_file(f, "r/d/e/x");
    begin(f);
    move(f, "r/d", "r/q/n");
    wait_for(f, EVENT_LISTING, "r/q/n/e");
    assert_told(f, "moved-out-dir /r/d; moved-in-dir /r/q/n from /r/d; ");
    assert_told(f, "listing /r/q/n new: e/; ");
    assert_told(f, "listing /r/q/n/e new: x; ");
    make_dir(f, "r/d");
    wait_for(f, EVENT_LISTING, "r/d");
    buf_clear(&f->told);
    write_file(f, "r/q/n/e/y");
    write_file(f, "r/d/z");
    wait_for(f, EVENT_WRITTEN, "r/d/z");
    assert_told(f, "written /r/q/n/e/y; ");
    assert_int_equal(directories(f), 5);
}

static void a_directory_moved_out_is_let_go(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d/e");
    begin(f);
    move(f, "r/d", "o/d");
    wait_for(f, EVENT_MOVED_OUT, "r/d");
    write_file(f, "o/d/e/x");
    mark(f);
    assert_not_told(f, "/e");
    assert_int_equal(directories(f), 1);
    move(f, "o/d", "r/d");
    wait_for(f, EVENT_LISTING, "r/d/e");
    assert_told(f, "listing /r/d/e new: x; ");
    assert_int_equal(directories(f), 3);
}

static void a_directory_renamed_to_an_ignored_name_is_let_go(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d/e");
    begin(f);
    move(f, "r/d", "r/.d");
    wait_for(f, EVENT_MOVED_OUT, "r/d");
    write_file(f, "r/.d/e/x");
    mark(f);
    assert_not_told(f, "/e");
    assert_int_equal(directories(f), 1);
}

static void a_directory_made_again_is_watched_again(void **state)
{
    struct fixture *f = *state;
    begin(f);
    for (int i = 0; i < 50; i++) {
        make_dir(f, "r/d/e");
        remove_all(f, "r/d");
    }
    make_dir(f, "r/d/e");
    mark(f);
    scan_root(f);
    assert_int_equal(directories(f), 3);
    buf_clear(&f->told);
    write_file(f, "r/d/e/x");
    wait_for(f, EVENT_WRITTEN, "r/d/e/x");
}

static void a_rescan_leaves_a_still_tree_as_it_was(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/a/b");
    make_dir(f, "r/c");
    begin(f);
    for (int i = 0; i < 3; i++)
        scan_root(f);
    assert_int_equal(directories(f), 4);
    assert_not_told(f, "new");
    write_file(f, "r/a/b/x");
    wait_for(f, EVENT_WRITTEN, "r/a/b/x");
}

/* --- roots ------------------------------------------------------------------------------------------ */

static void a_missing_root_is_lost_and_scanned_when_it_is_there(void **state)
{
    struct fixture *f = *state;
    remove_all(f, "r");
    watch_open_folder(f, 4096, 0);
    AUTO(event_freep) struct event *lost = wait_event(f, EVENT_LOST, "r");
    assert_int_equal(lost->err.cause, CAUSE_FOLDER_GONE);
    make_dir(f, "r/d");
    uint64_t number = watch_scan(f->watch, 0, f->root);
    wait_scanned(f, 1);
    if (!was_told(f, "scanned /r 2; "))
        wait_scanned(f, number);
    write_file(f, "r/d/x");
    wait_for(f, EVENT_WRITTEN, "r/d/x");
}

static void a_removed_root_is_lost_and_comes_back(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d");
    begin(f);
    remove_all(f, "r");
    wait_for(f, EVENT_LOST, "r");
    assert_int_equal(directories(f), 0);
    make_dir(f, "r/n");
    scan_root(f);
    write_file(f, "r/n/x");
    wait_for(f, EVENT_WRITTEN, "r/n/x");
}

static void a_root_comes_back_by_itself(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, "r", "o/r");
    wait_for(f, EVENT_LOST, "r");
    move(f, "o/r", "r");
    wait_scanned(f, 0);
    mark(f);
}

static void a_replaced_root_is_watched_anew(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d");
    begin(f);
    make_dir(f, "o/new/n");
    AUTO(mem_freep) char *new = at(f, "o/new");
    if (renameat2(AT_FDCWD, new, AT_FDCWD, f->root, RENAME_EXCHANGE) != 0)
        skip();
    wait_scanned(f, 0);
    assert_told(f, "listing /r: n/; ");
    write_file(f, "o/new/d/x");
    write_file(f, "r/n/x");
    wait_for(f, EVENT_WRITTEN, "r/n/x");
    assert_not_told(f, "/d/x");
}

static void an_unreadable_directory_is_lost_and_its_siblings_are_not(void **state)
{
    struct fixture *f = *state;
    enum { NOBODY = 65534 };
    make_dir(f, "r/bad/sub");
    make_dir(f, "r/good");
    AUTO(mem_freep) char *bad = at(f, "r/bad");
    assert_int_equal(chmod(bad, 0), 0);
    assert_int_equal(chmod(f->base, 0755), 0);
    bool is_root = geteuid() == 0;
    if (is_root)
        assert_int_equal(seteuid(NOBODY), 0);
    watch_open_folder(f, 4096, 0);
    AUTO(event_freep) struct event *lost = wait_event(f, EVENT_LOST, "r/bad");
    if (!strstr(f->told.data, "scanned /r 1")) /* either may be told first */
        wait_scanned(f, 1);
    if (is_root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(bad, 0755), 0);
    assert_int_equal(lost->err.cause, CAUSE_FILE_PERMISSION);
    assert_told(f, "listing /r/good:; ");
}

/* --- too much --------------------------------------------------------------------------------------- */

static void a_full_mailbox_becomes_an_overflow(void **state)
{
    struct fixture *f = *state;
    watch_open_folder(f, 4, 0);
    wait_scanned(f, 1);
    for (int i = 0; i < 20; i++) {
        AUTO(mem_freep) char *name = str_printf("r/%d", i);
        write_file(f, name);
    }
    struct watch_stats stats = {0};
    while (stats.events < 6) /* the listing, the scan's end, and four that fill it */
        watch_stats(f->watch, &stats);
    wait_for(f, EVENT_OVERFLOW, "r");
}

static void a_full_kernel_queue_becomes_an_overflow(void **state)
{
    struct fixture *f = *state;
    AUTO(fd_close) int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        skip();
    long queue = strtol(text, NULL, 10);
    if (queue > 20000)
        skip();
    watch_open_folder(f, 1 << 16, 0); /* room enough in the mailbox */
    wait_scanned(f, 1);
    pthread_mutex_lock(&f->gate); /* the watcher stands at the first event */
    AUTO(mem_freep) char *a = at(f, "r/a"), *b = at(f, "r/b");
    write_file(f, "r/a");
    for (long i = 0; i < queue + 4096; i++) /* more than the library has read meanwhile */
        assert_int_equal(i % 2 ? rename(b, a) : rename(a, b), 0);
    pthread_mutex_unlock(&f->gate);
    wait_for(f, EVENT_OVERFLOW, "r");
    mark(f);
}

static void a_stop_does_not_wait_for_a_reader(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 50; i++) {
        AUTO(mem_freep) char *name = str_printf("r/%d/sub", i);
        make_dir(f, name);
    }
    watch_open_folder(f, 1, 0);
    wait_for(f, EVENT_LISTING, "r");
    watch_stop(f->watch);
    f->watch = NULL;
}

static void write_limit(const char *path, const char *text)
{
    AUTO(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(77);
}

/* In a child, for the limit can be lowered for a user namespace of its own only. */
static void child_with_few_watches(struct fixture *f)
{
    if (unshare(CLONE_NEWUSER) != 0)
        _exit(77);
    write_limit("/proc/sys/user/max_inotify_watches", "3");
    watch_open_folder(f, 4096, 0);
    wait_scanned(f, 1);
    struct watch_stats stats;
    watch_stats(f->watch, &stats);
    bool is_listed = was_told(f, "listing /r/0:") && was_told(f, "listing /r/9:");
    _exit(stats.directories == 3 && stats.refused == 8 && is_listed ? 0 : 1);
}

static void without_watches_all_is_listed_and_counted(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        AUTO(mem_freep) char *name = str_printf("r/%d", i);
        make_dir(f, name);
    }
    pid_t child = fork();
    if (child == 0)
        child_with_few_watches(f);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_polled_folder_is_listed_again_and_again(void **state)
{
    struct fixture *f = *state;
    make_dir(f, "r/d");
    watch_open_folder(f, 4096, 20);
    wait_scanned(f, 1);
    write_file(f, "r/d/x");
    while (!was_told(f, "listing /r/d: x; "))
        wait_for(f, EVENT_LISTING, "r/d");
    assert_not_told(f, "made");
    assert_int_equal(directories(f), 0);
    remove_all(f, "r");
    wait_for(f, EVENT_LOST, "r");
}

#define WATCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(the_first_scan_lists_everything_in_byte_order),
        WATCH_TEST(an_entry_carries_what_a_look_would_say),
        WATCH_TEST(a_look_knows_whether_somebody_writes),
        WATCH_TEST(a_large_directory_comes_in_pieces_that_join),
        WATCH_TEST(an_enormous_directory_can_be_listed_twice),
        WATCH_TEST(a_look_tells_absence_and_other_kinds),
        WATCH_TEST(a_part_can_be_scanned),
        WATCH_TEST(a_file_is_told_through_its_life),
        WATCH_TEST(the_halves_of_a_rename_meet),
        WATCH_TEST(a_rename_over_the_border_has_one_half),
        WATCH_TEST(a_name_that_is_left_and_taken_again_is_told_in_that_order),
        WATCH_TEST(names_exchanged_are_two_moves),
        WATCH_TEST(ignored_names_are_silent),
        WATCH_TEST(a_new_tree_is_followed_to_its_leaves),
        WATCH_TEST(a_moved_directory_speaks_by_its_new_name),
        WATCH_TEST(a_directory_moved_out_is_let_go),
        WATCH_TEST(a_directory_renamed_to_an_ignored_name_is_let_go),
        WATCH_TEST(a_directory_made_again_is_watched_again),
        WATCH_TEST(a_rescan_leaves_a_still_tree_as_it_was),
        WATCH_TEST(a_missing_root_is_lost_and_scanned_when_it_is_there),
        WATCH_TEST(a_removed_root_is_lost_and_comes_back),
        WATCH_TEST(a_root_comes_back_by_itself),
        WATCH_TEST(a_replaced_root_is_watched_anew),
        WATCH_TEST(an_unreadable_directory_is_lost_and_its_siblings_are_not),
        WATCH_TEST(a_full_mailbox_becomes_an_overflow),
        WATCH_TEST(a_full_kernel_queue_becomes_an_overflow),
        WATCH_TEST(a_stop_does_not_wait_for_a_reader),
        WATCH_TEST(without_watches_all_is_listed_and_counted),
        WATCH_TEST(a_polled_folder_is_listed_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
