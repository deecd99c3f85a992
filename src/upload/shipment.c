/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * shipment - one package, one request: gather what goes, send it, say to each what became of it.
 *
 * A file that cannot go is taken out before the package is made. One that changes under way breaks the request off
 * before its commit record: it is looked at again, the others are ready again.
 */
#include "plan.h"
#include "upload_internal.h"

enum { BODY_PIECE_BYTES = 64 << 10 };

struct shipment {
    struct upload_one *u;
    int folder, root; /* the watched folder whose root is open */
    struct asset *asset;
    struct package_item *item;
    size_t count, reading;
    struct package_source source;
    struct package *package;
    bool is_broken_off; /* by us, for the sake of one asset */
};

static void shipment_init(struct shipment *s, struct upload_one *u, size_t count)
{
    *s = (struct shipment){.u = u, .folder = -1, .root = -1};
    s->asset = mem_array(count, sizeof(*s->asset));
    s->item = mem_array(count, sizeof(*s->item));
}

static void shipment_release(struct shipment *s)
{
    for (size_t i = 0; i < s->count; i++)
        asset_close(&s->asset[i]);
    fd_close(&s->root);
    package_free(s->package);
    mem_freep(&s->asset);
    mem_freep(&s->item);
}

/* --- gather ------------------------------------------------------------------------------------------------------- */

/* Opened anew for each shipment: a root kept longer could be the directory that stood there before. */
static bool open_root(struct shipment *s, const struct profile_folder *f, struct err *e)
{
    const struct fs *fs = s->u->opts.fs;
    int folder = (int)(f - s->u->opts.profile->folder);
    if (s->root >= 0 && s->folder == folder)
        return true;
    fd_close(&s->root);
    s->folder = folder;
    return fs->open_root(fs->arg, f->path, &s->root, e);
}

/* Written to since it was still: a writer may be half-way, so it is looked at again first. A command takes what is there. */
static bool is_as_settled(const struct asset *a, struct err *e)
{
    const struct job *job = a->receipt->job;
    if (job->is_asked || job->seen.ino == 0 || seen_is_same_content(&job->seen, &a->receipt->seen))
        return true;
    err_set(e, ERR_CHANGED, "%s changed while it was waiting", QUOTED(path_name(job->path)));
    return err_cause(e, CAUSE_FILE_CHANGED);
}

static bool open_asset(struct shipment *s, struct asset *a, struct err *e)
{
    const struct profile *p = s->u->opts.profile;
    const struct job *job = a->receipt->job;
    bool is_watched = job->folder >= 0 && (size_t)job->folder < p->folders;
    const struct profile_folder *f = is_watched ? &p->folder[job->folder] : NULL;
    const char *below = f ? path_below(job->path, f->path) : NULL;

    if (below)
        return open_root(s, f, e) && asset_open(a, s->u->opts.fs, s->root, below, e) && is_as_settled(a, e);
    err_set(e, ERR_CHANGED, "%s is in no watched folder", QUOTED(job->path));
    return err_cause(e, CAUSE_FILE_GONE);
}

static const char *title_of(const struct job *job)
{
    return job->title ? job->title : path_name(job->remote);
}

static struct package_item asset_item(const struct asset *a)
{
    const struct job *job = a->receipt->job;
    return (struct package_item){
        .remote = job->remote,
        .title = title_of(job),
        .mime = plan_mime(path_name(job->path)),
        .bytes = a->receipt->bytes,
        .modified_ms = a->receipt->seen.mtime_ns / 1000000,
    };
}

static struct package_item folder_item(const struct shipment *s, const struct job *job)
{
    return (struct package_item){
        .is_folder = true,
        .remote = job->remote,
        .title = title_of(job),
        .is_public = job->is_public,
        .public_property = s->u->opts.profile->tenant.public_property,
    };
}

static bool may_go(const struct shipment *s, const struct package_item *item, struct err *e)
{
    return package_item_check(s->u->opts.profile->tenant.root, item, e);
}

/* What was not known when it was decided: an empty or a huge file is looked at again, and then held with its reason. */
static bool is_held(const struct shipment *s, const struct asset *a, struct err *e)
{
    const struct profile_folder *f = &s->u->opts.profile->folder[a->receipt->job->folder];
    bool is_empty = a->receipt->bytes == 0 && f->holds_empty;

    if (!is_empty && a->receipt->bytes <= DISTRIBUTION_MAX_BYTES)
        return false;
    err_set(e, ERR_CHANGED, is_empty ? "the file is empty" : "larger than the portal's importer can take");
    err_cause(e, is_empty ? CAUSE_ASSET_EMPTY : CAUSE_ASSET_TOO_LARGE);
    return true;
}

/* False: its receipt is settled, it does not go. */
static bool gather_asset(struct shipment *s, struct receipt *r)
{
    struct asset *a = &s->asset[s->count];
    struct package_item *item = &s->item[s->count];
    bool is_unchanged = false;
    struct err e;

    *a = (struct asset){.receipt = r, .fd = -1};
    if (!open_asset(s, a, &e)) {
        asset_close(a);
        receipt_fail(s->u, r, &e);
        return false;
    }
    *item = asset_item(a);
    bool is_good = !is_held(s, a, &e) && may_go(s, item, &e) &&
                   (!asset_may_be_unchanged(a) || asset_fingerprint(a, s->u, &is_unchanged, &e));
    if (is_good && !is_unchanged) {
        asset_rewind(a);
        return true;
    }
    asset_close(a);
    if (is_good)
        receipt_end(s->u, r, OUTCOME_UNCHANGED);
    else
        receipt_fail(s->u, r, &e);
    return false;
}

static bool gather_folder(struct shipment *s, struct receipt *r)
{
    struct err e;
    s->asset[s->count] = (struct asset){.receipt = r, .fd = -1};
    s->item[s->count] = folder_item(s, r->job);
    if (may_go(s, &s->item[s->count], &e))
        return true;
    receipt_fail(s->u, r, &e);
    return false;
}

/* --- the package's source -------------------------------------------------------------------------- */

static bool source_read(void *arg, size_t item, void *data, size_t size, size_t *got, struct err *e)
{
    struct shipment *s = arg;
    s->reading = item;
    return asset_read(&s->asset[item], s->u, data, size, got, e);
}

static bool source_sha1(void *arg, size_t item, char hex[41])
{
    struct shipment *s = arg;
    memcpy(hex, s->asset[item].sha1, 41);
    return true;
}

/* Which assets are not what they were? */
static size_t find_changed(struct shipment *s)
{
    size_t changed = 0;
    for (size_t i = 0; i < s->count; i++)
        changed += !asset_is_same(&s->asset[i], s->u->opts.fs);
    return changed;
}

static bool source_commit(void *arg, struct err *e)
{
    struct shipment *s = arg;
    if (find_changed(s) == 0)
        return true;
    err_set(e, ERR_CHANGED, "a file changed while it was being sent");
    return err_cause(e, CAUSE_FILE_CHANGED);
}

/* --- the request's body ---------------------------------------------------------------------------- */

static bool make_package(struct shipment *s, struct err *e)
{
    s->source = (struct package_source){.read = source_read, .sha1 = source_sha1, .commit = source_commit, .arg = s};
    s->package = package_new(s->u->opts.profile->tenant.root, s->item, s->count, &s->source, e);
    return s->package != NULL;
}

/* Somebody is to blame: who differs by his looks, or else the one that was being read. */
static void blame(struct shipment *s, const struct err *e)
{
    s->is_broken_off = true;
    if (find_changed(s) == 0 && s->asset[s->reading].err.kind == ERR_NONE)
        s->asset[s->reading].err = *e;
}

static bool body_read(void *arg, void *data, size_t size, size_t *got, struct err *e)
{
    struct shipment *s = arg;
    if (!package_read(s->package, data, size, got, e)) {
        blame(s, e);
        return false;
    }
    board_add(s->u, (int64_t)*got);
    return true;
}

static bool body_rewind(void *arg, struct err *e)
{
    struct shipment *s = arg;
    package_free(take(&s->package));
    for (size_t i = 0; i < s->count; i++)
        asset_rewind(&s->asset[i]);
    return make_package(s, e);
}

static bool body_digest(void *arg, char hex[65], struct err *e)
{
    struct shipment *s = arg;
    AUTO(digest_release) struct digest whole = {0};
    AUTO(mem_freep) char *data = mem_alloc(BODY_PIECE_BYTES);
    size_t got = 1;

    digest_init(&whole, "SHA256");
    digest_begin(&whole);
    while (got > 0) {
        if (atomic_load(s->u->cancel))
            return err_set(e, ERR_CANCELLED, "stopping");
        if (!package_read(s->package, data, BODY_PIECE_BYTES, &got, e)) {
            blame(s, e);
            return false;
        }
        digest_add(&whole, data, got);
    }
    digest_end(&whole, hex);
    return body_rewind(s, e);
}

static bool send_package(struct shipment *s, struct transport_answer *answer, struct err *e)
{
    if (!make_package(s, e))
        return false;
    const struct transport_body body = {
        .bytes = package_bytes(s->package), .read = body_read, .rewind = body_rewind, .digest = body_digest, .arg = s};
    board_begin(s->u, s->item[0].remote, s->count, body.bytes);
    return transport_import(s->u->transport, &body, answer, e);
}

/* --- what became of it ----------------------------------------------------------------------------- */

/* It is on the portal; what has changed since then is for the next time. */
static void conclude_sent(struct shipment *s, struct asset *a)
{
    a->receipt->proof = "accepted";
    if (!asset_is_same(a, s->u->opts.fs))
        a->receipt->err = a->err;
    receipt_end(s->u, a->receipt, OUTCOME_PUBLISHED);
}

static void conclude_unsent(struct shipment *s, struct asset *a, const struct err *e)
{
    struct err other;
    if (!s->is_broken_off) {
        receipt_fail(s->u, a->receipt, e);
        return;
    }
    err_set(&other, ERR_CANCELLED, "another file of the package changed while it was being sent");
    receipt_fail(s->u, a->receipt, a->err.kind ? &a->err : &other);
}

static void ship(struct shipment *s, struct result *result)
{
    struct upload_one *u = s->u;
    struct transport_answer answer = {0};
    struct err e = {0};
    int64_t sent_ms = wall_ms(u->opts.clock);

    u->package = MAX(u->package + 10, sent_ms * 10 + u->number);
    bool is_done = send_package(s, &answer, &e);
    result->build_ms = answer.build_ms;
    result->reply_ms = answer.reply_ms;
    for (size_t i = 0; i < s->count; i++) {
        struct receipt *r = s->asset[i].receipt;
        r->sent_ms = sent_ms;
        r->package = u->package;
        receipt_answered(r, &answer);
        if (is_done)
            conclude_sent(s, &s->asset[i]);
        else
            conclude_unsent(s, &s->asset[i], &e);
    }
}

static void gather_and_ship(struct upload_one *u, struct result *result,
                            bool (*gather)(struct shipment *s, struct receipt *r))
{
    AUTO(shipment_release) struct shipment s;
    shipment_init(&s, u, result->count);
    for (size_t i = 0; i < result->count; i++)
        s.count += gather(&s, &result->receipt[i]);
    if (s.count > 0)
        ship(&s, result);
}

void ship_assets(struct upload_one *u, struct result *result)
{
    gather_and_ship(u, result, gather_asset);
}

void ship_folders(struct upload_one *u, struct result *result)
{
    gather_and_ship(u, result, gather_folder);
}
