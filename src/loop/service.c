/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * What the service manager is told (sd_notify(3)). Without one every call does nothing.
 */
#include "loop.h"

#include <systemd/sd-daemon.h>

enum { STATUS_BYTES = 400 };

/* A newline in the status would begin an assignment of its own. */
static void notify_status(const char *assignments, const char *status)
{
    char line[STATUS_BYTES];
    snprintf(line, sizeof(line), "%s", status);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    (void)sd_notifyf(0, "%sSTATUS=%s", assignments, line);
}

void service_ready(const char *status)
{
    notify_status("READY=1\n", status);
}

void service_status(const char *status)
{
    notify_status("", status);
}

void service_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
                     (long long)now.tv_sec * 1000000 + (long long)now.tv_nsec / 1000);
}

void service_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void service_watchdog_feed(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}
