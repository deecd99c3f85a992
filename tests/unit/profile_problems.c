/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* A wrong profile: every problem, its place, the line with a caret, and a way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile.h"

#include "../../src/profile/profile_internal.h"

static void print_problems(const char *text, size_t len, struct buf *out, struct problems *problems)
{
    AUTO(profile_freep) struct profile *p = profile_parse("acme.yaml", text, len, false, problems);
    assert_true((p == NULL) == (problems->errors > 0));
    problems_print(problems, out);
    buf_str(out, "");
}

static void check_printed(const char *text, const char *expected)
{
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    print_problems(text, strlen(text), &out, &problems);
    assert_string_equal(out.data, expected);
}

static void a_problem_is_shown_with_place_line_caret_and_hint(void **state)
{
    (void)state;
    check_printed("version: 1\n"
                  "tenant: {url: https://acme.example.com}\n"
                  "identity:\n"
                  "  client_id: a\n"
                  "  client_secret_file: etc/acme.secret\n"
                  "  scopes: [openid]\n"
                  "folders:\n"
                  "  - path: /srv/assets\n"
                  "    existing: publish\n"
                  "    exlude: [\"**/drafts/**\"]\n"
                  "schedule:\n"
                  "\twindows: []\n",
                  "acme.yaml:12:1: error: found character that cannot start any token\n"
                  "   12 | \twindows: []\n"
                  "      | ^ indent with blanks, not tabs; put text with special characters in quotes\n");
    check_printed(
        "version: 1\n"
        "tenant: {url: https://acme.example.com}\n"
        "identity:\n"
        "  client_id: a\n"
        "  client_secret_file: etc/acme.secret\n"
        "  scopes: [openid]\n"
        "folders:\n"
        "  - path: /srv/assets\n"
        "    existing: publish\n"
        "    exlude: [\"**/drafts/**\"]\n"
        "schedule:\n"
        "  bandwidth:\n"
        "    - {from: \"25:00\", to: \"06:00\", limit: 2MB/s}\n",
        "acme.yaml:5:23: error: \"etc/acme.secret\" is not the path of a file\n"
        "    5 |   client_secret_file: etc/acme.secret\n"
        "      |                       ^^^^^^^^^^^^^^^ expected an absolute path without empty, \".\" or \"..\" parts\n"
        "acme.yaml:10:5: error: unknown key \"exlude\" in folders[0]\n"
        "   10 |     exlude: [\"**/drafts/**\"]\n"
        "      |     ^^^^^^ the nearest known key is \"exclude\"\n"
        "acme.yaml:12:3: error: schedule.bandwidth is not built in this version yet\n"
        "   12 |   bandwidth:\n"
        "      |   ^^^^^^^^^ remove it\n"
        "acme.yaml:13:14: error: \"25:00\" is not a time of day\n"
        "   13 |     - {from: \"25:00\", to: \"06:00\", limit: 2MB/s}\n"
        "      |              ^^^^^^^ expected \"00:00\" to \"24:00\"\n");
}

/* --- one wrong thing at a time --------------------------------------------------------------------------- */

/* What stands where in an otherwise good profile. */
enum part { TENANT, IDENTITY, FOLDER, TOP, PARTS };

static char *profile_with(enum part part, const char *line)
{
    const char *in[PARTS] = {"", "", "", ""};
    in[part] = line;
    return str_printf("version: 1\n"
                      "tenant:\n"
                      "  url: https://acme.example.com\n" /* 3 */
                      "%s%s"
                      "identity:\n"
                      "  client_id: a\n"
                      "  client_secret_file: /etc/s\n"
                      "  scopes: [openid]\n"
                      "%s%s"
                      "folders:\n"
                      "  - path: /srv/a\n"
                      "    existing: publish\n"
                      "%s%s"
                      "%s\n",
                      in[TENANT], *in[TENANT] ? "\n" : "", in[IDENTITY], *in[IDENTITY] ? "\n" : "", in[FOLDER],
                      *in[FOLDER] ? "\n" : "", in[TOP]);
}

struct row {
    enum part part;
    const char *line, *expected; /* expected: a piece of what is printed */
};

static void check_row(const struct row *row, size_t errors)
{
    AUTO(mem_freep) char *text = profile_with(row->part, row->line);
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    print_problems(text, strlen(text), &out, &problems);
    if (problems.errors != errors || !strstr(out.data, row->expected))
        fail_msg("%s\n%zu errors, wanted: %s\n%s", row->line, problems.errors, row->expected, out.data);
}

static void each_wrong_value_is_one_error(void **state)
{
    static const struct row rows[] = {
        /* keys */
        {TENANT, "  urll: x", "4:3: error: unknown key \"urll\" in tenant"},
        {TENANT, "  url: https://b.example.com", "4:3: error: key \"url\" is already in line 3"},
        {TOP, "titel: x", "error: unknown key \"titel\"\n"},
        {TOP, "zzz: x", "error: unknown key \"zzz\""},
        {TOP, "? [a]\n: b", "error: a key is one word"},
        {TOP, "\"title\\0\": x", "error: a key is one word"},
        {TOP, "<<: {title: x}", "error: unknown key \"<<\""},
        /* types */
        {TOP, "uploaders: four", "11:12: error: \"four\" is not a whole number"},
        {TOP, "uploaders: 0", "11:12: error: uploaders cannot be 0"},
        {TOP, "uploaders: 9", "expected 1 to 8"},
        {TOP, "uploaders: 0x4", "\"0x4\" is not a whole number"},
        {TOP, "uploaders: 4.0", "\"4.0\" is not a whole number"},
        {TOP, "uploaders: '4'", "uploaders is text"},
        {TOP, "uploaders: [4]", "uploaders is a list"},
        {TOP, "uploaders: 99999999999999999999", "is not a whole number"},
        {TOP, "uploaders:", "uploaders has no value"},
        {TOP, "title: ~", "title has no value"},
        {TOP, "title: ''", "title is empty"},
        {TOP, "title: [a]", "title is a list"},
        {TOP, "title: \"a\\nb\"", "has a control character"},
        {TOP, "title: \"a\\0b\"", "has a NUL in it"},
        {TOP, "retry: 5", "retry is a single value"},
        {TOP, "retry: {attempts: 0}", "attempts cannot be 0"},
        {TOP, "retry: {first: 10m, max: 1m}", "retry.first is longer than retry.max"},
        {TOP, "receipts: {keep: 1h}", "keep cannot be 1h"},
        {TOP, "guards: {max_unpublish_percent: 101}", "expected 0 to 100"},
        {FOLDER, "    settle: 2", "\"2\" is not a duration"},
        {FOLDER, "    settle: 2 s", "\"2 s\" is not a duration"},
        {FOLDER, "    settle: 2h", "expected 0s to 1h"},
        {FOLDER, "    priority: urgent", "\"urgent\" is not a word for priority"},
        {FOLDER, "    priority: hihg", "the nearest known word is \"high\""},
        {FOLDER, "    empty_files: keep", "expected \"publish\" or \"hold\""},
        {FOLDER, "    include: '*.jpg'", "folders[0].include is a single value"},
        {FOLDER, "    include:", "folders[0].include has no value"},
        {FOLDER, "    include: [[a]]", "folders[0].include[0] is a list"},
        {FOLDER, "    include: [a, ~]", "folders[0].include[1] has no value"},
        {TENANT, "  package_assets: 201", "expected 1 to 200"},
        /* true and false */
        {TENANT, "  public: yes", "write true"},
        {TENANT, "  public: off", "write false"},
        {TENANT, "  public: True", "write true"},
        {TENANT, "  public: maybe", "expected true or false"},
        {TENANT, "  public: 'true'", "write it without quotes"},
        /* YAML that surprises */
        {TOP, "title: &a x", "error: a profile has no anchors"},
        {TOP, "title: *a", "error: a profile has no aliases"},
        {TOP, "title: !!str x", "error: a profile has no tags"},
        {FOLDER, "    include: [**/*.jpg]", "put text that begins with * in quotes"},
        {TOP, "---\nversion: 1", "error: a second document begins here"},
        {TOP, "title: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "error: this is nested too deeply"},
        {TOP, "title: \"\x01\"", "error: control characters are not allowed"},
        {TOP, "title: \xff", "error: invalid leading UTF-8 octet"},
        {TOP, "title: {", "error: did not find expected node content"},
        /* addresses and paths of requests */
        {TENANT, "  proxy: proxy:3128", "\"proxy:3128\" is not a URL"},
        {TENANT, "  proxy: http://user:secret@proxy:3128", "a URL here has no user or password"},
        {TENANT, "  proxy: ftp://proxy", "\"ftp\" is not a known kind of proxy"},
        {TENANT, "  proxy: http://proxy/x", "a proxy has no path"},
        {TENANT, "  importer_path: libs/x", "is not a path on the tenant"},
        {TENANT, "  importer_path: /libs/../x", "is not a path on the tenant"},
        {TENANT, "  importer_path: /libs?x=y", "is not a path on the tenant"},
        {TENANT, "  importer_path: \"/a\\r\\nX: y\"", "is not a path on the tenant"},
        {TENANT, "  id: a/b", "\"a/b\" is not the id of a tenant"},
        {TENANT, "  public_property: 'a b'", "is not the name of a property"},
        {IDENTITY, "  server: https://ims/x", "this URL has a path"},
        {IDENTITY, "  metascopes: ['a b\"']", "is not a scope"},
        /* headers */
        {TENANT, "  headers: ['Authorization: x']", "the header Authorization belongs to the protocol"},
        {TENANT, "  headers: ['X-API-KEY: x']", "the header x-api-key belongs to the protocol"},
        {TENANT, "  headers: ['content-length: 1']", "the header Content-Length belongs"},
        {TENANT, "  headers: ['transfer-encoding: chunked']", "the header Transfer-Encoding belongs"},
        {TENANT, "  headers: ['Host: x']", "the header Host belongs"},
        {TENANT, "  headers: ['Digest: x']", "the header Digest belongs"},
        {TENANT, "  headers: ['Expect: x']", "the header Expect belongs"},
        {TENANT, "  headers: [\"X: a\\r\\nHost: b\"]", "has a control character or a line break"},
        {TENANT, "  headers: ['X']", "\"X\" is not a header"},
        {TENANT, "  headers: ['X:']", "is not a header"},
        {TENANT, "  headers: ['X Y: z']", "is not a header"},
        {TENANT, "  headers: [': z']", "is not a header"},
        {TENANT, "  headers: [X: y]", "tenant.headers[0] is a map of keys"},
        /* places */
        {TENANT, "  root: /content/dam", "is not a folder below /content/dam"},
        {TENANT, "  root: /content/damage/x", "is not a folder below /content/dam"},
        {TENANT, "  root: /content/dam/../x", "is not a folder below /content/dam"},
        {TENANT, "  root: content/dam/x", "is not a folder below /content/dam"},
        {TENANT, "  root: /content/dam/a.b", "possible is \"/content/dam/a-b\""},
        {FOLDER, "    to: /x", "is not a folder below tenant.root"},
        {FOLDER, "    to: .", "is not a folder below tenant.root"},
        {FOLDER, "    to: a/../..", "is not a folder below tenant.root"},
        {FOLDER, "    to: a//b", "is not a folder below tenant.root"},
        {FOLDER, "    to: ''", "to is empty"},
        {FOLDER, "    to: /", "is not a folder below tenant.root"},
        {FOLDER, "  - {path: srv, existing: skip}", "\"srv\" is not the path of a directory"},
        {FOLDER, "  - {path: /, existing: skip}", "\"/\" is not the path of a directory"},
        {FOLDER, "  - {path: /srv/x/../y, existing: skip}", "is not the path of a directory"},
        {TOP, "state: state", "\"state\" is not the path of a directory"},
        /* patterns */
        {FOLDER, "    include: ['*.{jpg,png}']", "braces are not expanded"},
        {FOLDER, "    exclude: ['drafts/']", "for all that is below a directory write name/**"},
        {FOLDER, "    exclude: ['!a']", "a pattern cannot be turned round"},
        /* overlaps */
        {FOLDER, "  - {path: /srv/a, to: b, existing: skip}", "folders[1] and folders[0] (line 9) overlap on disk"},
        {FOLDER, "  - {path: /srv/a/b, existing: skip}", "overlap on disk"},
        {FOLDER, "  - {path: /srv, existing: skip}", "overlap on disk"},
        {FOLDER, "  - {path: /x/a, existing: skip}",
         "11:12: error: folders[1] and folders[0] (line 9) overlap on the portal"},
        {FOLDER, "  - {path: /x/b, to: a/b, existing: skip}",
         "11:22: error: folders[1] and folders[0] (line 9) overlap on the portal"},
        {TOP, "state: /srv/a/state", "state \"/srv/a/state\" and folders[0] lie in one another"},
        {TOP, "state: /srv", "lie in one another"},
        /* what is missing */
        {FOLDER, "  - {path: /x}", "11:6: error: missing key \"existing\" in folders[1]"},
        {FOLDER, "  - {existing: skip}", "missing key \"path\" in folders[1]"},
        {FOLDER, "  - /x", "folders[1] is a single value"},
        /* schedule.timezone */
        {TOP, "schedule: {timezone: Europe/Atlantis}", "there is no time zone \"Europe/Atlantis\""},
        {TOP, "schedule: {timezone: ../../../etc/passwd}", "there is no time zone"},
        {TOP, "schedule: {timezone: Europe}", "there is no time zone"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i], 1);
}

static void what_is_not_built_is_refused_by_name(void **state)
{
    static const struct row rows[] = {
        {TENANT, "  transport: direct-upload", "tenant.transport: direct-upload is not built in this version yet"},
        {TENANT, "  transport: assets-api", "in this version: distribution"},
        {TENANT, "  upload_hosts: [a.example.com]", "4:3: error: tenant.upload_hosts is not built"},
        {TENANT, "  verify: read-back", "tenant.verify: read-back is not built"},
        {IDENTITY, "  mode: legacy-gateway", "in this version: oauth or jwt"},
        {FOLDER, "    on_delete: unpublish", "folders[0].on_delete: unpublish is not built"},
        {FOLDER, "    approval: required", "folders[0].approval: required is not built"},
        {FOLDER, "    remove_folders: owned", "folders[0].remove_folders: owned is not built"},
        {FOLDER, "    hold_new: true", "folders[0].hold_new: true is not built"},
        {FOLDER, "    sidecar: [title, metadata, priority, ignore, dates]", "folders[0].sidecar is not built"},
        {FOLDER, "  - {path: /x, existing: compare}", "folders[1].existing: compare is not built"},
        {FOLDER, "  - {path: /x, existing: assume-published}", "in this version: publish or skip"},
        {TOP, "collections: [{name: a, members: ['a/*']}]",
         "11:1: error: collections is not built in this version yet"},
        {TOP, "schedule: {windows: [{days: mon-fri, from: '20:00', to: '24:00'}, {days: [sat, sun]}]}",
         "schedule.windows is not built"},
        {TOP, "schedule: {max_assets_per_hour: 1000}", "schedule.max_assets_per_hour: 1000 is not built"},
        {TOP, "schedule: {bandwidth: [{from: '06:00', to: '20:00', limit: 2MB/s}]}", "schedule.bandwidth is not built"},
        {TOP, "approvers: {users: [ops]}", "approvers.users is not built"},
        {TOP, "notify: {webhook: 'https://example.com/hook'}", "notify.webhook: https://example.com/hook is not built"},
        {TOP, "notify: {mail: {to: [a@example.com]}}", "notify.mail is not built"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i], 1);
}

static void what_is_built_or_says_nothing_is_accepted(void **state)
{
    static const struct row rows[] = {
        {TENANT, "  transport: distribution\n  upload_hosts: []\n  verify: none", ""},
        {TENANT, "  headers: ['X-Team: brand', 'Cookie: a=b; c=d']", ""},
        {TENANT, "  root: /content/dam/acme/", ""},
        {TENANT, "  proxy: socks5h://[::1]:1080", ""},
        {IDENTITY, "  server: 'https://[2001:db8::1]:443/'", ""},
        {FOLDER,
         "    on_delete: keep\n    approval: none\n    remove_folders: never\n    hold_new: false\n    sidecar: []",
         ""},
        {FOLDER, "    case_collisions: allow\n    watch: events", ""},
        {FOLDER, "    to: Q1.2026/x y", ""},
        {FOLDER, "    include: ['[{]a}', '/top.jpg', '[!a]*']", ""},
        {FOLDER, "  - {path: /srv/ab, existing: skip}", ""},
        {TOP, "collections: []\nschedule: {windows: [], bandwidth: []}\napprovers: {users: [], groups: []}", ""},
        {TOP, "schedule: {timezone: UTC}", ""},
        {TOP, "title: yes", ""},
        {TOP, "state: /srv/ab", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i], 0);
}

/* Entries of what is not built yet are checked all the same: two errors each. */
static void entries_of_what_is_not_built_are_checked(void **state)
{
    static const struct row rows[] = {
        {TOP, "schedule: {windows: [{from: '24:00'}]}", "\"24:00\" is only an end"},
        {TOP, "schedule: {windows: [{to: '24:01'}]}", "\"24:01\" is not a time of day"},
        {TOP, "schedule: {windows: [{to: '6:00'}]}", "\"6:00\" is not a time of day"},
        {TOP, "schedule: {windows: [{to: '06:60'}]}", "\"06:60\" is not a time of day"},
        {TOP, "schedule: {windows: [{days: monday}]}", "\"monday\" is not a day of the week"},
        {TOP, "schedule: {windows: [{days: mon-}]}", "\"mon-\" is not a day of the week"},
        {TOP, "schedule: {windows: [{days: 'mon, thu-xxx'}]}", "\"thu-xxx\" is not a day of the week"},
        {TOP, "schedule: {windows: [{day: mon}]}", "the nearest known key is \"days\""},
        {TOP, "schedule: {bandwidth: [{limit: 2MB}]}", "\"2MB\" is not a rate"},
        {TOP, "schedule: {bandwidth: [{from: '06:00'}]}", "missing key \"limit\" in schedule.bandwidth[0]"},
        {TOP, "schedule: {max_assets_per_hour: 1000, timezone: X}", "there is no time zone \"X\""},
        {TOP, "collections: [{name: a}]", "collections[0] needs members or path, and not both"},
        {TOP, "collections: [{name: a, members: [b], path: /c}]", "collections[0] needs members or path"},
        {TOP, "collections: [{members: [b]}]", "missing key \"name\" in collections[0]"},
        {TOP, "notify: {mail: {from: a}}", "missing key \"to\" in notify.mail"},
        {TENANT, "  upload_hosts: ['a b']", "\"a b\" is not a host name"},
        {FOLDER, "    sidecar: [titel]", "\"titel\" is not an item of sidecar"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i], 2);
}

/* --- the tenant's address -------------------------------------------------------------------------------- */

static void check_url(const char *url, const char *id, const char *expected)
{
    AUTO(mem_freep)
    char *text = str_printf("version: 1\n"
                            "tenant: {url: '%s'%s%s}\n"
                            "identity: {client_id: a, client_secret_file: /etc/s, scopes: openid}\n"
                            "folders: [{path: /srv/a, existing: publish}]\n",
                            url, id ? ", id: " : "", id ? id : "");
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    print_problems(text, strlen(text), &out, &problems);
    if (expected ? !strstr(out.data, expected) : problems.count != 0)
        fail_msg("%s: wanted %s\n%s", url, expected ? expected : "nothing", out.data);
}

static void a_tenants_address_is_a_host_and_perhaps_a_port(void **state)
{
    static const struct {
        const char *url, *id, *expected; /* NULL: nothing to say */
    } rows[] = {
        {"https://acme.brand-portal.adobe.com/", NULL, NULL},
        {"https://acme.brand-portal.adobe.com:8443", NULL, NULL},
        {"https://localhost:8443", NULL, NULL},
        {"https://127.0.0.1:8443", "acme", NULL},
        {"https://[::1]:8443", "acme", NULL},
        {"https://127.0.0.1:8443", NULL, "error: missing key \"id\" in tenant"},
        {"http://127.0.0.1:8080", "acme", "warning: http:// to \"127.0.0.1\""},
        {"http://127.9.9.9", "acme", "warning: http://"},
        {"http://localhost:8080", NULL, "warning: http:// to \"localhost\""},
        {"http://[::1]", "acme", "warning: http://"},
        {"http://acme.example.com", NULL, "error: http:// is only for this host itself"},
        {"http://localhost.example.com", NULL, "error: http:// is only for this host itself"},
        {"http://10.0.0.1", "acme", "error: http:// is only for this host itself"},
        {"http://0177.0.0.1", "acme", "error: http:// is only for this host itself"},
        {"http://[::ffff:127.0.0.1]", "acme", "error: http:// is only for this host itself"},
        {"ftp://acme.example.com", NULL, "error: \"ftp\" is not a known scheme"},
        {"acme.example.com", NULL, "is not a URL"},
        {"https://", NULL, "has no valid host name"},
        {"https://a..b", NULL, "has no valid host name"},
        {"https://-a.b", NULL, "has no valid host name"},
        {"https://a b", NULL, "has no valid host name"},
        {"https://[::1", "acme", "has no valid"},
        {"https://[zz]", "acme", "has no valid host name"},
        {"https://[127.0.0.1]", "acme", "has no valid host name"},
        {"https://a:0", NULL, "has no valid port"},
        {"https://a:65536", NULL, "has no valid port"},
        {"https://a:", NULL, "has no valid port"},
        {"https://a:1x", NULL, "has no valid port"},
        {"https://user:secret@a", NULL, "a URL here has no user or password"},
        {"https://a/?b", NULL, "a URL here has no query"},
        {"https://a/#b", NULL, "a URL here has no query"},
        {"https://a/b", NULL, "this URL has a path"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_url(rows[i].url, rows[i].id, rows[i].expected);
}

/* --- what must be there ----------------------------------------------------------------------------------- */

static void check_all(const char *text, const char *const *expected)
{
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    print_problems(text, strlen(text), &out, &problems);
    size_t count = 0;
    for (; expected[count]; count++)
        if (!strstr(out.data, expected[count]))
            fail_msg("wanted %s\n%s", expected[count], out.data);
    assert_int_equal(problems.count, count);
}

static void all_that_is_missing_is_said_at_once(void **state)
{
    (void)state;
    check_all("title: x\n",
              (const char *const[]){"error: missing key \"version\"\n", "error: missing key \"tenant\"\n",
                                    "error: missing key \"identity\"\n", "error: missing key \"folders\"\n", NULL});
    check_all("version: 1\ntenant: {}\nidentity: {}\nfolders: []\n",
              (const char *const[]){"missing key \"url\" in tenant", "missing key \"client_id\" in identity",
                                    "missing key \"client_secret_file\" in identity",
                                    "missing key \"scopes\" in identity (mode oauth)", "folders is empty", NULL});
    check_all("version: 1\ntenant: {url: 'https://a'}\nidentity: {mode: jwt, client_id: a, client_secret_file: /s}\n"
              "folders: [{path: /srv/a, existing: publish}]\n",
              (const char *const[]){"error: missing key \"technical_account_id\" in identity (mode jwt)",
                                    "error: missing key \"organization_id\" in identity (mode jwt)",
                                    "error: missing key \"private_key_file\" in identity (mode jwt)",
                                    "warning: missing key \"certificate_file\" in identity (mode jwt)",
                                    "warning: Adobe ended JWT credentials on 1 March 2026", NULL});
    check_all("version: 1\ntenant: {url: 'https://a'}\nidentity: {mode: jtw, client_id: a, client_secret_file: /s}\n"
              "folders: [{path: /srv/a, existing: publish}]\n",
              (const char *const[]){"the nearest known word is \"jwt\"",
                                    NULL}); /* and nothing that follows from a wrong guess */
    check_all("version: 2\ntenant: {url: 'https://a'}\nidentity: {client_id: a, client_secret_file: /s, scopes: []}\n"
              "folders: [{path: /srv/a, existing: publish}]\n",
              (const char *const[]){"1:10: error: version cannot be 2", "missing key \"scopes\"", NULL});
    check_all("", (const char *const[]){"acme.yaml:1:1: error: the file is empty", NULL});
    check_all("# nothing\n", (const char *const[]){"the file is empty", NULL});
    check_all("- a\n", (const char *const[]){"this is not a profile", NULL});
}

static void problems_come_in_order_of_place(void **state)
{
    (void)state;
    AUTO(problems_release) struct problems problems;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
    static const char text[] =
        "folders: [{path: a, existing: b, c: d}]\nuploaders: 9\nidentity: {scopes: ['a b'], x: y}\nversion: 3\n"
        "tenant: {root: x, url: y, id: '/', public: no}\n";
    print_problems(text, strlen(text), &out, &problems);
    assert_true(problems.count > 10);
    for (size_t i = 1; i < problems.count; i++) {
        const struct problem *a = &problems.item[i - 1], *b = &problems.item[i];
        assert_true(a->line < b->line || (a->line == b->line && a->column <= b->column));
    }
}

/* --- showing ------------------------------------------------------------------------------------------------ */

static void the_caret_stands_below_its_character(void **state)
{
    (void)state;
    AUTO(problems_release)
    struct problems problems = {.file = str_copy("a.yaml"), .source = str_copy("x\n\t\xc3\xa4\xc3\xb6: y\r\nz")};
    problems_add(&problems, true, (struct spot){2, 3, 1}, NULL, "here");
    problems_add(&problems, false, (struct spot){3, 2, 0}, "h", "behind the end");
    problems_add(&problems, false, (struct spot){0}, "as a whole", "no place");
    problems_add(&problems, false, (struct spot){9, 1, 1}, "gone", "no such line");
    AUTO(buf_release) struct buf out = BUF_INIT(10000);
    problems_print(&problems, &out);
    assert_string_equal(out.data, "a.yaml:2:3: warning: here\n"
                                  "    2 | \t\xc3\xa4\xc3\xb6: y\n"
                                  "      | \t ^\n"
                                  "a.yaml:3:2: error: behind the end\n"
                                  "    3 | z\n"
                                  "      |  ^ h\n"
                                  "a.yaml: error: no place\n"
                                  "        as a whole\n"
                                  "a.yaml:9:1: error: no such line\n"
                                  "        gone\n");
    assert_int_equal(problems.errors, 3);
}

static void nothing_from_the_file_steers_the_terminal(void **state)
{
    (void)state;
    static const char text[] = "version: 1\n\"x\xe2\x80\xae\\e[2J\": \xc2\x9b"
                               "31m\nb\xff: \x1b[2J\n";
    for (size_t len = 0; len < sizeof(text); len++) {
        AUTO(problems_release) struct problems problems;
        AUTO(buf_release) struct buf out = BUF_INIT(1 << 20);
        print_problems(text, len, &out, &problems);
        assert_null(strpbrk(out.data, "\x1b\r\x07"));
        assert_null(strstr(out.data, "\xe2\x80\xae"));
        assert_null(strstr(out.data, "\xc2\x9b"));
        assert_true(text_is_utf8(out.data, out.len));
    }
}

static void a_file_over_the_cap_is_not_read(void **state)
{
    (void)state;
    size_t len = (1 << 20) + 1;
    AUTO(mem_freep) char *text = mem_alloc(len + 1);
    memset(text, '#', len);
    AUTO(problems_release) struct problems at_cap, over;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 22), out_over = BUF_INIT(1 << 22);
    print_problems(text, len - 1, &out, &at_cap);
    print_problems(text, len, &out_over, &over);
    assert_non_null(strstr(out.data, "the file is empty"));
    assert_non_null(strstr(out_over.data, "larger than 1 MiB"));
}

/* Whatever is cut or changed in a good profile: problems, never a crash. */
static void a_broken_profile_gives_problems(void **state)
{
    (void)state;
    AUTO(mem_freep) char *good = profile_with(FOLDER, "    include: ['a', \"b\"]\n    settle: 2s");
    size_t len = strlen(good);
    for (size_t i = 0; i < len; i++) {
        for (const char *c = "\n:[\"'{-#&\xc3 0"; *c; c++) {
            AUTO(mem_freep) char *broken = str_copy(good);
            broken[i] = *c;
            AUTO(problems_release) struct problems problems, cut;
            AUTO(buf_release) struct buf out = BUF_INIT(1 << 20), out_cut = BUF_INIT(1 << 20);
            print_problems(broken, len, &out, &problems);
            print_problems(broken, i + 1, &out_cut, &cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_problem_is_shown_with_place_line_caret_and_hint),
        cmocka_unit_test(each_wrong_value_is_one_error),
        cmocka_unit_test(what_is_not_built_is_refused_by_name),
        cmocka_unit_test(what_is_built_or_says_nothing_is_accepted),
        cmocka_unit_test(entries_of_what_is_not_built_are_checked),
        cmocka_unit_test(a_tenants_address_is_a_host_and_perhaps_a_port),
        cmocka_unit_test(all_that_is_missing_is_said_at_once),
        cmocka_unit_test(problems_come_in_order_of_place),
        cmocka_unit_test(the_caret_stands_below_its_character),
        cmocka_unit_test(nothing_from_the_file_steers_the_terminal),
        cmocka_unit_test(a_file_over_the_cap_is_not_read),
        cmocka_unit_test(a_broken_profile_gives_problems),
    };
    return cmocka_run_group_tests_name("profile_problems", tests, NULL, NULL);
}
