/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* pipeline - from a file that is dropped to its asset on the portal, as stories: one thread, no waiting, days in milliseconds. */
#include "sim/sim.h"

#define TEST(name) static void name(void **state UNUSED)
#define HERE(below) SIM_ROOT below
#define THERE(below) SIM_TENANT below

static int given_a_day(void **state UNUSED)
{
    sim_begin(1);
    return 0;
}

static void assert_there(const char *remote, const char *text)
{
    AUTO(mem_freep) char *there = portal_text(remote);
    if (!there || !str_eq(there, text))
        fail_msg("%s is '%s' on the portal, not '%s'", remote, there ? there : "(not there)", text);
}

static void assert_not_there(const char *remote)
{
    AUTO(mem_freep) char *there = portal_text(remote);
    if (there)
        fail_msg("%s is on the portal: '%s'", remote, there);
}

/* Whatever the story was. */
static int then_the_neighbours_are_there(void **state UNUSED)
{
    AUTO(mem_freep) char *first = portal_text(THERE("/campaigns/neighbour.jpg"));
    AUTO(mem_freep) char *second = portal_text(THERE("/others/neighbour.jpg"));
    bool are_untouched = first && second && str_eq(first, "a neighbour's") && str_eq(second, "another neighbour's");
    sim_end();
    if (!are_untouched)
        print_error("a neighbour's asset was touched\n");
    return are_untouched ? 0 : 1;
}

static const struct weather fine = {.name = "fine"};

/* --- start ------------------------------------------------------------------------------------------------------- */

static void first_start(const char *existing, bool is_published)
{
    sim_profile(&(struct sim_profile){.existing = existing});
    tree_write(HERE("/campaigns/old.jpg"), "old");
    tree_write(HERE("/campaigns/older.jpg"), "older");
    fake_clock_pass(&sim.clock, HOUR);
    sim_start();
    sim_settle();
    (is_published ? assert_there(THERE("/campaigns/old.jpg"), "old") : assert_not_there(THERE("/campaigns/old.jpg")));
}

TEST(a_first_start_publishes_what_is_there)
{
    first_start("publish", true);
}

TEST(a_first_start_skips_what_is_there_but_not_what_comes_or_changes)
{
    first_start("skip", false);
    tree_write(HERE("/campaigns/new.jpg"), "new");
    tree_write(HERE("/campaigns/old.jpg"), "old no more");
    sim_settle();
    assert_there(THERE("/campaigns/new.jpg"), "new");
    assert_there(THERE("/campaigns/old.jpg"), "old no more");
    assert_not_there(THERE("/campaigns/older.jpg"));
}

TEST(what_came_or_changed_while_the_agent_was_away_is_found)
{
    first_start("skip", false);
    sim_stop();
    tree_write(HERE("/campaigns/new.jpg"), "new");
    tree_write(HERE("/campaigns/old.jpg"), "old no more");
    sim_start();
    sim_settle();
    assert_there(THERE("/campaigns/new.jpg"), "new");
    assert_there(THERE("/campaigns/old.jpg"), "old no more");
    assert_not_there(THERE("/campaigns/older.jpg"));
}

static void given_three_published(void)
{
    sim_start();
    tree_write(HERE("/campaigns/a.jpg"), "a");
    tree_write(HERE("/campaigns/spring/b.jpg"), "b");
    tree_write(HERE("/press/c.txt"), "c");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a");
    assert_there(THERE("/campaigns/spring/b.jpg"), "b");
    assert_there(THERE("/press/c.txt"), "c");
}

TEST(a_restart_sends_nothing)
{
    static void (*const ends[])(void) = {sim_stop, sim_kill};
    given_three_published();
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        int asked = portal.asked;
        ends[i]();
        fake_clock_pass(&sim.clock, MINUTE);
        sim_start();
        sim_settle();
        assert_int_equal(portal.asked, asked);
    }
}

TEST(a_quiet_day_sends_nothing_and_the_next_asset_goes_with_a_new_token)
{
    given_three_published();
    int asked = portal.asked, tokens = portal.tokens;
    sim_run(24 * HOUR);
    assert_int_equal(portal.asked, asked);
    tree_write(HERE("/press/next.txt"), "next");
    sim_settle();
    assert_there(THERE("/press/next.txt"), "next");
    assert_true(portal.tokens > tokens);
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

static void count_asset(void *count, const char *remote UNUSED, const char *text UNUSED)
{
    ++*(int *)count;
}

static int assets_there(void)
{
    int count = 0;
    portal_each(count_asset, &count);
    return count - 2; /* the neighbours' */
}

TEST(a_file_that_changes_while_it_waits_goes_once_with_its_last_content)
{
    given_three_published();
    int imports = portal.imports;
    portal.weather.is_unreachable = true;
    for (int i = 1; i <= 5; i++) {
        AUTO(mem_freep) char *text = str_printf("a, version %d", i);
        tree_write(HERE("/campaigns/a.jpg"), text);
        sim_run(10 * SECOND);
    }
    portal.weather = fine;
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a, version 5");
    assert_int_equal(portal.imports, imports + 1);
}

TEST(a_hundred_atomic_saves_in_a_second_go_in_at_most_two)
{
    given_three_published();
    int imports = portal.imports;
    for (int i = 1; i <= 100; i++) {
        AUTO(mem_freep) char *text = str_printf("save %d", i);
        tree_write(HERE("/campaigns/a.jpg~"), text);
        tree_rename(HERE("/campaigns/a.jpg~"), HERE("/campaigns/a.jpg"));
        sim_run(10);
    }
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "save 100");
    assert_in_range(portal.imports, imports + 1, imports + 2);
    assert_int_equal(assets_there(), 3);
}

TEST(a_file_goes_when_it_is_closed_and_not_before)
{
    given_three_published();
    tree_open(HERE("/campaigns/slow.jpg"));
    for (int i = 0; i < 20; i++) {
        tree_append(HERE("/campaigns/slow.jpg"), "more ");
        sim_run(30 * SECOND);
        assert_not_there(THERE("/campaigns/slow.jpg"));
    }
    tree_append(HERE("/campaigns/slow.jpg"), "and done");
    tree_close(HERE("/campaigns/slow.jpg"));
    sim_settle();
    assert_there(THERE("/campaigns/slow.jpg"), tree_read(HERE("/campaigns/slow.jpg")));
}

static void save_a_once(void)
{
    portal.meanwhile = NULL;
    tree_write(HERE("/campaigns/a.jpg"), "saved while it was being sent");
}

TEST(a_package_whose_file_changes_while_it_is_sent_is_broken_off)
{
    given_three_published();
    int imports = portal.imports, asked = portal.asked;
    portal.meanwhile = save_a_once;
    tree_write(HERE("/campaigns/a.jpg"), "first");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "saved while it was being sent");
    assert_int_equal(portal.imports, imports + 1);
    assert_int_equal(portal.asked, asked + 2);
}

static void write_a_and_keep_it_open(void)
{
    portal.meanwhile = NULL;
    tree_open(HERE("/campaigns/a.jpg"));
    tree_append(HERE("/campaigns/a.jpg"), "written by somebody who never closes it");
}

TEST(a_change_during_the_upload_of_which_no_event_tells_is_looked_at_again)
{
    given_three_published();
    portal.meanwhile = write_a_and_keep_it_open;
    tree_write(HERE("/campaigns/a.jpg"), "first");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "written by somebody who never closes it");
}

TEST(a_file_that_is_being_rewritten_when_its_turn_comes_is_not_read_half_way)
{
    given_three_published();
    portal.weather.is_unreachable = true;
    tree_write(HERE("/campaigns/a.jpg"), "a again");
    sim_run(10 * SECOND);
    tree_open(HERE("/campaigns/a.jpg"));
    tree_append(HERE("/campaigns/a.jpg"), "one half");
    portal.weather = fine;
    sim_run(30 * SECOND);
    assert_there(THERE("/campaigns/a.jpg"), "a");
    tree_append(HERE("/campaigns/a.jpg"), " and the other");
    tree_close(HERE("/campaigns/a.jpg"));
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "one half and the other");
}

enum { FILM_BYTES = 2 << 20 };

static char *film_of(char letter)
{
    char *film = mem_alloc(FILM_BYTES + 1);
    memset(film, letter, FILM_BYTES);
    return film;
}

/* Half of it has been read by then. */
static void save_the_film_again(void)
{
    static int pieces;
    AUTO(mem_freep) char *film = film_of('y');
    if (++pieces < FILM_BYTES / 2 / PORTAL_PIECE_BYTES)
        return;
    portal.meanwhile = NULL;
    tree_write(HERE("/press/film.mp4"), film);
}

TEST(a_file_of_two_halves_is_never_published)
{
    AUTO(mem_freep) char *before = film_of('x'), *after = film_of('y');
    given_three_published();
    int imports = portal.imports;
    portal.meanwhile = save_the_film_again;
    tree_write(HERE("/press/film.mp4"), before);
    sim_settle();
    assert_null(portal.meanwhile);
    assert_there(THERE("/press/film.mp4"), after);
    assert_int_equal(portal.imports, imports + 1);
}

TEST(events_that_are_lost_are_made_good_by_a_scan)
{
    given_three_published();
    tree_write(HERE("/campaigns/a.jpg"), "a again");
    tree_write(HERE("/campaigns/summer/deep/d.jpg"), "d");
    watch_lose_events();
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a again");
    assert_there(THERE("/campaigns/summer/deep/d.jpg"), "d");
}

TEST(a_renamed_directory_is_published_under_its_new_name)
{
    given_three_published();
    tree_rename(HERE("/campaigns/spring"), HERE("/press/sp.ring"));
    sim_settle();
    assert_there(THERE("/press/sp-ring/b.jpg"), "b");
    assert_there(THERE("/campaigns/spring/b.jpg"), "b"); /* on_delete: keep */
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

TEST(a_refused_folder_makes_its_assets_wait_and_no_others)
{
    portal.refused = THERE("/campaigns");
    sim_start();
    tree_write(HERE("/campaigns/a.jpg"), "a");
    tree_write(HERE("/press/c.txt"), "c");
    sim_run(10 * MINUTE);
    assert_not_there(THERE("/campaigns/a.jpg"));
    assert_there(THERE("/press/c.txt"), "c");
    assert_int_equal(sim_job(HERE("/campaigns/a.jpg"))->tries, 0);
    const struct job *folder = queue_find(sim.agent.queue, THERE("/campaigns"));
    assert_int_equal(folder->state, JOB_WAITING);
    assert_non_null(strstr(folder->why.text, "not wanted"));

    portal.refused = NULL;
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a");
}

static int refusals_within(int64_t from_ms, int64_t to_ms)
{
    int count = 0;
    for (int i = 0; i < MIN(portal.refusals, (int)ARRAY_LEN(portal.refused_at)); i++)
        count += portal.refused_at[i] >= from_ms && portal.refused_at[i] < to_ms;
    return count;
}

TEST(a_refused_asset_is_tried_with_growing_pauses_and_says_why_while_others_go)
{
    given_three_published();
    int64_t from_ms = wall_ms(&sim.clock.clock);
    portal.refused = THERE("/campaigns/bad.jpg");
    tree_write(HERE("/campaigns/bad.jpg"), "bad");
    tree_write(HERE("/campaigns/good.jpg"), "good");
    sim_run(30 * SECOND);
    assert_there(THERE("/campaigns/good.jpg"), "good");
    assert_not_there(THERE("/campaigns/bad.jpg"));
    sim_run(59 * MINUTE);

    const struct job *bad = sim_job(HERE("/campaigns/bad.jpg"));
    assert_int_equal(bad->state, JOB_WAITING);
    assert_string_equal(bad->why.text, "415 \"this picture is not wanted\"");
    assert_in_range(bad->due_ms, wall_ms(&sim.clock.clock), wall_ms(&sim.clock.clock) + 5 * MINUTE);
    int first = refusals_within(from_ms, from_ms + 5 * MINUTE);
    int last = refusals_within(from_ms + 50 * MINUTE, from_ms + 55 * MINUTE);
    assert_true(first > 2 * last);
    assert_in_range(portal.refusals, 13, 60);

    portal.refused = NULL;
    sim_settle();
    assert_there(THERE("/campaigns/bad.jpg"), "bad");
}

/* --- outages ----------------------------------------------------------------------------------------------------- */

struct outage {
    struct weather weather;
    int assets;
};

static const struct outage outages[] = {
    {{.name = "503", .status = 503}, 2000},
    {{.name = "429", .status = 429, .retry_after_ms = 10 * MINUTE}, 50},
    {{.name = "404", .status = 404}, 50},
    {{.name = "502", .status = 502}, 50},
    {{.name = "no connection", .is_unreachable = true}, 50},
    {{.name = "it breaks off", .breaks_off = true}, 50},
    {{.name = "IMS answers 500", .ims_status = 500}, 50},
};

static bool has_no_tries(void *name, const struct job *job)
{
    if (job->state != JOB_READY || job->tries != 0)
        fail_msg("%s: %s is %s after %d tries", (char *)name, job->remote, job_state_name(job->state), job->tries);
    return true;
}

static void an_hour_without(const struct outage *o)
{
    sim_begin(7);
    portal.weather = o->weather;
    sim_start();
    for (int i = 0; i < o->assets; i++) {
        AUTO(mem_freep) char *path = str_printf(HERE("/campaigns/%02d/%d.jpg"), i % 40, i);
        tree_write(path, path);
    }
    sim_run(HOUR);
    queue_each(sim.agent.queue, has_no_tries, (char *)o->weather.name);
    assert_true(sim_queue().ready >= (size_t)o->assets);
    assert_int_equal(sim.agent.tenant.state, TENANT_WAITING);
    if (portal.asked > 60)
        fail_msg("%s: asked %d times in an hour", o->weather.name, portal.asked);

    portal.weather = fine;
    sim_settle();
    if (assets_there() != o->assets)
        fail_msg("%s: %d of %d are there", o->weather.name, assets_there(), o->assets);
}

/* The first day is begun by the group's setup, the last one is ended by its teardown. */
TEST(an_hour_without_the_tenant_counts_no_tries_and_all_arrive_after_it)
{
    for (size_t i = 0; i < ARRAY_LEN(outages); i++) {
        sim_end();
        an_hour_without(&outages[i]);
    }
}

TEST(retry_after_is_honoured)
{
    given_three_published();
    portal.weather = (struct weather){.status = 429, .retry_after_ms = 7 * MINUTE};
    tree_write(HERE("/campaigns/a.jpg"), "later");
    sim_run(10 * SECOND);
    int asked = portal.asked;
    sim_run(6 * MINUTE);
    assert_int_equal(portal.asked, asked);
    portal.weather = fine;
    sim_run(2 * MINUTE);
    assert_there(THERE("/campaigns/a.jpg"), "later");
}

TEST(a_reply_that_was_lost_has_no_second_effect)
{
    given_three_published();
    portal.weather.loses_replies = true;
    tree_write(HERE("/campaigns/a.jpg"), "a again");
    sim_run(10 * SECOND);
    assert_there(THERE("/campaigns/a.jpg"), "a again");
    portal.weather = fine;
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a again");
    assert_int_equal(assets_there(), 3);
    int asked = portal.asked;
    sim_run(3 * HOUR);
    assert_int_equal(portal.asked, asked);
}

/* --- identity ---------------------------------------------------------------------------------------------------- */

TEST(a_401_renews_the_token_once)
{
    given_three_published();
    int tokens = portal.tokens, asked = portal.asked;
    portal.good_token = tokens + 1;
    tree_write(HERE("/campaigns/a.jpg"), "a again");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "a again");
    assert_int_equal(portal.tokens, tokens + 1);
    assert_int_equal(portal.asked, asked + 2);
    assert_int_equal(sim.agent.tenant.state, TENANT_OK);
}

static const struct weather refusals[] = {
    {.name = "the tenant refuses every token", .status = 401},
    {.name = "IMS refuses the credential", .ims_status = 400},
};

TEST(a_refused_credential_is_probed_gently_and_comes_back_by_itself)
{
    given_three_published();
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        AUTO(mem_freep) char *text = str_printf("a, refused %zu times", i + 1);
        portal.weather = refusals[i];
        portal.good_token = portal.tokens + 1;
        tree_write(HERE("/campaigns/a.jpg"), text);
        sim_run(10 * SECOND);
        assert_int_equal(sim.agent.tenant.state, TENANT_ATTENTION);
        int asked = portal.asked;
        sim_run(30 * MINUTE); /* after 1, 2, 4, 8 minutes */
        assert_in_range(portal.asked, asked, asked + 8);
        portal.weather = fine;
        sim_run(HOUR);
        assert_there(THERE("/campaigns/a.jpg"), text);
        assert_int_equal(sim.agent.tenant.state, TENANT_OK);
    }
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

TEST(what_was_unpublished_by_command_stays_away_until_it_is_published_by_command)
{
    given_three_published();
    assert_int_equal(sim_unpublish(HERE("/campaigns/a.jpg")), 1);
    sim_settle();
    assert_not_there(THERE("/campaigns/a.jpg"));

    static void (*const ends[])(void) = {sim_stop, sim_kill};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        ends[i]();
        tree_write(HERE("/campaigns/a.jpg"), "changed while away");
        sim_start();
        sim_settle();
        tree_remove(HERE("/campaigns/a.jpg"));
        sim_settle();
        tree_write(HERE("/campaigns/a.jpg"), "made anew");
        sim_settle();
        assert_not_there(THERE("/campaigns/a.jpg"));
    }
    assert_int_equal(sim_publish(HERE("/campaigns/a.jpg")), 1);
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "made anew");
    tree_write(HERE("/campaigns/a.jpg"), "and watched again");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "and watched again");
}

TEST(of_commands_that_wait_the_last_one_holds)
{
    given_three_published();
    portal.weather.is_unreachable = true;
    sim_unpublish(HERE("/campaigns/a.jpg"));
    sim_publish(HERE("/campaigns/a.jpg"));
    assert_int_equal(sim_unpublish(HERE("/campaigns/a.jpg")), 1);
    sim_unpublish(HERE("/press/c.txt"));
    sim_publish(HERE("/press/c.txt"));
    sim_run(MINUTE);
    tree_remove(HERE("/press/c.txt"));
    sim_run(MINUTE);
    portal.weather = fine;
    sim_settle();
    assert_not_there(THERE("/campaigns/a.jpg"));
    tree_write(HERE("/press/c.txt"), "it came back");
    sim_settle();
    assert_there(THERE("/press/c.txt"), "it came back");
}

TEST(an_unpublish_during_the_upload_holds)
{
    given_three_published();
    tree_write(HERE("/campaigns/a.jpg"), "on its way");
    while (sim_queue().sending == 0)
        sim_run(1);
    assert_int_equal(sim_unpublish(HERE("/campaigns/a.jpg")), 1);
    sim_settle();
    assert_not_there(THERE("/campaigns/a.jpg"));
    tree_write(HERE("/campaigns/a.jpg"), "once more");
    sim_settle();
    assert_not_there(THERE("/campaigns/a.jpg"));
}

TEST(publish_sends_even_what_did_not_change)
{
    given_three_published();
    int imports = portal.imports;
    assert_int_equal(sim_publish(HERE("/press/c.txt")), 1);
    sim_settle();
    assert_int_equal(portal.imports, imports + 1);
}

static void assert_is_public(const char *remote, const char *value)
{
    AUTO(mem_freep) char *is = portal_property(remote, "jcr:content/publicFolder");
    assert_non_null(is);
    assert_string_equal(is, value);
}

TEST(a_change_of_public_refreshes_the_folder_nodes_only)
{
    given_three_published();
    int64_t brought = portal_request_of(THERE("/campaigns/spring/b.jpg"));
    assert_is_public(THERE("/campaigns/spring"), "false");
    sim_profile(&(struct sim_profile){.is_public = true});
    sim_reload();
    sim_settle();
    assert_is_public(THERE("/campaigns"), "true");
    assert_is_public(THERE("/campaigns/spring"), "true");
    assert_is_public(THERE("/press"), "true");
    assert_int_equal(portal_request_of(THERE("/campaigns/spring/b.jpg")), brought);
    assert_there(THERE("/campaigns/a.jpg"), "a");
}

TEST(two_reloads_in_a_row_leave_an_agent_that_works)
{
    given_three_published();
    tree_write(HERE("/campaigns/a.jpg"), "on its way");
    while (sim_queue().sending == 0)
        sim_run(1);
    sim_reload();
    sim_reload();
    sim_run(MINUTE);
    tree_write(HERE("/press/c.txt"), "after the reloads");
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "on its way");
    assert_there(THERE("/press/c.txt"), "after the reloads");
}

TEST(a_held_file_that_is_renamed_or_removed_leaves_the_queue)
{
    given_three_published();
    tree_write(HERE("/press/empty.txt"), "");
    tree_write(HERE("/press/void.txt"), "");
    sim_settle();
    assert_int_equal(sim_queue().held, 2);
    tree_remove(HERE("/press/empty.txt"));
    tree_rename(HERE("/press/void.txt"), HERE("/press/void.tmp"));
    sim_settle();
    assert_int_equal(sim_queue().held, 0);
}

TEST(a_new_file_under_a_name_that_was_renamed_away_goes)
{
    given_three_published();
    portal.weather = (struct weather){.status = 429, .retry_after_ms = 5 * MINUTE};
    tree_write(HERE("/press/c.txt"), "c again");
    sim_run(10 * SECOND); /* nothing is tried for a while */
    tree_rename(HERE("/campaigns/a.jpg"), HERE("/campaigns/moved.jpg"));
    sim_run(SECOND);
    tree_write(HERE("/campaigns/a.jpg"), "the new one");
    sim_run(SECOND / 2);
    tree_write(HERE("/campaigns/moved.jpg"), "the old one, touched up"); /* it settles after the new one */
    sim_run(MINUTE);
    portal.weather = fine;
    sim_settle();
    assert_there(THERE("/campaigns/a.jpg"), "the new one");
    assert_there(THERE("/campaigns/moved.jpg"), "the old one, touched up");
}

/* --- kill -9 ----------------------------------------------------------------------------------------------------- */

enum { STORY_STEPS_MAX = 5000 };

/* Says whether a.jpg was unpublished at the end: after a kill there may be nothing to unpublish yet. */
static bool small_story(void)
{
    sim_start();
    tree_write(HERE("/campaigns/spring/a.jpg"), "a");
    tree_write(HERE("/campaigns/spring/b.jpg"), "b");
    sim_run(5 * SECOND);
    tree_write(HERE("/campaigns/spring/a.jpg"), "a again");
    sim_unpublish(HERE("/campaigns/spring/b.jpg"));
    tree_write(HERE("/press/c.txt"), "c");
    sim_run(5 * SECOND);
    portal.weather.loses_replies = true;
    tree_rename(HERE("/press/c.txt"), HERE("/press/d.txt"));
    sim_publish(HERE("/campaigns/spring/b.jpg"));
    sim_run(5 * SECOND);
    portal.weather = fine;
    bool is_unpublished = sim_unpublish(HERE("/campaigns/spring/a.jpg")) > 0;
    sim_settle();
    return is_unpublished;
}

static void assert_converged(bool is_unpublished)
{
    assert_there(THERE("/campaigns/spring/b.jpg"), "b");
    assert_there(THERE("/press/d.txt"), "c");
    if (is_unpublished)
        assert_not_there(THERE("/campaigns/spring/a.jpg"));
    else
        assert_there(THERE("/campaigns/spring/a.jpg"), "a again");
}

TEST(a_kill_at_any_step_loses_nothing)
{
    int64_t last = STORY_STEPS_MAX;
    for (int64_t at = 0; at <= last; at++) {
        sim_end();
        sim_begin(1);
        if (at > 0) {
            sim.kill_at[0] = at;
            sim.kill_at[1] = at % 4 == 0 ? at + 1 + at % 50 : 0; /* while it recovers */
        }
        assert_converged(small_story());
        if (at == 0)
            last = sim.steps;
    }
    assert_in_range(last, 100, STORY_STEPS_MAX);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, given_a_day, then_the_neighbours_are_there)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_first_start_publishes_what_is_there),
        STORY(a_first_start_skips_what_is_there_but_not_what_comes_or_changes),
        STORY(what_came_or_changed_while_the_agent_was_away_is_found),
        STORY(a_restart_sends_nothing),
        STORY(a_quiet_day_sends_nothing_and_the_next_asset_goes_with_a_new_token),
        STORY(a_file_that_changes_while_it_waits_goes_once_with_its_last_content),
        STORY(a_hundred_atomic_saves_in_a_second_go_in_at_most_two),
        STORY(a_file_goes_when_it_is_closed_and_not_before),
        STORY(a_package_whose_file_changes_while_it_is_sent_is_broken_off),
        STORY(a_change_during_the_upload_of_which_no_event_tells_is_looked_at_again),
        STORY(a_file_that_is_being_rewritten_when_its_turn_comes_is_not_read_half_way),
        STORY(a_file_of_two_halves_is_never_published),
        STORY(events_that_are_lost_are_made_good_by_a_scan),
        STORY(a_renamed_directory_is_published_under_its_new_name),
        STORY(a_refused_folder_makes_its_assets_wait_and_no_others),
        STORY(a_refused_asset_is_tried_with_growing_pauses_and_says_why_while_others_go),
        STORY(an_hour_without_the_tenant_counts_no_tries_and_all_arrive_after_it),
        STORY(retry_after_is_honoured),
        STORY(a_reply_that_was_lost_has_no_second_effect),
        STORY(a_401_renews_the_token_once),
        STORY(a_refused_credential_is_probed_gently_and_comes_back_by_itself),
        STORY(what_was_unpublished_by_command_stays_away_until_it_is_published_by_command),
        STORY(of_commands_that_wait_the_last_one_holds),
        STORY(an_unpublish_during_the_upload_holds),
        STORY(publish_sends_even_what_did_not_change),
        STORY(a_change_of_public_refreshes_the_folder_nodes_only),
        STORY(two_reloads_in_a_row_leave_an_agent_that_works),
        STORY(a_held_file_that_is_renamed_or_removed_leaves_the_queue),
        STORY(a_new_file_under_a_name_that_was_renamed_away_goes),
        STORY(a_kill_at_any_step_loses_nothing),
    };
    return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
