/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* status - the verdict, its sentence, the cards of trouble, and the figures below them (product.md 5, ux.md 0 and 2.1). */
#include "agent_internal.h"

#include <inttypes.h>
#include <unistd.h>

/* --- the figures everything is said from ------------------------------------------------------------------------ */

struct tally {
    int64_t left,
        fresh; /* assets that move by themselves; those among them, and held ones, that were never published */
};

struct figures {
    struct tally all, *folder; /* one per profile folder */
    size_t folders;
    struct queue_counts queue;
    struct file_counts files;
    size_t settling;
    int64_t left; /* moves by itself: assets ready, sending, waiting, settling */
    int halted, scanning;
    int64_t now_ms;
};

static bool count_job(void *arg, const struct job *job)
{
    struct figures *f = arg;
    bool is_left = job->action != ACTION_FOLDER && job->state != JOB_HELD && job->state != JOB_FAILED;
    bool is_fresh = job->action == ACTION_PUBLISH && job->last_bytes < 0;
    struct tally *tallies[] = {&f->all,
                               job->folder >= 0 && (size_t)job->folder < f->folders ? &f->folder[job->folder] : NULL};

    for (size_t i = 0; i < ARRAY_LEN(tallies) && tallies[i]; i++) {
        tallies[i]->left += is_left;
        tallies[i]->fresh += is_fresh;
    }
    return true;
}

static void figures_release(struct figures *f)
{
    free(take(&f->folder));
}

static struct figures figures_of(struct agent *a)
{
    struct figures f = {.now_ms = agent_now(a)};

    queue_counts(a->queue, -1, &f.queue);
    ledger_count_files(a->ledger, "", &f.files);
    f.queue.held += collide_count(a, "/");
    f.settling = a->changes ? change_count(a->changes, -1) : 0;
    f.folders = a->profile->folders;
    f.folder = mem_array(f.folders, sizeof(*f.folder));
    queue_each(a->queue, count_job, &f);
    f.left = f.all.left + (int64_t)f.settling;
    for (size_t i = 0; a->live && i < a->profile->folders; i++) {
        f.halted += a->live[i].is_halted;
        f.scanning += a->live[i].scan != 0 && a->live[i].is_first;
    }
    return f;
}

/* "3 assets", "1 asset", "21,377 assets" */
static char *assets(char *out, size_t size, int64_t n)
{
    char digits[32], grouped[48];
    int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
    size_t at = 0;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            grouped[at++] = ',';
        grouped[at++] = digits[i];
    }
    grouped[at] = '\0';
    snprintf(out, size, "%s asset%s", grouped, n == 1 ? "" : "s");
    return out;
}
#define ASSETS(n) assets((char[64]){0}, 64, (n))

static char *clock_time(char *out, size_t size, int64_t ms)
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;

    localtime_r(&s, &tm);
    strftime(out, size, "%H:%M:%S", &tm);
    return out;
}
#define CLOCK(ms) clock_time((char[16]){0}, 16, (ms))

/* --- cards: what, why, fix, safe ------------------------------------------------------------------------------------ */

static void add_card(json_t *cards, const char *what, const struct err *why, const char *safe)
{
    const struct cause_info *cause = cause_info(why->cause);
    AUTO(mem_freep) char *reason = cause->name[0] ? str_printf("%s (%s)", why->text, cause->name) : str_copy(why->text);

    json_array_append_new(cards,
                          json_pack("{s:o, s:o, s:s, s:s}", "what", show_text(what), "why", show_text(reason), "fix",
                                    cause->fix[0] ? cause->fix : "nothing to do; goes on by itself", "safe", safe));
}

static void tenant_card(struct agent *a, const struct figures *f, json_t *cards)
{
    if (a->tenant.state == TENANT_OK)
        return;
    AUTO(mem_freep)
    char *what = str_printf("publishing stopped %s: %s", CLOCK(a->tenant.since_ms),
                            cause_info(a->tenant.why.cause)->what);
    AUTO(mem_freep)
    char *safe = str_printf("%s wait in order, none lost; tried again %s", ASSETS(f->left), CLOCK(a->tenant.until_ms));
    add_card(cards, what, &a->tenant.why, safe);
}

static void folder_cards(struct agent *a, json_t *cards)
{
    for (size_t i = 0; a->live && i < a->profile->folders; i++) {
        if (!a->live[i].is_halted)
            continue;
        AUTO(mem_freep) char *what = str_printf("folder %s halted", a->profile->folder[i].to);
        add_card(cards, what, &a->live[i].why,
                 "everything published stays on the portal; missing is never taken as deleted");
    }
}

static bool item_card(void *cards, const struct job *job)
{
    if (job->why.kind == ERR_NONE)
        return true;
    AUTO(mem_freep)
    char *what = str_printf("%s: %s", job_state_name(job->state), QUOTED(job->path[0] ? job->path : job->remote));
    AUTO(mem_freep)
    char *safe = job->state == JOB_HELD ? str_copy("everything else goes on")
                                        : str_printf("tried again %s; everything else goes on", CLOCK(job->due_ms));
    add_card(cards, what, &job->why, safe);
    return json_array_size(cards) < 5;
}

static void fill_trouble(struct agent *a, const struct figures *f, json_t *reply)
{
    json_t *cards = json_array();

    tenant_card(a, f, cards);
    if (a->disk.kind != ERR_NONE)
        add_card(cards, "the ledger cannot be written; publishing paused", &a->disk,
                 "nothing is lost; what is on the disk is looked at again");
    folder_cards(a, cards);
    if (f->queue.waiting + f->queue.held + f->queue.failed > 0)
        queue_each(a->queue, item_card, cards);
    json_object_set_new(reply, "trouble", cards);
}

/* --- the verdict: the worst part decides -------------------------------------------------------------------------------- */

static const char *say_attention(struct agent *a, const struct figures *f, char *s, size_t size)
{
    const char *name = a->profile->name;

    if (!a->loop)
        snprintf(s, size, "%s: the agent is not running; the figures below come from its ledger", name);
    else if (a->disk.kind != ERR_NONE)
        snprintf(s, size, "%s: the ledger cannot be written: %s", name, a->disk.text);
    else if (a->tenant.state == TENANT_ATTENTION)
        snprintf(s, size, "%s: publishing stopped: %s", name, cause_info(a->tenant.why.cause)->what);
    else if (f->halted > 0)
        snprintf(s, size, "%s: %d folder%s halted; nothing is unpublished", name, f->halted, f->halted == 1 ? "" : "s");
    else if (f->queue.held + f->queue.failed > 0)
        snprintf(s, size, "%s: %s held or failed; everything else goes on", name,
                 ASSETS((int64_t)(f->queue.held + f->queue.failed)));
    else
        return NULL;
    return "attention";
}

static const char *say_waiting(struct agent *a, const struct figures *f, char *s, size_t size)
{
    const char *name = a->profile->name;

    if (a->tenant.state == TENANT_WAITING)
        snprintf(s, size, "%s: %s; %s wait, next try %s", name, cause_info(a->tenant.why.cause)->what, ASSETS(f->left),
                 CLOCK(a->tenant.until_ms));
    else if (f->queue.waiting > 0 && f->queue.ready + f->queue.sending + f->settling == 0)
        snprintf(s, size, "%s: %s wait to be tried again", name, ASSETS((int64_t)f->queue.waiting));
    else
        return NULL;
    return "waiting";
}

static const char *say_working(struct agent *a, const struct figures *f, char *s, size_t size)
{
    const char *name = a->profile->name;
    int64_t done_ms = pace_done_by_ms(&a->pace, f->left, f->now_ms);

    if (f->left > 0 && done_ms > 0)
        snprintf(s, size, "%s: %s left (%s), done by %s", name, ASSETS(f->left), BYTES(f->queue.bytes), CLOCK(done_ms));
    else if (f->left > 0)
        snprintf(s, size, "%s: %s left (%s)", name, ASSETS(f->left), BYTES(f->queue.bytes));
    else if (f->scanning > 0)
        snprintf(s, size, "%s: looking through the watched folders for the first time", name);
    else
        return NULL;
    return "working";
}

static const char *say_ok(struct agent *a, const struct figures *f, char *s, size_t size)
{
    const char *name = a->profile->name;
    int64_t last_ms = ledger_last_publish_ms(a->ledger);

    if (f->files.published == 0)
        snprintf(s, size, "%s: no assets yet. Drop a file into %s to publish it.", name,
                 SHELL(a->profile->folder[0].path));
    else if (last_ms > 0)
        snprintf(s, size, "%s: everything is on the portal (%s); last publish %s ago", name, ASSETS(f->files.published),
                 SPAN(f->now_ms - last_ms));
    else
        snprintf(s, size, "%s: everything is on the portal (%s)", name, ASSETS(f->files.published));
    return "ok";
}

static const char *verdict_of(struct agent *a, const struct figures *f, char *s, size_t size)
{
    static const char *(*const says[])(struct agent *, const struct figures *, char *,
                                       size_t) = {say_attention, say_waiting, say_working, say_ok};
    const char *verdict = NULL;

    for (size_t i = 0; i < ARRAY_LEN(says) && !verdict; i++)
        verdict = says[i](a, f, s, size);
    return verdict;
}

const char *status_verdict(struct agent *a, char *sentence, size_t size)
{
    AUTO(figures_release) struct figures f = figures_of(a);
    return verdict_of(a, &f, sentence, size);
}

/* --- the parts ------------------------------------------------------------------------------------------------------------- */

static json_t *agent_part(const struct agent *a)
{
    bool running = a->loop != NULL;
    return json_pack("{s:b, s:o, s:s, s:o}", "running", running, "pid", running ? json_integer(getpid()) : json_null(),
                     "version", BRANDSYNC_VERSION, "since", show_time(a->started_ms));
}

static json_t *tenant_part(const struct agent *a)
{
    const struct tenant *t = &a->tenant;
    const char *cause = cause_info(t->why.cause)->name;
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "url", a->profile->tenant.url, "transport",
                     transport_kind_name(a->profile->tenant.transport), "state", tenant_state_name(t->state), "cause",
                     cause[0] ? json_string(cause) : json_null(), "until",
                     show_time(t->state == TENANT_OK ? 0 : t->until_ms));
}

static json_t *queue_part(const struct figures *f)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "ready", (json_int_t)f->queue.ready, "sending",
                     (json_int_t)f->queue.sending, "waiting", (json_int_t)f->queue.waiting + (json_int_t)f->settling,
                     "scheduled", (json_int_t)f->queue.scheduled, "held", (json_int_t)f->queue.held, "failed",
                     (json_int_t)f->queue.failed);
}

static json_t *uploader_part(struct agent *a, const struct figures *f, int id)
{
    struct board b;
    const char *reason = "";

    uploader_board(a->uploaders, id, &b);
    bool is_idle = b.state == UPLOADER_IDLE;
    if (is_idle && a->tenant.state != TENANT_OK && f->left > 0) {
        b.state = UPLOADER_BLOCKED;
        reason = a->tenant.why.text;
    } else if (is_idle) {
        reason = "nothing ready";
    }
    json_t *o = json_pack("{s:i, s:s, s:o, s:I, s:I, s:I, s:I, s:o}", "id", id, "state", uploader_state_name(b.state),
                          "reason", show_text(reason), "assets", (json_int_t)b.assets, "bytes_done",
                          (json_int_t)b.bytes_done, "bytes_total", (json_int_t)b.bytes_total, "rate",
                          (json_int_t)b.rate, "since", show_time(b.since_ms));
    if (b.asset[0])
        control_set_path(o, "asset", b.asset);
    else
        json_object_set_new(o, "asset", json_null());
    return o;
}

static const char *folder_state(const struct agent *a, size_t i)
{
    if (!a->live || a->live[i].is_halted)
        return "halted";
    if (a->live[i].scan != 0)
        return "scanning";
    return a->profile->folder[i].watch == WATCH_POLL ? "polling" : "watching";
}

static const char *folder_reason(const struct agent *a, size_t i)
{
    if (!a->live)
        return "the agent is not running";
    return a->live[i].is_halted ? a->live[i].why.text : "";
}

static json_t *folder_part(struct agent *a, const struct figures *figures, size_t i)
{
    const struct profile_folder *f = &a->profile->folder[i];
    struct queue_counts q;
    struct file_counts files;
    json_t *o = json_object();

    queue_counts(a->queue, (int)i, &q);
    ledger_count_files(a->ledger, f->path, &files);
    int64_t left = figures->folder[i].left + (a->changes ? (int64_t)change_count(a->changes, (int)i) : 0);
    control_set_path(o, "path", f->path);
    control_set_path(o, "to", f->to);
    json_object_set_new(o, "state", json_string(folder_state(a, i)));
    json_object_set_new(o, "reason", show_text(folder_reason(a, i)));
    json_object_set_new(o, "assets", json_integer(files.files + figures->folder[i].fresh));
    json_object_set_new(o, "published", json_integer(files.published));
    json_object_set_new(o, "left", json_integer(left));
    json_object_set_new(o, "held", json_integer((json_int_t)q.held + (json_int_t)collide_count(a, f->path)));
    json_object_set_new(o, "public", json_boolean(f->is_public));
    return o;
}

static json_t *token_part(struct agent *a)
{
    struct token_status t = {.state = TOKEN_NONE};

    if (a->tokens)
        token_status(a->tokens, &t);
    return json_pack("{s:s, s:o}", "state", token_state_name(t.state), "expires_at", show_time(t.expires_ms));
}

void status_fill(struct agent *a, json_t *reply)
{
    AUTO(figures_release) struct figures f = figures_of(a);
    const struct profile_identity *id = &a->profile->identity;
    char sentence[240];
    json_t *uploaders = json_array(), *folders = json_array();

    const char *verdict = verdict_of(a, &f, sentence, sizeof(sentence));
    for (int i = 1; a->uploaders && i <= uploaders_count(a->uploaders); i++)
        json_array_append_new(uploaders, uploader_part(a, &f, i));
    for (size_t i = 0; i < a->profile->folders; i++)
        json_array_append_new(folders, folder_part(a, &f, i));
    int64_t certificate_ms = id->mode == IDENTITY_JWT && id->certificate_file
                                 ? certificate_expires_ms(id->certificate_file)
                                 : 0;

    json_object_set_new(reply, "verdict", json_string(verdict));
    json_object_set_new(reply, "sentence", show_text(sentence));
    json_object_set_new(reply, "profile", json_string(a->profile->name));
    json_object_set_new(reply, "title", json_string(a->profile->title));
    json_object_set_new(reply, "agent", agent_part(a));
    json_object_set_new(reply, "tenant", tenant_part(a));
    json_object_set_new(reply, "queue", queue_part(&f));
    json_object_set_new(reply, "uploaders", uploaders);
    json_object_set_new(reply, "folders", folders);
    json_object_set_new(reply, "window", json_pack("{s:b, s:n, s:n}", "open", 1, "closes_at", "opens_at"));
    json_object_set_new(reply, "token", token_part(a));
    json_object_set_new(reply, "certificate", json_pack("{s:o}", "expires_at", show_time(certificate_ms)));
    json_object_set_new(reply, "last_publish", show_time(ledger_last_publish_ms(a->ledger)));
    json_object_set_new(reply, "oldest_ready", show_time(f.queue.oldest_ready_ms));
    json_object_set_new(reply, "self_test", json_null());
    json_object_set_new(reply, "done_by", show_time(pace_done_by_ms(&a->pace, f.left, f.now_ms)));
    fill_trouble(a, &f, reply);
}
