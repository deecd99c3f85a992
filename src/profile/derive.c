/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* derive - defaults that follow from other values, and the places that later messages name. */
#include "profile_internal.h"

#include "names.h"

#include <ctype.h>

static void derive_id(struct load *l, struct profile_tenant *t)
{
    struct complaint c;
    AUTO(url_release) struct url u = {0};
    if (t->id || !t->url || document_find(l->document, "tenant.id") || !url_parse(&u, t->url, &c))
        return;
    if (u.is_address) {
        problems_add(l->problems, false, load_spot(l, "tenant.id"), "an address says nothing of the tenant: id: acme",
                     "missing key \"id\" in tenant");
        return;
    }
    t->id = str_copy_n(u.host, strcspn(u.host, "."));
    for (char *at = t->id; *at; at++)
        *at = (char)tolower((unsigned char)*at);
}

static void derive_folder(struct load *l, struct profile_folder *f, size_t index)
{
    const struct profile_tenant *t = &l->profile->tenant;
    AUTO(mem_freep) char *path = str_printf("folders[%zu]", index);
    AUTO(mem_freep) char *exclude = str_printf("%s.exclude", path), *include = str_printf("%s.include", path);
    AUTO(mem_freep) char *settle = str_printf("%s.settle", path), *public = str_printf("%s.public", path);
    AUTO(mem_freep) char *to = str_printf("%s.to", path);
    f->place = load_place(l, path);
    f->exclude_place = load_place(l, exclude);
    f->include_place = load_place(l, include);
    f->settle_place = load_place(l, settle);
    if (!document_find(l->document, public))
        f->is_public = t->is_public;
    if (!f->to && f->path && !document_find(l->document, to))
        f->to = str_copy(path_name(f->path));
    if (!f->to || !t->root)
        return;
    AUTO(mem_freep) char *mapped = names_map_path(NAME_FOLDER, f->to);
    f->remote = path_join(t->root, mapped);
}

static void derive_places(struct load *l)
{
    struct profile *p = l->profile;
    p->tenant.url_place = load_place(l, "tenant.url");
    p->tenant.importer_path_place = load_place(l, "tenant.importer_path");
    p->identity.secret_place = load_place(l, "identity.client_secret_file");
    p->identity.scopes_place = load_place(l, "identity.scopes");
    p->identity.mode_place = load_place(l, "identity.mode");
}

void derive(struct load *l)
{
    struct profile *p = l->profile;
    struct profile_tenant *t = &p->tenant;
    if (!p->title)
        p->title = str_copy(p->name);
    if (!p->state)
        p->state = path_join("/var/lib/brandsync", p->name);
    derive_id(l, t);
    if (!t->root && t->id && !document_find(l->document, "tenant.root"))
        t->root = path_join("/content/dam/mac", t->id);
    for (size_t i = 0; i < p->folders; i++)
        derive_folder(l, &p->folder[i], i);
    derive_places(l);
}
