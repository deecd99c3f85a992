/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Mailboxes: a ring of pointers under one mutex. An eventfd is raised while the ring is not empty (and for ever once it
 * is closed), written only at that turn, so a busy sender pays no system call.
 */
#include "loop_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { VALUES_PER_TURN = 256 };

struct mailbox {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t has_value, has_room;
    void **ring;
    size_t capacity, first, count;
    bool is_closed;
    int flag;
};

struct mailbox *mailbox_new(size_t capacity, struct err *e)
{
    BUG_ON(capacity == 0);
    int flag = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (flag < 0) {
        err_sys(e, errno, "cannot make an event descriptor");
        return NULL;
    }
    struct mailbox *m = mem_alloc(sizeof(*m));
    pthread_mutex_init(&m->mutex, NULL);
    pthread_cond_init(&m->has_value, NULL);
    pthread_cond_init(&m->has_room, NULL);
    m->ring = mem_array(capacity, sizeof(*m->ring));
    m->capacity = capacity;
    m->flag = flag;
    return m;
}

void mailbox_free(struct mailbox *m, void (*free_value)(void *))
{
    if (!m)
        return;
    for (void *value; (value = mailbox_take(m));)
        free_value(value);
    fd_close(&m->flag);
    free(m->ring);
    pthread_cond_destroy(&m->has_room);
    pthread_cond_destroy(&m->has_value);
    pthread_mutex_destroy(&m->mutex);
    free(m);
}

int mailbox_fd(struct mailbox *m)
{
    return m->flag;
}

static void flag_raise(struct mailbox *m)
{
    BUG_ON(eventfd_write(m->flag, 1) != 0);
}

/* With the mutex held and room in the ring. */
static void ring_put(struct mailbox *m, void *value)
{
    m->ring[(m->first + m->count++) % m->capacity] = value;
    if (m->count == 1 && !m->is_closed)
        flag_raise(m);
    pthread_cond_signal(&m->has_value);
}

static void *ring_take(struct mailbox *m)
{
    if (m->count == 0)
        return NULL;
    void *value = take(&m->ring[m->first]);
    m->first = (m->first + 1) % m->capacity;
    if (--m->count == 0 && !m->is_closed)
        BUG_ON(eventfd_read(m->flag, &(eventfd_t){0}) != 0);
    pthread_cond_signal(&m->has_room);
    return value;
}

bool mailbox_put(struct mailbox *m, void *value)
{
    BUG_ON(!value);
    pthread_mutex_lock(&m->mutex);
    bool is_taken = !m->is_closed && m->count < m->capacity;
    if (is_taken)
        ring_put(m, value);
    pthread_mutex_unlock(&m->mutex);
    return is_taken;
}

bool mailbox_put_wait(struct mailbox *m, void *value)
{
    BUG_ON(!value);
    pthread_mutex_lock(&m->mutex);
    while (!m->is_closed && m->count == m->capacity)
        pthread_cond_wait(&m->has_room, &m->mutex);
    bool is_taken = !m->is_closed;
    if (is_taken)
        ring_put(m, value);
    pthread_mutex_unlock(&m->mutex);
    return is_taken;
}

void *mailbox_take(struct mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    void *value = ring_take(m);
    pthread_mutex_unlock(&m->mutex);
    return value;
}

void *mailbox_take_wait(struct mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    while (!m->is_closed && m->count == 0)
        pthread_cond_wait(&m->has_value, &m->mutex);
    void *value = ring_take(m);
    pthread_mutex_unlock(&m->mutex);
    return value;
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    if (!m->is_closed && m->count == 0)
        flag_raise(m);
    m->is_closed = true;
    pthread_cond_broadcast(&m->has_value);
    pthread_cond_broadcast(&m->has_room);
    pthread_mutex_unlock(&m->mutex);
}

static bool is_finished(struct mailbox *m)
{
    pthread_mutex_lock(&m->mutex);
    bool finished = m->is_closed && m->count == 0;
    pthread_mutex_unlock(&m->mutex);
    return finished;
}

/* --- the loop's reader --------------------------------------------------------------------------------- */

struct mailbox_reader *mailbox_reader_new(struct mailbox_reader **list, struct loop *l, struct mailbox *m,
                                          void (*handler)(void *arg, void *value), void *arg)
{
    struct mailbox_reader *r = mem_alloc(sizeof(*r));
    *r = (struct mailbox_reader){.next = *list, .loop = l, .mailbox = m, .handler = handler, .arg = arg};
    *list = r;
    return r;
}

void mailbox_reader_ready(void *reader, uint32_t events UNUSED)
{
    struct mailbox_reader *r = reader;
    void *value;
    for (int i = 0; i < VALUES_PER_TURN && (value = mailbox_take(r->mailbox)); i++)
        r->handler(r->arg, value);
    if (is_finished(r->mailbox)) /* nothing comes any more, yet its descriptor stays readable */
        loop_fd_remove(r->loop, mailbox_fd(r->mailbox));
}

void mailbox_readers_free(struct mailbox_reader *list)
{
    while (list) {
        struct mailbox_reader *next = list->next;
        free(list);
        list = next;
    }
}
