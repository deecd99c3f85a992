/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A good profile: its values, its defaults, and that what is printed reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile.h"

static const char small[] = "version: 1\n"
                            "tenant:\n"
                            "  url: https://acme.brand-portal.adobe.com/\n"
                            "identity:\n"
                            "  client_id: 0123abcd\n"
                            "  client_secret_file: /etc/brandsync/acme.secret\n"
                            "  scopes: [openid, AdobeID]\n"
                            "folders:\n"
                            "  - path: /srv/assets/campaigns\n"
                            "    existing: publish\n";

static const char full[] =
    "version: 1\n"
    "title: \"ACME \\\"brand\\\" assets: \xc3\xa4\"\n"
    "tenant:\n"
    "  url: https://127.0.0.1:8443\n"
    "  id: acme-2\n"
    "  transport: distribution\n"
    "  root: /content/dam/brands/acme\n"
    "  public: true\n"
    "  importer_path: /a/b%20c\n"
    "  test_path: /bin/other\n"
    "  replication_test: true\n"
    "  headers: ['X-A: 1', \"X-B: it's: 2\"]\n"
    "  ca_file: /etc/ca.pem\n"
    "  client_certificate_file: /etc/client.pem\n"
    "  proxy: http://proxy.example.com:3128/\n"
    "  close_connection: true\n"
    "  digest: always\n"
    "  public_property: jcr:public\n"
    "  package_assets: 50\n"
    "identity:\n"
    "  mode: jwt\n"
    "  server: https://localhost:9443/\n"
    "  client_id: 'null'\n"
    "  client_secret_file: '/etc/my secret'\n"
    "  technical_account_id: a@b\n"
    "  organization_id: c@d\n"
    "  private_key_file: /etc/k\n"
    "  certificate_file: /etc/c\n"
    "  metascopes: ent_one, ent_two\n"
    "folders:\n"
    "  - path: /srv/a/b\n"
    "    to: x/Q1.2026\n"
    "    existing: skip\n"
    "    public: false\n"
    "    include: ['**/*.jpg']\n"
    "    exclude: ['drafts', \"a\\tb\"]\n"
    "    settle: 0s\n"
    "    settle_unseen: 90s\n"
    "    delete_after: 1500ms\n"
    "    priority: high\n"
    "    watch: poll\n"
    "    poll_every: 1h\n"
    "    empty_files: publish\n"
    "    case_collisions: allow\n"
    "  - {path: /srv/c/, existing: publish, sidecar: []}\n"
    "collections: []\n"
    "uploaders: 8\n"
    "schedule: {timezone: UTC, windows: []}\n"
    "guards: {max_unpublish: 0, max_unpublish_percent: 1, max_republish_percent: 2, min_items: 3}\n"
    "retry: {first: 250ms, max: 1d, attempts: 10}\n"
    "receipts: {keep: 30d}\n"
    "state: /var/lib/elsewhere/\n";

static struct profile *parse(const char *text)
{
    AUTO(problems_release) struct problems problems;
    struct profile *p = profile_parse("/etc/brandsync/acme.yaml", text, strlen(text), false, &problems);
    if (!p) {
        AUTO(buf_release) struct buf out = BUF_INIT(100000);
        problems_print(&problems, &out);
        fail_msg("%s", out.data);
    }
    return p;
}

static void what_is_not_said_has_its_default(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(small);
    const struct profile_tenant *t = &p->tenant;
    assert_string_equal(p->file, "/etc/brandsync/acme.yaml");
    assert_string_equal(p->name, "acme");
    assert_string_equal(p->title, "acme");
    assert_string_equal(p->state, "/var/lib/brandsync/acme");
    assert_string_equal(p->timezone, "");
    assert_int_equal(p->uploaders, 4);
    assert_int_equal(p->receipts_keep_ms, 400LL * 24 * 3600 * 1000);
    assert_string_equal(t->url, "https://acme.brand-portal.adobe.com");
    assert_string_equal(t->id, "acme");
    assert_string_equal(t->root, "/content/dam/mac/acme");
    assert_int_equal(t->transport, TRANSPORT_DISTRIBUTION);
    assert_string_equal(t->importer_path, "/libs/sling/distribution/services/importers/default");
    assert_string_equal(t->test_path, "/bin/receive");
    assert_string_equal(t->public_property, "publicFolder");
    assert_false(t->is_public || t->replication_test || t->close_connection || t->verify_read_back);
    assert_null(t->ca_file);
    assert_null(t->client_certificate_file);
    assert_null(t->proxy);
    assert_int_equal(t->headers.count, 0);
    assert_int_equal(t->digest, DIGEST_NEVER);
    assert_int_equal(t->package_assets, 200);
    assert_int_equal(p->identity.mode, IDENTITY_OAUTH);
    assert_string_equal(p->identity.server, "https://ims-na1.adobelogin.com");
    assert_int_equal(p->identity.metascopes.count, 1);
    assert_string_equal(p->identity.metascopes.item[0], "ent_brand_portal_sdk");
    assert_int_equal(p->guards.max_unpublish, 100);
    assert_int_equal(p->guards.max_unpublish_percent, 10);
    assert_int_equal(p->guards.max_republish_percent, 50);
    assert_int_equal(p->guards.min_items, 20);
    assert_int_equal(p->retry.first_ms, 2000);
    assert_int_equal(p->retry.max_ms, 300000);
    assert_int_equal(p->retry.attempts, 10);
}

static void a_folder_has_its_defaults(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(small);
    assert_int_equal(p->folders, 1);
    const struct profile_folder *f = p->folder;
    assert_string_equal(f->to, "campaigns");
    assert_string_equal(f->remote, "/content/dam/mac/acme/campaigns");
    assert_int_equal(f->existing, EXISTING_PUBLISH);
    assert_int_equal(f->on_delete, ON_DELETE_KEEP);
    assert_int_equal(f->priority, PRIORITY_NORMAL);
    assert_int_equal(f->watch, WATCH_AUTO);
    assert_int_equal(f->settle_ms, 2000);
    assert_int_equal(f->settle_unseen_ms, 60000);
    assert_int_equal(f->delete_after_ms, 60000);
    assert_int_equal(f->poll_every_ms, 60000);
    assert_true(f->holds_empty && f->holds_case_collisions);
    assert_false(f->is_public || f->removes_owned_folders || f->holds_new || f->needs_approval);
    assert_int_equal(f->include.count, 0);
    assert_int_equal(f->sidecar.count, 5);
    assert_string_equal(f->sidecar.item[4], "dates");
}

static void places_are_remembered_for_later_messages(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(small);
    assert_int_equal(p->tenant.url_place.line, 3);
    assert_int_equal(p->tenant.url_place.column, 8);
    assert_int_equal(p->identity.secret_place.line, 6);
    assert_int_equal(p->identity.scopes_place.line, 7);
    assert_int_equal(p->identity.mode_place.line, 0); /* not said */
    assert_int_equal(p->folder[0].place.line, 9);
    assert_int_equal(p->folder[0].exclude_place.line, 0);
}

static void what_is_said_is_kept(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(full);
    assert_string_equal(p->title, "ACME \"brand\" assets: \xc3\xa4");
    assert_string_equal(p->tenant.id, "acme-2");
    assert_string_equal(p->tenant.root, "/content/dam/brands/acme");
    assert_string_equal(p->tenant.proxy, "http://proxy.example.com:3128");
    assert_int_equal(p->tenant.headers.count, 2);
    assert_string_equal(p->tenant.headers.item[1], "X-B: it's: 2");
    assert_int_equal(p->tenant.digest, DIGEST_ALWAYS);
    assert_int_equal(p->tenant.package_assets, 50);
    assert_true(p->tenant.is_public && p->tenant.replication_test && p->tenant.close_connection);
    assert_int_equal(p->identity.mode, IDENTITY_JWT);
    assert_string_equal(p->identity.server, "https://localhost:9443");
    assert_string_equal(p->identity.client_id, "null");
    assert_int_equal(p->identity.metascopes.count, 2);
    assert_string_equal(p->identity.metascopes.item[1], "ent_two");
    assert_int_equal(p->uploaders, 8);
    assert_string_equal(p->timezone, "UTC");
    assert_int_equal(p->guards.min_items, 3);
    assert_int_equal(p->retry.first_ms, 250);
    assert_int_equal(p->retry.max_ms, 24 * 3600 * 1000);
    assert_string_equal(p->state, "/var/lib/elsewhere");
}

static void what_a_folder_says_is_kept(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(full);
    assert_int_equal(p->folders, 2);
    const struct profile_folder *f = &p->folder[0], *g = &p->folder[1];
    assert_string_equal(f->to, "x/Q1.2026");
    assert_string_equal(f->remote, "/content/dam/brands/acme/x/Q1-2026");
    assert_int_equal(f->existing, EXISTING_SKIP);
    assert_false(f->is_public);
    assert_true(g->is_public); /* the tenant's */
    assert_string_equal(f->exclude.item[1], "a\tb");
    assert_int_equal(f->settle_ms, 0);
    assert_int_equal(f->delete_after_ms, 1500);
    assert_int_equal(f->priority, PRIORITY_HIGH);
    assert_int_equal(f->watch, WATCH_POLL);
    assert_false(f->holds_empty || f->holds_case_collisions);
    assert_string_equal(g->path, "/srv/c");
    assert_string_equal(g->to, "c");
    assert_int_equal(g->sidecar.count, 0);
}

static void check_printed_reads_back(const char *text)
{
    AUTO(profile_freep) struct profile *first = parse(text);
    AUTO(buf_release) struct buf once = BUF_INIT(1 << 20), twice = BUF_INIT(1 << 20);
    profile_print(first, &once);
    AUTO(profile_freep) struct profile *second = parse(once.data);
    profile_print(second, &twice);
    assert_string_equal(once.data, twice.data);
    assert_string_equal(first->title, second->title);
    assert_string_equal(first->identity.client_id, second->identity.client_id);
    assert_string_equal(first->tenant.root, second->tenant.root);
    assert_int_equal(first->folders, second->folders);
    for (size_t i = 0; i < first->folders; i++) {
        const struct profile_folder *a = &first->folder[i], *b = &second->folder[i];
        assert_string_equal(a->remote, b->remote);
        assert_int_equal(a->is_public, b->is_public);
        assert_int_equal(a->settle_ms, b->settle_ms);
        assert_int_equal(a->delete_after_ms, b->delete_after_ms);
        assert_int_equal(a->holds_empty, b->holds_empty);
        assert_int_equal(a->sidecar.count, b->sidecar.count);
        assert_int_equal(a->exclude.count, b->exclude.count);
        for (size_t j = 0; j < a->exclude.count; j++)
            assert_string_equal(a->exclude.item[j], b->exclude.item[j]);
    }
}

static void what_is_printed_reads_back_as_the_same_profile(void **state)
{
    (void)state;
    check_printed_reads_back(small);
    check_printed_reads_back(full);
}

static void any_title_survives_printing(void **state)
{
    static const char *const titles[] = {
        "true",
        "null",
        "~",
        "12",
        "-",
        "- a",
        "a: b",
        "a #b",
        " a ",
        "*x",
        "&x",
        "!x",
        "%x",
        "@x",
        "`x",
        "{a}",
        "[a]",
        "'",
        "a\\b",
        "\xe2\x80\xa8",
        "\xef\xbb\xbf",
        "\xf0\x9f\x98\x80",
        "\xc2\x85",
        "?",
        "yes",
        "2026-01-01",
        "=",
        "<<",
        "\xef\xbf\xbf",
    };
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(small);
    for (size_t i = 0; i < ARRAY_LEN(titles); i++) {
        free(p->title);
        p->title = str_copy(titles[i]);
        AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
        profile_print(p, &out);
        AUTO(profile_freep) struct profile *back = parse(out.data);
        assert_string_equal(back->title, titles[i]);
    }
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    (void)state;
    AUTO(mem_freep) char *text = str_printf("\xEF\xBB\xBF%s", small);
    AUTO(profile_freep) struct profile *p = parse(text);
    assert_int_equal(p->tenant.url_place.column, 8);
}

static void a_path_belongs_to_the_folder_it_lies_in(void **state)
{
    (void)state;
    AUTO(profile_freep) struct profile *p = parse(full);
    assert_ptr_equal(profile_folder_of(p, "/srv/a/b"), &p->folder[0]);
    assert_ptr_equal(profile_folder_of(p, "/srv/a/b/c/d.jpg"), &p->folder[0]);
    assert_ptr_equal(profile_folder_of(p, "/srv/c/x"), &p->folder[1]);
    assert_null(profile_folder_of(p, "/srv/a/bc"));
    assert_null(profile_folder_of(p, "/srv/a"));
    assert_null(profile_folder_of(p, "/"));
}

static void the_words_are_those_of_the_profile(void **state)
{
    (void)state;
    assert_string_equal(transport_kind_name(TRANSPORT_ASSETS_API), "assets-api");
    assert_string_equal(identity_mode_name(IDENTITY_LEGACY_GATEWAY), "legacy-gateway");
    assert_string_equal(existing_name(EXISTING_ASSUME_PUBLISHED), "assume-published");
}

/* --- the sample that is shipped -------------------------------------------------------------------------- */

#define SAMPLE "etc/brandsync.yaml"

static void the_sample_is_a_good_profile(void **state)
{
    (void)state;
    AUTO(problems_release) struct problems problems;
    AUTO(profile_freep) struct profile *p = profile_load(SAMPLE, false, &problems);
    assert_non_null(p);
    assert_int_equal(problems.count, 0);
}

/* "  # key: value": the key could be uncommented. */
static bool is_commented_key(const char *line)
{
    line += strspn(line, " ");
    if (strncmp(line, "# ", 2) != 0)
        return false;
    line += 2 + strspn(line + 2, " ");
    size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    return len && line[len] == ':' && (line[len + 1] == ' ' || line[len + 1] == '\n');
}

static void every_commented_key_of_the_sample_may_be_uncommented(void **state)
{
    (void)state;
    struct err e;
    AUTO(buf_release) struct buf sample = BUF_INIT(1 << 20);
    assert_true(file_read(SAMPLE, 1 << 20, &sample, &e));
    int keys = 0;
    for (char *line = sample.data; *line; line += strcspn(line, "\n"), line += *line != '\0') {
        if (!is_commented_key(line))
            continue;
        char *hash = strchr(line, '#');
        memmove(hash, hash + 2, strlen(hash + 2) + 1);
        keys++;
    }
    AUTO(profile_freep) struct profile *p = parse(sample.data);
    assert_true(keys > 40);
    assert_string_equal(p->timezone, "Europe/Berlin");
    assert_string_equal(p->tenant.headers.item[0], "X-Team: brand");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(a_folder_has_its_defaults),
        cmocka_unit_test(places_are_remembered_for_later_messages),
        cmocka_unit_test(what_is_said_is_kept),
        cmocka_unit_test(what_a_folder_says_is_kept),
        cmocka_unit_test(what_is_printed_reads_back_as_the_same_profile),
        cmocka_unit_test(any_title_survives_printing),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(a_path_belongs_to_the_folder_it_lies_in),
        cmocka_unit_test(the_words_are_those_of_the_profile),
        cmocka_unit_test(the_sample_is_a_good_profile),
        cmocka_unit_test(every_commented_key_of_the_sample_may_be_uncommented),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
