/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* find - which profile is meant: a name, a file, or the only one there is. */
#include "profile_internal.h"

#include <dirent.h>
#include <unistd.h>

#define PROFILES "/etc/brandsync"

static int is_profile(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && str_ends(entry->d_name, ".yaml");
}

/* The names of all profiles in `dir`, sorted; a directory that cannot be read has none. */
static struct strlist list_profiles(const char *dir)
{
    struct strlist names = {0};
    struct dirent **entry = NULL;
    int count = scandir(dir, &entry, is_profile, alphasort);
    for (int i = 0; i < count; i++) {
        entry[i]->d_name[strlen(entry[i]->d_name) - strlen(".yaml")] = '\0';
        strlist_add(&names, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return names;
}

static bool say_which(const struct strlist *names, const char *dir, struct err *e)
{
    if (names->count == 0)
        return err_set(e, ERR_CONFIG, "there is no profile in %s; make one with: brandsync init NAME", dir);
    AUTO(buf_release) struct buf text = BUF_INIT(SIZE_MAX);
    for (size_t i = 0; i < names->count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "", names->item[i]);
    return err_set(e, ERR_CONFIG, "name a profile with --profile; %s has %s", dir, QUOTED(text.data));
}

static char *find_only(const char *dir, struct err *e)
{
    AUTO(strlist_release) struct strlist names = list_profiles(dir);
    if (names.count == 1)
        return str_printf("%s/%s.yaml", dir, names.item[0]);
    say_which(&names, dir, e);
    return NULL;
}

static char *find_named(const char *dir, const char *name, struct err *e)
{
    AUTO(mem_freep) char *file = str_printf("%s/%s.yaml", dir, name);
    if (access(file, F_OK) == 0)
        return take(&file);
    AUTO(strlist_release) struct strlist names = list_profiles(dir);
    say_which(&names, dir, e);
    err_wrap(e, "no profile %s", SHOWN(name));
    return NULL;
}

char *find_in(const char *dir, const char *name_or_file, struct err *e)
{
    if (!name_or_file || !*name_or_file)
        return find_only(dir, e);
    if (strchr(name_or_file, '/') || str_ends(name_or_file, ".yaml"))
        return str_copy(name_or_file);
    return find_named(dir, name_or_file, e);
}

char *profile_find(const char *name_or_file, struct err *e)
{
    return find_in(PROFILES, name_or_file ? name_or_file : getenv("BRANDSYNC_PROFILE"), e);
}
