/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* profile - a file or a text becomes a checked profile, or problems. */
#include "profile_internal.h"

#include <errno.h>

/* --- places -------------------------------------------------------------------------------------------- */

struct place load_place(struct load *l, const char *path)
{
    struct spot at = document_spot(document_find(l->document, path));
    return (struct place){at.line, at.column};
}

/* The first key of a map, which is where its reader looks; anything else as it is. */
static struct spot start_of(struct load *l, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE || node->data.mapping.pairs.start == node->data.mapping.pairs.top)
        return document_spot(node);
    return document_spot(yaml_document_get_node(l->document, node->data.mapping.pairs.start->key));
}

struct spot load_spot(struct load *l, const char *path)
{
    const yaml_node_t *node = document_find(l->document, path);
    AUTO(mem_freep) char *above = str_copy(path);
    while (!node) {
        char *dot = strrchr(above, '.');
        *(dot ? dot : above) = '\0'; /* in the end the root, which is always there */
        node = document_find(l->document, above);
    }
    return start_of(l, node);
}

/* --- reading ------------------------------------------------------------------------------------------- */

static char *name_of_file(const char *file)
{
    const char *name = path_name(file);
    return str_copy_n(name, strlen(name) - (str_ends(name, ".yaml") ? strlen(".yaml") : 0));
}

static struct profile *profile_new(const char *file)
{
    struct profile *p = mem_alloc(sizeof(*p));
    p->file = str_copy(file);
    p->name = name_of_file(file);
    return p;
}

static void read_document(struct load *l)
{
    walk_read(l, profile_keys, yaml_document_get_root_node(l->document), "", l->profile);
    derive(l);
    cross_check(l);
    if (l->checks_files)
        disk_check(l);
}

/* libyaml takes a byte order mark for a character when it is told the encoding. */
static void skip_mark(const char **text, size_t *len)
{
    static const char mark[] = "\xEF\xBB\xBF";
    bool has_mark = *len >= 3 && memcmp(*text, mark, 3) == 0;
    *text += has_mark ? 3 : 0;
    *len -= has_mark ? 3 : 0;
}

static bool is_name_fit(const char *file, struct problems *p)
{
    AUTO(mem_freep) char *name = name_of_file(file);
    if (*name && *name != '.' && !name[strcspn(name, " \t\r\n\v\f")])
        return true;
    problems_add(p, false, (struct spot){0}, "expected a file such as acme.yaml", "%s is not a name for a profile",
                 SHOWN(name));
    return false;
}

struct profile *profile_parse(const char *file_name, const char *text, size_t len, bool checks_files,
                              struct problems *p)
{
    *p = (struct problems){.file = str_copy(file_name)};
    if (len > PROFILE_MAX_BYTES) {
        problems_add(p, false, (struct spot){0}, NULL, "the file is larger than 1 MiB");
        return NULL;
    }
    skip_mark(&text, &len);
    p->source = str_copy_n(text, len);
    yaml_document_t document;
    if (!is_name_fit(file_name, p) || !document_read(&document, text, len, p))
        return NULL;
    struct load l = {&document, p, profile_new(file_name), checks_files};
    read_document(&l);
    yaml_document_delete(&document);
    problems_sort(p);
    if (p->errors == 0)
        return l.profile;
    profile_free(l.profile);
    return NULL;
}

struct profile *profile_load(const char *file, bool checks_files, struct problems *p)
{
    struct err e;
    AUTO(buf_release) struct buf text = BUF_INIT(PROFILE_MAX_BYTES);
    if (file_read(file, PROFILE_MAX_BYTES, &text, &e))
        return profile_parse(file, text.data ? text.data : "", text.len, checks_files, p);
    *p = (struct problems){.file = str_copy(file)};
    problems_add(p, false, (struct spot){0}, NULL, "%s", e.text);
    return NULL;
}

void profile_free(struct profile *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->folders; i++)
        free(p->folder[i].remote);
    walk_release(profile_keys, p);
    free(p->file);
    free(p->name);
    free(p);
}

/* --- asking -------------------------------------------------------------------------------------------- */

void profile_print(const struct profile *p, struct buf *out)
{
    buf_str(out, "version: 1\n");
    walk_print(profile_keys, p, 0, out);
}

const struct profile_folder *profile_folder_of(const struct profile *p, const char *path)
{
    for (size_t i = 0; i < p->folders; i++)
        if (path_is_same_or_below(path, p->folder[i].path))
            return &p->folder[i];
    return NULL;
}

static const char *word_of(const char *const *words, size_t index)
{
    return index < words_count(words) ? words[index] : "unknown";
}

const char *transport_kind_name(enum transport_kind k)
{
    return word_of(transport_words, k);
}

const char *identity_mode_name(enum identity_mode m)
{
    return word_of(identity_words, m);
}

const char *existing_name(enum existing x)
{
    return word_of(existing_words, x);
}
