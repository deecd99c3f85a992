/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* names - one name table for each enum: logs, ledger, JSON and terminal all read these. */
#include "types.h"

static const char *const event_kinds[EVENT_KINDS] = {
    [EVENT_MADE] = "made",       [EVENT_WRITTEN] = "written",     [EVENT_MOVED_IN] = "moved-in",
    [EVENT_REMOVED] = "removed", [EVENT_MOVED_OUT] = "moved-out", [EVENT_LOOKED] = "looked",
    [EVENT_LISTING] = "listing", [EVENT_SCANNED] = "scanned",     [EVENT_OVERFLOW] = "overflow",
    [EVENT_LOST] = "lost",
};
static const char *const job_actions[JOB_ACTIONS] = {
    [ACTION_PUBLISH] = "publish",
    [ACTION_UNPUBLISH] = "unpublish",
    [ACTION_FOLDER] = "folder",
    [ACTION_COLLECTION] = "collection",
};
static const char *const job_states[JOB_STATES] = {
    [JOB_SETTLING] = "settling",   [JOB_READY] = "ready", [JOB_SENDING] = "sending", [JOB_WAITING] = "waiting",
    [JOB_SCHEDULED] = "scheduled", [JOB_HELD] = "held",   [JOB_FAILED] = "failed",
};
static const char *const priorities[PRIORITIES] = {
    [PRIORITY_NORMAL] = "normal",
    [PRIORITY_LOW] = "low",
    [PRIORITY_HIGH] = "high",
};
static const char *const outcomes[OUTCOMES] = {
    [OUTCOME_PUBLISHED] = "published", [OUTCOME_DELIVERED] = "delivered", [OUTCOME_UNPUBLISHED] = "unpublished",
    [OUTCOME_MOVED] = "moved",         [OUTCOME_UNCHANGED] = "unchanged", [OUTCOME_CHANGED] = "changed-meanwhile",
    [OUTCOME_REFUSED] = "refused",     [OUTCOME_RETRY] = "retry",         [OUTCOME_CANCELLED] = "cancelled",
};

const char *event_kind_name(enum event_kind kind)
{
    return event_kinds[kind];
}

const char *job_action_name(enum job_action a)
{
    return job_actions[a];
}

const char *job_state_name(enum job_state s)
{
    return job_states[s];
}

const char *priority_name(enum priority p)
{
    return priorities[p];
}

const char *outcome_name(enum outcome o)
{
    return outcomes[o];
}

static int find_name(const char *const *table, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (str_eq(table[i], name))
            return i;
    return -1;
}

bool job_action_parse(const char *name, enum job_action *out)
{
    int at = find_name(job_actions, JOB_ACTIONS, name);
    if (at >= 0)
        *out = (enum job_action)at;
    return at >= 0;
}

bool outcome_parse(const char *name, enum outcome *out)
{
    int at = find_name(outcomes, OUTCOMES, name);
    if (at >= 0)
        *out = (enum outcome)at;
    return at >= 0;
}
