/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Key pairs: made, written as a pair or not at all, and read back (protocol.md 1.2).
 */
#include "certificate.h"
#include "identity_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BITS_MIN = 2048, BITS_MAX = 8192, DAYS_MAX = 3650, COMMON_NAME_MAX = 64 /* X.509's own bound */ };

static const char service_group[] = "brandsync";

bool err_openssl(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return err_set(e, kind, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

void pkey_freep(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

/* --- reading ----------------------------------------------------------------------------------------- */

/* Without this OpenSSL would ask for the passphrase on the terminal. */
static int no_passphrase(char *out UNUSED, int size UNUSED, int is_writing UNUSED, void *was_asked)
{
    *(bool *)was_asked = true;
    return -1;
}

static EVP_PKEY *key_parse(const struct secret *pem, const char *key_file, struct err *e)
{
    bool was_asked = false;
    AUTO(bio_freep) BIO *in = BIO_new_mem_buf(pem->data, (int)pem->len);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &was_asked) : NULL;
    if (key)
        return key;
    ERR_clear_error();
    err_set(e, ERR_CONFIG, "private key '%s' %s", key_file,
            was_asked ? "is locked by a passphrase, which a service cannot type" : "is not a key in PEM form");
    return NULL;
}

EVP_PKEY *key_load(const char *key_file, struct err *e)
{
    AUTO(secret_release) struct secret pem = {0};
    if (!secret_load(&pem, key_file, e))
        return NULL;
    AUTO(pkey_freep) EVP_PKEY *key = key_parse(&pem, key_file, e);
    if (!key)
        return NULL;
    if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= BITS_MIN)
        return take(&key);
    err_set(e, ERR_CONFIG, "private key '%s' is not an RSA key of at least %d bits", key_file, BITS_MIN);
    return NULL;
}

bool key_show(const char *key_file, const char *certificate_file, struct key_info *out, struct err *e)
{
    *out = (struct key_info){0};
    AUTO(pkey_freep) EVP_PKEY *key = key_load(key_file, e);
    if (!key)
        return false;
    AUTO(x509_freep) X509 *certificate = certificate_load(certificate_file, e);
    if (!certificate)
        return false;
    out->bits = EVP_PKEY_get_bits(key);
    out->is_pair = X509_check_private_key(certificate, key) == 1;
    ERR_clear_error();
    return certificate_describe(certificate, out, e);
}

bool key_export_public(const char *key_file, struct buf *pem, struct err *e)
{
    AUTO(pkey_freep) EVP_PKEY *key = key_load(key_file, e);
    if (!key)
        return false;
    AUTO(bio_freep) BIO *out = BIO_new(BIO_s_mem());
    if (!out || !PEM_write_bio_PUBKEY(out, key))
        return err_openssl(e, ERR_LOCAL, "cannot write the public key of '%s'", key_file);
    return bio_give(out, pem, e);
}

/* --- writing ----------------------------------------------------------------------------------------- */

static bool opts_check(const struct key_opts *opts, struct err *e)
{
    if (opts->bits < BITS_MIN || opts->bits > BITS_MAX)
        return err_set(e, ERR_CONFIG, "a key of %d bits is not possible: %d to %d", opts->bits, BITS_MIN, BITS_MAX);
    if (opts->days < 1 || opts->days > DAYS_MAX)
        return err_set(e, ERR_CONFIG, "a certificate for %d days is not possible: 1 to %d", opts->days, DAYS_MAX);
    size_t len = strlen(opts->common_name);
    if (len == 0 || len > COMMON_NAME_MAX || !text_is_utf8(opts->common_name, len))
        return err_set(e, ERR_CONFIG, "the common name must be 1 to %d bytes of UTF-8", COMMON_NAME_MAX);
    return true;
}

static bool is_free(const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return err_set(e, ERR_CONFIG, "'%s' exists already; --force replaces it", path);
    return errno == ENOENT || err_sys(e, errno, "cannot look at '%s'", path);
}

/* The service reads the key by its group when root made it; 0: there is no such group, or we are not root. */
static gid_t group_for_key(void)
{
    enum { ROOM = 1 << 16 };
    AUTO(mem_freep) char *room = mem_alloc(ROOM);
    struct group entry, *found = NULL;
    if (geteuid() != 0 || getgrnam_r(service_group, &entry, room, ROOM, &found) != 0 || !found)
        return 0;
    return entry.gr_gid;
}

static bool key_open_to_service(const char *key_file, struct err *e)
{
    gid_t group = group_for_key();
    if (group == 0)
        return true;
    AUTO(fd_close) int fd = open(key_file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, 0, group) != 0 || fchmod(fd, 0640) != 0)
        return err_sys(e, errno, "cannot give '%s' to the group %s", key_file, service_group);
    return true;
}

static bool key_write(const char *key_file, EVP_PKEY *key, struct err *e)
{
    char *pem = NULL;
    AUTO(bio_freep) BIO *out = BIO_new(BIO_s_mem()); /* wipes itself when freed */
    if (!out || !PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL))
        return err_openssl(e, ERR_LOCAL, "cannot write the private key");
    long len = BIO_get_mem_data(out, &pem);
    return file_replace(key_file, pem, (size_t)len, 0600, e) && key_open_to_service(key_file, e);
}

static bool certificate_write(const char *certificate_file, X509 *certificate, struct err *e)
{
    AUTO(buf_release) struct buf pem = BUF_INIT(1 << 16);
    return certificate_pem(certificate, &pem, e) && file_replace(certificate_file, pem.data, pem.len, 0644, e);
}

/* A second name for an old file until the new pair is whole. */
static char *kept_name(const char *path)
{
    return str_printf("%s.kept", path);
}

static void let_go(const char *path)
{
    AUTO(mem_freep) char *kept = kept_name(path);
    unlink(kept);
}

static bool keep(const char *path, struct err *e)
{
    AUTO(mem_freep) char *kept = kept_name(path);
    let_go(path);
    return link(path, kept) == 0 || errno == ENOENT || err_sys(e, errno, "cannot keep '%s' meanwhile", path);
}

static void put_back(const char *path)
{
    AUTO(mem_freep) char *kept = kept_name(path);
    if (rename(kept, path) != 0 && errno == ENOENT)
        unlink(path); /* there was none before */
}

static bool keep_both(const char *key_file, const char *certificate_file, struct err *e)
{
    if (!keep(key_file, e))
        return false;
    if (keep(certificate_file, e))
        return true;
    let_go(key_file);
    return false;
}

static bool pair_write(const char *key_file, const char *certificate_file, EVP_PKEY *key, X509 *certificate,
                       struct err *e)
{
    if (!keep_both(key_file, certificate_file, e))
        return false;
    bool is_written = key_write(key_file, key, e) && certificate_write(certificate_file, certificate, e);
    void (*finish)(const char *path) = is_written ? let_go : put_back;
    finish(key_file);
    finish(certificate_file);
    return is_written;
}

bool key_create(const char *key_file, const char *certificate_file, const struct key_opts *opts, struct err *e)
{
    if (!opts_check(opts, e))
        return false;
    if (!opts->forced && !(is_free(key_file, e) && is_free(certificate_file, e)))
        return false;
    AUTO(pkey_freep) EVP_PKEY *key = EVP_RSA_gen((unsigned)opts->bits);
    if (!key)
        return err_openssl(e, ERR_LOCAL, "cannot make an RSA key of %d bits", opts->bits);
    AUTO(x509_freep) X509 *certificate = certificate_make(key, opts, e);
    return certificate && pair_write(key_file, certificate_file, key, certificate, e);
}
