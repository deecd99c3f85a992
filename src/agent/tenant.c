/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* tenant - may we send now, and if not, until when and why. An outage or a refused credential waits here, not on the items. */
#include "agent_internal.h"

/* Where the first wait begins and the last one ends. Credentials are asked about gently: IMS throttles those who hammer. */
static const struct {
    int64_t first_ms, max_ms;
} steps[] = {
    [TENANT_WAITING] = {2000, 300000},
    [TENANT_ATTENTION] = {60000, 3600000},
};

const char *tenant_state_name(enum tenant_state s)
{
    static const char *const names[] = {
        [TENANT_OK] = "ok", [TENANT_WAITING] = "waiting", [TENANT_ATTENTION] = "attention"};
    return names[s];
}

int tenant_allows(const struct tenant *t, int idle, int64_t now_ms)
{
    if (t->state == TENANT_OK)
        return idle;
    return t->is_probing || now_ms < t->until_ms ? 0 : MIN(idle, 1);
}

void tenant_sent(struct tenant *t)
{
    t->is_probing = t->state != TENANT_OK;
}

bool tenant_worked(struct tenant *t, int64_t now_ms)
{
    bool was_away = t->state != TENANT_OK;
    *t = (struct tenant){.state = TENANT_OK, .since_ms = was_away ? now_ms : t->since_ms};
    return was_away;
}

static int64_t next_step(const struct tenant *t, enum tenant_state state)
{
    if (t->state != state || t->step_ms == 0)
        return steps[state].first_ms;
    return MIN(t->step_ms * 2, steps[state].max_ms);
}

/* Uploaders that were sending when it failed report the same trouble a little later: only a probe, or the first to say it, counts. */
void tenant_failed(struct tenant *t, const struct err *why, struct random *random, int64_t now_ms)
{
    enum tenant_state state = why->kind == ERR_AUTH ? TENANT_ATTENTION : TENANT_WAITING;
    bool is_late_echo = t->state == state && !t->is_probing;

    t->is_probing = false;
    if (is_late_echo)
        return;
    int64_t step_ms = next_step(t, state);
    /* Full jitter for an outage, so that agents do not come back in step; the identity's rhythm is the documented one. */
    int64_t wait_ms = state == TENANT_WAITING ? step_ms / 2 + random_below(random, step_ms / 2 + 1) : step_ms;
    if (t->state == TENANT_OK)
        t->since_ms = now_ms;
    t->state = state;
    t->step_ms = step_ms;
    t->until_ms = now_ms + MAX(wait_ms, why->retry_after_ms);
    t->why = *why;
}

void tenant_wake(struct tenant *t, int64_t now_ms)
{
    if (t->state != TENANT_OK)
        t->until_ms = MIN(t->until_ms, now_ms);
}

int64_t tenant_due_ms(const struct tenant *t)
{
    return t->state == TENANT_OK || t->is_probing ? INT64_MAX : t->until_ms;
}

/* --- pace ---------------------------------------------------------------------------------------------- */

enum { PACE_PAUSE_MS = 30000, PACE_SHORTEST_MS = 500 };

/* Averages over the present stretch of work; a pause of half a minute begins a new one. */
void pace_count(struct pace *p, int64_t assets, int64_t now_ms)
{
    int64_t span_ms = now_ms - p->from_ms;

    if (p->from_ms == 0 || span_ms < 0 || span_ms > PACE_PAUSE_MS) {
        *p = (struct pace){.from_ms = now_ms, .assets = assets, .per_second = p->per_second};
        return;
    }
    p->assets += assets;
    if (span_ms < PACE_SHORTEST_MS)
        return;
    double now = (double)p->assets * 1000.0 / (double)span_ms;
    p->per_second = p->per_second > 0 ? p->per_second * 0.7 + now * 0.3 : now;
    p->from_ms = now_ms;
    p->assets = 0;
}

int64_t pace_done_by_ms(const struct pace *p, int64_t left, int64_t now_ms)
{
    if (left == 0 || p->per_second <= 0)
        return 0;
    return now_ms + (int64_t)((double)left * 1000.0 / p->per_second);
}
