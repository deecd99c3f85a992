/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Directories as nodes of a tree: a path is what the parents say now, so that a rename changes one node.
 */
#include "watch_internal.h"

#include <search.h>

static void link_child(struct node *parent, struct node *node)
{
    node->parent = parent;
    if (!parent)
        return;
    node->next = parent->child;
    if (node->next)
        node->next->prev = node;
    parent->child = node;
}

static void unlink_child(struct node *node)
{
    if (node->prev)
        node->prev->next = node->next;
    else if (node->parent)
        node->parent->child = node->next;
    if (node->next)
        node->next->prev = node->prev;
    node->parent = node->next = node->prev = NULL;
}

struct node *node_new(struct node *parent, int folder, const char *name)
{
    struct node *node = mem_alloc(sizeof(*node));
    node->wd = -1;
    node->folder = folder;
    node->name = str_copy(name);
    link_child(parent, node);
    return node;
}

struct node *node_hold(struct node *node)
{
    if (node)
        node->refs++;
    return node;
}

void node_unhold(struct node *node)
{
    if (!node || --node->refs > 0 || !node->is_dead)
        return;
    free(node->name);
    free(node);
}

/* Before `end`, with the '/' that parts it from what comes before. */
static char *prepend(const char *path, char *end, const char *part)
{
    size_t len = strlen(part);
    end -= len;
    memcpy(end, part, len);
    if (end > path)
        *--end = '/';
    return end;
}

/* Written from its end, so that the depth does not matter. */
char *node_path(const struct node *node, const char *name)
{
    size_t len = name ? strlen(name) + 1 : 0;
    for (const struct node *n = node; n; n = n->parent)
        len += strlen(n->name) + (n->parent ? 1 : 0);
    char *path = mem_alloc(len + 1), *end = path + len;
    if (name)
        end = prepend(path, end, name);
    for (const struct node *n = node; n; n = n->parent)
        end = prepend(path, end, n->name);
    return path;
}

int node_folder(const struct node *node)
{
    while (node->parent)
        node = node->parent;
    return node->folder;
}

struct node *node_child(const struct node *parent, const char *name)
{
    for (struct node *child = parent->child; child; child = child->next)
        if (str_eq(child->name, name))
            return child;
    return NULL;
}

bool node_is_at(const struct node *node, const struct node *parent, const char *name)
{
    return node->parent == parent && str_eq(node->name, name);
}

bool node_holds(const struct node *top, const struct node *node)
{
    while (node && node != top)
        node = node->parent;
    return node == top;
}

void node_move(struct node *node, struct node *parent, const char *name)
{
    char *old = node->name;
    node->name = str_copy(name); /* before the old one goes: it may be the same */
    free(old);
    unlink_child(node);
    link_child(parent, node);
}

static int by_wd(const void *a, const void *b)
{
    const struct node *x = a, *y = b;
    return (x->wd > y->wd) - (x->wd < y->wd);
}

struct node *tree_find(const struct tree *tree, int wd)
{
    const struct node key = {.wd = wd};
    struct node *const *found = tfind(&key, &tree->by_wd, by_wd);
    return found ? *found : NULL;
}

void tree_add(struct tree *tree, struct node *node, int wd)
{
    node->wd = wd;
    BUG_ON(!tsearch(node, &tree->by_wd, by_wd));
}

/* Out of the tree, alone: what is below must be gone already. Its holders free it. */
void tree_remove(struct tree *tree, struct node *node)
{
    if (node->wd >= 0)
        tdelete(node, &tree->by_wd, by_wd);
    unlink_child(node);
    node->wd = -1;
    node->is_dead = true;
    node->refs++;
    node_unhold(node);
}
