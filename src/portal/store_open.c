/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* store_open - opening and closing the tenant's content: the log becomes the tree again, its last change completed. */
#include "store_internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { COMPACT_SLACK = 1000 }; /* records that may be stale before the log is written anew */

/* Line by line; each change is made in the tree, the last one on disk too. A last line that is torn is cut off. */
static bool replay(struct store *s, FILE *log, struct err *e)
{
    AUTO(mem_freep) char *line = NULL;
    AUTO(store_change_release) struct store_change last = {0};
    size_t size = 0, lines = 0;
    int64_t last_ms = 0, ms = 0;
    ssize_t len;
    while ((len = getline(&line, &size, log)) > 0) {
        AUTO(store_change_release) struct store_change change = {0};
        bool is_whole = line[len - 1] == '\n' && store_log_parse(line, (size_t)len, s->tmp, &change, &ms, e);
        if (!is_whole && getc(log) != EOF)
            return err_set(e, ERR_LOCAL, "'%s' line %zu is damaged", s->log_path, lines + 1);
        if (!is_whole)
            break;
        if (lines++ > 0 && !tree_perform(s, &last, last_ms, PASS_TREE, e))
            return false;
        store_change_release(&last);
        last = change;
        last_ms = ms;
        change = (struct store_change){0};
        s->log_bytes += len;
    }
    if (ftruncate(s->log, s->log_bytes) != 0)
        return err_sys(e, errno, "cannot cut the torn end of '%s'", s->log_path);
    return tree_perform(s, &last, last_ms, PASS_REDO, e);
}

static bool log_read(struct store *s, struct err *e)
{
    int copy = dup(s->log);
    FILE *log = copy < 0 ? NULL : fdopen(copy, "r");
    if (!log)
        return err_sys(e, errno, "cannot read '%s'", s->log_path);
    bool is_done = replay(s, log, e);
    fclose(log);
    return is_done;
}

static bool log_open(struct store *s, struct err *e)
{
    s->log = open(s->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return s->log >= 0 || err_sys(e, errno, "cannot open '%s'", s->log_path);
}

/* One line per node instead of all that ever happened. */
static bool log_compact(struct store *s, struct err *e)
{
    AUTO(buf_release) struct buf all = BUF_INIT(SIZE_MAX / 2);
    const struct entry *entry;
    for (size_t at = 0; (entry = map_next(&s->entry, &at));) {
        const struct node *n = &entry->node;
        struct store_put put = {
            .path = n->path, .kind = n->kind, .property = n->property, .properties = n->properties, .bytes = n->bytes};
        memcpy(put.sha256, n->sha256, sizeof put.sha256);
        struct store_change change = {.put = &put, .puts = 1, .request = n->request};
        if (!store_log_line(&all, &change, n->arrived_ms, e))
            return false;
    }
    if (!file_replace(s->log_path, all.data, all.len, 0600, e))
        return false;
    fd_close(&s->log);
    s->log_bytes = (off_t)all.len;
    s->records = s->entry.count;
    return log_open(s, e);
}

/* What no record names was never part of a change. */
static bool tmp_sweep(struct store *s, struct err *e)
{
    DIR *dir = opendir(s->tmp);
    struct dirent *file;
    if (!dir)
        return err_sys(e, errno, "cannot list '%s'", s->tmp);
    while ((file = readdir(dir)))
        unlinkat(dirfd(dir), file->d_name, 0);
    closedir(dir);
    return true;
}

static bool root_make(struct store *s, struct err *e)
{
    AUTO(mem_freep) char *folder = store_file(s, s->root);
    return dir_make(folder, 0755, e) && dir_make(s->tmp, 0700, e);
}

static bool dir_lock(struct store *s, struct err *e)
{
    s->lock = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB) != 0)
        return err_sys(e, errno, "cannot lock '%s' (is another brandsync-portal using it?)", s->dir);
    return true;
}

static bool open_all(struct store *s, struct err *e)
{
    if (!store_path_fits(s->root))
        return err_set(e, ERR_CONFIG, "the tenant's root '%s' is no repository path", s->root);
    if (!root_make(s, e) || !dir_lock(s, e) || !log_open(s, e))
        return false;
    if (!entry_make(s, s->root, NODE_FOLDER, PASS_TREE, e) || !log_read(s, e) || !tmp_sweep(s, e))
        return false;
    return s->records <= 2 * s->entry.count + COMPACT_SLACK || log_compact(s, e);
}

struct store *store_open(const char *dir, const char *root, struct err *e)
{
    struct store *s = mem_alloc(sizeof *s);
    s->dir = str_copy(dir);
    s->root = str_copy(root);
    s->tmp = path_join(dir, "tmp");
    s->log_path = path_join(dir, "nodes.log");
    s->lock = s->log = -1;
    pthread_mutex_init(&s->writer, NULL);
    pthread_mutex_init(&s->nodes, NULL);
    BUG_ON(getrandom(&s->run, sizeof s->run, 0) != sizeof s->run);
    if (open_all(s, e))
        return s;
    store_close(s);
    return NULL;
}

void store_close(struct store *s)
{
    struct entry *entry;
    if (!s)
        return;
    for (size_t at = 0; (entry = map_next(&s->entry, &at));) {
        node_release(&entry->node);
        free(entry);
    }
    map_release(&s->entry);
    fd_close(&s->log);
    fd_close(&s->lock);
    pthread_mutex_destroy(&s->writer);
    pthread_mutex_destroy(&s->nodes);
    free(s->dir);
    free(s->root);
    free(s->tmp);
    free(s->log_path);
    free(s);
}
