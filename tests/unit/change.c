/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Stories of events against the folding table, with a clock and a file system made of rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "change.h"

enum { SETTLE_MS = 2000, UNSEEN_MS = 60000, START_MS = 1000000000 };

static const struct change_rules rules = {.settle_ms = SETTLE_MS, .settle_unseen_ms = UNSEEN_MS};
static const struct change_rules at_once = {.settle_ms = 0, .settle_unseen_ms = UNSEEN_MS};

/* What a look finds: the file of a path, NULL-terminated list given by the story. */
struct file {
    const char *path;
    int64_t stamp_ms; /* after START_MS */
    bool keeps_changing, has_no_writer;
};

struct story {
    struct change_table *t;
    const struct file *file;
    int64_t now_ms;
    int looks;
    struct buf told; /* "put /r/a 2000; gone /r/b 2000; " */
};

static struct seen seen_at(int64_t stamp_ms)
{
    return (struct seen){
        .dev = 1, .ino = 2, .bytes = stamp_ms, .mtime_ns = stamp_ms * 1000000, .ctime_ns = stamp_ms * 1000000};
}

static void story_start(struct story *s, const struct file *file)
{
    *s = (struct story){.t = change_table_new(), .file = file, .now_ms = START_MS, .told = BUF_INIT(65536)};
}

static void story_end(struct story *s)
{
    change_table_free(s->t);
    buf_release(&s->told);
}

static const struct file *file_at(const struct story *s, const char *path)
{
    for (const struct file *f = s->file; f && f->path; f++)
        if (str_eq(f->path, path))
            return f;
    return NULL;
}

static void event(struct story *s, enum event_kind kind, const char *path, const char *from,
                  const struct change_rules *r)
{
    AUTO(event_freep) struct event *ev = event_new(kind, 0, path);
    ev->from = str_copy(from);
    ev->at_ms = s->now_ms;
    change_event(s->t, ev, r, s->now_ms);
}

static void answer(struct story *s, const char *path)
{
    const struct file *f = file_at(s, path);
    AUTO(event_freep) struct event *ev = event_new(EVENT_LOOKED, 0, path);
    ev->exists = ev->is_regular = f != NULL;
    ev->is_closed = f && f->has_no_writer;
    if (f)
        ev->seen = seen_at(f->keeps_changing ? s->now_ms : START_MS + f->stamp_ms);
    ev->at_ms = s->now_ms;
    s->looks++;
    change_event(s->t, ev, &rules, s->now_ms);
}

static void tell(struct story *s, const struct change *c)
{
    buf_printf(&s->told, "%s %s", c->kind == CHANGE_PUT ? "put" : c->kind == CHANGE_GONE ? "gone" : "moved", c->path);
    if (c->from)
        buf_printf(&s->told, " from %s", c->from);
    buf_printf(&s->told, " at %d; ", (int)(c->settled_ms - START_MS));
}

/* Lets the time pass, answering looks, as the agent does. */
static void pass(struct story *s, int64_t until_ms)
{
    until_ms += START_MS;
    while (true) {
        struct change c;
        enum change_step step = change_next(s->t, s->now_ms, &c);
        if (step == CHANGE_LOOK)
            answer(s, c.path);
        if (step == CHANGE_READY)
            tell(s, &c);
        change_release(&c);
        if (step != CHANGE_NOTHING)
            continue;
        int64_t due = change_due_ms(s->t);
        assert_true(due > s->now_ms);
        if (due > until_ms)
            break;
        s->now_ms = due;
    }
    s->now_ms = MAX(s->now_ms, until_ms);
}

#define assert_told(s, text) assert_string_equal((s)->told.data ? (s)->told.data : "", (text))

/* --- stories as rows -------------------------------------------------------------------------------- */

struct step {
    int at_ms;
    enum event_kind kind;
    const char *path, *from;
};
struct row {
    const char *name;
    struct step step[8]; /* ends with a NULL path */
    struct file file[3];
    const char *told;
    int looks; /* -1: any */
};

static const struct row rows[] = {
    {"a written file goes after settle",
     {{0, EVENT_MADE, "/r/a", 0}, {100, EVENT_WRITTEN, "/r/a", 0}},
     {{"/r/a", 100, false, false}},
     "put /r/a at 2100; ",
     1},
    {"an overwritten file goes after settle",
     {{0, EVENT_WRITTEN, "/r/a", 0}, {1500, EVENT_WRITTEN, "/r/a", 0}},
     {{"/r/a", 1500, false, false}},
     "put /r/a at 3500; ",
     1},
    {"a file changed behind the closing starts the wait anew",
     {{0, EVENT_WRITTEN, "/r/a", 0}},
     {{"/r/a", 900, false, false}},
     "put /r/a at 4000; ",
     2},
    {"a hard link goes when its stamps are old",
     {{0, EVENT_MADE, "/r/a", 0}},
     {{"/r/a", 0, false, false}},
     "put /r/a at 60000; ",
     2},
    {"a hard link that nobody writes goes once it is still",
     {{0, EVENT_MADE, "/r/a", 0}},
     {{"/r/a", 0, false, true}},
     "put /r/a at 2000; ",
     1},
    {"a file never closed goes when it has been still long enough",
     {{0, EVENT_MADE, "/r/a", 0}},
     {{"/r/a", 50000, false, false}},
     "put /r/a at 62000; ",
     2},
    {"a temporary file renamed into place is one put",
     {{0, EVENT_MADE, "/r/t", 0}, {10, EVENT_WRITTEN, "/r/t", 0}, {20, EVENT_MOVED_IN, "/r/a", "/r/t"}},
     {{"/r/a", 15, false, false}},
     "put /r/a at 2020; ",
     1},
    {"a published file renamed is a move",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"}},
     {{"/r/b", -5000, false, false}},
     "moved /r/b from /r/a at 2000; ",
     1},
    {"two renames in a row are one move",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"}, {10, EVENT_MOVED_IN, "/r/c", "/r/b"}},
     {{"/r/c", 0, false, false}},
     "moved /r/c from /r/a at 2010; gone /r/b at 2010; ",
     -1},
    {"a name moved away and back is a put",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"}, {10, EVENT_MOVED_IN, "/r/a", "/r/b"}},
     {{"/r/a", 0, false, false}},
     "gone /r/b at 2010; put /r/a at 2010; ",
     -1},
    {"two names exchanged are two puts",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"}, {0, EVENT_MOVED_IN, "/r/a", "/r/b"}},
     {{"/r/a", 0, false, false}, {"/r/b", 0, false, false}},
     "put /r/a at 2000; put /r/b at 60000; ",
     -1},
    {"moved in from outside is a put",
     {{0, EVENT_MOVED_IN, "/r/a", 0}},
     {{"/r/a", 0, false, false}},
     "put /r/a at 2000; ",
     1},
    {"removed is gone after settle", {{0, EVENT_REMOVED, "/r/a", 0}}, {{0}}, "gone /r/a at 2000; ", 1},
    {"moved out is gone", {{0, EVENT_MOVED_OUT, "/r/a", 0}}, {{0}}, "gone /r/a at 2000; ", 1},
    {"made and removed is nothing",
     {{0, EVENT_MADE, "/r/a", 0}, {5, EVENT_WRITTEN, "/r/a", 0}, {9, EVENT_REMOVED, "/r/a", 0}},
     {{0}},
     "",
     0},
    {"removed and made again is a put",
     {{0, EVENT_REMOVED, "/r/a", 0}, {5, EVENT_MADE, "/r/a", 0}, {9, EVENT_WRITTEN, "/r/a", 0}},
     {{"/r/a", 9, false, false}},
     "put /r/a at 2009; ",
     1},
    {"an editor's dance with a backup that goes is one put",
     {{0, EVENT_MADE, "/r/t", 0},
      {1, EVENT_WRITTEN, "/r/t", 0},
      {2, EVENT_MOVED_IN, "/r/bak", "/r/a"},
      {3, EVENT_MOVED_IN, "/r/a", "/r/t"},
      {4, EVENT_REMOVED, "/r/bak", 0}},
     {{"/r/a", 1, false, false}},
     "put /r/a at 2003; gone /r/bak at 2004; ",
     -1},
    {"a moved file that is removed takes its old name with it",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"}, {5, EVENT_REMOVED, "/r/b", 0}},
     {{0}},
     "gone /r/b at 2005; gone /r/a at 2005; ",
     -1},
    {"a move over a name that waits as a move leaves the first old name gone",
     {{0, EVENT_MOVED_IN, "/r/b", "/r/a"},
      {1, EVENT_MADE, "/r/t", 0},
      {2, EVENT_WRITTEN, "/r/t", 0},
      {3, EVENT_MOVED_IN, "/r/b", "/r/t"}},
     {{"/r/b", 2, false, false}},
     "put /r/b at 2003; gone /r/a at 2003; ",
     -1},
    {"a file that vanished without an event is gone at the second look",
     {{0, EVENT_WRITTEN, "/r/a", 0}},
     {{0}},
     "gone /r/a at 4000; ",
     2},
};

/* The order of changes that are due at the same time is not promised: compares them as sets. */
static void assert_same_told(const char *name, const char *told, const char *wanted)
{
    bool is_same = strlen(told) == strlen(wanted);
    AUTO(mem_freep) char *copy = str_copy(wanted);
    char *rest = copy;
    for (char *word; (word = strsep(&rest, ";"));)
        is_same = is_same && strstr(told, word[0] == ' ' ? word + 1 : word);
    if (!is_same)
        fail_msg("%s: told '%s', wanted '%s'", name, told, wanted);
}

static void every_story_is_told_once_and_in_time(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct story s;
        story_start(&s, row->file);
        for (const struct step *step = row->step; step->path; step++) {
            pass(&s, step->at_ms);
            event(&s, step->kind, step->path, step->from, &rules);
        }
        pass(&s, 600000);
        assert_same_told(row->name, s.told.data ? s.told.data : "", row->told);
        if (row->looks >= 0 && row->looks != s.looks)
            fail_msg("%s: %d looks, wanted %d", row->name, s.looks, row->looks);
        assert_int_equal(change_count(s.t, -1), 0);
        story_end(&s);
    }
}

static void without_settle_a_closed_file_goes_at_once_without_a_look(void **state UNUSED)
{
    struct story s;
    story_start(&s, NULL);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &at_once);
    event(&s, EVENT_MOVED_IN, "/r/b", NULL, &at_once);
    event(&s, EVENT_REMOVED, "/r/c", NULL, &at_once);
    pass(&s, 0);
    assert_same_told("at once", s.told.data, "put /r/a at 0; put /r/b at 0; gone /r/c at 0; ");
    assert_int_equal(s.looks, 0);
    story_end(&s);
}

static void a_hundred_rewrites_are_one_change(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 1000, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    for (int i = 0; i <= 100; i++) {
        pass(&s, i * 10);
        event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    }
    pass(&s, 100000);
    assert_told(&s, "put /r/a at 3000; ");
    story_end(&s);
}

static void a_file_that_keeps_changing_is_never_ready(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 0, true, false}, {0}};
    struct story s;
    story_start(&s, file);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    pass(&s, 100000);
    assert_told(&s, "");
    assert_int_equal(s.looks, 50);
    story_end(&s);
}

static void a_look_is_asked_once_and_a_late_answer_is_no_evidence(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    s.now_ms += SETTLE_MS;
    struct change c;
    assert_int_equal(change_next(s.t, s.now_ms, &c), CHANGE_LOOK);
    assert_string_equal(c.path, "/r/a");
    change_release(&c);
    assert_int_equal(change_next(s.t, s.now_ms + 100000, &c), CHANGE_NOTHING);
    assert_true(change_due_ms(s.t) == INT64_MAX);
    s.now_ms += 100000;
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    answer(&s, "/r/a");
    pass(&s, 102000 + SETTLE_MS - 1);
    assert_told(&s, "");
    pass(&s, 102000 + SETTLE_MS);
    assert_told(&s, "put /r/a at 104000; ");
    story_end(&s);
}

static void a_look_that_failed_is_asked_again(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    s.now_ms += SETTLE_MS;
    struct change c;
    assert_int_equal(change_next(s.t, s.now_ms, &c), CHANGE_LOOK);
    change_release(&c);
    AUTO(event_freep) struct event *ev = event_new(EVENT_LOOKED, 0, "/r/a");
    ev->exists = true;
    err_set(&ev->err, ERR_LOCAL, "cannot look");
    change_event(s.t, ev, &rules, s.now_ms);
    assert_int_equal(change_next(s.t, s.now_ms, &c), CHANGE_NOTHING);
    pass(&s, 100000);
    assert_told(&s, "put /r/a at 7000; ");
    story_end(&s);
}

/* --- found by listings ------------------------------------------------------------------------------ */

static void found(struct story *s, const char *path, int64_t stamp_ms)
{
    struct seen seen = seen_at(START_MS + stamp_ms);
    change_found(s->t, 0, path, &seen, &rules, s->now_ms);
}

static void a_found_file_goes_at_once_when_it_is_old(void **state UNUSED)
{
    struct story s;
    story_start(&s, NULL);
    found(&s, "/r/a", -UNSEEN_MS);
    pass(&s, 0);
    assert_told(&s, "put /r/a at 0; ");
    assert_int_equal(s.looks, 0); /* the listing was the look */
    story_end(&s);
}

static void a_found_file_waits_until_its_stamps_are_old_and_is_looked_at(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", -10000, false, false}, {"/r/b", 200000, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    found(&s, "/r/a", -10000);
    found(&s, "/r/b", 200000); /* its clock is ahead of ours */
    pass(&s, 1000000);
    assert_same_told("found", s.told.data, "put /r/a at 50000; put /r/b at 60000; ");
    assert_int_equal(s.looks, 4); /* once still, and once old */
    story_end(&s);
}

static void a_found_file_that_nobody_writes_goes_once_it_is_still(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", -10000, false, true}, {"/r/b", 1500, false, true}, {0}};
    struct story s;
    story_start(&s, file);
    found(&s, "/r/a", -10000);
    found(&s, "/r/b", -1000); /* rewritten, without an event, after it was found */
    pass(&s, 1000000);
    assert_same_told("found", s.told.data, "put /r/a at 2000; put /r/b at 4000; ");
    story_end(&s);
}

static void found_again_the_same_does_not_wait_longer(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    for (int i = 0; i < 5; i++) {
        pass(&s, i * 10000);
        found(&s, "/r/a", 0);
    }
    pass(&s, 1000000);
    assert_told(&s, "put /r/a at 60000; ");
    story_end(&s);
}

static void the_closing_of_a_found_file_is_better_evidence(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 500, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    found(&s, "/r/a", 0);
    pass(&s, 600);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    pass(&s, 1000000);
    assert_told(&s, "put /r/a at 2600; ");
    story_end(&s);
}

/* --- new directories -------------------------------------------------------------------------------- */

static void a_new_directory_holds_all_below_until_it_is_still(void **state UNUSED)
{
    static const struct file file[] = {
        {"/r/d/a", 0, false, false}, {"/r/d/e/b", 5000, false, false}, {"/r/z", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    change_new_dir(s.t, 0, "/r/d", &rules, s.now_ms);
    event(&s, EVENT_WRITTEN, "/r/d/a", NULL, &rules);
    event(&s, EVENT_WRITTEN, "/r/z", NULL, &rules);
    pass(&s, 1500);
    change_new_dir(s.t, 0, "/r/d/e", &rules, s.now_ms);
    pass(&s, 3000);
    found(&s, "/r/d/e/b", -UNSEEN_MS);
    pass(&s, 4900);
    assert_told(&s, "put /r/z at 2000; ");
    event(&s, EVENT_WRITTEN, "/r/d/e/b", NULL, &rules);
    pass(&s, 6899);
    assert_told(&s, "put /r/z at 2000; ");
    pass(&s, 6900);
    assert_string_equal(s.told.data, "put /r/z at 2000; put /r/d/a at 6900; ");
    pass(&s, 100000);
    assert_int_equal(change_count(s.t, -1), 0);
    assert_true(change_due_ms(s.t) == INT64_MAX);
    story_end(&s);
}

static void a_directory_is_not_still_while_a_file_in_it_is_being_written(void **state UNUSED)
{
    static const struct file file[] = {{"/r/d/a", 0, false, false}, {"/r/d/big", 29000, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    change_new_dir(s.t, 0, "/r/d", &rules, s.now_ms);
    event(&s, EVENT_WRITTEN, "/r/d/a", NULL, &rules);
    event(&s, EVENT_MADE, "/r/d/big", NULL, &rules);
    struct change_info info;
    assert_true(change_info(s.t, "/r/d/big", &info));
    assert_true(info.is_open);
    pass(&s, 30000);
    assert_told(&s, "");
    event(&s, EVENT_WRITTEN, "/r/d/big", NULL, &rules);
    pass(&s, 32000);
    assert_same_told("open", s.told.data, "put /r/d/a at 32000; put /r/d/big at 32000; ");
    story_end(&s);
}

static void a_hard_link_does_not_hold_its_new_directory_for_ever(void **state UNUSED)
{
    static const struct file file[] = {{"/r/d/a", 0, false, false}, {"/r/d/link", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    change_new_dir(s.t, 0, "/r/d", &rules, s.now_ms);
    event(&s, EVENT_WRITTEN, "/r/d/a", NULL, &rules);
    event(&s, EVENT_MADE, "/r/d/link", NULL, &rules);
    pass(&s, 59000);
    assert_told(&s, "");
    pass(&s, 63000);
    assert_same_told("link", s.told.data, "put /r/d/a at 62000; put /r/d/link at 62000; ");
    story_end(&s);
}

static void a_removed_open_file_lets_its_directory_go(void **state UNUSED)
{
    static const struct file file[] = {{"/r/d/a", 0, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    change_new_dir(s.t, 0, "/r/d", &rules, s.now_ms);
    event(&s, EVENT_WRITTEN, "/r/d/a", NULL, &rules);
    event(&s, EVENT_MADE, "/r/d/tmp", NULL, &rules);
    change_forget(s.t, "/r/d/tmp");
    pass(&s, 2000);
    assert_told(&s, "put /r/d/a at 2000; ");
    story_end(&s);
}

/* --- time and counts -------------------------------------------------------------------------------- */

static void a_clock_set_back_delays_nothing(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", -10000000, false, false}, {"/r/d/b", -10000000, false, false}, {0}};
    struct story s;
    story_start(&s, file);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    change_new_dir(s.t, 0, "/r/d", &rules, s.now_ms);
    event(&s, EVENT_WRITTEN, "/r/d/b", NULL, &rules);
    s.now_ms -= 3600000;
    pass(&s, -3600000 + 2 * SETTLE_MS);
    assert_same_told("back", s.told.data, "put /r/a at -3598000; put /r/d/b at -3598000; ");
    story_end(&s);
}

static void a_clock_set_forward_makes_nothing_ready_without_a_look(void **state UNUSED)
{
    static const struct file file[] = {{"/r/a", 0, true, false}, {0}};
    struct story s;
    story_start(&s, file);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    s.now_ms += 86400000;
    pass(&s, 86400000);
    assert_told(&s, "");
    assert_int_equal(s.looks, 1);
    story_end(&s);
}

static void counts_and_facts_are_per_folder_and_path(void **state UNUSED)
{
    struct story s;
    story_start(&s, NULL);
    event(&s, EVENT_WRITTEN, "/r/a", NULL, &rules);
    struct seen seen = seen_at(START_MS);
    change_found(s.t, 3, "/q/b", &seen, &rules, s.now_ms);
    assert_int_equal(change_count(s.t, -1), 2);
    assert_int_equal(change_count(s.t, 3), 1);
    struct change_info info;
    assert_false(change_info(s.t, "/r/none", &info));
    assert_true(change_info(s.t, "/r/a", &info));
    assert_true(info.is_settling && !info.is_open);
    assert_int_equal(info.last_event_ms, START_MS);
    assert_int_equal(info.due_ms, START_MS + SETTLE_MS);
    change_forget(s.t, "/r/a");
    change_forget(s.t, "/r/a");
    assert_int_equal(change_count(s.t, 0), 0);
    story_end(&s);
}

static void other_events_are_no_news_about_a_file(void **state UNUSED)
{
    static const enum event_kind kinds[] = {EVENT_LOOKED, EVENT_LISTING, EVENT_SCANNED, EVENT_OVERFLOW, EVENT_LOST};
    struct story s;
    story_start(&s, NULL);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        event(&s, kinds[i], "/r/a", NULL, &rules);
    assert_int_equal(change_count(s.t, -1), 0);
    story_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_story_is_told_once_and_in_time),
        cmocka_unit_test(without_settle_a_closed_file_goes_at_once_without_a_look),
        cmocka_unit_test(a_hundred_rewrites_are_one_change),
        cmocka_unit_test(a_file_that_keeps_changing_is_never_ready),
        cmocka_unit_test(a_look_is_asked_once_and_a_late_answer_is_no_evidence),
        cmocka_unit_test(a_look_that_failed_is_asked_again),
        cmocka_unit_test(a_found_file_goes_at_once_when_it_is_old),
        cmocka_unit_test(a_found_file_waits_until_its_stamps_are_old_and_is_looked_at),
        cmocka_unit_test(a_found_file_that_nobody_writes_goes_once_it_is_still),
        cmocka_unit_test(found_again_the_same_does_not_wait_longer),
        cmocka_unit_test(the_closing_of_a_found_file_is_better_evidence),
        cmocka_unit_test(a_new_directory_holds_all_below_until_it_is_still),
        cmocka_unit_test(a_directory_is_not_still_while_a_file_in_it_is_being_written),
        cmocka_unit_test(a_hard_link_does_not_hold_its_new_directory_for_ever),
        cmocka_unit_test(a_removed_open_file_lets_its_directory_go),
        cmocka_unit_test(a_clock_set_back_delays_nothing),
        cmocka_unit_test(a_clock_set_forward_makes_nothing_ready_without_a_look),
        cmocka_unit_test(counts_and_facts_are_per_folder_and_path),
        cmocka_unit_test(other_events_are_no_news_about_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
