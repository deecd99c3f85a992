/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * trust - the system's certificate authorities plus one file of the profile.
 *
 * A hashed directory is asked one authority at a time and costs nothing; a bundle is loaded whole (about 2 MB for each
 * connection), so it is taken only where a system has no such directory.
 */
#include "http_internal.h"

#include <ctype.h>
#include <dirent.h>

enum { BUNDLE_MAX_BYTES = 8 << 20 };

static const char *system_dir, *system_bundle; /* set once, before the first thread */

/* OpenSSL's hashed names: eight hexadecimal digits, a dot, a number. */
static bool is_hashed(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");
    return digits == 8 && name[8] == '.' && isdigit((unsigned char)name[9]);
}

static bool has_hashed_names(const char *path)
{
    DIR *dir = path ? opendir(path) : NULL;
    bool found = false;
    for (struct dirent *d; dir && !found && (d = readdir(dir));)
        found = is_hashed(d->d_name);
    if (dir)
        closedir(dir);
    return found;
}

void trust_find_system_store(void)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    const char *const dirs[] = {curl->capath, "/etc/ssl/certs", "/etc/pki/ca-trust/extracted/pem/directory-hash"};
    system_bundle = curl->cainfo;
    for (size_t i = 0; i < ARRAY_LEN(dirs) && !system_dir; i++)
        if (has_hashed_names(dirs[i]))
            system_dir = dirs[i];
}

/* libcurl takes one file: the bundle and the profile's own become one. */
static bool set_both(CURL *easy, const char *ca_file, struct err *e)
{
    AUTO(buf_release) struct buf own = BUF_INIT(BUNDLE_MAX_BYTES), both = BUF_INIT(2 * BUNDLE_MAX_BYTES);
    if (!file_read(system_bundle, BUNDLE_MAX_BYTES, &both, e) || !file_read(ca_file, BUNDLE_MAX_BYTES, &own, e))
        return err_cause(e, CAUSE_TENANT_TLS);
    buf_char(&both, '\n');
    buf_add(&both, own.data, own.len);
    struct curl_blob blob = {.data = both.data, .len = both.len, .flags = CURL_BLOB_COPY};
    return curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK ||
           err_set(e, ERR_LOCAL, "cannot use %s", QUOTED(ca_file));
}

bool trust_set(CURL *easy, const char *ca_file, struct err *e)
{
    if (!system_dir && ca_file && system_bundle)
        return set_both(easy, ca_file, e);
    if (system_dir || ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    if (system_dir)
        curl_easy_setopt(easy, CURLOPT_CAPATH, system_dir);
    return true;
}
