/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* mem - memory and owned text. Nothing here returns NULL: a process without memory ends and starts anew. */
#include "base.h"

#include <unistd.h>

enum { EXIT_NO_MEMORY = 71 }; /* EX_OSERR of sysexits */

/* No log_fact, no exit(3): both could want memory or run handlers of threads that still work. */
NORETURN static void end_without_memory(void)
{
    static const char line[] = "<3>out-of-memory\n";
    ssize_t ignored UNUSED = write(STDERR_FILENO, line, sizeof(line) - 1);
    _exit(EXIT_NO_MEMORY);
}

static void *needed(void *memory)
{
    if (!memory)
        end_without_memory();
    return memory;
}

void *mem_array(size_t count, size_t bytes)
{
    return needed(calloc(MAX(count, 1), MAX(bytes, 1)));
}

void *mem_alloc(size_t bytes)
{
    return mem_array(1, bytes);
}

void *mem_grow(void *old, size_t count, size_t bytes)
{
    return needed(reallocarray(old, MAX(count, 1), MAX(bytes, 1)));
}

void *mem_copy(const void *data, size_t bytes)
{
    void *copy = needed(malloc(MAX(bytes, 1)));
    return bytes ? memcpy(copy, data, bytes) : copy;
}

char *str_copy(const char *text)
{
    return text ? mem_copy(text, strlen(text) + 1) : NULL;
}

char *str_copy_n(const char *text, size_t bytes)
{
    char *copy = needed(malloc(bytes + 1));
    if (bytes)
        memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

char *str_printf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    return needed(len < 0 ? NULL : text);
}

void mem_freep(void *pointer_to_pointer)
{
    void *memory;
    memcpy(&memory, pointer_to_pointer, sizeof(memory)); /* whatever type it points to */
    free(memory);
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), end = strlen(suffix);
    return end <= len && str_eq(text + len - end, suffix);
}
