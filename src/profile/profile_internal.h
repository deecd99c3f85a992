/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * profile_internal - what the files of profile share.
 *
 *   document.c  YAML text -> a libyaml document, or problems with their place
 *   schema.c    the one table of keys: type, range, words, default, what is built
 *   values.c    one value: text -> field, field -> text, field -> nothing
 *   checks.c    what a text value must look like; check_url.c the same for everything that goes into HTTP
 *   walk.c      the table walked over a document, over a struct for printing, and for freeing
 *   derive.c    defaults that depend on other values
 *   cross.c     what must hold between values
 *   disk.c      what must hold between values and the disk: files that are named
 *   problems.c  what is wrong, collected and shown
 */
#ifndef BRANDSYNC_PROFILE_INTERNAL_H
#define BRANDSYNC_PROFILE_INTERNAL_H

#include "profile.h"

#include <yaml.h>

enum { PROFILE_MAX_BYTES = 1 << 20 };

/* --- problems ----------------------------------------------------------------------------------------- */

struct spot {
    int line, column, width; /* line 0: the file as a whole */
};

/* What a check has to say about one value. An error returns false; true with a text is a warning. */
struct complaint {
    char text[300];
    char hint[300];
};
/* Both fill `c`; `hint` may be NULL. Use: return complain(c, "expected ...", "%s is not ...", SHOWN(text)); */
#define complain(...) (complaint_set(__VA_ARGS__), false)
void complaint_set(struct complaint *c, const char *hint, const char *fmt, ...) PRINTF(3, 4);
bool warn(struct complaint *c, const char *hint, const char *fmt, ...) PRINTF(3, 4); /* true */

/* A value of the file in a message: always in quotes, safe for a terminal, shortened. */
char *shown(char *out, size_t size, const char *text);
#define SHOWN(text) shown((char[80]){0}, 80, (text))

void problems_add(struct problems *p, bool is_warning, struct spot at, const char *hint, const char *fmt, ...)
    PRINTF(5, 6);
void problems_sort(struct problems *p); /* by place; equal places keep their order */

/* --- document ----------------------------------------------------------------------------------------- */

/* The YAML text of a profile: one document without anchors, aliases, tags. false: problems say why.
 * Release with yaml_document_delete. */
bool document_read(yaml_document_t *d, const char *text, size_t len, struct problems *p) MUST_CHECK;
struct spot document_spot(const yaml_node_t *node); /* NULL: line 0 */
/* A key's own node, and its value's; the first, if it is doubled; NULL: not there, or not a map. */
yaml_node_t *document_key(yaml_document_t *d, const yaml_node_t *map, const char *key);
yaml_node_t *document_child(yaml_document_t *d, const yaml_node_t *map, const char *key);
/* By a path as messages show it: "folders[0].to". NULL: not in the file. */
yaml_node_t *document_find(yaml_document_t *d, const char *path);
static inline const char *node_text(const yaml_node_t *scalar)
{
    return (const char *)scalar->data.scalar.value;
}

/* --- schema ------------------------------------------------------------------------------------------- */

enum key_type {
    KEY_TEXT,
    KEY_TEXTS, /* a list of texts */
    KEY_LINE,  /* the same, and one text with commas or blanks between */
    KEY_WORD,  /* one of `words`, stored as its index: an enum */
    KEY_FLAG,  /* one of two `words`, stored as a bool: the second is true */
    KEY_BOOL,  /* true or false */
    KEY_INT,
    KEY_DURATION, /* milliseconds */
    KEY_MAP,      /* keys `below` */
    KEY_MAPS,     /* a list of those */
};
#define NOT_STORED SIZE_MAX

struct key {
    const char *name;
    enum key_type type;
    size_t at; /* offset in the struct of its map; NOT_STORED: checked only */
    bool is_required;
    const char *standard;     /* the default as one would write it, lists with blanks between; NULL: none */
    int64_t min, max;         /* KEY_INT, KEY_DURATION */
    const char *const *words; /* KEY_WORD, KEY_FLAG, and the items of KEY_TEXTS */
    const char *built;        /* the words this version has, with '|' between; "": only an empty list; NULL: all */
    bool (*check)(char **text, struct complaint *c); /* texts: may write the value in its normal form */
    const struct key *below;
    size_t item_bytes, count_at; /* KEY_MAPS that is stored */
};
extern const struct key profile_keys[]; /* a table ends with a row without a name */

extern const char *const transport_words[], *const identity_words[], *const existing_words[];

/* --- values ------------------------------------------------------------------------------------------- */

union value {
    char *text;
    struct strlist texts;
    int number;
    bool flag;
    int64_t wide;
};
bool value_parse(const struct key *k, const char *text, union value *out, struct complaint *c) MUST_CHECK;
void value_store(const struct key *k, union value *v, void *field);        /* field NULL: lets go of it */
void value_print(const struct key *k, const void *field, struct buf *out); /* nothing for what has no value */
void value_release(const struct key *k, void *field);
void value_expected(const struct key *k, char *out, size_t size); /* expected 1 to 8 */
bool value_is_built(const struct key *k, const char *word);
size_t words_count(const char *const *words);

/* --- checks of one text ------------------------------------------------------------------------------- */

bool check_line(char **text, struct complaint *c); /* no control characters: for every text without another check */
bool check_dir(char **text, struct complaint *c);  /* absolute and clean; a trailing '/' is cut */
bool check_file(char **text, struct complaint *c);
bool check_to(char **text, struct complaint *c);
bool check_root(char **text, struct complaint *c);
bool check_pattern(char **text, struct complaint *c);
bool check_id(char **text, struct complaint *c);
bool check_property(char **text, struct complaint *c);
bool check_scope(char **text, struct complaint *c);
bool check_days(char **text, struct complaint *c);
bool check_time(char **text, struct complaint *c);
bool check_end_time(char **text, struct complaint *c); /* 24:00, too */
bool check_zone(char **text, struct complaint *c);
bool check_rate(char **text, struct complaint *c);

struct url {
    char *scheme, *host; /* host without the brackets of an IPv6 address */
    int port;            /* 0: not said */
    const char *path;    /* what follows, from '/' on, or "" */
    bool is_address;     /* the host is an IP address */
    bool is_loopback;
};
/* false: no scheme, no host, user information, a query, or something that no URL holds. Release `u` in either case. */
bool url_parse(struct url *u, const char *text, struct complaint *c) MUST_CHECK;
void url_release(struct url *u);

bool check_origin(char **text, struct complaint *c); /* https://host[:port], http to loopback; cuts a last '/' */
bool check_proxy(char **text, struct complaint *c);
bool check_webhook(char **text, struct complaint *c);
bool check_url_path(char **text, struct complaint *c);
bool check_header(char **text, struct complaint *c);
bool check_host(char **text, struct complaint *c);

/* --- walking the table -------------------------------------------------------------------------------- */

struct load {
    yaml_document_t *document;
    struct problems *problems;
    struct profile *profile;
    bool checks_files;
};
void walk_read(struct load *l, const struct key *keys, yaml_node_t *map, const char *where, void *base);
void walk_print(const struct key *keys, const void *base, int indent, struct buf *out);
void walk_release(const struct key *keys, void *base);

/* Where the value of this path ("folders[0].to") stands; if the file lacks it, the first key of its map. */
struct spot load_spot(struct load *l, const char *path);
struct place load_place(struct load *l, const char *path); /* line 0: not in the file */

void derive(struct load *l);      /* title, id, root, to, remote, state, public, places */
void cross_check(struct load *l); /* values against each other */
void disk_check(struct load *l);  /* values against the disk: presence and modes of the files named */

/* profile_find with another directory than /etc/brandsync. */
char *find_in(const char *dir, const char *name_or_file, struct err *e) MUST_CHECK;

#endif
