/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * change - the table of paths: folds events into entries, looks, and says what is settled.
 */
#include "change_internal.h"

struct change_table *change_table_new(void)
{
    return mem_alloc(sizeof(struct change_table));
}

static void entry_free(struct entry *entry)
{
    free(entry->from);
    free(entry);
}

void change_table_free(struct change_table *t)
{
    if (!t)
        return;
    heap_release(&t->due); /* heaps before their nodes */
    heap_release(&t->young_due);
    struct young *young;
    for (size_t at = 0; (young = map_next(&t->youngs, &at));)
        young_free(young);
    struct entry *entry;
    for (size_t at = 0; (entry = map_next(&t->entries, &at));)
        entry_free(entry);
    map_release(&t->entries);
    map_release(&t->youngs);
    free(t);
}

/* --- time ------------------------------------------------------------------------------------------- */

enum { JITTER_MS = 1000, LOOK_AGAIN_MS = 5000, PROBE_MS = 500 };

static void heap_shift(struct heap *h, int64_t back_ms)
{
    for (size_t i = 0; i < h->count; i++)
        h->node[i]->key -= back_ms; /* all alike: their order stays */
}

/* The clock went back: what would wait for the old time to come again waits as long as it had to. */
static void shift(struct change_table *t, int64_t back_ms)
{
    struct entry *entry;
    for (size_t at = 0; (entry = map_next(&t->entries, &at));) {
        entry->first_ms -= back_ms;
        entry->quiet_ms -= back_ms;
    }
    struct young *young;
    for (size_t at = 0; (young = map_next(&t->youngs, &at));) {
        young->quiet_ms -= back_ms;
        heap_shift(&young->held, back_ms);
    }
    heap_shift(&t->due, back_ms);
    heap_shift(&t->young_due, back_ms);
}

static void tell_time(struct change_table *t, int64_t now_ms)
{
    if (now_ms < t->now_ms - JITTER_MS) {
        shift(t, t->now_ms - now_ms);
        t->now_ms = now_ms;
    }
    t->now_ms = MAX(t->now_ms, now_ms);
}

/* The later of mtime and ctime, rounded down as events are. */
static int64_t stamp_ms(const struct seen *seen)
{
    return MAX(seen->mtime_ns, seen->ctime_ns) / 1000000;
}

static int64_t due_ms(const struct entry *entry)
{
    if (!change_trait[entry->state].waits_unseen)
        return entry->quiet_ms + entry->rules.settle_ms;
    /* A stamp in the future would wait for ever: since we know it, it is as old as our knowledge. */
    int64_t since_ms = entry->has_seen ? MIN(stamp_ms(&entry->seen), entry->quiet_ms) : entry->quiet_ms;
    int64_t old_ms = since_ms + entry->rules.settle_unseen_ms;
    /* Once still it is looked at: a look that knows of no writer is as good as a closing. */
    return entry->is_probed ? old_ms : MIN(old_ms, entry->quiet_ms + MAX(entry->rules.settle_ms, PROBE_MS));
}

/* --- new directories ---------------------------------------------------------------------------------- */

void change_new_dir(struct change_table *t, int folder UNUSED, const char *path, const struct change_rules *rules,
                    int64_t now_ms)
{
    tell_time(t, now_ms);
    struct young *young = young_above(t, path);
    if (!young)
        young = map_get(&t->youngs, path);
    if (!young) {
        size_t size = strlen(path) + 1;
        young = mem_alloc(sizeof(*young) + size);
        memcpy(young->path, path, size);
        map_put(&t->youngs, young->path, young);
    }
    young->settle_ms = rules->settle_ms;
    young_stir(t, young, t->now_ms);
}

/* --- entries ---------------------------------------------------------------------------------------- */

static struct entry *entry_new(struct change_table *t, int folder, const char *path, int64_t now_ms)
{
    size_t size = strlen(path) + 1;
    struct entry *entry = mem_alloc(sizeof(*entry) + size);
    memcpy(entry->path, path, size);
    entry->folder = folder;
    entry->first_ms = entry->quiet_ms = now_ms;
    map_put(&t->entries, entry->path, entry);
    return entry;
}

static void entry_drop(struct change_table *t, struct entry *entry)
{
    entry_unplace(t, entry);
    map_remove(&t->entries, entry->path);
    entry_free(entry);
}

/* Moves the entry of `path` on; it is made when there is none and dropped (NULL) when nothing is left to say. */
static struct entry *fold(struct change_table *t, int folder, const char *path, enum input input,
                          const struct change_rules *rules)
{
    struct entry *entry = map_get(&t->entries, path);
    enum state state = change_next_state[input][entry ? entry->state : NONE];
    if (!entry && state != NONE)
        entry = entry_new(t, folder, path, t->now_ms);
    if (!entry)
        return NULL;
    if (state == NONE) {
        entry_drop(t, entry);
        return NULL;
    }
    entry_unplace(t, entry);
    entry->state = state;
    entry->folder = folder;
    entry->rules = *rules;
    entry->young = young_above(t, path);
    if (entry->young && change_trait[state].is_open)
        entry->young->open++;
    young_stir(t, entry->young, t->now_ms);
    return entry;
}

/* Nobody carries the news any more that `from` was left: it must be told by itself. Takes `from`. */
static void leave(struct change_table *t, int folder, char *from, const struct change_rules *rules)
{
    AUTO(mem_freep) char *path = from;
    if (!path || map_get(&t->entries, path))
        return;
    struct entry *entry = fold(t, folder, path, IN_LEFT, rules);
    entry_place(t, entry, due_ms(entry));
}

static void fold_event(struct change_table *t, int folder, const char *path, enum input input,
                       const struct change_rules *rules, int64_t at_ms)
{
    struct entry *entry = map_get(&t->entries, path);
    AUTO(mem_freep) char *from = NULL;
    if (entry && (input == IN_REMOVED || input == IN_MOVED))
        from = take(&entry->from);
    entry = fold(t, folder, path, input, rules);
    if (entry) {
        entry->quiet_ms = at_ms;
        entry->has_seen = entry->is_probed = false;
        entry_place(t, entry, due_ms(entry));
    }
    leave(t, folder, take(&from), rules);
}

/* What was on its way under the old name goes on under the new one. Returns where the published one was. */
static char *move_away(struct change_table *t, const char *old, const struct change_rules *rules, int64_t *first_ms)
{
    struct entry *entry = map_get(&t->entries, old);
    if (!entry)
        return str_copy(old);
    *first_ms = MIN(*first_ms, entry->first_ms);
    char *from = take(&entry->from);
    if (change_trait[entry->state].is_born) {
        entry_drop(t, entry);
        return from; /* a temporary name: nobody knew it */
    }
    if (!from) {
        from = str_copy(old);
        entry_drop(t, entry);
        return from;
    }
    /* Came here by a move itself, over something that may be published. */
    entry = fold(t, entry->folder, old, IN_LEFT, rules);
    entry->quiet_ms = t->now_ms;
    entry_place(t, entry, due_ms(entry));
    return from;
}

static void fold_move(struct change_table *t, const struct event *ev, const struct change_rules *rules, int64_t at_ms)
{
    int64_t first_ms = at_ms;
    AUTO(mem_freep) char *from = move_away(t, ev->from, rules, &first_ms);
    fold_event(t, ev->folder, ev->path, IN_MOVED, rules, at_ms);
    struct entry *entry = map_get(&t->entries, ev->path);
    entry->first_ms = MIN(entry->first_ms, first_ms);
    if (from && !str_eq(from, ev->path))
        entry->from = take(&from);
}

/* --- looks ------------------------------------------------------------------------------------------ */

/* Notes what was seen; anything newer than we know starts the wait anew: false then. */
static bool observe(struct change_table *t, struct entry *entry, const struct seen *seen)
{
    bool differs = entry->has_seen ? !seen_equal(&entry->seen, seen) : stamp_ms(seen) > entry->quiet_ms;
    if (differs)
        entry->quiet_ms = t->now_ms;
    entry->seen = *seen;
    entry->has_seen = true;
    return !differs;
}

static void count_as_closed(struct change_table *t, struct entry *entry)
{
    if (entry->young && change_trait[entry->state].is_open) {
        entry->young->open--;
        young_wait(t, entry->young);
    }
    entry->state = change_next_state[IN_STILL][entry->state];
}

/* It has just been looked at: it goes, or waits on. */
static void judge(struct change_table *t, struct entry *entry)
{
    int64_t due = due_ms(entry);
    if (due > t->now_ms) {
        entry_place(t, entry, due);
        return;
    }
    if (!entry->young) {
        entry->is_settled = true;
        entry_place(t, entry, t->now_ms);
        return;
    }
    /* It is looked at again when its new directory is still. */
    count_as_closed(t, entry);
    entry_place(t, entry, t->now_ms);
}

/* `is_closed`: nobody on this machine has it open for writing. Without that the wait is the long one. */
static void probe(struct change_table *t, struct entry *entry, const struct seen *seen, bool is_closed)
{
    bool is_still = observe(t, entry, seen);
    entry->is_probed = !is_closed;
    if (is_closed && is_still && change_trait[entry->state].waits_unseen)
        count_as_closed(t, entry);
    judge(t, entry);
}

static void looked(struct change_table *t, const struct event *ev, const struct change_rules *rules)
{
    struct entry *entry = map_get(&t->entries, ev->path);
    if (!entry || !entry->is_looking)
        return;                     /* an event came meanwhile: it will be looked at again */
    if (ev->err.kind != ERR_NONE) { /* nothing was learnt */
        entry->is_looking = false;
        entry_place(t, entry, t->now_ms + MAX(rules->settle_ms, LOOK_AGAIN_MS));
        return;
    }
    if (ev->exists && ev->is_regular) {
        probe(t, fold(t, ev->folder, ev->path, IN_FOUND, rules), &ev->seen, ev->is_closed);
        return;
    }
    bool was_gone = change_trait[entry->state].is_gone;
    fold_event(t, ev->folder, ev->path, IN_REMOVED, rules, t->now_ms);
    if (!was_gone)
        return; /* the event that says so is still on its way, and may be a move */
    entry = map_get(&t->entries, ev->path);
    entry->is_settled = true;
    entry_place(t, entry, t->now_ms);
}

/* --- the public calls ------------------------------------------------------------------------------- */

void change_event(struct change_table *t, const struct event *ev, const struct change_rules *rules, int64_t now_ms)
{
    tell_time(t, now_ms);
    if (ev->is_dir)
        young_stir(t, young_above(t, ev->path), t->now_ms);
    else if (ev->kind == EVENT_LOOKED)
        looked(t, ev, rules);
    else if (change_meaning[ev->kind].is_told) {
        /* When it was read is nearer to the truth than now, unless the clock was set meanwhile. */
        int64_t at_ms = ev->at_ms > 0 ? MIN(ev->at_ms, t->now_ms) : t->now_ms;
        if (ev->kind == EVENT_MOVED_IN && ev->from)
            fold_move(t, ev, rules, at_ms);
        else
            fold_event(t, ev->folder, ev->path, change_meaning[ev->kind].input, rules, at_ms);
    }
}

void change_found(struct change_table *t, int folder, const char *path, const struct seen *seen,
                  const struct change_rules *rules, int64_t now_ms)
{
    tell_time(t, now_ms);
    struct entry *entry = fold(t, folder, path, IN_FOUND, rules);
    observe(t, entry, seen);
    judge(t, entry);
}

static bool needs_look(const struct entry *entry)
{
    return !entry->is_settled && (entry->rules.settle_ms > 0 || !change_trait[entry->state].has_evidence);
}

static void fill(const struct entry *entry, int64_t now_ms, struct change *out)
{
    *out = (struct change){
        .kind = change_trait[entry->state].is_gone ? CHANGE_GONE
                : entry->from                      ? CHANGE_MOVED
                                                   : CHANGE_PUT,
        .folder = entry->folder,
        .path = str_copy(entry->path),
        .from = str_copy(entry->from),
        .has_seen = entry->has_seen,
        .seen = entry->seen,
        .seen_ms = entry->first_ms,
        .settled_ms = now_ms,
    };
}

enum change_step change_next(struct change_table *t, int64_t now_ms, struct change *out)
{
    tell_time(t, now_ms);
    *out = (struct change){0};
    struct heap_node *node;
    while ((node = heap_first(&t->young_due)) && node->key <= t->now_ms)
        young_release(t, container_of(node, struct young, node));
    node = heap_first(&t->due);
    if (!node || node->key > t->now_ms)
        return CHANGE_NOTHING;
    struct entry *entry = container_of(node, struct entry, node);
    fill(entry, now_ms, out);
    if (needs_look(entry)) {
        heap_remove(&t->due, node);
        entry->is_looking = true;
        return CHANGE_LOOK;
    }
    entry_drop(t, entry);
    return CHANGE_READY;
}

int64_t change_due_ms(const struct change_table *t)
{
    const struct heap_node *entry = heap_first(&t->due), *young = heap_first(&t->young_due);
    int64_t due = entry ? entry->key : INT64_MAX;
    return young ? MIN(due, young->key) : due;
}

bool change_info(const struct change_table *t, const char *path, struct change_info *out)
{
    const struct entry *entry = map_get(&t->entries, path);
    *out = (struct change_info){0};
    if (!entry)
        return false;
    int64_t due = due_ms(entry);
    if (entry->young)
        due = MAX(due, entry->young->quiet_ms + entry->young->settle_ms);
    *out = (struct change_info){
        .is_settling = true,
        .is_open = change_trait[entry->state].is_open,
        .last_event_ms = entry->quiet_ms,
        .due_ms = due,
    };
    return true;
}

size_t change_count(const struct change_table *t, int folder)
{
    if (folder < 0)
        return t->entries.count;
    size_t count = 0;
    const struct entry *entry;
    for (size_t at = 0; (entry = map_next(&t->entries, &at));)
        count += entry->folder == folder;
    return count;
}

void change_forget(struct change_table *t, const char *path)
{
    struct entry *entry = map_get(&t->entries, path);
    if (entry)
        entry_drop(t, entry);
}
