/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * watch - turns the kernel's file events and directory listings into struct event, in its own threads.
 *
 * One watcher thread owns everything of libinotifytools (six calls and three symbol shims, libraries.md 1); two scanners list directories.
 * A directory is watched, then listed, then its events are trusted. New directories found by either are followed by themselves.
 * The watcher never waits for the loop: when the mailbox is full it remembers an overflow and says EVENT_OVERFLOW when there is room.
 * Scanners wait for room. Directories for which `is_ignored` says true are neither watched nor listed. Symbolic links are not followed.
 * Events of directories: EVENT_MADE/EVENT_MOVED_IN with is_dir, followed by listings (is_new_dir) of everything below; a directory that
 * was renamed is told as EVENT_MOVED_OUT of its old path, then EVENT_MOVED_IN with `from`.
 * A root that is gone is EVENT_LOST once; scans wait for it. When it is back (looked for every 5 s and at each watch_scan), or when another
 * directory has taken its place, it is scanned: those that waited end with their numbers, else EVENT_SCANNED comes with number 0.
 * Names that are ignored are neither listed nor told; a rename from one is EVENT_MOVED_IN without `from`, to one EVENT_MOVED_OUT.
 * The agent never writes into a watched tree.
 */
#ifndef BRANDSYNC_WATCH_H
#define BRANDSYNC_WATCH_H

#include "base.h"
#include "loop.h"
#include "types.h"

struct watch;

struct watch_folder {
    const char *path;
    bool is_polled; /* no events: scanned every poll_every_ms */
    int64_t poll_every_ms;
};
struct watch_opts {
    const struct watch_folder *folder;
    size_t folders;
    struct mailbox *out; /* struct event */
    /* Called in the watch threads: must be pure. Absolute path. */
    bool (*is_ignored)(void *arg, int folder, const char *path, bool is_dir);
    void *arg;
};

/* Must be called before many descriptors are open: the library's descriptor must be below 1,024. Copies what it needs.
 * Starts by scanning every folder (scan number 1). */
struct watch *watch_start(const struct watch_opts *opts, struct err *e) MUST_CHECK;
/* Ends the threads and closes the library. */
void watch_stop(struct watch *w);

/* All from the loop's thread, none waits. Each scan ends with EVENT_SCANNED carrying its number; EVENT_LOST of a
 * directory in it may come before or after. */
uint64_t watch_scan(struct watch *w, int folder, const char *path);
/* answered by EVENT_LOOKED; `err` is set when nothing could be learnt */
void watch_look(struct watch *w, int folder, const char *path);

/* For status and the watchdog. */
struct watch_stats {
    uint64_t directories; /* watched now */
    uint64_t refused;     /* not watched for want of watches */
    uint64_t events, overflows;
    int64_t turned_mono_ms; /* when the watcher thread last went round; it does at least every 10 s */
};
void watch_stats(struct watch *w, struct watch_stats *out);

#endif
