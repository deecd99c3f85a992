/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* What the agent said, as a person reads it: status, explain, receipts, the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/cmd/cmd_internal.h"

static struct style at_80 = {.columns = 80};
static struct style piped;
static struct style plain = {.is_plain = true};
static struct profile_folder folder = {.path = (char[]){"/srv/assets/campaigns"}, .to = (char[]){"campaigns"}};
static struct profile profile = {
    .name = (char[]){"acme"}, .folder = &folder, .folders = 1, .tenant.root = (char[]){"/content/dam/mac/acme"}};

static int given_a_time(void **state)
{
    (void)state;
    int64_t now_ms;
    setenv("TZ", "UTC", 1);
    tzset();
    assert_true(time_parse_rfc3339("2026-11-24T22:30:00Z", &now_ms));
    at_80.now_ms = piped.now_ms = plain.now_ms = now_ms;
    return 0;
}

/* Single quotes for double ones, so that it can be read here. */
static json_t *json(const char *text)
{
    AUTO(mem_freep) char *copy = str_copy(text);
    json_error_t error;

    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *value = json_loads(copy, 0, &error);
    if (!value)
        fail_msg("line %d: %s", error.line, error.text);
    return value;
}

static void check_lines(const char *got, const char *const *want)
{
    for (size_t i = 0; want[i]; i++)
        if (!got || !strstr(got, want[i]))
            fail_msg("there is no '%s' in:\n%s", want[i], got ? got : "");
}

/* --- status --------------------------------------------------------------------------------------------- */

static const char working[] =
    "{'verdict':'working','sentence':'acme: 412 assets left (3.1 GB), done by 22:55:00','agent':{'running':true},"
    "'queue':{'ready':380,'sending':28,'waiting':4,'scheduled':0,'held':0,'failed':0},'trouble':[],"
    "'uploaders':[{'id':1,'state':'active','reason':'','asset':'/srv/assets/campaigns/a "
    "b.tif','assets':1,'bytes_done':61,'bytes_total':100,'rate':10,'since':null},"
    "{'id':2,'state':'active','reason':'','asset':'x','assets':28,'bytes_done':95,'bytes_total':100,'rate':0,'"
    "since':null},"
    "{'id':3,'state':'idle','reason':'nothing "
    "ready','asset':null,'assets':0,'bytes_done':0,'bytes_total':0,'rate':0,'since':'2026-11-24T22:29:58Z'},"
    "{'id':4,'state':'paused','reason':'by "
    "admin','asset':null,'assets':0,'bytes_done':0,'bytes_total':0,'rate':0,'since':null}],"
    "'folders':[{'path':'/srv/assets/"
    "campaigns','to':'campaigns','state':'polling','reason':'','assets':21377,'published':20965,'left':412,'held':"
    "0,'public':false}],"
    "'window':{'open':true,'closes_at':null,'opens_at':null},'token':{'state':'ok','expires_at':'2026-11-24T23:10:"
    "00Z'},"
    "'certificate':{'expires_at':null},'last_publish':'2026-11-24T22:29:56Z','oldest_ready':'2026-11-24T22:19:00Z'"
    ",'self_test':null}";

static void status_shows_all_figures_while_working(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *status = json(working);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);

    status_render(status, &at_80, false, &out);
    assert_string_equal(out.data, "working  acme: 412 assets left (3.1 GB), done by 22:55:00\n"
                                  "queue      380 ready   28 sending   4 waiting   0 held   0 failed\n"
                                  "uploaders  1 active  ######----  61 %  'a b.tif'  10 B/s  3.9 s left\n"
                                  "           2 active  #########-  package of 28 assets, 100 B\n"
                                  "           3 idle    since 22:29:58     4 paused  by admin\n"
                                  "folders    campaigns  polling  21,377 assets     20,965 published     412 left\n"
                                  "identity   token ok, valid until 23:10:00\n"
                                  "fresh      last publish 4.0 s ago   oldest ready 11 min\n");
    for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

static void status_is_one_line_when_all_is_well(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *status = json(working);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16), quiet = BUF_INIT(1 << 16);

    json_object_set_new(status, "verdict", json_string("ok"));
    json_object_set_new(status, "sentence", json_string("acme: everything is on the portal (21,377 assets)"));
    status_render(status, &at_80, false, &out);
    assert_string_equal(out.data, "ok  acme: everything is on the portal (21,377 assets)\n");
    status_render(status, &at_80, true, &quiet);
    assert_int_equal(quiet.len, 0);
}

static void trouble_is_a_card_and_is_not_said_twice(void **state)
{
    (void)state;
    AUTO(json_freep)
    json_t *status = json(
        "{'verdict':'attention','sentence':'acme: publishing stopped: IMS refuses the client secret','trouble':["
        "{'what':'publishing stopped 08:31:00: IMS refuses the client secret','why':'400 invalid_client "
        "(auth.secret)','fix':'sudo x','safe':'none lost'},"
        "{'what':'held: /srv/assets/a\\u001b.jpg','why':'','fix':'rename it','safe':'everything else goes on'}]}");
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);

    status_render(status, &at_80, true, &out);
    assert_string_equal(out.data, "attention  acme: publishing stopped: IMS refuses the client secret\n"
                                  "  why   400 invalid_client (auth.secret)\n"
                                  "  fix   sudo x\n"
                                  "  safe  none lost\n"
                                  "  what  held: /srv/assets/a\\x1b.jpg\n"
                                  "  fix   rename it\n"
                                  "  safe  everything else goes on\n");
}

static void only_the_verdict_has_colour(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    struct style coloured = {.has_colour = true, .columns = 80};

    render_verdict(&out, &coloured, "ok", "acme: fine");
    render_verdict(&out, &at_80, "ok", "acme: fine");
    assert_string_equal(out.data, "\033[32mok\033[0m  acme: fine\nok  acme: fine\n");
}

static void plain_status_is_a_fact_a_line(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *status = json(working);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    static const char *const want[] = {
        "verdict: working\n",
        "queue ready: 380\n",
        "uploaders 1 progress: 61 percent\n",
        "folders 1 published: 20965\n",
        "token expires at: today 23:10:00\n",
        "folders 1 public: no\n",
        NULL,
    };

    status_render(status, &plain, false, &out);
    check_lines(out.data, want);
    assert_null(strchr(out.data, '#'));
}

/* A reply of another version, or not of an agent at all. */
static void status_survives_an_empty_answer(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *status = json("{'uploaders':7,'folders':{},'trouble':'x','queue':[1]}");
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);

    status_render(status, &at_80, false, &out);
    status_render(status, &plain, false, &out);
    assert_non_null(strstr(out.data, "0 ready"));
}

/* --- paths ------------------------------------------------------------------------------------------------ */

static void paths_are_shortened_in_the_middle_never_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int columns;
        const char *shown;
    } rows[] = {
        {"campaigns/spring/hero.tif", 25, "campaigns/spring/hero.tif"},
        {"campaigns/spring/hero.tif", 24, "campaigns/.../hero.tif"},
        {"campaigns/spring/hero.tif", 21, ".../hero.tif"},
        {"campaigns/spring/hero.tif", 3, ".../hero.tif"},
        {"campaigns/spring/hero.tif", 0, "campaigns/spring/hero.tif"},
        {"a-very-long-name-without-directories.tif", 10, "a-very-long-name-without-directories.tif"},
        {"/srv/assets/x/y.jpg", 16, "/srv/.../y.jpg"},
        {"a b.jpg", 80, "'a b.jpg'"},
        {"\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg", 9, "\xc3\xa9t\xc3\xa9/\xc3\xa9.jpg"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(SHORT_PATH(rows[i].path, rows[i].columns), rows[i].shown);
}

/* --- explain ------------------------------------------------------------------------------------------------- */

static void explain_begins_with_the_state(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *text;
    } rows[] = {
        {"{'state':'published','sentence':'2026-11-24T22:14:07.000Z, 1.9 s after it was ready','fix':null}",
         "published today 22:14:07, 1.9 s after it was ready\n"},
        {"{'state':'ignored','sentence':'it matches exclude (acme.yaml:21)'}",
         "ignored: it matches exclude (acme.yaml:21)\n"},
        {"{'state':'waiting','sentence':'busy; the next try is 2026-11-24T22:31:10.000Z','fix':'nothing to do'}",
         "waiting: busy; the next try is today 22:31:10\n  fix   nothing to do\n"},
        {"{'state':'held','sentence':'the name is too long; shorten the name','fix':'shorten the name'}",
         "held: the name is too long; shorten the name\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(json_freep) json_t *answer = json(rows[i].answer);
        AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
        explain_render(answer, at_80.now_ms, &out);
        assert_string_equal(out.data, rows[i].text);
    }
}

/* --- receipts ------------------------------------------------------------------------------------------------- */

static const char receipts[] = "[{'id':48112,'job':7,'path':'/srv/assets/campaigns/spring/summer/autumn/"
                               "hero.tif','remote':'/content/dam/mac/acme/campaigns/hero.tif',"
                               "'action':'publish','outcome':'published','bytes':412000000,'uploader':1,'tries':1,'"
                               "asked_by':'(watched)','ready_at':'2026-11-24T22:13:26Z',"
                               "'confirmed_at':'2026-11-24T22:14:07Z','server':{'status':200,'message':'ok'}},"
                               "{'id':47870,'path':'','remote':'/content/dam/mac/acme/campaigns/say \\\"hi\\\", "
                               "you','outcome':'unpublished','bytes':0,'uploader':3,'asked_by':'ops',"
                               "'ready_at':'2026-11-23T17:20:02Z','confirmed_at':'2026-11-23T17:20:02.60Z'}]";

static void receipts_are_a_table(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *list = json(receipts);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    struct style wide = at_80;

    wide.columns = 110;
    receipts_render(list, &profile, &wide, &out);
    assert_string_equal(out.data, "when             asset                          outcome        size  ready->done  "
                                  "by         uploader  receipt\n"
                                  "22:14:07         campaigns/spring/.../hero.tif  published    412 MB         41 s  "
                                  "(watched)         1    48112\n"
                                  "yesterday 17:20  'campaigns/say \"hi\", you'      unpublished       -        0.6 s  "
                                  "ops               3    47870\n");
}

static void receipts_fit_80_columns_without_who_sent_them(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *list = json(receipts);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);

    receipts_render(list, &profile, &at_80, &out);
    assert_string_equal(out.data,
                        "when             asset                 outcome        size  ready->done  receipt\n"
                        "22:14:07         .../hero.tif          published    412 MB         41 s    48112\n"
                        "yesterday 17:20  '.../say \"hi\", you'   unpublished       -        0.6 s    47870\n");
    for (const char *line = out.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
}

static void piped_receipts_keep_their_paths(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *list = json(receipts);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    static const char *const want[] = {"campaigns/spring/summer/autumn/hero.tif  ", NULL};

    receipts_render(list, &profile, &piped, &out);
    check_lines(out.data, want);
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *list = json(receipts);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    static const char *const want[] = {
        "id,job,path,remote,action,outcome,",
        "\r\n48112,7,/srv/assets/campaigns/spring/summer/autumn/hero.tif,",
        ",\"/content/dam/mac/acme/campaigns/say \"\"hi\"\", you\",",
        NULL,
    };

    receipts_csv(list, &out);
    check_lines(out.data, want);
}

static void one_receipt_is_shown_in_full(void **state)
{
    (void)state;
    AUTO(json_freep) json_t *list = json(receipts);
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16);
    static const char *const want[] = {"id: 48112\n", "confirmed at: today 22:14:07\n", "asked by: (watched)\n",
                                       "server: 200 ok\n", NULL};

    receipt_render(json_array_get(list, 0), at_80.now_ms, &out);
    check_lines(out.data, want);
}

/* --- queue ------------------------------------------------------------------------------------------------------ */

static void the_queue_lists_what_does_not_move(void **state)
{
    (void)state;
    AUTO(json_freep)
    json_t *items = json("[{'id':12,'path':'/srv/assets/campaigns/x.psb','state':'waiting','reason':'503 "
                         "busy','cause':'tenant.busy','fix':'nothing to do','tries':3,"
                         "'due':'2026-11-24T22:31:10Z'},{'id':13,'path':'/srv/assets/campaigns/"
                         "y.jpg','state':'ready','reason':'','cause':null,'fix':null,'tries':0,'due':null},"
                         "{'id':14,'path':'/srv/assets/campaigns/z.jpg','state':'held','reason':'the file is "
                         "empty','cause':'asset.empty','fix':null,'tries':0,'due':null}]");
    AUTO(buf_release) struct buf out = BUF_INIT(1 << 16), none = BUF_INIT(1 << 16);
    AUTO(json_freep) json_t *empty = json("[]");

    queue_render(items, &profile, &at_80, &out);
    assert_string_equal(out.data, "12   campaigns/x.psb  waiting after 3 tries, next 22:31:10: 503 busy (tenant.busy)\n"
                                  "     fix  nothing to do\n"
                                  "14   campaigns/z.jpg  held: the file is empty (asset.empty)\n"
                                  "1 ready, 1 waiting, 1 held\n");
    queue_render(empty, &profile, &at_80, &none);
    assert_string_equal(none.data, "Nothing waits.\n");
}

/* --- exit codes --------------------------------------------------------------------------------------------------- */

static void exit_codes_follow_the_kind_and_the_cause(void **state)
{
    (void)state;
    static const struct {
        struct err e;
        int code;
    } rows[] = {
        {{.kind = ERR_AUTH, .cause = CAUSE_AUTH_SECRET}, 77},
        {{.kind = ERR_AUTH, .cause = CAUSE_PROFILE}, 78},
        {{.kind = ERR_TENANT, .cause = CAUSE_TENANT_BUSY}, 69},
        {{.kind = ERR_REFUSED, .cause = CAUSE_AUTH_RIGHTS}, 77},
        {{.kind = ERR_REFUSED, .cause = CAUSE_TENANT_NOT_IMPORTER}, 69},
        {{.kind = ERR_CONFIG, .sys = 13}, 77},
        {{.kind = ERR_CONFIG}, 78},
        {{.kind = ERR_LOCAL, .sys = 28}, 74},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(exit_of(&rows[i].e), rows[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_shows_all_figures_while_working),
        cmocka_unit_test(status_is_one_line_when_all_is_well),
        cmocka_unit_test(trouble_is_a_card_and_is_not_said_twice),
        cmocka_unit_test(only_the_verdict_has_colour),
        cmocka_unit_test(plain_status_is_a_fact_a_line),
        cmocka_unit_test(status_survives_an_empty_answer),
        cmocka_unit_test(paths_are_shortened_in_the_middle_never_the_name),
        cmocka_unit_test(explain_begins_with_the_state),
        cmocka_unit_test(receipts_are_a_table),
        cmocka_unit_test(receipts_fit_80_columns_without_who_sent_them),
        cmocka_unit_test(piped_receipts_keep_their_paths),
        cmocka_unit_test(csv_quotes_what_needs_it),
        cmocka_unit_test(one_receipt_is_shown_in_full),
        cmocka_unit_test(the_queue_lists_what_does_not_move),
        cmocka_unit_test(exit_codes_follow_the_kind_and_the_cause),
    };
    return cmocka_run_group_tests_name("cmd_render", tests, given_a_time, NULL);
}
