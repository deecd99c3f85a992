/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* cross - what must hold between the values of a profile. */
#include "profile_internal.h"

static void error_at(struct load *l, const char *path, const char *hint, const char *text)
{
    problems_add(l->problems, false, load_spot(l, path), hint, "%s", text);
}

static bool is_given(struct load *l, const char *path)
{
    return document_find(l->document, path) != NULL;
}

/* --- identity ------------------------------------------------------------------------------------------ */

/* Keys that a mode needs beside those that all need. */
static const struct {
    enum identity_mode mode;
    const char *key;
    bool is_list;
    bool is_advice;
    const char *hint;
} needed[] = {
    {IDENTITY_OAUTH, "scopes", true, false,
     "copy the scopes of the credential in the developer console: scopes: [openid, AdobeID]"},
    {IDENTITY_JWT, "technical_account_id", false, false, "such as 0123ABCD@techacct.adobe.com"},
    {IDENTITY_JWT, "organization_id", false, false, "such as 4567EF@AdobeOrg"},
    {IDENTITY_JWT, "private_key_file", false, false, "make one with: brandsync key create"},
    {IDENTITY_JWT, "certificate_file", false, true, "without it nobody is told before the certificate ends"},
};

/* A list with nothing in it is not there. */
static bool has_value(struct load *l, const char *path, bool is_list)
{
    const yaml_node_t *node = document_find(l->document, path);
    bool is_empty = node && is_list && node->type == YAML_SEQUENCE_NODE &&
                    node->data.sequence.items.start == node->data.sequence.items.top;
    return node && !is_empty;
}

static void check_needed(struct load *l, enum identity_mode mode)
{
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        AUTO(mem_freep) char *path = str_printf("identity.%s", needed[i].key);
        if (needed[i].mode != mode || has_value(l, path, needed[i].is_list))
            continue;
        problems_add(l->problems, needed[i].is_advice, load_spot(l, path), needed[i].hint,
                     "missing key \"%s\" in identity (mode %s)", needed[i].key, identity_mode_name(mode));
    }
}

static void check_identity(struct load *l)
{
    const struct profile_identity *id = &l->profile->identity;
    const yaml_node_t *map = document_find(l->document, "identity"),
                      *mode = document_find(l->document, "identity.mode");
    bool is_understood = !mode ||
                         (mode->type == YAML_SCALAR_NODE && str_eq(node_text(mode), identity_mode_name(id->mode)));
    if (!map || map->type != YAML_MAPPING_NODE || !is_understood)
        return;
    check_needed(l, id->mode);
    if (id->mode == IDENTITY_JWT && id->server && str_ends(id->server, ".adobelogin.com"))
        problems_add(l->problems, true, load_spot(l, "identity.mode"),
                     "make an OAuth Server-to-Server credential and use mode: oauth",
                     "Adobe ended JWT credentials on 1 March 2026");
}

/* --- folders ------------------------------------------------------------------------------------------- */

static bool overlaps(const char *a, const char *b)
{
    return path_is_same_or_below(a, b) || path_is_below(b, a);
}

/* Links are resolved where the disk may be asked; else, and where there is nothing, the text decides. */
static char *real_path(const struct load *l, const char *path)
{
    char *real = l->checks_files ? realpath(path, NULL) : NULL;
    return real ? real : str_copy(path);
}

static void check_pair(struct load *l, size_t i, size_t j)
{
    const struct profile_folder *a = &l->profile->folder[i], *b = &l->profile->folder[j];
    AUTO(mem_freep) char *path = str_printf("folders[%zu].path", j);
    AUTO(mem_freep) char *to = str_printf("folders[%zu].to", j);
    if (a->path && b->path) {
        AUTO(mem_freep) char *real_a = real_path(l, a->path), *real_b = real_path(l, b->path);
        if (overlaps(real_a, real_b))
            problems_add(l->problems, false, load_spot(l, path), "one directory belongs to one folder only",
                         "folders[%zu] and folders[%zu] (line %d) overlap on disk", j, i, a->place.line);
    }
    if (a->remote && b->remote && overlaps(a->remote, b->remote))
        problems_add(l->problems, false, load_spot(l, is_given(l, to) ? to : path), "give each its own place with to:",
                     "folders[%zu] and folders[%zu] (line %d) overlap on the portal, at %s", j, i, a->place.line,
                     SHOWN(b->remote));
}

static void check_folders(struct load *l)
{
    const struct profile *p = l->profile;
    const yaml_node_t *list = document_find(l->document, "folders");
    if (list && list->type == YAML_SEQUENCE_NODE && p->folders == 0)
        error_at(l, "folders", "expected at least one: - path: /srv/assets/campaigns", "folders is empty");
    for (size_t j = 1; j < p->folders; j++)
        for (size_t i = 0; i < j; i++)
            check_pair(l, i, j);
}

/* The agent never writes into a watched tree, and would publish its own ledger. */
static void check_state(struct load *l)
{
    const struct profile *p = l->profile;
    for (size_t i = 0; p->state && i < p->folders; i++) {
        if (!p->folder[i].path || !overlaps(p->state, p->folder[i].path))
            continue;
        AUTO(mem_freep) char *path = str_printf("folders[%zu].path", i);
        problems_add(l->problems, false, load_spot(l, is_given(l, "state") ? "state" : path), "put the state elsewhere",
                     "state %s and folders[%zu] lie in one another", SHOWN(p->state), i);
    }
}

/* --- the rest ------------------------------------------------------------------------------------------ */

static void check_collections(struct load *l)
{
    for (size_t i = 0;; i++) {
        AUTO(mem_freep) char *item = str_printf("collections[%zu]", i);
        AUTO(mem_freep) char *members = str_printf("%s.members", item), *path = str_printf("%s.path", item);
        const yaml_node_t *node = document_find(l->document, item);
        if (!node)
            return;
        if (node->type == YAML_MAPPING_NODE && is_given(l, members) == is_given(l, path))
            problems_add(l->problems, false, load_spot(l, item), "members: [patterns], or path: a directory",
                         "%s needs members or path, and not both", item);
    }
}

static void check_retry(struct load *l)
{
    const struct profile_retry *r = &l->profile->retry;
    if (r->max_ms && r->first_ms > r->max_ms)
        error_at(l, is_given(l, "retry.first") ? "retry.first" : "retry.max",
                 "first is the shortest wait, max the longest", "retry.first is longer than retry.max");
}

void cross_check(struct load *l)
{
    check_identity(l);
    check_folders(l);
    check_state(l);
    check_collections(l);
    check_retry(l);
}
