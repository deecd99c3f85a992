/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * change - the folding table: what an event makes of a path, and what each state waits for.
 */
#include "change_internal.h"

/* clang-format off */
const enum state change_next_state[INPUTS][STATES] = {
    /*                NONE    BORN  SHUT  OPEN    CLOSED  FOUND   GONE    LEFT */
    [IN_MADE]    = { BORN,   BORN, BORN, OPEN,   OPEN,   OPEN,   OPEN,   OPEN   },
    [IN_WRITTEN] = { CLOSED, SHUT, SHUT, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED },
    [IN_MOVED]   = { CLOSED, SHUT, SHUT, CLOSED, CLOSED, CLOSED, CLOSED, CLOSED },
    [IN_FOUND]   = { FOUND,  BORN, SHUT, OPEN,   CLOSED, FOUND,  FOUND,  FOUND  },
    [IN_STILL]   = { NONE,   SHUT, SHUT, CLOSED, CLOSED, CLOSED, GONE,   LEFT   },
    [IN_REMOVED] = { GONE,   NONE, NONE, GONE,   GONE,   GONE,   GONE,   GONE   },
    [IN_LEFT]    = { LEFT,   NONE, NONE, LEFT,   LEFT,   LEFT,   LEFT,   LEFT   },
};

const struct trait change_trait[STATES] = {
    [BORN]   = { .is_open = true, .is_born = true, .waits_unseen = true },
    [SHUT]   = { .is_born = true, .has_evidence = true },
    [OPEN]   = { .is_open = true, .waits_unseen = true },
    [CLOSED] = { .has_evidence = true },
    [FOUND]  = { .waits_unseen = true },
    [GONE]   = { .is_gone = true, .has_evidence = true },
    [LEFT]   = { .is_gone = true },
};

const struct meaning change_meaning[EVENT_KINDS] = {
    [EVENT_MADE]      = { IN_MADE, true },
    [EVENT_WRITTEN]   = { IN_WRITTEN, true },
    [EVENT_MOVED_IN]  = { IN_MOVED, true },
    [EVENT_REMOVED]   = { IN_REMOVED, true },
    [EVENT_MOVED_OUT] = { IN_REMOVED, true },
};
/* clang-format on */
