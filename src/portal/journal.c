/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* journal - one JSON line for each request received, and the counters of /stats. */
#include "portal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TAIL_BYTES = 1 << 20, STATUS_MAX = 600 };

struct counters {
    int64_t requests, tokens, packages, assets, folders, deletes, tests, refused, bytes;
    int64_t status[STATUS_MAX];
};

struct journal {
    pthread_mutex_t mutex; /* guards all below */
    int fd;
    int64_t last_request;
    struct counters counters;
};

/* What a request of this kind adds to when it went well. */
static const struct {
    const char *kind;
    size_t counter;
} kinds[] = {
    {"token", offsetof(struct counters, tokens)},           {"add", offsetof(struct counters, packages)},
    {"delete", offsetof(struct counters, deletes)},         {"test", offsetof(struct counters, tests)},
    {"replication-test", offsetof(struct counters, tests)},
};

/* --- opening: numbers go on ------------------------------------------------------------------------ */

static int64_t line_request(const char *line, size_t len)
{
    json_t *json = json_loadb(line, len, 0, NULL);
    int64_t request = json_integer_value(json_object_get(json, "request"));
    json_decref(json);
    return request;
}

/* The largest number in the last lines: they stand in the order in which requests ended. */
static int64_t largest_request(const char *text, size_t len)
{
    int64_t largest = 0;
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;
        int64_t request = line_request(text, line);
        largest = MAX(largest, request);
        size_t step = MIN(line + 1, len);
        text += step;
        len -= step;
    }
    return largest;
}

static bool go_on(struct journal *j, struct err *e)
{
    off_t size = lseek(j->fd, 0, SEEK_END);
    size_t len = size < TAIL_BYTES ? (size_t)MAX(size, 0) : TAIL_BYTES;
    if (len == 0)
        return true;
    AUTO(mem_freep) char *tail = mem_alloc(len);
    ssize_t got = pread(j->fd, tail, len, size - (off_t)len);
    if (got < 0)
        return err_sys(e, errno, "cannot read the journal");
    j->last_request = largest_request(tail, (size_t)got);
    return got == 0 || tail[got - 1] == '\n' || write_all(j->fd, "\n", 1, e);
}

struct journal *journal_open(const char *file, struct err *e)
{
    struct journal *j = mem_alloc(sizeof(*j));
    pthread_mutex_init(&j->mutex, NULL);
    j->fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (j->fd < 0)
        err_sys(e, errno, "cannot open '%s'", file);
    else if (go_on(j, e))
        return j;
    journal_close(j);
    return NULL;
}

void journal_skip_to(struct journal *j, int64_t request)
{
    pthread_mutex_lock(&j->mutex);
    j->last_request = MAX(j->last_request, request);
    pthread_mutex_unlock(&j->mutex);
}

int64_t journal_next_request(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
    int64_t request = ++j->last_request;
    pthread_mutex_unlock(&j->mutex);
    return request;
}

/* --- writing ------------------------------------------------------------------------------------------ */

/* Outside text may be no UTF-8, which JSON cannot hold: it is escaped as in the log. */
static json_t *text_json(const char *text)
{
    json_t *json = text ? json_string(text) : NULL;
    return json || !text ? json : json_string(QUOTED(text));
}

static void set_text(json_t *line, const char *key, const char *text)
{
    if (text)
        json_object_set_new(line, key, text_json(text));
}

/* Splits at '\n'; counts "PATH" as an asset and "PATH/" as a folder. */
static json_t *names_json(const char *names, int64_t *assets, int64_t *folders)
{
    json_t *array = json_array();
    while (*names) {
        size_t len = strcspn(names, "\n");
        AUTO(mem_freep) char *name = str_copy_n(names, len);
        if (len > 0) {
            json_array_append_new(array, text_json(name));
            *folders += *name != '-' && name[len - 1] == '/';
            *assets += *name != '-' && name[len - 1] != '/';
        }
        names += len + (names[len] == '\n');
    }
    return array;
}

static void count(struct counters *c, const struct journal_line *line, int64_t assets, int64_t folders)
{
    c->requests++;
    c->bytes += line->bytes;
    c->refused += line->status >= 400;
    if (line->status >= 0 && line->status < STATUS_MAX)
        c->status[line->status]++;
    if (line->status != 200)
        return;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eq(kinds[i].kind, line->kind))
            ++*(int64_t *)(void *)((char *)c + kinds[i].counter);
    if (str_eq(line->kind, "add")) {
        c->assets += assets;
        c->folders += folders;
    }
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void journal_write(struct journal *j, const struct journal_line *line)
{
    int64_t assets = 0, folders = 0;
    json_t *json = json_pack("{s:s, s:I, s:s, s:o, s:i, s:I, s:I, s:s}", "time", RFC3339(wall_ms()), "request",
                             (json_int_t)line->request, "method", line->method, "path", text_json(line->path), "status",
                             line->status, "bytes", (json_int_t)line->bytes, "ms", (json_int_t)line->ms, "kind",
                             line->kind);
    set_text(json, "client_id", line->client_id);
    set_text(json, "detail", line->detail);
    if (line->assets)
        json_object_set_new(json, "assets", names_json(line->assets, &assets, &folders));
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    AUTO(mem_freep) char *whole = str_printf("%s\n", text ? text : "{}");
    free(text);

    struct err e = {0};
    pthread_mutex_lock(&j->mutex);
    count(&j->counters, line, assets, folders);
    bool is_written = write_all(j->fd, whole, strlen(whole), &e);
    pthread_mutex_unlock(&j->mutex);
    if (!is_written)
        log_warning("journal-lost", "request=%" PRId64 " why=%s", line->request, QUOTED(e.text));
}

char *journal_stats(struct journal *j)
{
    pthread_mutex_lock(&j->mutex);
    struct counters c = j->counters;
    pthread_mutex_unlock(&j->mutex);
    json_t *status = json_object();
    for (int code = 0; code < STATUS_MAX; code++) {
        AUTO(mem_freep) char *name = str_printf("%d", code);
        if (c.status[code])
            json_object_set_new(status, name, json_integer(c.status[code]));
    }
    json_t *json = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "requests", (json_int_t)c.requests,
                             "tokens", (json_int_t)c.tokens, "packages", (json_int_t)c.packages, "assets",
                             (json_int_t)c.assets, "folders", (json_int_t)c.folders, "deletes", (json_int_t)c.deletes,
                             "tests", (json_int_t)c.tests, "refused", (json_int_t)c.refused, "bytes",
                             (json_int_t)c.bytes, "status", status);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    fd_close(&j->fd);
    pthread_mutex_destroy(&j->mutex);
    mem_freep(&j);
}
