/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Signals as values: blocked for all threads, read one by one from a descriptor.
 */
#include "loop_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void signals_of_the_house(sigset_t *set)
{
    static const int number[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGIO};
    sigemptyset(set);
    for (size_t i = 0; i < ARRAY_LEN(number); i++)
        sigaddset(set, number[i]);
}

void loop_signals_block(void)
{
    sigset_t set;
    signals_of_the_house(&set);
    BUG_ON(pthread_sigmask(SIG_BLOCK, &set, NULL) != 0);
    BUG_ON(signal(SIGPIPE, SIG_IGN) == SIG_ERR);
}

bool signals_open(int *fd, struct err *e)
{
    sigset_t set;
    signals_of_the_house(&set);
    *fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return *fd >= 0 || err_sys(e, errno, "cannot make a signal descriptor");
}

int signals_take(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}
