/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * base - the words of the house: errors, log, memory, buffers, maps, paths, text, secrets.
 *
 * Every room may use these and they use nothing of ours. No function here keeps state, except the log's level.
 * All are safe in any thread as long as two threads do not share one object.
 *
 * Conventions used everywhere:
 *   bool f(..., struct err *e)   true: done; false: `e` says what failed, outputs are untouched or empty
 *   init / release / clear / free   make ready / free the contents / empty but ready again / contents and the thing
 *   AUTO(release_fn) declares a variable that is released when it leaves its scope; return take(&p) lets it go.
 */
#ifndef BRANDSYNC_BASE_H
#define BRANDSYNC_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#define BRANDSYNC_VERSION "0.1.0"

/* --- attributes and small macros ------------------------------------------------------------------ */

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define AUTO(release) __attribute__((cleanup(release)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Moves a pointer out of its variable: ownership leaves, visibly. */
#define take(p)                                                                                                        \
    ({                                                                                                                 \
        __typeof__(*(p)) taken_ = *(p);                                                                                \
        *(p) = NULL;                                                                                                   \
        taken_;                                                                                                        \
    })

/* A mistake of ours, never of a file, a reply or a setting: logs the place and aborts. */
#define BUG_ON(condition)                                                                                              \
    do {                                                                                                               \
        if (__builtin_expect(!!(condition), 0))                                                                        \
            bug_found(__FILE__, __LINE__, #condition);                                                                 \
    } while (0)
NORETURN void bug_found(const char *file, int line, const char *what);

/* Defines NAME_freep for AUTO(NAME_freep) beside a NAME_free(struct NAME *). */
#define DEFINE_FREEP(name)                                                                                             \
    static inline void name##_freep(struct name **thing)                                                               \
    {                                                                                                                  \
        name##_free(*thing);                                                                                           \
    }

/* --- memory: never NULL. Without memory the process ends (exit 71) and the next start converges. -- */

void *mem_alloc(size_t bytes);                         /* zeroed */
void *mem_array(size_t count, size_t bytes);           /* zeroed, overflow checked */
void *mem_grow(void *old, size_t count, size_t bytes); /* realloc to count * bytes; new part not zeroed */
void *mem_copy(const void *data, size_t bytes);
char *str_copy(const char *text); /* NULL stays NULL */
char *str_copy_n(const char *text, size_t bytes);
char *str_printf(const char *fmt, ...) PRINTF(1, 2);
void mem_freep(void *pointer_to_pointer); /* for AUTO(mem_freep) char *text */

static inline bool str_eq(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}
bool str_starts(const char *text, const char *prefix);
bool str_ends(const char *text, const char *suffix);

/* --- errors --------------------------------------------------------------------------------------- */

/* Chosen by what the caller will do about it. */
enum err_kind {
    ERR_NONE,
    ERR_RETRY,     /* back off and try again; honours retry_after_ms */
    ERR_AUTH,      /* renew the token once; a second time halts the tenant with its cause */
    ERR_TENANT,    /* the tenant waits; no item's tries count */
    ERR_REFUSED,   /* this item was refused: tell the operator */
    ERR_CHANGED,   /* the bytes changed meanwhile: observe again */
    ERR_LOCAL,     /* disk, permission or memory here: retry slowly, say it once */
    ERR_CONFIG,    /* do not start; keep the old profile */
    ERR_CANCELLED, /* we are stopping */
    ERR_KINDS
};

/* `text` is one line for a person: lower case, what failed first, the thing in quotes, then why, no full stop.
 * `cause` is one of types.h `enum cause` (0: none): the stable name by which help and JSON call it. */
struct err {
    enum err_kind kind;
    int sys; /* errno, or 0 */
    int cause;
    int64_t retry_after_ms; /* 0: not said */
    char text[240];
};

/* All three return false, so that failing is one line. */
bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);
bool err_sys(struct err *e, int sys, const char *fmt, ...) PRINTF(3, 4); /* ERR_LOCAL, appends ": strerror" */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);         /* "context: what it was"; kind stays */
bool err_cause(struct err *e, int cause);                                /* names the cause of an error already set */
const char *err_kind_name(enum err_kind kind);

/* --- log: one line per fact, `fact key=value ...`, to standard error ------------------------------- */

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

void log_set_level(enum log_level level); /* default: info. Call before the first thread */
void log_fact(enum log_level level, const char *fact, const char *fmt, ...) PRINTF(3, 4);

/* log_info("published", "job=%" PRId64 " path=%s ms=%" PRId64, id, QUOTED(path), ms). Keys stay the same for ever.
 * The journal's priority prefix <6> is written unless standard error is a terminal. No secrets, ever. */
#define log_error(fact, ...) log_fact(LOG_LEVEL_ERROR, fact, __VA_ARGS__)
#define log_warning(fact, ...) log_fact(LOG_LEVEL_WARNING, fact, __VA_ARGS__)
#define log_info(fact, ...) log_fact(LOG_LEVEL_INFO, fact, __VA_ARGS__)
#define log_debug(fact, ...) log_fact(LOG_LEVEL_DEBUG, fact, __VA_ARGS__)

/* --- growing bytes with a ceiling ------------------------------------------------------------------ */

/* `data` is always NUL-terminated once something was added. Going over `max` sets `is_over` and adds nothing more:
 * check once at the end. Not for secrets (see below). */
struct buf {
    char *data;
    size_t len, size, max;
    bool is_over;
};
#define BUF_INIT(ceiling)                                                                                              \
    {                                                                                                                  \
        .max = (ceiling)                                                                                               \
    }

bool buf_add(struct buf *b, const void *data, size_t len);  /* false when over the ceiling */
static inline bool buf_str(struct buf *b, const char *text) /* inline: the length of a literal costs nothing */
{
    return buf_add(b, text, strlen(text));
}
bool buf_char(struct buf *b, char c);
bool buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_clear(struct buf *b); /* empty, memory kept */
void buf_release(struct buf *b);
char *buf_take(struct buf *b); /* the text as the caller's own, never NULL; the buffer is empty again */

/* --- a list of owned strings ------------------------------------------------------------------------ */

struct strlist {
    char **item;
    size_t count;
};
void strlist_add(struct strlist *l, const char *text); /* copies */
void strlist_release(struct strlist *l);

/* --- map from text to a pointer -------------------------------------------------------------------- */

/* Keys are borrowed: they must live as long as their entry (usually they are a field of the value). Zeroed = empty. */
struct map {
    struct map_slot *slot;
    size_t count, used, size;
};
void *map_get(const struct map *m, const char *key); /* NULL: not there */
void *map_put(struct map *m, const char *key,
              void *value);                       /* returns the value it replaces, or NULL; value is not NULL.
                                                                   The stored key becomes the new one */
void *map_remove(struct map *m, const char *key); /* returns what was there, or NULL */
/* for (size_t at = 0; (value = map_next(m, &at));) - any order; removing the entry just returned is allowed, adding is not. */
void *map_next(const struct map *m, size_t *at);
void map_release(struct map *m); /* the table only, never the values */

/* --- heap: the node with the smallest key first; equal keys in any order --------------------------- */

struct heap_node {
    int64_t key;
    size_t place; /* 1-based; 0: not in a heap */
};
struct heap {
    struct heap_node **node;
    size_t count, size;
};
void heap_put(struct heap *h, struct heap_node *n, int64_t key); /* adds, or moves it to its new key */
void heap_remove(struct heap *h, struct heap_node *n);           /* harmless when it is not in */
struct heap_node *heap_first(const struct heap *h);              /* NULL: empty */
void heap_release(struct heap *h);
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- paths: bytes, '/' between names, no trailing '/', never normalised behind the caller's back ---- */

char *path_join(const char *dir, const char *name);    /* "" as dir gives name */
const char *path_name(const char *path);               /* the part after the last '/' */
char *path_parent(const char *path);                   /* "" for a name without '/', "/" for "/a" */
bool path_is_below(const char *path, const char *dir); /* strictly below */
bool path_is_same_or_below(const char *path, const char *dir);
const char *path_below(const char *path, const char *dir); /* the part below dir, NULL if not below */
bool path_is_clean(const char *path);  /* no empty, "." or ".." part: relative, stays below where it is used */
char *path_absolute(const char *path); /* relative to the working directory; "." ".." folded by text, links kept */

/* --- text ------------------------------------------------------------------------------------------ */

/* Outside data is made safe where it is shown. TEXT_SHOWN bytes hold a whole path of usual length; longer ends in "...". */
enum { TEXT_SHOWN = 2048 };
char *text_quote(char *out, size_t size,
                 const char *raw); /* for key=value: plain, or "..." with \n \t \xHH \" \\ ; C0 C1 DEL, bidi
                                                               controls and bytes that are not UTF-8 become \xHH */
char *text_shell(char *out, size_t size,
                 const char *raw); /* for terminals: as `ls` quotes, can be pasted into a shell */
#define QUOTED(raw) text_quote((char[TEXT_SHOWN]){0}, TEXT_SHOWN, (raw))
#define SHELL(raw) text_shell((char[TEXT_SHOWN]){0}, TEXT_SHOWN, (raw))
/* For whole lines, whose parts were quoted before: nothing is quoted, but every byte that could steer a terminal or forge
 * a line becomes \xHH. */
char *text_safe(char *out, size_t size, const char *raw);
#define SAFE(raw) text_safe((char[TEXT_SHOWN]){0}, TEXT_SHOWN, (raw))

bool text_is_utf8(const char *text, size_t len); /* strict: no surrogates, no overlong, no NUL */
size_t text_utf8_next(const char *text, size_t len,
                      uint32_t *code); /* bytes of the first character; 0: not UTF-8 there */
void text_xml(struct buf *out, const char *text,
              size_t len); /* & < > " ' escaped; characters XML 1.0 cannot hold become U+FFFD */
void text_percent(struct buf *out, const char *path);   /* percent-encodes all but unreserved and '/' */
void text_hex(char *out, const void *data, size_t len); /* 2 * len + 1 bytes */
bool text_unhex(void *out, size_t len, const char *hex);
void text_base64(struct buf *out, const void *data, size_t len);    /* standard alphabet, padded */
void text_base64url(struct buf *out, const void *data, size_t len); /* no padding (RFC 7515) */
bool text_unbase64url(struct buf *out, const char *text, size_t len);

bool parse_int64(const char *text, int64_t min, int64_t max, int64_t *out);
bool parse_duration(const char *text, int64_t *ms); /* 250ms 2s 15m 1h 7d 400d; "0s" fine; a bare number is refused */
bool parse_rate(const char *text, int64_t *bytes_per_s); /* 4MB/s */

/* The word of `words` nearest to `text` by edit distance, NULL when none is near (more than a third of its letters differ). */
const char *text_nearest(const char *text, const char *const *words, size_t count);

/* One pattern against a path relative to a folder: `*` and `?` and [..] within a name, `**` any number of directories.
 * A pattern without '/' matches the name at any depth. Bytes; case matters. */
bool glob_match(const char *pattern, const char *path);

/* Times are milliseconds since 1970 (wall) unless a name says mono. 0 = never. */
char *time_rfc3339(char *out, size_t size, int64_t ms); /* "2026-11-24T14:53:04.120Z" (UTC); "" for 0 */
#define RFC3339(ms) time_rfc3339((char[40]){0}, 40, (ms))
char *text_bytes(char *out, size_t size, int64_t bytes); /* "412 MB", "4.1 MB", "20 kB", "77 B" (powers of 1000) */
#define BYTES(n) text_bytes((char[24]){0}, 24, (n))
char *text_span(char *out, size_t size, int64_t ms); /* "0.8 s", "48 s", "3 min 12 s", "3 h 12 min", "2 days" */
#define SPAN(ms) text_span((char[32]){0}, 32, (ms))

/* --- files ------------------------------------------------------------------------------------------ */

void fd_close(int *fd);            /* for AUTO(fd_close) int fd = -1 */
static inline int fd_take(int *fd) /* take() for a descriptor */
{
    int taken = *fd;
    *fd = -1;
    return taken;
}
bool write_all(int fd, const void *data, size_t len, struct err *e) MUST_CHECK;
bool file_read(const char *path, size_t max, struct buf *out,
               struct err *e) MUST_CHECK; /* regular file, whole; over max is an error */
/* Temp file in the same directory, fsync, rename, fsync of the directory. mode as given, whatever the umask. */
bool file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *e) MUST_CHECK;
bool dir_make(const char *path, mode_t mode, struct err *e) MUST_CHECK; /* with parents; there already is fine */

/* --- secrets: cannot be formatted, are wiped, are never copied into a buf --------------------------- */

struct secret {
    char *data; /* NUL-terminated; NULL: none */
    size_t len;
};
void secret_set(struct secret *s, const char *data, size_t len); /* wipes what was there */
void secret_copy(struct secret *to, const struct secret *from);
void secret_release(struct secret *s);
/* Reads a secret file: one trailing newline is cut; empty, over 64 KiB or with NUL inside is refused.
 * ERR_CONFIG when others may read it, the group may write it, or it is not a regular file (reliability.md T1). */
bool secret_load(struct secret *s, const char *path, struct err *e) MUST_CHECK;
/* The mode check alone, for `check`: what secret_load would refuse, without reading. */
bool secret_file_check(const char *path, struct err *e) MUST_CHECK;

#include "banned.h"

#endif
