/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* asset - one file on its way: opened once, read from that descriptor, looked at again by that descriptor. */
#include "upload_internal.h"

enum { FINGERPRINT_BYTES = 128 << 10 };

bool asset_open(struct asset *a, const struct fs *fs, int root, const char *below, struct err *e)
{
    if (!fs->open_file(fs->arg, root, below, &a->fd, &a->receipt->seen, e))
        return false;
    a->receipt->bytes = a->receipt->seen.bytes;
    return true;
}

void asset_close(struct asset *a)
{
    fd_close(&a->fd);
}

static bool is_small(const struct asset *a)
{
    return a->receipt->bytes <= PACKAGE_SMALL_BYTES;
}

static void begin_digests(struct asset *a, struct upload_one *u)
{
    digest_begin(&u->sha256);
    if (is_small(a))
        digest_begin(&u->sha1);
}

static void end_digests(struct asset *a, struct upload_one *u)
{
    digest_end(&u->sha256, a->receipt->sha256);
    if (is_small(a))
        digest_end(&u->sha1, a->sha1);
}

bool asset_read(struct asset *a, struct upload_one *u, void *data, size_t size, size_t *got, struct err *e)
{
    const struct fs *fs = u->opts.fs;
    *got = 0;
    if (a->offset == 0)
        begin_digests(a, u);
    if (!a->is_at_end && !fs->read_at(fs->arg, a->fd, a->offset, data, size, got, e)) {
        a->err = *e;
        return false;
    }
    a->offset += (int64_t)*got;
    a->is_at_end = *got < size; /* of a regular file there is then no more */
    if (*got == 0) {
        end_digests(a, u);
        return true;
    }
    digest_add(&u->sha256, data, *got);
    if (is_small(a))
        digest_add(&u->sha1, data, *got);
    return true;
}

void asset_rewind(struct asset *a)
{
    a->offset = 0;
    a->is_at_end = false;
    a->receipt->sha256[0] = '\0';
}

static bool changed(struct asset *a)
{
    err_set(&a->err, ERR_CHANGED, "%s changed while it was being sent", QUOTED(path_name(a->receipt->job->path)));
    return err_cause(&a->err, CAUSE_FILE_CHANGED);
}

/* A writer by memory map moves no time stamp: where the content was read twice, it is compared as well. */
static bool is_as_fingerprinted(const struct asset *a)
{
    return !a->fingerprint[0] || !a->receipt->sha256[0] || str_eq(a->fingerprint, a->receipt->sha256);
}

bool asset_is_same(struct asset *a, const struct fs *fs)
{
    struct seen now;
    if (a->fd < 0)
        return true;
    if (!fs->look(fs->arg, a->fd, &now, &a->err))
        return false;
    return (seen_equal(&now, &a->receipt->seen) && is_as_fingerprinted(a)) || changed(a);
}

bool asset_may_be_unchanged(const struct asset *a)
{
    const struct job *job = a->receipt->job;
    return !job->is_asked && job->last_sha256[0] && job->last_bytes == a->receipt->bytes;
}

bool asset_fingerprint(struct asset *a, struct upload_one *u, bool *is_unchanged, struct err *e)
{
    AUTO(mem_freep) char *data = mem_alloc(FINGERPRINT_BYTES);
    size_t got = 1;

    while (got > 0) {
        if (atomic_load(u->cancel))
            return err_set(e, ERR_CANCELLED, "stopping");
        if (!asset_read(a, u, data, FINGERPRINT_BYTES, &got, e))
            return false;
    }
    if (!asset_is_same(a, u->opts.fs)) {
        *e = a->err;
        return false;
    }
    memcpy(a->fingerprint, a->receipt->sha256, sizeof(a->fingerprint));
    *is_unchanged = str_eq(a->fingerprint, a->receipt->job->last_sha256);
    return true;
}
