/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* Files and secrets, in a real directory that is made for each test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/base_file.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int remove_dir(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* DIR/name, until the next call but seven. */
static const char *in_dir(const char *name)
{
    static char paths[8][256];
    static size_t next;
    char *path = paths[next++ % ARRAY_LEN(paths)];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void make_file(const char *path, const void *data, size_t len, mode_t mode)
{
    struct err e;
    if (!file_replace(path, data, len, mode, &e))
        fail_msg("%s", e.text);
}

static void assert_holds(const char *path, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(1 << 20);
    struct err e;
    if (!file_read(path, 1 << 20, &got, &e))
        fail_msg("%s", e.text);
    assert_string_equal(got.data, want);
}

static size_t files_in_dir(void)
{
    DIR *d = opendir(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(d));)
        count += !str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..");
    closedir(d);
    return count;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

/* --- files -------------------------------------------------------------------------------------------- */

static void a_replaced_file_has_its_bytes_its_mode_and_no_rest(void **state)
{
    (void)state;
    mode_t was = umask(077);
    make_file(in_dir("f"), "one", 3, 0644);
    make_file(in_dir("f"), "", 0, 0640);
    assert_int_equal(mode_of(in_dir("f")), 0640);
    assert_holds(in_dir("f"), "");
    make_file(in_dir("f"), "two", 3, 0600);
    umask(was);
    assert_holds(in_dir("f"), "two");
    assert_int_equal(mode_of(in_dir("f")), 0600);
    assert_int_equal(files_in_dir(), 1);
}

static void a_failed_replacement_leaves_the_old_and_nothing_else(void **state)
{
    (void)state;
    make_file(in_dir("f"), "old", 3, 0644);
    struct rlimit limit, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 10;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    struct err e;
    bool is_done = file_replace(in_dir("f"), "more than ten bytes", 19, 0644, &e);
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_false(is_done);
    assert_int_equal(e.sys, EFBIG);
    assert_int_equal(e.kind, ERR_LOCAL);
    assert_holds(in_dir("f"), "old");
    assert_int_equal(files_in_dir(), 1);
}

static void a_directory_is_not_replaced(void **state)
{
    (void)state;
    struct err e;
    assert_true(dir_make(in_dir("d"), 0755, &e));
    assert_false(file_replace(in_dir("d"), "x", 1, 0644, &e));
    assert_non_null(strstr(e.text, "cannot replace"));
    assert_false(file_replace(in_dir("none/f"), "x", 1, 0644, &e));
    assert_int_equal(e.sys, ENOENT);
    assert_int_equal(files_in_dir(), 1);
}

static void a_link_is_replaced_and_not_followed(void **state)
{
    (void)state;
    make_file(in_dir("target"), "target", 6, 0644);
    assert_int_equal(symlink("target", in_dir("link")), 0);
    make_file(in_dir("link"), "new", 3, 0644);
    assert_holds(in_dir("target"), "target");
    assert_holds(in_dir("link"), "new");
}

static void reading_keeps_the_limit_exactly(void **state)
{
    (void)state;
    enum { SIZE = 40000 };
    AUTO(mem_freep) char *data = mem_alloc(SIZE);
    memset(data, 'x', SIZE);
    make_file(in_dir("f"), data, SIZE, 0644);
    static const struct {
        size_t max, ceiling;
        bool is_read;
    } rows[] = {
        {SIZE, SIZE, true}, {SIZE + 1, SIZE + 1, true}, {SIZE - 1, SIZE, false}, {SIZE, SIZE - 1, false}, {0, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(rows[i].ceiling);
        struct err e;
        assert_int_equal(file_read(in_dir("f"), rows[i].max, &out, &e), rows[i].is_read);
        assert_int_equal(out.len, rows[i].is_read ? SIZE : 0);
    }
}

static void only_regular_files_are_read(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(100);
    struct err e;
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_false(file_read(in_dir("fifo"), 100, &out, &e)); /* and does not hang */
    assert_non_null(strstr(e.text, "not a regular file"));
    assert_false(file_read(dir, 100, &out, &e));
    assert_false(file_read(in_dir("none"), 100, &out, &e));
    assert_int_equal(e.sys, ENOENT);
    make_file(in_dir("empty"), "", 0, 0644);
    assert_true(file_read(in_dir("empty"), 0, &out, &e));
    assert_string_equal(out.data, "");
}

static void directories_are_made_with_their_parents(void **state)
{
    (void)state;
    struct err e;
    assert_true(dir_make(in_dir("a/b/c"), 0750, &e));
    assert_int_equal(mode_of(in_dir("a/b/c")), 0750);
    assert_true(dir_make(in_dir("a/b/c"), 0700, &e)); /* there already */
    assert_int_equal(mode_of(in_dir("a/b/c")), 0750);
    assert_true(dir_make("/", 0755, &e));
    make_file(in_dir("f"), "", 0, 0644);
    assert_false(dir_make(in_dir("f"), 0755, &e));
    assert_int_equal(e.sys, ENOTDIR);
    assert_false(dir_make(in_dir("f/x"), 0755, &e));
    assert_int_equal(symlink("nowhere/at/all", in_dir("dangling")), 0);
    assert_false(dir_make(in_dir("dangling/x/y"), 0755, &e));
    assert_non_null(strstr(e.text, "dangling'"));
    assert_int_equal(symlink("a", in_dir("link")), 0);
    assert_true(dir_make(in_dir("link"), 0755, &e));
}

static void a_relative_place_is_fine(void **state)
{
    (void)state;
    AUTO(mem_freep) char *was = getcwd(NULL, 0);
    assert_int_equal(chdir(dir), 0);
    struct err e;
    bool is_done = dir_make("x/y", 0755, &e) && file_replace("f", "here", 4, 0644, &e);
    assert_int_equal(chdir(was), 0);
    assert_true(is_done);
    assert_holds(in_dir("f"), "here");
}

static void a_descriptor_is_closed_once(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY), same = fd;
    errno = EDOM;
    fd_close(&fd);
    fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(errno, EDOM);
    assert_int_equal(fcntl(same, F_GETFD), -1);
}

static void writing_to_nobody_is_an_error(void **state)
{
    (void)state;
    struct err e;
    AUTO(fd_close) int full = open("/dev/full", O_WRONLY);
    assert_true(full >= 0);
    assert_false(write_all(full, "x", 1, &e));
    assert_int_equal(e.sys, ENOSPC);
    assert_true(write_all(full, "", 0, &e));
}

/* --- secrets ------------------------------------------------------------------------------------------- */

static void a_secret_is_copied_and_released(void **state)
{
    (void)state;
    struct secret a = {0}, b = {0}, none = {0};
    secret_set(&a, "hush!", 4);
    assert_string_equal(a.data, "hush");
    assert_int_equal(a.len, 4);
    secret_copy(&b, &a);
    assert_ptr_not_equal(a.data, b.data);
    assert_string_equal(b.data, "hush");
    secret_copy(&b, &b);
    assert_string_equal(b.data, "hush");
    secret_set(&a, a.data + 1, 2); /* from within itself */
    assert_string_equal(a.data, "us");
    secret_copy(&b, &none);
    assert_null(b.data);
    secret_release(&a);
    secret_release(&a);
    assert_null(a.data);
    assert_int_equal(a.len, 0);
}

/* Every combination of group and others bits: fine is what gives others nothing and the group no more than reading. */
static void the_mode_of_a_secret_file(void **state)
{
    (void)state;
    for (mode_t mode = 0; mode < 0100; mode++) {
        make_file(in_dir("s"), "hush\n", 5, 0400 | mode);
        struct secret s = {0};
        struct err e = {0};
        bool is_fine = (mode & 0037) == 0;
        assert_int_equal(secret_load(&s, in_dir("s"), &e), is_fine);
        assert_int_equal(secret_file_check(in_dir("s"), &e), is_fine);
        assert_int_equal(s.data != NULL, is_fine);
        if (!is_fine) {
            AUTO(mem_freep)
            char *said = str_printf("(mode %04o): chown root:brandsync %s && chmod 0640 %s", (unsigned)(0400 | mode),
                                    in_dir("s"), in_dir("s"));
            assert_int_equal(e.kind, ERR_CONFIG);
            assert_non_null(strstr(e.text, said));
            assert_null(strstr(e.text, "hush"));
        }
        secret_release(&s);
    }
}

static void a_secret_file_of_somebody_else_is_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make_file(in_dir("s"), "hush", 4, 0640);
    assert_int_equal(chown(in_dir("s"), 12345, 0), 0);
    struct secret s = {0};
    struct err e;
    assert_false(secret_load(&s, in_dir("s"), &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "belongs to user 12345: chown root:brandsync"));
    assert_false(secret_file_check(in_dir("s"), &e));
    assert_int_equal(seteuid(12345), 0); /* the agent's own file is fine */
    bool is_fine = secret_file_check(in_dir("s"), &e);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_false(is_fine); /* not through a directory that is closed to us */
    assert_int_equal(e.sys, EACCES);
    assert_int_equal(chmod(dir, 0711), 0);
    assert_int_equal(seteuid(12345), 0);
    is_fine = secret_load(&s, in_dir("s"), &e);
    assert_int_equal(seteuid(0), 0);
    assert_true(is_fine);
    secret_release(&s);
}

static void what_a_secret_file_may_hold(void **state)
{
    (void)state;
    enum { MOST = 64 * 1024 };
    AUTO(mem_freep) char *big = mem_alloc(MOST + 3);
    memset(big, 'x', MOST + 2);
    const struct {
        const char *data;
        size_t len, want_len; /* 0: refused */
        const char *why;
    } rows[] = {
        {"hush", 4, 4, ""},
        {"hush\n", 5, 4, ""},
        {"hush\n\n", 6, 5, ""}, /* one newline only */
        {"two\nlines", 9, 9, ""},
        {"", 0, 0, "is empty"},
        {"\n", 1, 0, "is empty"},
        {"a\0b", 3, 0, "has a NUL byte in it"},
        {big, MOST, MOST, ""},
        {big, MOST + 1, 0, "is larger than 65536 bytes"},
        {big, MOST + 2, 0, "is larger than 65536 bytes"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_file(in_dir("s"), rows[i].data, rows[i].len, 0600);
        AUTO(secret_release) struct secret s = {0};
        struct err e = {0};
        assert_int_equal(secret_load(&s, in_dir("s"), &e), rows[i].want_len != 0);
        assert_int_equal(s.len, rows[i].want_len);
        if (s.data) {
            assert_memory_equal(s.data, rows[i].data, s.len);
            assert_int_equal(s.data[s.len], '\0');
        } else {
            assert_int_equal(e.kind, ERR_CONFIG);
            assert_true(str_ends(e.text, rows[i].why));
        }
    }
}

static void a_failed_load_keeps_the_old_secret(void **state)
{
    (void)state;
    AUTO(secret_release) struct secret s = {0};
    struct err e;
    secret_set(&s, "old", 3);
    assert_false(secret_load(&s, in_dir("none"), &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_int_equal(e.sys, ENOENT);
    assert_string_equal(s.data, "old");
}

static void links_lead_to_a_file_that_is_checked(void **state)
{
    (void)state;
    AUTO(secret_release) struct secret s = {0};
    struct err e;
    make_file(in_dir("s"), "hush", 4, 0640);
    assert_int_equal(symlink("s", in_dir("link")), 0);
    assert_true(secret_load(&s, in_dir("link"), &e));
    assert_int_equal(chmod(in_dir("s"), 0644), 0);
    assert_false(secret_load(&s, in_dir("link"), &e));
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_false(secret_load(&s, in_dir("fifo"), &e)); /* and does not hang */
    assert_non_null(strstr(e.text, "not a regular file"));
    assert_false(secret_load(&s, dir, &e));
    assert_false(secret_file_check(dir, &e));
}

/* A canary that no code of this test holds in one piece: its bytes are here under a mask. */
enum { MASK = 0x5a };
static const volatile unsigned char masked[] = {
    'c' ^ MASK, 'a' ^ MASK, 'n' ^ MASK, 'a' ^ MASK, 'r' ^ MASK, 'y' ^ MASK, '-' ^ MASK,
    'q' ^ MASK, '7' ^ MASK, 'z' ^ MASK, '1' ^ MASK, 'v' ^ MASK, '5' ^ MASK, 'k' ^ MASK,
};

static size_t count_canaries(const unsigned char *data, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i + sizeof(masked) <= len; i++) {
        size_t same = 0;
        while (same < sizeof(masked) && data[i + same] == (masked[same] ^ MASK))
            same++;
        count += same == sizeof(masked);
    }
    return count;
}

/* Looks through all that this process can write to, as someone with its core dump would. */
static size_t canaries_in_memory(void)
{
    static unsigned char part[1 << 16];
    AUTO(fd_close) int memory = open("/proc/self/mem", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_true(memory >= 0 && maps);
    char line[512], rights[8];
    size_t count = 0, from, to;
    while (fgets(line, sizeof(line), maps)) {
        bool is_ours = sscanf(line, "%zx-%zx %7s", &from, &to, rights) == 3 && str_starts(rights, "rw");
        if (!is_ours || to - from > 1UL << 28) /* a sanitizer's bookkeeping is larger */
            continue;
        for (size_t at = from; at < to; at += sizeof(part) - sizeof(masked)) { /* none is cut at a border */
            memset(part, 0, sizeof(part));
            ssize_t got = pread(memory, part, MIN(sizeof(part), to - at), (off_t)at);
            count += count_canaries(part, (size_t)MAX(got, 0));
        }
    }
    memset(part, 0, sizeof(part));
    fclose(maps);
    return count;
}

static void a_released_secret_is_nowhere_in_memory(void **state)
{
    (void)state;
    struct err e;
    AUTO(fd_close) int fd = open(in_dir("s"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t i = 0; i < sizeof(masked); i++) {
        char c = (char)(masked[i] ^ MASK);
        assert_true(write_all(fd, &c, 1, &e));
    }
    struct secret a = {0}, b = {0};
    assert_int_equal(canaries_in_memory(), 0);
    assert_true(secret_load(&a, in_dir("s"), &e));
    secret_copy(&b, &a);
    assert_int_equal(canaries_in_memory(), 2); /* not three: the reader's buffer was wiped */
    secret_set(&b, "other", 5);
    assert_int_equal(canaries_in_memory(), 1);
    secret_release(&a);
    assert_int_equal(canaries_in_memory(), 0);
    secret_release(&b);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_replaced_file_has_its_bytes_its_mode_and_no_rest),
        IN_DIR(a_failed_replacement_leaves_the_old_and_nothing_else),
        IN_DIR(a_directory_is_not_replaced),
        IN_DIR(a_link_is_replaced_and_not_followed),
        IN_DIR(reading_keeps_the_limit_exactly),
        IN_DIR(only_regular_files_are_read),
        IN_DIR(directories_are_made_with_their_parents),
        IN_DIR(a_relative_place_is_fine),
        IN_DIR(a_descriptor_is_closed_once),
        IN_DIR(writing_to_nobody_is_an_error),
        IN_DIR(a_secret_is_copied_and_released),
        IN_DIR(the_mode_of_a_secret_file),
        IN_DIR(a_secret_file_of_somebody_else_is_refused),
        IN_DIR(what_a_secret_file_may_hold),
        IN_DIR(a_failed_load_keeps_the_old_secret),
        IN_DIR(a_released_secret_is_nowhere_in_memory),
        IN_DIR(links_lead_to_a_file_that_is_checked),
    };
    return cmocka_run_group_tests_name("base: file, secret", tests, NULL, NULL);
}
