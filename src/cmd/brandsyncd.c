/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* brandsyncd - the agent's main: one process, one profile, one tenant. Everything else is in the profile. */
#include "agent.h"
#include "loop.h"

#include <getopt.h>
#include <malloc.h>

static const char usage[] =
    "Usage: brandsyncd --profile NAME|FILE\n"
    "Watches the folders of one profile and publishes what changes to its Brand Portal tenant.\n"
    "\n"
    "  -p, --profile NAME|FILE   /etc/brandsync/NAME.yaml, or a file; default: $BRANDSYNC_PROFILE,\n"
    "                            else the only profile in /etc/brandsync\n"
    "      --version             print the version\n"
    "      --help                print this\n"
    "\n"
    "SIGHUP reloads the profile, SIGTERM stops within 10 seconds. The operator's tool is brandsync(1).\n"
    "Exit codes: 0 stopped, 64 usage, 74 disk, 75 another agent uses this state, 78 profile.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"profile", required_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const struct agent_ports ports = {.clock = &real_clock, .fs = &real_fs, .http = &real_http};
    const char *profile = NULL;

    mallopt(M_ARENA_MAX,
            1); /* jobs and receipts wander between threads: with an arena each, memory is held everywhere */
    for (int option; (option = getopt_long(argc, argv, "p:", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            profile = optarg;
            break;
        case 'V':
            printf("brandsyncd %s\n", BRANDSYNC_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs("Try: brandsyncd --help\n", stderr);
            return 64;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "brandsyncd: unexpected argument %s\nTry: brandsyncd --help\n", SHELL(argv[optind]));
        return 64;
    }
    loop_signals_block();
    http_global_init();
    return agent_run(profile, &ports);
}
