/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The tenant's content: a change is whole or absent, on disk as in memory, whenever the process dies. */
#include "portal_pack.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

enum { ASSETS = 20 };

static char *spool_text(struct store *s, const char *text)
{
    struct err e;
    char *path;
    int fd = store_spool(s, &path, &e);
    assert_true(fd >= 0);
    assert_true(write_all(fd, text, strlen(text), &e));
    fd_close(&fd);
    return path;
}

static struct store_put *change_put(struct store_change *c, const char *path, enum node_kind kind)
{
    c->put = mem_grow(c->put, c->puts + 1, sizeof *c->put);
    c->put[c->puts] = (struct store_put){.path = str_copy(path), .kind = kind, .bytes = -1};
    return &c->put[c->puts++];
}

static void put_property(struct store_put *put, const char *name, const char *value)
{
    put->property = mem_grow(put->property, put->properties + 1, sizeof *put->property);
    put->property[put->properties++] = (struct property){.name = str_copy(name), .value = str_copy(value)};
}

static void put_asset(struct store *s, struct store_change *c, const char *path, const char *text)
{
    struct store_put *put = change_put(c, path, NODE_ASSET);
    put->spooled = spool_text(s, text);
    put->bytes = (int64_t)strlen(text);
    put_property(put, "title", text);
}

static void change_remove(struct store_change *c, const char *path)
{
    c->remove = mem_grow(c->remove, c->removes + 1, sizeof *c->remove);
    c->remove[c->removes++] = str_copy(path);
}

static bool apply(struct store *s, struct store_change *c, struct err *e)
{
    store_begin(s);
    bool is_done = store_apply(s, c, e);
    store_end(s);
    store_change_release(c);
    return is_done;
}

static void assert_applied(struct store *s, struct store_change *c)
{
    struct err e;
    if (!apply(s, c, &e))
        fail_msg("%s", e.text);
}

static void assert_apply_refused(struct store *s, struct store_change *c, const char *why)
{
    struct err e = {0};
    assert_false(apply(s, c, &e));
    if (!strstr(e.text, why))
        fail_msg("'%s' is not in '%s'", why, e.text);
}

static size_t files_in(const struct tenant *t, const char *folder)
{
    char *path = tenant_path(t, folder);
    DIR *dir = opendir(path);
    struct dirent *file;
    size_t count = 0;
    assert_non_null(dir);
    while ((file = readdir(dir)))
        count += file->d_name[0] != '.';
    closedir(dir);
    free(path);
    return count;
}

static void log_add(const struct tenant *t, const char *text)
{
    char *path = tenant_path(t, "/nodes.log");
    int fd = open(path, O_WRONLY | O_APPEND);
    struct err e;
    assert_true(fd >= 0);
    assert_true(write_all(fd, text, strlen(text), &e));
    fd_close(&fd);
    free(path);
}

static void write_file(const struct tenant *t, const char *path, const char *text)
{
    struct err e;
    char *file = tenant_path(t, path);
    assert_true(file_replace(file, text, strlen(text), 0644, &e));
    free(file);
}

TEST(what_was_put_is_there_and_there_again_after_a_restart)
{
    struct tenant t = tenant_new();
    struct store_change c = {.request = 7};
    put_asset(t.store, &c, TENANT "/a/b/key visual \xc3\xa9.jpg", "bytes");
    put_property(change_put(&c, TENANT "/c", NODE_FOLDER), "jcr:content/jcr:title", "a \"title\"\nof two lines");
    put_asset(t.store, &c, TENANT "/empty", "");
    assert_applied(t.store, &c);
    for (int round = 0; round < 3; round++, tenant_restart(&t)) {
        struct node n;
        assert_original(&t, TENANT "/a/b/key visual \xc3\xa9.jpg", "bytes");
        assert_original(&t, TENANT "/empty", "");
        assert_property(&t, TENANT "/c", "jcr:content/jcr:title", "a \"title\"\nof two lines");
        assert_property(&t, TENANT "/a/b", "jcr:primaryType", "sling:Folder");
        assert_true(store_get(t.store, TENANT "/empty", &n));
        assert_int_equal(n.request, 7);
        assert_true(n.arrived_ms > 0);
        node_release(&n);
        assert_int_equal(files_in(&t, "/tmp"), 0);
        int fd = store_original(t.store, TENANT "/empty");
        assert_true(fd >= 0);
        fd_close(&fd);
        assert_int_equal(store_original(t.store, TENANT "/c"), -1);
    }
    tenant_release(&t);
}

TEST(a_replaced_asset_has_the_new_bytes_and_nothing_of_the_old)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/a.jpg", "old");
    put_property(&c.put[0], "old", "1");
    assert_applied(t.store, &c);
    put_asset(t.store, &c, TENANT "/a.jpg", "newer");
    assert_applied(t.store, &c);
    assert_original(&t, TENANT "/a.jpg", "newer");
    assert_property(&t, TENANT "/a.jpg", "old", NULL);
    change_put(&c, TENANT "/a.jpg", NODE_ASSET)->bytes = 5; /* it stays */
    assert_applied(t.store, &c);
    assert_original(&t, TENANT "/a.jpg", "newer");
    change_put(&c, TENANT "/a.jpg", NODE_ASSET); /* it goes */
    assert_applied(t.store, &c);
    assert_int_equal(store_original(t.store, TENANT "/a.jpg"), -1);
    assert_null(original_text(&t, TENANT "/a.jpg"));
    tenant_release(&t);
}

TEST(removing_a_folder_removes_all_below_and_no_neighbour)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/x/y/a.jpg", "a");
    put_asset(t.store, &c, TENANT "/x/b.jpg", "b");
    put_asset(t.store, &c, TENANT "/x.jpg", "neighbour");
    assert_applied(t.store, &c);
    change_remove(&c, TENANT "/x");
    change_remove(&c, TENANT "/never there");
    assert_applied(t.store, &c);
    for (int round = 0; round < 2; round++, tenant_restart(&t)) {
        assert_absent(&t, TENANT "/x");
        assert_absent(&t, TENANT "/x/y/a.jpg");
        assert_original(&t, TENANT "/x.jpg", "neighbour");
    }
    tenant_release(&t);
}

TEST(asset_and_folder_change_places)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/x/a.jpg", "below");
    put_asset(t.store, &c, TENANT "/y", "asset");
    assert_applied(t.store, &c);
    put_asset(t.store, &c, TENANT "/x", "now an asset");
    change_put(&c, TENANT "/y", NODE_FOLDER);
    put_asset(t.store, &c, TENANT "/y/b.jpg", "below y");
    assert_applied(t.store, &c);
    for (int round = 0; round < 3; round++, tenant_restart(&t)) {
        assert_original(&t, TENANT "/x", "now an asset");
        assert_false(store_has(t.store, TENANT "/x/a.jpg"));
        assert_original(&t, TENANT "/y/b.jpg", "below y");
    }
    tenant_release(&t);
}

TEST(root_and_outside_cannot_be_changed)
{
    static const char *const paths[] = {
        "/",        "/content",     "/content/dam", TENANT,      TENANT "x/a",   "/content/dam/mac/other/a", "/apps/x",
        "relative", TENANT "/../x", TENANT "/a//b", TENANT "/.", TENANT "/\xff", "/content/dam/collections"};
    struct tenant t = tenant_new();
    struct store_change c = {0};
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        change_remove(&c, paths[i]);
        assert_apply_refused(t.store, &c, paths[i][0] == '/' && paths[i][1] ? "t" : "no path");
        change_put(&c, paths[i], NODE_FOLDER);
        assert_apply_refused(t.store, &c, "t");
    }
    change_put(&c, "/content/dam/collections/a/b", NODE_OTHER);
    assert_applied(t.store, &c);
    assert_true(store_has(t.store, "/content/dam/collections/a"));
    tenant_release(&t);
}

TEST(a_name_of_255_bytes_fits_and_256_do_not)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    char name[257];
    memset(name, 'n', 256);
    name[255] = '\0';
    char *path = path_join(TENANT, name);
    put_asset(t.store, &c, path, "fits");
    assert_applied(t.store, &c);
    assert_original(&t, path, "fits");
    free(path);
    name[255] = 'n';
    name[256] = '\0';
    path = path_join(TENANT, name);
    put_asset(t.store, &c, path, "too long");
    assert_apply_refused(t.store, &c, "no path this tenant can hold");
    assert_int_equal(files_in(&t, "/tmp"), 0);
    free(path);
    tenant_release(&t);
}

TEST(nothing_lies_below_an_asset)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/a", "asset");
    assert_applied(t.store, &c);
    put_asset(t.store, &c, TENANT "/ok", "not applied either");
    put_asset(t.store, &c, TENANT "/a/b/c", "below");
    assert_apply_refused(t.store, &c, "no folder to put");
    assert_absent(&t, TENANT "/ok");
    change_remove(&c, TENANT "/a");
    put_asset(t.store, &c, TENANT "/a/b/c", "below");
    assert_applied(t.store, &c);
    tenant_restart(&t);
    assert_original(&t, TENANT "/a/b/c", "below");
    tenant_release(&t);
}

TEST(a_change_whose_line_was_written_is_completed_at_the_next_start)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/old/a.jpg", "a");
    put_asset(t.store, &c, TENANT "/both", "before");
    assert_applied(t.store, &c);
    /* Killed half-way: /old is removed and /new/1 moved already, /new/2 and /both not. */
    char *a = tenant_path(&t, TENANT "/old/a.jpg"), *new = tenant_path(&t, TENANT "/new");
    struct err e;
    assert_int_equal(unlink(a), 0);
    assert_true(dir_make(new, 0755, &e));
    write_file(&t, TENANT "/new/1", "one");
    write_file(&t, "/tmp/s2", "two");
    write_file(&t, "/tmp/s3", "after");
    write_file(&t, "/tmp/never named", "x");
    log_add(&t, "{\"request\":9,\"arrived_ms\":5,\"remove\":[\"" TENANT "/old\"],\"put\":["
                "{\"path\":\"" TENANT
                "/new/1\",\"kind\":\"asset\",\"bytes\":3,\"sha256\":\"\",\"spooled\":\"s1\",\"properties\":{}},"
                "{\"path\":\"" TENANT
                "/new/2\",\"kind\":\"asset\",\"bytes\":3,\"sha256\":\"\",\"spooled\":\"s2\",\"properties\":{}},"
                "{\"path\":\"" TENANT
                "/both\",\"kind\":\"asset\",\"bytes\":5,\"sha256\":\"\",\"spooled\":\"s3\",\"properties\":{}}]}\n");
    for (int round = 0; round < 3; round++) {
        tenant_restart(&t);
        assert_absent(&t, TENANT "/old");
        assert_original(&t, TENANT "/new/1", "one");
        assert_original(&t, TENANT "/new/2", "two");
        assert_original(&t, TENANT "/both", "after");
        assert_int_equal(files_in(&t, "/tmp"), 0);
    }
    free(a);
    free(new);
    tenant_release(&t);
}

TEST(a_torn_last_line_was_never_a_change)
{
    static const char *const torn[] = {"{\"request\":1,\"arriv", "{}\n", "\n",
                                       "{\"request\":1,\"arrived_ms\":1,\"remove\":[\"" TENANT "/a\"],\"put\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(torn); i++) {
        struct tenant t = tenant_new();
        struct store_change c = {0};
        put_asset(t.store, &c, TENANT "/a", "stays");
        assert_applied(t.store, &c);
        log_add(&t, torn[i]);
        tenant_restart(&t);
        assert_original(&t, TENANT "/a", "stays");
        put_asset(t.store, &c, TENANT "/b", "goes on");
        assert_applied(t.store, &c);
        tenant_restart(&t);
        assert_original(&t, TENANT "/b", "goes on");
        tenant_release(&t);
    }
}

TEST(a_log_damaged_in_the_middle_is_not_guessed_at)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    struct err e;
    put_asset(t.store, &c, TENANT "/a", "a");
    assert_applied(t.store, &c);
    log_add(&t, "nonsense\n{\"request\":1,\"arrived_ms\":1,\"remove\":[],\"put\":[]}\n");
    store_close(t.store);
    t.store = store_open(t.dir, TENANT, &e);
    assert_null(t.store);
    assert_non_null(strstr(e.text, "line 2 is damaged"));
    tenant_release(&t);
}

/* Says a byte to `ready` when all is spooled and only the change itself is to come. */
static void generation(struct store *s, int number, int ready)
{
    struct store_change c = {0};
    char path[100], text[20];
    snprintf(text, sizeof text, "%d", number);
    change_remove(&c, number % 2 ? TENANT "/odd" : TENANT "/even");
    for (int i = 0; i < ASSETS; i++) {
        snprintf(path, sizeof path, TENANT "/%s/%d", i < ASSETS / 2 ? "same" : number % 2 ? "even" : "odd", i);
        put_asset(s, &c, path, text);
    }
    if (ready >= 0 && write(ready, "x", 1) != 1)
        _exit(1);
    assert_applied(s, &c);
}

static void assert_one_generation(const struct tenant *t)
{
    size_t count, assets = 0;
    struct node *node = store_list(t->store, TENANT, true, &count);
    const char *title = NULL;
    for (size_t i = 0; i < count; i++) {
        if (node[i].kind != NODE_ASSET)
            continue;
        const char *is = node_property(&node[i], "title");
        title = title ? title : is;
        assert_string_equal(is, title);
        assert_original(t, node[i].path, title);
        assets++;
    }
    assert_int_equal(assets, ASSETS);
    assert_int_equal(files_in(t, "/tmp"), 0);
    assert_int_equal(files_in(t, TENANT), 2);
    for (size_t i = 0; i < count; i++)
        node_release(&node[i]);
    free(node);
}

TEST(kill_9_at_any_moment_leaves_one_generation)
{
    struct tenant t = tenant_new();
    generation(t.store, 1, -1);
    store_close(t.store);
    for (int round = 0; round < 25; round++) {
        int pipes[2];
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork();
        if (child == 0) {
            tenant_start(&t);
            for (int number = 2;; number++)
                generation(t.store, number, pipes[1]);
        }
        char byte;
        close(pipes[1]);
        for (int seen = 0; seen <= round % 5; seen++)
            assert_int_equal(read(pipes[0], &byte, 1), 1);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(pipes[0]);
        tenant_start(&t);
        assert_one_generation(&t);
        store_close(t.store);
    }
    tenant_start(&t);
    tenant_release(&t);
}

TEST(a_log_full_of_the_past_is_written_anew)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    char *log = tenant_path(&t, "/nodes.log");
    struct stat before, after;
    for (int i = 0; i < 1200; i++) {
        change_put(&c, TENANT "/folder", NODE_FOLDER);
        assert_applied(t.store, &c);
    }
    put_asset(t.store, &c, TENANT "/folder/a", "kept");
    assert_applied(t.store, &c);
    assert_int_equal(stat(log, &before), 0);
    for (int round = 0; round < 2; round++) {
        tenant_restart(&t);
        assert_int_equal(stat(log, &after), 0);
        assert_true(after.st_size * 100 < before.st_size);
        assert_original(&t, TENANT "/folder/a", "kept");
        assert_property(&t, TENANT "/folder/a", "title", "kept");
    }
    put_asset(t.store, &c, TENANT "/folder/b", "on");
    assert_applied(t.store, &c);
    tenant_restart(&t);
    assert_original(&t, TENANT "/folder/b", "on");
    free(log);
    tenant_release(&t);
}

TEST(one_directory_belongs_to_one_process)
{
    struct tenant t = tenant_new();
    struct err e;
    assert_null(store_open(t.dir, TENANT, &e));
    assert_non_null(strstr(e.text, "cannot lock"));
    tenant_release(&t);
}

TEST(a_folder_lists_its_children_in_order)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    static const char *const names[] = {"/b", "/a.x", "/a/2", "/a/1"};
    size_t count;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path = str_printf("%s%s", TENANT, names[i]);
        put_asset(t.store, &c, path, "x");
        free(path);
    }
    assert_applied(t.store, &c);
    static const char *const all[] = {TENANT "/a", TENANT "/a.x", TENANT "/a/1", TENANT "/a/2", TENANT "/b"};
    struct node *node = store_list(t.store, TENANT, true, &count);
    assert_int_equal(count, ARRAY_LEN(all));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(node[i].path, all[i]);
        node_release(&node[i]);
    }
    free(node);
    node = store_list(t.store, TENANT, false, &count);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++)
        node_release(&node[i]);
    free(node);
    node = store_list(t.store, TENANT "/none", true, &count);
    assert_int_equal(count, 0);
    free(node);
    tenant_release(&t);
}

TEST(the_nearest_folder_decides_what_is_public)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_property(change_put(&c, TENANT "/open", NODE_FOLDER), "jcr:content/publicFolder", "true");
    put_property(change_put(&c, TENANT "/open/shut", NODE_FOLDER), "jcr:content/publicFolder", "false");
    put_asset(t.store, &c, TENANT "/open/deep/a", "a");
    put_asset(t.store, &c, TENANT "/open/shut/b", "b");
    put_asset(t.store, &c, TENANT "/c", "c");
    assert_applied(t.store, &c);
    static const struct {
        const char *path, *by;
        bool is_public;
    } rows[] = {
        {TENANT "/open/deep/a", TENANT "/open", true},
        {TENANT "/open/shut/b", TENANT "/open/shut", false},
        {TENANT "/open", TENANT "/open", true},
        {TENANT "/c", NULL, false},
        {TENANT "/not there", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char *by;
        assert_int_equal(store_is_public(t.store, rows[i].path, &by), rows[i].is_public);
        assert_int_equal(by != NULL, rows[i].by != NULL);
        if (by)
            assert_string_equal(by, rows[i].by);
        free(by);
    }
    tenant_release(&t);
}

TEST(a_folder_removed_by_hand_is_no_obstacle)
{
    struct tenant t = tenant_new();
    struct store_change c = {0};
    put_asset(t.store, &c, TENANT "/x/a", "a");
    assert_applied(t.store, &c);
    char *folder = tenant_path(&t, TENANT "/x");
    assert_int_equal(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    put_asset(t.store, &c, TENANT "/x/b", "b");
    assert_applied(t.store, &c);
    assert_original(&t, TENANT "/x/b", "b");
    free(folder);
    tenant_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_there_and_there_again_after_a_restart),
        cmocka_unit_test(a_replaced_asset_has_the_new_bytes_and_nothing_of_the_old),
        cmocka_unit_test(removing_a_folder_removes_all_below_and_no_neighbour),
        cmocka_unit_test(asset_and_folder_change_places),
        cmocka_unit_test(root_and_outside_cannot_be_changed),
        cmocka_unit_test(a_name_of_255_bytes_fits_and_256_do_not),
        cmocka_unit_test(nothing_lies_below_an_asset),
        cmocka_unit_test(a_change_whose_line_was_written_is_completed_at_the_next_start),
        cmocka_unit_test(a_torn_last_line_was_never_a_change),
        cmocka_unit_test(a_log_damaged_in_the_middle_is_not_guessed_at),
        cmocka_unit_test(kill_9_at_any_moment_leaves_one_generation),
        cmocka_unit_test(a_log_full_of_the_past_is_written_anew),
        cmocka_unit_test(one_directory_belongs_to_one_process),
        cmocka_unit_test(a_folder_lists_its_children_in_order),
        cmocka_unit_test(the_nearest_folder_decides_what_is_public),
        cmocka_unit_test(a_folder_removed_by_hand_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
