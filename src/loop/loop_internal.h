/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the files of the loop share: the signal descriptor and the readers that join a mailbox to a loop.
 */
#ifndef BRANDSYNC_LOOP_INTERNAL_H
#define BRANDSYNC_LOOP_INTERNAL_H

#include "loop.h"

bool signals_open(int *fd, struct err *e) MUST_CHECK;
int signals_take(int fd); /* the next signal's number; 0: none */

/* Belongs to the list of a loop and lives as long as that. */
struct mailbox_reader {
    struct mailbox_reader *next;
    struct loop *loop;
    struct mailbox *mailbox;
    void (*handler)(void *arg, void *value);
    void *arg;
};
struct mailbox_reader *mailbox_reader_new(struct mailbox_reader **list, struct loop *l, struct mailbox *m,
                                          void (*handler)(void *arg, void *value), void *arg);
void mailbox_reader_ready(void *reader, uint32_t events);
void mailbox_readers_free(struct mailbox_reader *list);

#endif
