/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ask - questions on the terminal. Without one nothing is asked: the caller names the option instead. */
#include "cmd_internal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

bool ask_is_possible(void)
{
    return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* The line without its end; false: the input ended. */
static bool read_line(char *line, size_t size)
{
    if (!fgets(line, (int)size, stdin))
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

char *ask_text(const char *question, const char *standard)
{
    char line[4096];

    fflush(stdout);
    fprintf(stderr, standard && standard[0] ? "%s [%s] > " : "%s > ", question, standard);
    if (!read_line(line, sizeof(line)))
        return NULL;
    return str_copy(line[0] ? line : standard ? standard : "");
}

bool ask_yes(const char *question, bool standard)
{
    char line[64];

    fflush(stdout);
    fprintf(stderr, "%s %s ", question, standard ? "[y]/n" : "y/[n]");
    if (!read_line(line, sizeof(line)) || !line[0])
        return standard && !feof(stdin);
    return line[0] == 'y' || line[0] == 'Y';
}

bool ask_secret(const char *question, struct secret *out)
{
    char line[4096];
    struct termios before, silent;
    sigset_t all, mask;

    if (tcgetattr(STDIN_FILENO, &before) < 0)
        return false; /* a secret that everybody sees is none */
    fflush(stdout);
    fprintf(stderr, "%s > ", question);
    sigfillset(&all); /* no signal ends us while the terminal is silent: it comes behind the line */
    sigprocmask(SIG_BLOCK, &all, &mask);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    setvbuf(stdin, NULL, _IONBF, 0); /* no copy of it in the library's buffer */
    bool is_read = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 && read_line(line, sizeof(line)) && line[0];
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    fputc('\n', stderr);
    if (is_read)
        secret_set(out, line, strlen(line));
    explicit_bzero(line, sizeof(line));
    return is_read;
}
