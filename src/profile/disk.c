/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* disk - the files and directories that a profile names: are they there, and who may read them? */
#include "profile_internal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct named_file {
    const char *key;
    size_t at;
    bool only_jwt;
    bool is_secret;
    const char *make; /* what makes it */
} named_files[] = {
    {"tenant.ca_file", offsetof(struct profile, tenant.ca_file), false, false, NULL},
    {"tenant.client_certificate_file", offsetof(struct profile, tenant.client_certificate_file), false, true,
     NULL}, /* its key is in it */
    {"identity.client_secret_file", offsetof(struct profile, identity.client_secret_file), false, true,
     "write the client secret of the credential into that file"},
    {"identity.private_key_file", offsetof(struct profile, identity.private_key_file), true, true,
     "brandsync key create"},
    {"identity.certificate_file", offsetof(struct profile, identity.certificate_file), true, false,
     "brandsync key create"},
    {"identity.ca_file", offsetof(struct profile, identity.ca_file), false, false, NULL},
};

static const struct {
    mode_t bits;
    const char *what;
} loose_modes[] = {
    {S_IWOTH, "everybody may write this secret file"},
    {S_IROTH, "everybody may read this secret file"},
    {S_IWGRP, "the group may write this secret file"},
    {S_IXOTH | S_IXGRP, "others may run this secret file"},
};

/* Which of the reasons of secret_file_check it is, and the cure apart. */
static void report_secret(struct load *l, const struct named_file *n, const char *file, const struct stat *st,
                          const struct err *e)
{
    AUTO(mem_freep) char *fix = str_printf("fix: chown root:brandsync %s && chmod 0640 %s", SHELL(file), SHELL(file));
    struct spot at = load_spot(l, n->key);
    if (!S_ISREG(st->st_mode)) {
        problems_add(l->problems, false, at, NULL, "%s", e->text);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(loose_modes); i++) {
        if (st->st_mode & loose_modes[i].bits) {
            problems_add(l->problems, false, at, fix, "%s (mode %04o)", loose_modes[i].what,
                         (unsigned)st->st_mode & 07777);
            return;
        }
    }
    problems_add(l->problems, false, at, fix, "this secret file belongs to user %u", (unsigned)st->st_uid);
}

static void report_absent(struct load *l, const struct named_file *n, int sys)
{
    AUTO(mem_freep) char *hint = n->make ? str_printf("fix: %s", n->make) : NULL;
    if (sys == ENOENT)
        problems_add(l->problems, false, load_spot(l, n->key), hint, "there is no such file");
    else
        problems_add(l->problems, false, load_spot(l, n->key), NULL, "this file cannot be looked at: %s",
                     strerrordesc_np(sys));
}

static void look_at_file(struct load *l, const struct named_file *n, const char *file)
{
    struct stat st;
    struct err e;
    if (stat(file, &st) < 0)
        report_absent(l, n, errno);
    else if (n->is_secret && !secret_file_check(file, &e))
        report_secret(l, n, file, &st, &e);
    else if (!S_ISREG(st.st_mode))
        problems_add(l->problems, false, load_spot(l, n->key), NULL, "this is not a regular file");
    else if (access(file, R_OK) < 0)
        problems_add(l->problems, false, load_spot(l, n->key), NULL, "this user (%u) may not read it",
                     (unsigned)geteuid());
}

/* A folder that is not mounted yet halts by itself and comes back; it is no reason to refuse a profile. */
static void look_at_folder(struct load *l, const char *path, size_t index)
{
    struct stat st;
    bool is_there = stat(path, &st) == 0;
    if (is_there && S_ISDIR(st.st_mode))
        return;
    AUTO(mem_freep) char *key = str_printf("folders[%zu].path", index);
    problems_add(l->problems, true, load_spot(l, key), "the folder is halted until it is there; nothing is unpublished",
                 is_there ? "this is not a directory" : "there is no such directory now");
}

void disk_check(struct load *l)
{
    const struct profile *p = l->profile;
    for (size_t i = 0; i < ARRAY_LEN(named_files); i++) {
        const char *file = *(char *const *)(const void *)((const char *)p + named_files[i].at);
        if (file && (!named_files[i].only_jwt || p->identity.mode == IDENTITY_JWT))
            look_at_file(l, &named_files[i], file);
    }
    for (size_t i = 0; i < p->folders; i++)
        if (p->folder[i].path)
            look_at_folder(l, p->folder[i].path, i);
}
