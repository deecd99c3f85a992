/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * walk - many days by seed: people save, rename and remove files, give commands, the tenant has its weathers, the agent is killed,
 * in any order. At the end of each day the portal is what a small model says.
 *
 *   SEEDS=5000 walk     so many seeds, from 1 on (default 300)
 *   SEED=4711 walk      this one alone, and tells what it does
 */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SEEDS = 300, MOVES_MIN = 40, MOVES_MORE = 40, EVERY_MEANWHILE = 60 };

/* --- the model --------------------------------------------------------------------------------------------------- */

static struct name {
    const char *below;        /* SIM_ROOT */
    const char *remote_below; /* SIM_TENANT; NULL: never goes */
    bool is_unpublished;      /* by command */
    bool was_published;       /* by command, which takes a file as it is, half-written or not */
} names[] = {
    {"/campaigns/a.jpg", "/campaigns/a.jpg", false, false},
    {"/campaigns/b.png", "/campaigns/b.png", false, false},
    {"/campaigns/50%.jpg", "/campaigns/50-.jpg", false, false},
    {"/campaigns/spring/c.jpg", "/campaigns/spring/c.jpg", false, false},
    {"/campaigns/spring/v1.2/d.pdf", "/campaigns/spring/v1-2/d.pdf", false, false},
    {"/campaigns/summer/c.jpg", "/campaigns/summer/c.jpg", false, false},
    {"/campaigns/summer/v1.2/d.pdf", "/campaigns/summer/v1-2/d.pdf", false, false},
    {"/press/f.txt", "/press/f.txt", false, false},
    {"/press/kit/g.jpg", "/press/kit/g.jpg", false, false},
    {"/press/kit/.g.jpg.swp", NULL, false, false},
    {"/press/kit/g.jpg.tmp", NULL, false, false},
};

static struct random dice;
static bool is_telling;
static int version, imports_checked;

static int roll(int sides)
{
    return (int)random_below(&dice, sides);
}

PRINTF(1, 2)
static void tell(const char *fmt, ...)
{
    va_list args;
    if (!is_telling)
        return;
    fprintf(stderr, "%10.3f  ", (double)(mono_ms(&sim.clock.clock) - 1000000) / 1000.0);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* A whole file says so at its end. */
static const char ending[] = "the end\n";

static char *new_text(void)
{
    static const char filling[] = "................................................................";
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "version %d\n", ++version);
    for (int i = roll(12); i > 0; i--)
        buf_printf(&text, "%.*s\n", roll(64), filling);
    buf_str(&text, ending);
    return buf_take(&text);
}

static struct name *any_name(char **path)
{
    struct name *n = &names[roll(ARRAY_LEN(names))];
    *path = str_printf(SIM_ROOT "%s", n->below);
    return n;
}

/* --- what people do ---------------------------------------------------------------------------------------------- */

static void save_in_place(void)
{
    AUTO(mem_freep) char *path = NULL, *text = new_text();
    struct name *n = any_name(&path);
    tell("save %s as version %d", n->below, version);
    tree_write(path, text);
}

/* The writing of a file that is there is not told before its end: for longer than it takes to settle it would count as still, and with
 * settle 0s it goes without a look, so that the uploader has nothing to compare it with. */
static int writing_ms(const char *path)
{
    const struct job *job = sim_job(path);
    if (!tree_entry(path) && !job)
        return roll(20000);
    bool is_compared = sim.agent.profile->folder[0].settle_ms > 0 && (!job || job->seen.ino != 0);
    return is_compared ? roll(150) : 0;
}

static void save_slowly(void)
{
    AUTO(mem_freep) char *path = NULL, *text = new_text();
    struct name *n = any_name(&path);
    AUTO(mem_freep) char *half = str_copy_n(text, strlen(text) / 2);
    int ms = writing_ms(path);
    tell("save %s slowly, in %d ms, as version %d", n->below, ms, version);
    tree_open(path);
    tree_append(path, half);
    if (ms > 0)
        sim_run(ms);
    tree_append(path, text + strlen(half));
    tree_close(path);
}

static void save_by_rename(void)
{
    AUTO(mem_freep) char *path = NULL, *text = new_text();
    struct name *n = any_name(&path);
    AUTO(mem_freep) char *beside = str_printf("%s.%s", path, roll(2) ? "tmp" : "new.png");
    tell("save %s by renaming %s, as version %d", n->below, path_name(beside), version);
    tree_write(beside, text);
    tree_rename(beside, path);
}

static void save_empty(void)
{
    AUTO(mem_freep) char *path = NULL;
    struct name *n = any_name(&path);
    tell("save %s empty", n->below);
    tree_write(path, "");
}

static void remove_file(void)
{
    AUTO(mem_freep) char *path = NULL;
    struct name *n = any_name(&path);
    if (!tree_entry(path))
        return;
    tell("remove %s", n->below);
    tree_remove(path);
}

static void rename_file(void)
{
    AUTO(mem_freep) char *from = NULL, *to = NULL;
    struct name *a = any_name(&from), *b = any_name(&to);
    if (a == b || !tree_entry(from))
        return;
    tell("rename %s to %s", a->below, b->below);
    tree_rename(from, to);
}

static void rename_dir(void)
{
    const char *from = SIM_ROOT "/campaigns/spring", *to = SIM_ROOT "/campaigns/summer";
    if (roll(2)) {
        from = SIM_ROOT "/campaigns/summer";
        to = SIM_ROOT "/campaigns/spring";
    }
    if (!tree_entry(from) || tree_entry(to))
        return;
    tell("rename the directory %s to %s", from, to);
    tree_rename(from, to);
}

static void (*const deeds[])(void) = {
    save_in_place, save_in_place, save_by_rename, save_empty, remove_file, rename_file, rename_dir,
};

static void any_deed(void)
{
    fake_clock_pass(&sim.clock, 1);
    deeds[roll(ARRAY_LEN(deeds))]();
}

static void events_are_lost(void)
{
    for (int i = roll(4); i > 0; i--)
        any_deed();
    tell("events are lost");
    watch_lose_events();
}

/* --- what operators do ------------------------------------------------------------------------------------------- */

static void publish(void)
{
    AUTO(mem_freep) char *path = NULL;
    struct name *n = any_name(&path);
    if (!tree_entry(path))
        return;
    int queued = sim_publish(path);
    tell("publish %s: %d", n->below, queued);
    if (queued)
        n->is_unpublished = false;
    n->was_published |= queued;
}

static void unpublish(void)
{
    AUTO(mem_freep) char *path = NULL;
    struct name *n = any_name(&path);
    int queued = sim_unpublish(path);
    tell("unpublish %s: %d", n->below, queued);
    if (queued)
        n->is_unpublished = true;
}

static void reload(void)
{
    struct sim_profile p = {.is_public = roll(2), .settle = roll(2) ? "2s" : "0s"};
    tell("reload: public %d, settle %s", p.is_public, p.settle);
    sim_profile(&p);
    sim_reload();
}

/* --- what fate does ---------------------------------------------------------------------------------------------- */

static const struct weather weathers[] = {
    {.name = "fine"},
    {.name = "unreachable", .is_unreachable = true},
    {.name = "connections break", .breaks_off = true},
    {.name = "replies get lost", .loses_replies = true},
    {.name = "401", .status = 401},
    {.name = "403", .status = 403},
    {.name = "404", .status = 404},
    {.name = "413", .status = 413},
    {.name = "429", .status = 429, .retry_after_ms = 30 * SECOND},
    {.name = "500", .status = 500},
    {.name = "503", .status = 503},
    {.name = "IMS refuses", .ims_status = 400},
    {.name = "IMS is ill", .ims_status = 500},
};

static void weather_is(const struct weather *w)
{
    tell("weather: %s", w->name);
    portal.weather = *w;
}

static void weather_turns(void)
{
    weather_is(&weathers[roll(ARRAY_LEN(weathers))]);
}

static void weather_clears(void)
{
    weather_is(&weathers[0]);
}

static void token_is_refused(void)
{
    tell("the token is refused");
    portal.good_token = portal.tokens + 1;
}

/* People go on while it is down. */
static void agent_is_away(void)
{
    for (int i = roll(4); i > 0; i--)
        any_deed();
    fake_clock_pass(&sim.clock, roll(2) ? roll(100000) : 0);
    sim_start();
}

static void agent_is_killed(void)
{
    tell("kill");
    sim_kill();
    agent_is_away();
}

static void agent_is_stopped(void)
{
    tell("stop");
    sim_stop();
    agent_is_away();
}

static void asset_is_disliked(void)
{
    static char remote[128];
    const char *below = names[roll(ARRAY_LEN(names))].remote_below;
    portal.refused = NULL;
    if (!below || roll(2))
        return;
    snprintf(remote, sizeof(remote), SIM_TENANT "%s", below);
    tell("the portal dislikes %s", below);
    portal.refused = remote;
}

/* While a body is being read. */
static void meanwhile(void)
{
    AUTO(mem_freep) char *path = NULL;
    if (roll(EVERY_MEANWHILE) != 0)
        return;
    struct name *n = any_name(&path);
    if (!tree_entry(path))
        return;
    AUTO(mem_freep) char *text = new_text();
    tell("while a package is being sent: save %s as version %d", n->below, version);
    tree_write(path, text);
}

static void (*const moves[])(void) = {
    save_in_place,    save_in_place,     save_in_place,  save_slowly,      save_by_rename,  save_by_rename,
    save_empty,       remove_file,       remove_file,    rename_file,      rename_file,     rename_dir,
    events_are_lost,  publish,           publish,        unpublish,        unpublish,       unpublish,
    reload,           weather_turns,     weather_clears, token_is_refused, agent_is_killed, agent_is_killed,
    agent_is_stopped, asset_is_disliked,
};

static void time_passes(void)
{
    static const int most_ms[] = {100, 3000, 10000, 200000};
    if (roll(4) == 0)
        return;
    if (roll(3) == 0) {
        for (int i = roll(30); i > 0; i--)
            sim_step();
        return;
    }
    sim_run(roll(most_ms[roll(ARRAY_LEN(most_ms))]));
}

/* --- what must be true --------------------------------------------------------------------------------------------- */

static const struct name *name_on_portal(const char *remote)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].remote_below && str_eq(names[i].remote_below, remote + strlen(SIM_TENANT)))
            return &names[i];
    return NULL;
}

static void check_is_whole(void *arg UNUSED, const char *remote, const char *text)
{
    const struct name *n = name_on_portal(remote);
    if (n && !n->was_published && !str_ends(text, ending))
        fail_msg("%s is not whole on the portal: '%s'", n->below, text);
}

static void check_whole(void)
{
    if (portal.imports == imports_checked)
        return;
    imports_checked = portal.imports;
    portal_each(check_is_whole, NULL);
}

static void check_neighbour(const char *remote, const char *text)
{
    AUTO(mem_freep) char *there = portal_text(remote);
    if (!there || !str_eq(there, text))
        fail_msg("the neighbour %s was touched: '%s'", remote, there ? there : "(gone)");
}

static void check_name(const struct name *n)
{
    AUTO(mem_freep) char *path = str_printf(SIM_ROOT "%s", n->below);
    AUTO(mem_freep) char *remote = str_printf(SIM_TENANT "%s", n->remote_below ? n->remote_below : n->below);
    AUTO(mem_freep) char *there = portal_text(remote);
    const char *here = tree_read(path);
    bool may_be_there = n->remote_below && !n->is_unpublished;
    bool must_be_there = may_be_there && here && *here;

    if (there && !may_be_there)
        fail_msg("%s is on the portal, though it %s", n->below, n->is_unpublished ? "was unpublished" : "is ignored");
    if (must_be_there && (!there || !str_eq(here, there)))
        fail_msg("%s is '%s' here and '%s' on the portal", n->below, here, there ? there : "(not there)");
}

static void check_no_ghost(const struct name *n)
{
    AUTO(mem_freep) char *path = str_printf(SIM_ROOT "%s", n->below);
    if (!tree_entry(path) && sim_job(path))
        fail_msg("a job is left for %s, which is gone", n->below);
}

static void check_end(void)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_name(&names[i]);
    check_neighbour(SIM_TENANT "/campaigns/neighbour.jpg", "a neighbour's");
    check_neighbour(SIM_TENANT "/others/neighbour.jpg", "another neighbour's");
    for (size_t i = 0; i < portal.deleted.count; i++)
        if (!name_on_portal(portal.deleted.item[i]))
            fail_msg("%s was deleted", portal.deleted.item[i]);
}

/* A look at everything finds nothing more to do, and what is held for a file that is gone ends at the latest now. */
static void check_scan(void)
{
    int asked = portal.asked;
    json_decref(sim_ask("scan", json_object()));
    sim_settle();
    if (portal.asked != asked)
        fail_msg("a scan found something to send after all had come to rest");
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        check_no_ghost(&names[i]);
}

/* --- days -------------------------------------------------------------------------------------------------------- */

static void begin_day(uint64_t seed)
{
    random_seed(&dice, seed * 2 + 1);
    version = imports_checked = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        names[i].is_unpublished = names[i].was_published = false;
    sim_begin(seed);
    sim.piece = 1 + (size_t)roll(3);
    sim.request_ms = roll(2) ? 4 * SECOND : 50;
    portal.meanwhile = meanwhile;
}

static void walk(uint64_t seed)
{
    begin_day(seed);
    for (int i = roll(6); i > 0; i--)
        any_deed();
    sim_start();
    for (int i = MOVES_MIN + roll(MOVES_MORE); i > 0; i--) {
        time_passes();
        fake_clock_pass(&sim.clock, 1); /* nobody is that quick */
        moves[roll(ARRAY_LEN(moves))]();
        check_whole();
    }
    portal.meanwhile = NULL;
    portal.refused = NULL;
    weather_clears();
    sim_settle();
    tell("it is quiet");
    check_whole();
    check_end();
    check_scan();
    sim_end();
}

static int64_t number_of(const char *variable, int64_t otherwise)
{
    const char *text = getenv(variable);
    int64_t number = otherwise;
    if (text && !parse_int64(text, 1, INT64_MAX, &number))
        fail_msg("%s is no number: '%s'", variable, text);
    return number;
}

static int64_t seed_now;

static void whatever_happens_the_portal_is_as_it_should_be(void **state UNUSED)
{
    int64_t one = number_of("SEED", 0), last = number_of("SEEDS", SEEDS);
    is_telling = one > 0;
    for (seed_now = one ? one : 1; seed_now <= (one ? one : last); seed_now++)
        walk((uint64_t)seed_now);
    seed_now = 0;
}

/* Reached with a seed only when it failed. */
static int end_day(void **state UNUSED)
{
    if (seed_now) {
        print_error("replay: SEED=%" PRId64 " build/release/tests/scenario/walk\n", seed_now);
        sim_end();
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens_the_portal_is_as_it_should_be, end_day),
    };
    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
