/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A profile and the disk: the files it names, and how it is found itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile.h"

#include "../../src/profile/profile_internal.h"

#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/brandsync-profile-XXXXXX";

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    static const char *const names[] = {"secret", "acme.yaml", "beta.yaml", "notes.txt", ".hidden.yaml", "link"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO(mem_freep) char *path = path_join(dir, names[i]);
        unlink(path);
    }
    AUTO(mem_freep) char *assets = path_join(dir, "assets");
    rmdir(assets);
    return rmdir(dir);
}

static char *make_file(const char *name, const char *text, mode_t mode)
{
    struct err e;
    char *path = path_join(dir, name);
    assert_true(file_replace(path, text, strlen(text), mode, &e));
    return path;
}

static char *profile_text(const char *secret, const char *key)
{
    return str_printf("version: 1\n"
                      "tenant: {url: 'https://acme.example.com'}\n"
                      "identity:\n"
                      "  mode: jwt\n"
                      "  server: https://localhost\n"
                      "  client_id: a\n"
                      "  client_secret_file: %s\n"
                      "  technical_account_id: a\n"
                      "  organization_id: b\n"
                      "  private_key_file: %s\n"
                      "  certificate_file: %s\n"
                      "folders: [{path: %s, existing: publish}]\n",
                      secret, key, secret, dir);
}

static void check_secret(const char *secret, const char *expected)
{
    AUTO(mem_freep) char *text = profile_text(secret, secret);
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    AUTO(profile_freep) struct profile *p = profile_parse("acme.yaml", text, strlen(text), true, &problems);
    problems_print(&problems, &out);
    buf_str(&out, "");
    assert_true((p != NULL) == (expected == NULL));
    if (expected && !strstr(out.data, expected))
        fail_msg("wanted %s\n%s", expected, out.data);
}

static void a_secret_is_for_its_owner_and_the_group_to_read(void **state)
{
    static const struct {
        mode_t mode;
        const char *expected; /* NULL: good */
    } rows[] = {
        {0600, NULL},
        {0640, NULL},
        {0400, NULL},
        {0644, "7:23: error: everybody may read this secret file (mode 0644)"},
        {0604, "everybody may read this secret file (mode 0604)"},
        {0660, "the group may write this secret file (mode 0660)"},
        {0666, "everybody may write this secret file (mode 0666)"},
        {0642, "everybody may write this secret file (mode 0642)"},
        {0650, "others may run this secret file (mode 0650)"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_freep) char *secret = make_file("secret", "x", rows[i].mode);
        check_secret(secret, rows[i].expected);
    }
    AUTO(mem_freep) char *secret = make_file("secret", "x", 0644);
    AUTO(mem_freep) char *fix = str_printf(" fix: chown root:brandsync %s && chmod 0640 %s\n", secret, secret);
    check_secret(secret, fix);
}

static void what_is_not_there_says_what_makes_it(void **state)
{
    (void)state;
    AUTO(mem_freep) char *none = path_join(dir, "none");
    check_secret(none, "7:23: error: there is no such file");
    check_secret(none, "write the client secret");
    check_secret(none, "fix: brandsync key create");
    check_secret(dir, "is not a regular file");
}

static void the_disk_is_left_alone_unless_asked_for(void **state)
{
    (void)state;
    AUTO(mem_freep) char *text = profile_text("/nowhere/secret", "/nowhere/key");
    AUTO(problems_release) struct problems problems;
    AUTO(profile_freep) struct profile *p = profile_parse("acme.yaml", text, strlen(text), false, &problems);
    assert_non_null(p);
    assert_int_equal(problems.count, 0);
}

static char *oauth_text(const char *path, const char *other)
{
    AUTO(mem_freep) char *secret = make_file("secret", "x", 0600);
    return str_printf("version: 1\n"
                      "tenant: {url: 'https://acme.example.com'}\n"
                      "identity: {client_id: a, client_secret_file: %s, scopes: [a], private_key_file: /nowhere/key}\n"
                      "folders: [{path: %s, existing: publish}, {path: %s, existing: publish}]\n",
                      secret, path, other);
}

static void a_folder_that_is_not_mounted_is_a_warning(void **state)
{
    (void)state;
    AUTO(mem_freep) char *text = oauth_text(dir, "/nowhere/assets");
    AUTO(problems_release) struct problems problems;
    AUTO(profile_freep) struct profile *p = profile_parse("acme.yaml", text, strlen(text), true, &problems);
    assert_non_null(p); /* the key of another mode is not looked at */
    assert_int_equal(problems.count, 1);
    assert_true(problems.item[0].is_warning);
    assert_string_equal(problems.item[0].text, "there is no such directory now");
}

static void one_directory_by_two_names_is_an_overlap(void **state)
{
    (void)state;
    AUTO(mem_freep) char *assets = path_join(dir, "assets"), *link = path_join(dir, "link");
    assert_int_equal(mkdir(assets, 0700), 0);
    assert_int_equal(symlink(assets, link), 0);
    AUTO(mem_freep) char *text = oauth_text(assets, link);
    AUTO(problems_release) struct problems problems;
    assert_null(profile_parse("acme.yaml", text, strlen(text), true, &problems));
    assert_string_equal(problems.item[0].text, "folders[1] and folders[0] (line 4) overlap on disk");
}

static void a_profile_that_cannot_be_read_is_a_problem(void **state)
{
    (void)state;
    AUTO(problems_release) struct problems missing, not_a_file;
    assert_null(profile_load("/nowhere/acme.yaml", true, &missing));
    assert_null(profile_load(dir, true, &not_a_file));
    assert_int_equal(missing.errors, 1);
    assert_int_equal(not_a_file.errors, 1);
    assert_non_null(strstr(missing.item[0].text, "No such file"));
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    problems_print(&missing, &out);
    assert_true(str_starts(out.data, "/nowhere/acme.yaml: error: "));
}

static void a_profile_has_a_name(void **state)
{
    static const char *const bad[] = {"/etc/.yaml", "/etc/", "/etc/.acme.yaml", "/etc/a b.yaml"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(problems_release) struct problems problems;
        assert_null(profile_parse(bad[i], "version: 1\n", 11, false, &problems));
        assert_non_null(strstr(problems.item[0].text, "is not a name for a profile"));
    }
}

static void check_found(const char *asked, const char *expected)
{
    struct err e;
    AUTO(mem_freep) char *found = find_in(dir, asked, &e);
    assert_non_null(found);
    assert_string_equal(found, expected);
}

static void check_not_found(const char *asked, const char *expected)
{
    struct err e;
    assert_null(find_in(dir, asked, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    if (!strstr(e.text, expected))
        fail_msg("wanted %s: %s", expected, e.text);
}

static void a_profile_is_found_by_name_file_or_being_the_only_one(void **state)
{
    (void)state;
    check_found("acme.yaml", "acme.yaml");
    check_found("./acme", "./acme");
    check_found("/x/acme.yaml", "/x/acme.yaml");
    check_not_found(NULL, "brandsync init NAME");
    check_not_found("acme", "no profile \"acme\"");

    free(make_file("notes.txt", "", 0600)); /* neither of these is a profile */
    free(make_file(".hidden.yaml", "", 0600));
    AUTO(mem_freep) char *acme = make_file("acme.yaml", "", 0600);
    check_found(NULL, acme);
    check_found("", acme);
    check_found("acme", acme);
    check_not_found("beta", "acme");

    AUTO(mem_freep) char *beta = make_file("beta.yaml", "", 0600);
    check_found("beta", beta);
    check_not_found(NULL, "acme, beta");
    check_not_found("gamma", "acme, beta");
}

static void the_environment_names_a_profile(void **state)
{
    (void)state;
    struct err e;
    setenv("BRANDSYNC_PROFILE", "/x/from-environment.yaml", 1);
    AUTO(mem_freep) char *from_environment = profile_find(NULL, &e), *given = profile_find("/x/given.yaml", &e);
    unsetenv("BRANDSYNC_PROFILE");
    assert_string_equal(from_environment, "/x/from-environment.yaml");
    assert_string_equal(given, "/x/given.yaml");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_for_its_owner_and_the_group_to_read),
        cmocka_unit_test(what_is_not_there_says_what_makes_it),
        cmocka_unit_test(the_disk_is_left_alone_unless_asked_for),
        cmocka_unit_test(a_folder_that_is_not_mounted_is_a_warning),
        cmocka_unit_test(one_directory_by_two_names_is_an_overlap),
        cmocka_unit_test(a_profile_that_cannot_be_read_is_a_problem),
        cmocka_unit_test(a_profile_has_a_name),
        cmocka_unit_test(a_profile_is_found_by_name_file_or_being_the_only_one),
        cmocka_unit_test(the_environment_names_a_profile),
    };
    return cmocka_run_group_tests_name("profile_files", tests, make_dir, remove_dir);
}
