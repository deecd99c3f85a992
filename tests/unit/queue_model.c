/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Random operations on a queue against a small model that knows only the promises: never two in flight for one remote, nothing lost,
 * folders before what is in them, packages within their limits, no idle uploader starved. A failing seed is printed; QUEUE_SEED replays it.
 */
#include "queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { REMOTES = 60, FLIGHTS = 4, STEPS = 3000, SEEDS = 60 };

struct entry {
    char *remote;
    bool is_folder;
    bool is_there; /* a job stands for it */
    bool is_flying, is_again;
    int64_t version; /* wanted; carried in last_bytes */
    int64_t flying;  /* version on its way */
    int64_t arrived; /* version last published */
    int64_t bytes;
    bool is_stuck; /* held or failed */
};
struct flight {
    struct batch *batch;
    int64_t package;
};
struct model {
    struct queue *q;
    struct random random;
    struct entry entry[REMOTES];
    struct flight flight[FLIGHTS];
    int64_t now_ms, versions, packages, ids;
};

#define CHECK(m, condition)                                                                                            \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("QUEUE_SEED=%s: %s", getenv("QUEUE_SEED"), #condition);                                           \
    } while (0)

/* /r/0, /r/0/1, /r/0/1/2 ... are folders; their assets lie in them. */
static void name_entries(struct model *m)
{
    for (int i = 0; i < REMOTES; i++) {
        struct entry *e = &m->entry[i];
        e->is_folder = i < 10;
        const char *above = i > 2 ? m->entry[random_below(&m->random, e->is_folder ? i : 10)].remote : "/r";
        e->remote = str_printf("%s/%d", above, i);
    }
}

static struct entry *entry_of(struct model *m, const char *remote)
{
    for (int i = 0; i < REMOTES; i++)
        if (str_eq(m->entry[i].remote, remote))
            return &m->entry[i];
    fail_msg("unknown remote %s", remote);
    return NULL;
}

static void add(struct model *m)
{
    static const int64_t sizes[] = {0, 10, 1000000, 9000000, 20000000, 50000000};
    struct entry *e = &m->entry[random_below(&m->random, REMOTES)];
    struct job *job = job_new(e->is_folder ? ACTION_FOLDER : ACTION_PUBLISH, e->remote, e->remote);
    const struct job *kept;
    job->id = ++m->ids;
    job->ready_ms = m->now_ms;
    job->priority = (enum priority)random_below(&m->random, PRIORITIES);
    job->folder = (int)random_below(&m->random, 3) - 1;
    job->state = random_below(&m->random, 20) == 0 ? JOB_HELD : JOB_READY;
    job->seen.bytes = e->bytes = e->is_folder ? 0 : sizes[random_below(&m->random, ARRAY_LEN(sizes))];
    job->last_bytes = e->version = ++m->versions;
    e->is_stuck = job->state == JOB_HELD;
    enum queue_added added = queue_add(m->q, job, &kept);
    CHECK(m, added == (e->is_flying ? QUEUE_AGAIN : e->is_there ? QUEUE_REPLACED : QUEUE_NEW));
    CHECK(m, kept->last_bytes == e->version);
    e->is_again = e->is_flying;
    e->is_there = true;
}

static bool has_gate(struct model *m, const struct entry *e, const struct batch *b)
{
    for (int i = 0; i < REMOTES; i++) {
        const struct entry *gate = &m->entry[i];
        bool is_along = false;
        for (size_t n = 0; n < b->count; n++)
            is_along = is_along || str_eq(b->job[n]->remote, gate->remote);
        if (gate->is_folder && gate->is_there && !is_along && path_is_below(e->remote, gate->remote))
            return true;
    }
    return false;
}

static int64_t big_flying(const struct model *m)
{
    int64_t big = 0;
    for (int i = 0; i < FLIGHTS; i++)
        big += m->flight[i].batch && m->flight[i].batch->is_big;
    return big;
}

/* Is there a small asset that could go? */
static bool small_waits(struct model *m)
{
    const struct batch nothing = {0};
    for (int i = 0; i < REMOTES; i++) {
        struct entry *e = &m->entry[i];
        const struct job *job = queue_find(m->q, e->remote);
        if (job && job->state == JOB_READY && !e->is_folder && e->bytes <= QUEUE_BIG_BYTES && !has_gate(m, e, &nothing))
            return true;
    }
    return false;
}

static void check_batch(struct model *m, const struct batch *b)
{
    AUTO(mem_freep) char *folder = path_parent(b->job[0]->remote);
    int64_t bytes = 0;
    CHECK(m, b->count > 0 && b->count <= (size_t)queue_package_limit(m->q));
    for (size_t i = 0; i < b->count; i++) {
        const struct job *job = b->job[i];
        struct entry *e = entry_of(m, job->remote);
        CHECK(m, e->is_there);
        CHECK(m, !e->is_flying);
        CHECK(m, !e->is_stuck);
        CHECK(m, job->action == b->action && job->state == JOB_SENDING);
        CHECK(m, job->last_bytes == e->version);
        CHECK(m, !has_gate(m, e, b));
        AUTO(mem_freep) char *parent = path_parent(job->remote);
        CHECK(m, job->action == ACTION_FOLDER || str_eq(parent, folder));
        bytes += job->seen.bytes;
        for (size_t before = 0; before < i; before++)
            CHECK(m, !path_is_below(b->job[before]->remote, job->remote)); /* parents first */
    }
    CHECK(m, bytes == b->bytes);
    CHECK(m, b->count == 1 || bytes <= QUEUE_PACKAGE_BYTES);
    CHECK(m, b->is_big == (b->count == 1 && bytes > QUEUE_BIG_BYTES));
    CHECK(m, !b->is_big || big_flying(m) < FLIGHTS - 1 || !small_waits(m));
}

static struct batch *take_one(struct model *m, int slot)
{
    struct batch *b = queue_take(m->q, 0, m->now_ms);
    if (!b)
        return NULL;
    check_batch(m, b);
    for (size_t i = 0; i < b->count; i++) {
        struct entry *e = entry_of(m, b->job[i]->remote);
        e->is_flying = true;
        e->flying = b->job[i]->last_bytes;
    }
    m->flight[slot] = (struct flight){b, ++m->packages};
    return b;
}

static void land_job(struct model *m, struct job *job, enum outcome outcome, enum err_kind kind, int64_t package)
{
    struct entry *e = entry_of(m, job->remote);
    const struct job *kept;
    struct receipt r = {.job = job, .outcome = outcome, .err.kind = kind, .package = package};
    enum queue_fate fate = queue_settle(m->q, &r, m->now_ms, &kept);
    bool is_done = outcome == OUTCOME_PUBLISHED;
    CHECK(m, fate == (is_done && !e->is_again ? QUEUE_DONE : QUEUE_REPEAT));
    CHECK(m, fate == QUEUE_DONE || (kept->last_bytes == e->version && kept->state != JOB_SENDING && !kept->is_again));
    if (is_done)
        e->arrived = e->flying;
    e->is_flying = e->is_again = false;
    e->is_there = fate == QUEUE_REPEAT;
    e->is_stuck = fate == QUEUE_REPEAT && (kept->state == JOB_FAILED || kept->state == JOB_HELD);
}

static void land(struct model *m, int slot, bool is_well)
{
    static const struct {
        enum outcome outcome;
        enum err_kind kind;
    } ends[] = {{OUTCOME_PUBLISHED, ERR_NONE}, {OUTCOME_PUBLISHED, ERR_NONE},  {OUTCOME_RETRY, ERR_RETRY},
                {OUTCOME_RETRY, ERR_TENANT},   {OUTCOME_REFUSED, ERR_REFUSED}, {OUTCOME_CANCELLED, ERR_CANCELLED},
                {OUTCOME_RETRY, ERR_LOCAL}};
    struct batch *b = take(&m->flight[slot].batch);
    int64_t end = is_well ? 0 : random_below(&m->random, ARRAY_LEN(ends));
    for (size_t i = 0; b && i < b->count; i++)
        land_job(m, b->job[i], ends[end].outcome, ends[end].kind, m->flight[slot].package);
    batch_free(b);
}

static void drop(struct model *m)
{
    struct entry *e = &m->entry[random_below(&m->random, REMOTES)];
    queue_drop(m->q, e->remote);
    if (e->is_flying)
        return;
    e->is_there = e->is_stuck = false;
    e->version = e->arrived; /* nothing is wanted any more */
}

static void check_counts(struct model *m)
{
    struct queue_counts all, part;
    size_t there = 0, flying = 0, stuck = 0, parts = 0;
    for (int i = 0; i < REMOTES; i++) {
        const struct entry *e = &m->entry[i];
        there += e->is_there;
        flying += e->is_flying;
        stuck += e->is_there && !e->is_flying && e->is_stuck;
        CHECK(m, (queue_find(m->q, e->remote) != NULL) == e->is_there);
    }
    queue_counts(m->q, -1, &all);
    CHECK(m, all.sending == flying);
    CHECK(m, all.held + all.failed == stuck);
    CHECK(m, all.ready + all.waiting == there - flying - stuck);
    for (int folder = 0; folder < 2; folder++) {
        queue_counts(m->q, folder, &part);
        parts += part.ready + part.sending + part.waiting + part.held + part.failed;
    }
    CHECK(m, parts <= there);
}

static void step(struct model *m)
{
    int slot = (int)random_below(&m->random, FLIGHTS);
    m->now_ms += random_below(&m->random, 300);
    switch (random_below(&m->random, 12)) {
    case 0:
        drop(m);
        return;
    case 1:
        queue_wake(m->q, m->now_ms);
        return;
    case 2:
    case 3:
    case 4:
    case 5:
        add(m);
        return;
    default:
        if (m->flight[slot].batch)
            land(m, slot, false);
        else
            take_one(m, slot);
    }
}

/* All that is stuck is wanted anew; then everything must arrive, each in its last version. */
static void drain(struct model *m)
{
    for (int i = 0; i < FLIGHTS; i++)
        land(m, i, true);
    for (int i = 0; i < REMOTES; i++) {
        struct entry *e = &m->entry[i];
        if (!e->is_there || !e->is_stuck)
            continue;
        struct job *job = job_copy(queue_find(m->q, e->remote));
        job->state = JOB_READY;
        queue_add(m->q, job, NULL);
        e->is_stuck = false;
    }
    for (int idle = 0; idle < 2;) {
        if (take_one(m, 0)) {
            land(m, 0, true);
            continue;
        }
        idle++;
        m->now_ms = MAX(m->now_ms, queue_due_ms(m->q) == INT64_MAX ? 0 : queue_due_ms(m->q) + 1000000);
    }
    for (int i = 0; i < REMOTES; i++) {
        CHECK(m, !m->entry[i].is_there);
        CHECK(m, m->entry[i].arrived == m->entry[i].version);
    }
}

static void run_seed(uint64_t seed)
{
    char text[24];
    struct queue_opts opts = {.uploaders = FLIGHTS,
                              .retry_first_ms = 200,
                              .retry_max_ms = 2000,
                              .package_assets = 30,
                              .attempts = 4,
                              .seed = seed};
    struct model m = {.now_ms = 1000};
    snprintf(text, sizeof(text), "%llu", (unsigned long long)seed);
    setenv("QUEUE_SEED", text, 1);
    random_seed(&m.random, seed);
    m.q = queue_new(&opts);
    name_entries(&m);
    for (int i = 0; i < STEPS; i++) {
        step(&m);
        check_counts(&m);
    }
    drain(&m);
    check_counts(&m);
    queue_free(m.q);
    for (int i = 0; i < REMOTES; i++)
        free(m.entry[i].remote);
}

static void random_days_keep_every_promise(void **state)
{
    (void)state;
    const char *replay = getenv("QUEUE_SEED");
    if (replay) {
        run_seed(strtoull(replay, NULL, 10));
        return;
    }
    struct random random;
    random_seed(&random, 0);
    for (int i = 0; i < SEEDS; i++)
        run_seed(random_next(&random) | 1);
    unsetenv("QUEUE_SEED");
}

/* Whatever is ready: one round of takes for all idle uploaders leaves none of them without work while a batch held more than it must. */
static void no_package_starves_an_idle_uploader(void **state)
{
    (void)state;
    for (int ready = 1; ready < 400; ready += 7) {
        for (int uploaders = 1; uploaders <= 8; uploaders++) {
            struct queue_opts opts = {.uploaders = uploaders, .package_assets = 200, .seed = 1};
            AUTO(queue_freep) struct queue *q = queue_new(&opts);
            size_t most = 0, got_none = 0;
            for (int i = 0; i < ready; i++) {
                AUTO(mem_freep) char *remote = str_printf("/r/%d/%d", i % 2, i);
                queue_add(q, job_new(ACTION_PUBLISH, remote, remote), NULL);
            }
            for (int idle = uploaders; idle > 0; idle--) {
                AUTO(batch_freep) struct batch *b = queue_take(q, idle - 1, 0);
                most = MAX(most, b ? b->count : 0);
                got_none += !b;
            }
            assert_true(got_none == 0 || most <= QUEUE_PACKAGE_MIN);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_days_keep_every_promise),
        cmocka_unit_test(no_package_starves_an_idle_uploader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
