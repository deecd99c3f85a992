/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* health - what recurs: commits, the watchdog, the unit's STATUS line, the hourly rescan, old receipts, a full disk. */
#include "agent_internal.h"

enum { TICK_MS = 2000, GROUP_COMMIT_MS = 20, WATCHER_DEAD_MS = 40000 };
#define RESCAN_MS INT64_C(3600000)

int64_t agent_now(const struct agent *a)
{
    return wall_ms(a->ports.clock);
}

/* The ledger cannot be written: nothing more is sent, for its receipt could be lost. What is in memory is derived anew once there is room. */
void health_failed(struct agent *a, const struct err *e)
{
    if (a->disk.kind == ERR_NONE)
        log_error("ledger", "why=%s", QUOTED(e->text));
    a->disk = *e;
}

void health_commit(void *agent)
{
    struct agent *a = agent;
    struct err e;

    loop_timer_stop(a->loop, &a->commit_timer);
    a->committed_mono_ms = mono_ms(a->ports.clock);
    if (a->disk.kind == ERR_NONE && !ledger_commit(a->ledger, false, &e))
        health_failed(a, &e);
}

bool health_commit_durable(struct agent *a, struct err *e)
{
    if (a->disk.kind != ERR_NONE) {
        *e = a->disk;
        return false;
    }
    if (ledger_commit(a->ledger, true, e))
        return true;
    health_failed(a, e);
    return false;
}

/* The loop has nothing more to do now: settle, send, and commit, at once when idle, together with what follows under load. */
void health_idle(void *agent)
{
    struct agent *a = agent;

    if (agent_is_resting(a) && (a->is_stopping || a->is_reloading)) {
        agent_rest(a);
        return;
    }
    observe_settle(a);
    dispatch_send(a);
    if (!ledger_has_uncommitted(a->ledger))
        return;
    int64_t ago_ms = mono_ms(a->ports.clock) - a->committed_mono_ms;
    if (ago_ms >= GROUP_COMMIT_MS)
        health_commit(a);
    else
        loop_timer_set(a->loop, &a->commit_timer, GROUP_COMMIT_MS - ago_ms);
}

static void say_status(struct agent *a)
{
    char sentence[240], line[sizeof(a->status)];

    const char *verdict = status_verdict(a, sentence, sizeof(sentence));
    snprintf(line, sizeof(line), "%s: %s", verdict, sentence);
    if (str_eq(line, a->status))
        return;
    memcpy(a->status, line, sizeof(line));
    service_status(line);
}

/* Fed when this loop turned and the watcher went round, never because something was published. */
static void feed_watchdog(struct agent *a)
{
    struct watch_stats stats;

    watch_stats(a->watch, &stats);
    if (mono_ms(a->ports.clock) - stats.turned_mono_ms < WATCHER_DEAD_MS)
        service_watchdog_feed();
}

/* A backstop for what no event told, with jitter so that agents on one server do not scan together. */
static void rescan_hourly(struct agent *a, int64_t now_ms)
{
    bool is_due = a->rescan_ms != 0 && now_ms >= a->rescan_ms;

    if (a->rescan_ms == 0 || is_due)
        a->rescan_ms = now_ms + RESCAN_MS * 3 / 4 + random_below(&a->random, RESCAN_MS / 2);
    for (size_t i = 0; is_due && i < a->profile->folders; i++)
        observe_scan_soon(a, (int)i, 0);
}

/* A bounded piece each time, so that no turn is long. */
static void prune(struct agent *a, int64_t now_ms)
{
    struct err e;

    if (!ledger_receipts_prune(a->ledger, now_ms - a->profile->receipts_keep_ms, &e))
        health_failed(a, &e);
}

void health_tick(void *agent)
{
    struct agent *a = agent;
    int64_t now_ms = agent_now(a);

    loop_timer_set(a->loop, &a->health_timer, TICK_MS);
    feed_watchdog(a);
    say_status(a);
    rescan_hourly(a, now_ms);
    prune(a, now_ms);
    if (a->disk.kind != ERR_NONE && !a->is_reloading)
        agent_rebuild(a);
}
