/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* sim - the world begins and ends; the agent starts, stops and dies in it; steps, time, questions. */
#include "sim.h"

#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define MORNING INT64_C(1767258000000) /* 2026-01-01T09:00:00Z */
enum { LEDGER_MAX = 256 << 20 };

struct sim sim;

/* --- the world --------------------------------------------------------------------------------------------------- */

static char *in_dir(const char *name)
{
    return path_join(sim.dir, name);
}

static void put_file(const char *name, const char *text)
{
    AUTO(mem_freep) char *file = in_dir(name);
    struct err e;
    if (!file_replace(file, text, strlen(text), 0600, &e))
        fail_msg("%s", e.text);
}

void sim_profile(const struct sim_profile *p)
{
    static const char *const names[] = {"campaigns", "press"};
    AUTO(buf_release) struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text, "version: 1\ntitle: the day\nstate: %s/state\n", sim.dir);
    buf_printf(&text, "tenant: {url: \"https://acme.test/\", id: acme, public: %s}\n", p->is_public ? "true" : "false");
    buf_printf(&text,
               "identity: {mode: oauth, server: \"https://ims.test/\", client_id: c, scopes: [s],"
               " client_secret_file: %s/secret}\nfolders:\n",
               sim.dir);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        buf_printf(&text, "  - {path: " SIM_ROOT "/%s, to: %s, existing: %s, settle: %s}\n", names[i], names[i],
                   p->existing ? p->existing : "publish", p->settle ? p->settle : "2s");
    put_file("sim.yaml", text.data);
}

/* In memory where there is such a place: the days are full of commits. */
static void make_dir(void)
{
    snprintf(sim.dir, sizeof(sim.dir), "%s/brandsync-sim-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    BUG_ON(!mkdtemp(sim.dir));
}

void sim_begin(uint64_t seed)
{
    log_set_level(getenv("SIM_LOG") ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    sim = (struct sim){.request_ms = SECOND, .piece = 1024};
    make_dir();
    random_seed(&sim.random, seed);
    fake_clock_init(&sim.clock, MORNING);
    tree_begin();
    portal_begin();
    portal_put_neighbour(SIM_TENANT "/campaigns/neighbour.jpg", "a neighbour's");
    portal_put_neighbour(SIM_TENANT "/others/neighbour.jpg", "another neighbour's");
    put_file("secret", "s3cret\n");
    sim_profile(&(struct sim_profile){0});
}

static void close_agent(void)
{
    agent_close(&sim.agent);
    sim.is_up = false;
}

static int remove_one(const char *path, const struct stat *s UNUSED, int type UNUSED, struct FTW *at UNUSED)
{
    return remove(path);
}

static void remove_all(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void sim_end(void)
{
    if (sim.is_up)
        close_agent();
    portal_end();
    tree_end();
    remove_all(sim.dir);
}

/* --- the agent's life -------------------------------------------------------------------------------------------- */

void sim_start(void)
{
    const struct agent_ports ports = {
        .clock = &sim.clock.clock, .fs = &sim_fs, .http = &sim_http, .seed = random_next(&sim.random)};
    AUTO(problems_release) struct problems problems = {0};
    AUTO(mem_freep) char *file = in_dir("sim.yaml");
    struct err e;

    struct profile *profile = profile_load(file, true, &problems);
    if (!profile)
        fail_msg("profile: %s", problems.item[0].text);
    sim.is_up = agent_open(&sim.agent, &ports, profile, &e);
    if (!sim.is_up)
        fail_msg("start: %s", e.text);
}

void sim_stop(void)
{
    loop_signal(sim.agent.loop, SIGTERM);
    while (!loop_is_stopped(sim.agent.loop))
        if (!sim_step())
            fake_clock_pass(&sim.clock, 1);
    close_agent();
}

void sim_reload(void)
{
    loop_signal(sim.agent.loop, SIGHUP);
}

static void copy_file(const char *from_dir, const char *to_dir, const char *name)
{
    AUTO(mem_freep) char *from = path_join(from_dir, name), *to = path_join(to_dir, name);
    AUTO(buf_release) struct buf bytes = BUF_INIT(LEDGER_MAX);
    struct err e;
    if (access(from, F_OK) != 0)
        return;
    if (!file_read(from, LEDGER_MAX, &bytes, &e) || !file_replace(to, bytes.data, bytes.len, 0600, &e))
        fail_msg("%s", e.text);
}

/* The files as they are at this moment outlive the agent, and nothing that it would still write. */
void sim_kill(void)
{
    static const char *const kept[] = {"ledger.db", "ledger.db-wal", "used"};
    AUTO(mem_freep) char *state = in_dir("state"), *copy = in_dir("killed");
    struct err e;

    if (!dir_make(copy, 0700, &e))
        fail_msg("%s", e.text);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        copy_file(state, copy, kept[i]);
    close_agent();
    remove_all(state);
    BUG_ON(rename(copy, state) != 0);
}

/* --- steps and time ---------------------------------------------------------------------------------------------- */

static bool step_loop(void)
{
    bool is_done = sim.is_up && loop_step(sim.agent.loop);
    if (is_done && sim.agent.disk.kind != ERR_NONE)
        fail_msg("ledger: %s", sim.agent.disk.text);
    return is_done;
}

static void kill_when_wanted(void)
{
    sim.steps++;
    for (size_t i = 0; i < ARRAY_LEN(sim.kill_at); i++)
        if (sim.is_up && sim.steps == sim.kill_at[i]) {
            sim_kill();
            sim_start();
        }
}

bool sim_step(void)
{
    static bool (*const steps[])(void) = {step_loop, watch_step, uploaders_step};
    size_t first = (size_t)random_below(&sim.random, ARRAY_LEN(steps));

    kill_when_wanted();
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (steps[(first + i) % ARRAY_LEN(steps)]())
            return true;
    return false;
}

static int64_t due_ms(void)
{
    return MIN(sim.is_up ? loop_due_ms(sim.agent.loop) : INT64_MAX, uploaders_due_ms());
}

/* On to what is due next, at the latest to `until_ms`. */
static void wait_until(int64_t until_ms)
{
    int64_t now_ms = mono_ms(&sim.clock.clock);
    fake_clock_pass(&sim.clock, MAX(MIN(due_ms(), until_ms) - now_ms, 0));
}

void sim_run(int64_t ms)
{
    int64_t until_ms = mono_ms(&sim.clock.clock) + ms;
    while (sim_step() || mono_ms(&sim.clock.clock) < until_ms)
        if (!sim_step())
            wait_until(until_ms);
}

bool sim_is_quiet(void)
{
    struct agent *a = &sim.agent;
    struct queue_counts q;

    queue_counts(a->queue, -1, &q);
    for (size_t i = 0; i < a->profile->folders; i++)
        if (a->live[i].scan != 0 || a->live[i].wants_scan)
            return false;
    return q.ready + q.sending + q.waiting + q.scheduled == 0 && change_count(a->changes, -1) == 0 && watch_is_idle() &&
           uploaders_due_ms() == INT64_MAX && !a->is_reloading;
}

static NORETURN void say_unsettled(void)
{
    json_t *queue = sim_ask("queue", json_object());
    char *text = json_dumps(queue, JSON_INDENT(1));
    print_error("%s\n%zu settling, tenant %s: %s\n", text, change_count(sim.agent.changes, -1),
                tenant_state_name(sim.agent.tenant.state), sim.agent.tenant.why.text);
    free(text);
    json_decref(queue);
    fail_msg("it does not come to rest");
    abort();
}

void sim_settle(void)
{
    int64_t end_ms = mono_ms(&sim.clock.clock) + 6 * HOUR;
    for (;;) {
        if (sim_step())
            continue;
        if (sim_is_quiet())
            return;
        if (mono_ms(&sim.clock.clock) >= end_ms)
            say_unsettled();
        wait_until(end_ms);
    }
}

/* --- questions --------------------------------------------------------------------------------------------------- */

json_t *sim_ask(const char *name, json_t *request)
{
    const struct control_peer anna = {.user = "anna", .may_operate = true};
    const struct control_verb *verb = agent_verbs;
    json_t *reply = json_object();

    while (!str_eq(verb->name, name))
        verb++;
    verb->run(&sim.agent, &anna, request, reply);
    json_decref(request);
    loop_touch(sim.agent.loop);
    return reply;
}

static int ask_queued(const char *verb, json_t *item)
{
    json_t *reply = sim_ask(verb, json_pack("{s:[o], s:b}", "paths", item, "yes", 1));
    int queued = (int)json_integer_value(json_object_get(reply, "queued"));
    json_decref(reply);
    return queued;
}

int sim_publish(const char *path)
{
    const struct entry *n = tree_entry(path);
    json_t *item = json_pack("{s:s, s:b}", "path", path, "is_dir", n && n->is_dir);
    if (n && !n->is_dir)
        json_object_set_new(item, "bytes", json_integer((json_int_t)n->inode->data.len));
    return ask_queued("publish", item);
}

int sim_unpublish(const char *path)
{
    return ask_queued("unpublish", json_pack("{s:s}", "path", path));
}

struct queue_counts sim_queue(void)
{
    struct queue_counts q;
    queue_counts(sim.agent.queue, -1, &q);
    return q;
}

const struct job *sim_job(const char *path)
{
    AUTO(mem_freep) char *remote = local_remote(&sim.agent, path);
    return remote ? queue_find(sim.agent.queue, remote) : NULL;
}
