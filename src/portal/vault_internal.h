/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault_internal - what vault.c (receiving), vault_xml.c and vault_walk.c (its XML), vault_filter.c (coverage) and
 * vault_plan.c (the change) share.
 *
 * A package is kept as parts: one per JCR node it speaks of, parents before children. A store's node (struct node) is a
 * folder, an asset or a collection with all its inner JCR nodes flattened into its properties; a part may be either.
 */
#ifndef BRANDSYNC_PORTAL_VAULT_INTERNAL_H
#define BRANDSYNC_PORTAL_VAULT_INTERNAL_H

#include "portal.h"

enum { JCR_PATH_MAX = 4096, XML_MAX = 1024 * 1024 };

struct part {
    char *path;
    struct part *parent;       /* NULL: /content and its like */
    bool is_present;           /* the package has it, at least as a directory; else only a filter names it */
    bool is_order_only;        /* an empty element: kept if it is there, nothing more */
    struct property *property; /* names without path: "jcr:title" */
    size_t properties, size;
    char *spooled; /* original: file in DIR/tmp */
    int64_t bytes;
    char sha256[65];

    /* vault_plan.c: */
    struct part *owner;  /* the part that is a node of the store; itself, or one above */
    struct part *member; /* first of those it owns, itself left out */
    struct part *next;   /* in the owner's list */
    enum node_kind kind; /* of an owner */
    bool has_before;
    struct node before; /* what the store has at its path */
};
struct parts {
    struct part **item;
    size_t count, size;
    struct map by_path;
};
struct part *parts_get(const struct parts *p, const char *path); /* NULL: not there */
struct part *parts_make(struct parts *p, const char *path);      /* with its parents; absolute clean paths only */
void part_mark_present(struct part *part);                       /* with its parents */
bool is_passed_by(const struct part *part);                      /* false for NULL: does the importer come by? */
void part_add(struct part *part, char *name, char *value);       /* takes both */

/* --- names ------------------------------------------------------------------------------------------------------- */

/* Is this a name a JCR repository takes? A prefix must be one of the namespaces a tenant knows (protocol.md 11). */
bool jcr_name_check(const char *name, struct err *e) MUST_CHECK;

/* --- the workspace filter ---------------------------------------------------------------------------------------- */

enum import_mode { MODE_REPLACE, MODE_MERGE, MODE_MERGE_PROPERTIES, MODE_UPDATE, MODE_UPDATE_PROPERTIES, IMPORT_MODES };

struct filter;
struct filter *filter_new(void);
struct filter_set *filter_add(struct filter *f, const char *root, const char *mode, struct err *e);
bool filter_add_rule(struct filter_set *set, bool is_include, const char *pattern, struct err *e) MUST_CHECK;
void filter_free(struct filter *f);

struct coverage {
    bool is_contained;     /* a filter covers it and its rules include it */
    enum import_mode mode; /* of the first filter that covers it; MODE_REPLACE if none */
};
struct coverage filter_look(const struct filter *f, const char *path);
bool filter_is_root(const struct filter *f, const char *path);
bool filter_is_above_root(const struct filter *f, const char *path);
const char *filter_root(const struct filter *f, size_t i); /* NULL: no more */

/* --- XML: at most XML_MAX bytes, bounded depth, no entities ------------------------------------------------------ */

#define XML_SEPARATOR '\n' /* between a name's URI and its local part; cannot be in either */

struct walker; /* one for a package's files, one after the other */
struct walker *walker_new(void);
void walker_free(struct walker *w);
struct reader {
    bool (*start)(struct reader *r, const char *element, const char **attribute);
    bool (*end)(struct reader *r);
    const char *file; /* for messages */
    bool may_have_doctype;
    bool is_usually_repeated; /* wants no text */
    struct buf text;          /* of the innermost element; a ceiling of 0: not wanted */
    size_t depth;             /* 1: the root element */

    /* vault_walk.c: */
    struct walker *walker;
    bool has_failed;
    struct err *e;
};
bool reader_run(struct reader *r, struct walker *w, const char *xml, size_t len, struct err *e) MUST_CHECK;
bool reader_refuse(struct reader *r, const char *why, const char *what); /* `what`: NULL if nothing is to be named */

/* A document view whose root is the node `path`; its nodes are added to `p`. */
bool xml_read_docview(struct walker *w, const char *xml, size_t len, const char *path, struct parts *p,
                      struct err *e) MUST_CHECK;
struct filter *xml_read_filter(struct walker *w, const char *xml, size_t len, struct err *e);
bool xml_check_properties(struct walker *w, const char *xml, size_t len, struct err *e) MUST_CHECK;

/* --- the change -------------------------------------------------------------------------------------------------- */

/* Between store_begin and store_end. Moves the spooled files it uses into `change`. */
bool vault_plan(struct store *s, struct parts *p, const struct filter *f, struct store_change *change,
                struct err *e) MUST_CHECK;

#endif
