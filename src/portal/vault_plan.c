/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * vault_plan - package + filter + what is there -> one change, as FileVault's importer (Importer,
 * FolderArtifactHandler, DocViewImporter of apache/jackrabbit-filevault) would make it:
 *
 *   - What a filter contains in mode replace and the package lacks is removed, but only where the importer passes by:
 * below nodes of the package, and at the filters' roots. Whatever lies below a removed node goes with it.
 *   - A contained node is replaced, or, by mode, gets what it lacks (merge_properties) or what the package has
 *     (update_properties); then its type stays. merge leaves an existing node alone.
 *   - A node not contained is left alone; if it is missing and a filter's root lies below, it is made.
 */
#include "vault_internal.h"

#define CONTENT "jcr:content"
#define TYPE "jcr:primaryType"
#define ORIGINAL CONTENT "/renditions/original"

struct plan {
    struct store *store;
    struct parts *parts;
    const struct filter *filter;
    struct store_change *change;
};

/* --- what stays of what is there --------------------------------------------------------------------------------- */

/* Does the existing JCR node at `path` stay, if `above` does? */
static bool stays(const struct plan *p, const char *path, const char *above)
{
    const struct part *here = parts_get(p->parts, path);
    if (here && here->is_present)
        return true;
    if (!filter_is_root(p->filter, path) && !is_passed_by(parts_get(p->parts, above)))
        return true;
    struct coverage c = filter_look(p->filter, path);
    return !c.is_contained || c.mode != MODE_REPLACE;
}

static bool survives(const struct plan *p, const char *path)
{
    AUTO(mem_freep) char *above = path_parent(path);
    return str_eq(above, "/") || (survives(p, above) && stays(p, path, above));
}

static void add_remove(struct store_change *change, const char *path)
{
    change->remove = mem_grow(change->remove, change->removes + 1, sizeof *change->remove);
    change->remove[change->removes++] = str_copy(path);
}

/* The importer comes by the children of what it has in hand only. */
static void plan_removes(struct plan *p, const char *path, bool is_staying)
{
    size_t count;
    if (!is_staying)
        add_remove(p->change, path);
    if (!is_staying || !is_passed_by(parts_get(p->parts, path)))
        return;
    struct node *child = store_list(p->store, path, false, &count);
    for (size_t i = 0; i < count; i++) {
        plan_removes(p, child[i].path, stays(p, child[i].path, path));
        node_release(&child[i]);
    }
    free(child);
}

/* --- which part is a node of the store --------------------------------------------------------------------------- */

static const char *part_property(const struct part *part, const char *name)
{
    for (size_t i = 0; i < part->properties; i++) {
        if (str_eq(part->property[i].name, name))
            return part->property[i].value;
    }
    return NULL;
}

static enum node_kind kind_of_type(const char *type)
{
    static const struct {
        const char *type;
        enum node_kind kind;
    } kinds[] = {{"sling:Folder", NODE_FOLDER},
                 {"sling:OrderedFolder", NODE_FOLDER},
                 {"nt:folder", NODE_FOLDER},
                 {"dam:Asset", NODE_ASSET}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_eq(kinds[i].type, type))
            return kinds[i].kind;
    }
    return NODE_OTHER;
}

/* The type changes only where a contained node is replaced. */
static enum node_kind kind_of(const struct plan *p, const struct part *part)
{
    const char *type = part_property(part, TYPE);
    struct coverage c = filter_look(p->filter, part->path);
    if (part->has_before && !(type && c.is_contained && c.mode == MODE_REPLACE))
        return part->before.kind;
    return type ? kind_of_type(type) : NODE_FOLDER;
}

static void place(struct plan *p, struct part *part)
{
    struct part *parent = part->parent;
    if (!parent ||
        (parent->owner == parent && parent->kind == NODE_FOLDER && !str_eq(path_name(part->path), CONTENT))) {
        part->owner = part;
        part->has_before = store_get(p->store, part->path, &part->before);
        part->kind = kind_of(p, part);
        return;
    }
    part->owner = parent->owner;
    part->next = part->owner->member;
    part->owner->member = part;
}

/* --- one node of the store --------------------------------------------------------------------------------------- */

/* What becomes of a node while its properties are put together. */
struct draft {
    struct part *part;
    struct store_put put;
    size_t size;
    bool is_changed;
};

/* The JCR node a property of a store's node belongs to: its path is the caller's to free. */
static char *holder_path(const char *node, const char *property)
{
    AUTO(mem_freep) char *relative = path_parent(property);
    return path_join(node, relative);
}

static bool put_has(const struct store_put *put, const char *name)
{
    for (size_t i = 0; i < put->properties; i++) {
        if (str_eq(put->property[i].name, name))
            return true;
    }
    return false;
}

/* Takes both. */
static void put_add(struct draft *d, char *name, char *value)
{
    if (d->put.properties == d->size) {
        d->size = MAX(2 * d->size, 16);
        d->put.property = mem_grow(d->put.property, d->size, sizeof *d->put.property);
    }
    d->put.property[d->put.properties++] = (struct property){.name = name, .value = value};
}

static bool property_stays(const struct plan *p, const char *holder, const char *name)
{
    const struct part *part = parts_get(p->parts, holder);
    struct coverage c = filter_look(p->filter, holder);
    if (!survives(p, holder))
        return false;
    if (!part || part->properties == 0 || !c.is_contained)
        return true;
    if (c.mode == MODE_UPDATE || c.mode == MODE_UPDATE_PROPERTIES)
        return str_eq(path_name(name), TYPE) || !part_property(part, path_name(name));
    return c.mode != MODE_REPLACE;
}

static void keep_old(const struct plan *p, struct draft *d)
{
    const struct node *before = &d->part->before;
    for (size_t i = 0; i < before->properties; i++) {
        const struct property *old = &before->property[i];
        AUTO(mem_freep) char *holder = holder_path(before->path, old->name);
        if (property_stays(p, holder, old->name))
            put_add(d, str_copy(old->name), str_copy(old->value));
        else
            d->is_changed = true;
    }
}

/* May the package's `part` say anything about its JCR node? */
static bool is_imported(const struct plan *p, const struct draft *d, const struct part *part)
{
    if (filter_look(p->filter, part->path).is_contained)
        return true;
    const char *relative = path_below(part->path, d->part->path);
    AUTO(mem_freep) char *type = relative ? path_join(relative, TYPE) : str_copy(TYPE);
    return filter_is_above_root(p->filter, part->path) &&
           !(d->part->has_before && node_property(&d->part->before, type));
}

/* Takes the part's values: nobody asks for them any more. */
static void add_new(const struct plan *p, struct draft *d, struct part *part)
{
    const char *relative = path_below(part->path, d->part->path);
    if (part->properties == 0 || !is_imported(p, d, part))
        return;
    for (size_t i = 0; i < part->properties; i++) {
        char *name = path_join(relative ? relative : "", part->property[i].name);
        if (put_has(&d->put, name)) { /* stays, by mode */
            free(name);
            continue;
        }
        put_add(d, name, take(&part->property[i].value));
        d->is_changed = true;
    }
}

static bool plan_original(const struct plan *p, struct draft *d, struct err *e)
{
    AUTO(mem_freep) char *path = path_join(d->part->path, ORIGINAL);
    struct part *original = parts_get(p->parts, path);
    const struct node *before = &d->part->before;
    struct coverage c = filter_look(p->filter, path);
    bool is_there = d->part->has_before && before->bytes >= 0 && survives(p, path);
    bool is_merge = c.mode == MODE_MERGE || c.mode == MODE_MERGE_PROPERTIES;
    if (original && original->spooled && c.is_contained && !(is_there && is_merge)) {
        d->put.spooled = take(&original->spooled);
        d->put.bytes = original->bytes;
        memcpy(d->put.sha256, original->sha256, sizeof d->put.sha256);
    } else if (is_there) {
        d->put.bytes = before->bytes;
        memcpy(d->put.sha256, before->sha256, sizeof d->put.sha256);
    }
    d->is_changed = d->is_changed || d->put.spooled || (before->bytes >= 0 && d->put.bytes < 0 && d->part->has_before);
    if (d->put.spooled && d->put.kind != NODE_ASSET)
        return err_set(e, ERR_REFUSED, "an original wants a dam:Asset, which is not: '%s'", d->part->path);
    if (d->put.bytes < 0 && original && original->properties > 0 && c.is_contained)
        return err_set(e, ERR_REFUSED, "mandatory property jcr:data not found: '%s'", path);
    return true;
}

static bool check_asset(const struct store_put *put, struct err *e)
{
    const struct node n = {.property = put->property, .properties = put->properties};
    const char *type = node_property(&n, CONTENT "/" TYPE);
    return put->kind != NODE_ASSET || (type && str_eq(type, "dam:AssetContent")) ||
           err_set(e, ERR_REFUSED, "a dam:Asset wants a jcr:content of type dam:AssetContent: '%s'", put->path);
}

static bool fill(const struct plan *p, struct draft *d, struct err *e)
{
    keep_old(p, d);
    add_new(p, d, d->part);
    for (struct part *member = d->part->member; member; member = member->next)
        add_new(p, d, member);
    if (!put_has(&d->put, TYPE))
        put_add(d, str_copy(TYPE), str_copy("sling:Folder"));
    return plan_original(p, d, e) && check_asset(&d->put, e);
}

static void change_add(struct store_change *change, struct store_put *put)
{
    change->put = mem_grow(change->put, change->puts + 1, sizeof *change->put);
    change->put[change->puts++] = *put;
    *put = (struct store_put){0};
}

/* A missing node: what no filter contains is made only on the way to a filter's root, and by the store where it alone
 * may. */
static bool is_wanted(const struct plan *p, const struct part *part)
{
    struct err no;
    return part->is_present && store_may_change(p->store, part->path, &no) &&
           (filter_look(p->filter, part->path).is_contained || filter_is_above_root(p->filter, part->path));
}

static bool is_left_alone(const struct plan *p, const struct part *part)
{
    struct coverage c = filter_look(p->filter, part->path);
    return !survives(p, part->path) || (c.is_contained && c.mode == MODE_MERGE);
}

static bool plan_put(struct plan *p, struct part *part, struct err *e)
{
    if (part->has_before ? is_left_alone(p, part) : !is_wanted(p, part))
        return true;
    struct draft d = {.part = part, .is_changed = !part->has_before};
    d.put = (struct store_put){.path = str_copy(part->path), .kind = part->kind, .bytes = -1};
    bool is_done = fill(p, &d, e);
    if (is_done && d.is_changed)
        change_add(p->change, &d.put);
    store_put_release(&d.put);
    return is_done;
}

bool vault_plan(struct store *s, struct parts *parts, const struct filter *f, struct store_change *change,
                struct err *e)
{
    struct plan p = {.store = s, .parts = parts, .filter = f, .change = change};
    const char *root;
    for (size_t i = 0; (root = filter_root(f, i)); i++) {
        if (!store_may_change(s, root, e))
            return err_wrap(e, "filter root");
        parts_make(parts, root);
    }
    for (size_t i = 0; i < parts->count; i++)
        place(&p, parts->item[i]);
    for (size_t i = 0; (root = filter_root(f, i)); i++) {
        if (store_has(s, root))
            plan_removes(&p, root, survives(&p, root));
    }
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->item[i]->owner == parts->item[i] && !plan_put(&p, parts->item[i], e))
            return false;
    }
    return true;
}
