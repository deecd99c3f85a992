/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* authority - the tenant's own certificate authority and the server certificate it signs. */
#include "portal.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

enum { CA_DAYS = 3650, SERVER_DAYS = 397, PEM_MAX = 65536, DAY_S = 86400 };

/* Whom a certificate is for, and who signs it. */
struct signing {
    EVP_PKEY *key;
    X509 *issuer; /* NULL: itself */
    EVP_PKEY *issuer_key;
    const char *name;
    int days;
    const char *const (*extension)[2];
    size_t extensions;
};

static const char *const ca_extension[][2] = {
    {"basicConstraints", "critical,CA:TRUE,pathlen:0"},
    {"keyUsage", "critical,keyCertSign,cRLSign"},
    {"subjectKeyIdentifier", "hash"},
};
static const char *const server_extension[][2] = {
    {"basicConstraints", "critical,CA:FALSE"}, {"keyUsage", "critical,digitalSignature"},
    {"extendedKeyUsage", "serverAuth"},        {"subjectAltName", "IP:127.0.0.1,IP:::1,DNS:localhost"},
    {"subjectKeyIdentifier", "hash"},          {"authorityKeyIdentifier", "keyid:always"},
};

static void key_free(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void certificate_free(X509 **certificate)
{
    X509_free(*certificate);
}

static void bio_free(BIO **bio)
{
    BIO_free(*bio);
}

static bool openssl_failed(struct err *e, const char *what)
{
    char reason[160] = "no reason given";
    unsigned long code = ERR_get_error();
    if (code)
        ERR_error_string_n(code, reason, sizeof(reason));
    ERR_clear_error();
    return err_set(e, ERR_LOCAL, "cannot %s: %s", what, reason);
}

static bool add_extensions(X509 *certificate, const struct signing *s)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, s->issuer ? s->issuer : certificate, certificate, NULL, NULL, 0);
    for (size_t i = 0; i < s->extensions; i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf(NULL, &context, s->extension[i][0], s->extension[i][1]);
        bool is_added = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        if (!is_added)
            return false;
    }
    return true;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 bytes */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool is_set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return is_set;
}

static bool sign(const struct signing *s, X509 **out, struct err *e)
{
    AUTO(certificate_free) X509 *certificate = X509_new();
    if (!certificate || !X509_set_version(certificate, X509_VERSION_3) || !set_serial(certificate))
        return openssl_failed(e, "begin a certificate");
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (!X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const unsigned char *)"brandsync-portal", -1, -1, 0) ||
        !X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)s->name, -1, -1, 0) ||
        !X509_set_issuer_name(certificate, s->issuer ? X509_get_subject_name(s->issuer) : subject))
        return openssl_failed(e, "name a certificate");
    /* An hour back: clocks of virtual machines and containers differ a little. */
    if (!X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) ||
        !X509_gmtime_adj(X509_getm_notAfter(certificate), (long)s->days * DAY_S) ||
        !X509_set_pubkey(certificate, s->key) || !add_extensions(certificate, s))
        return openssl_failed(e, "fill a certificate");
    if (!X509_sign(certificate, s->issuer_key, EVP_sha256()))
        return openssl_failed(e, "sign a certificate");
    *out = take(&certificate);
    return true;
}

static char *bio_text(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    return str_copy_n(data, (size_t)len);
}

static char *key_pem(EVP_PKEY *key)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    return bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ? bio_text(bio) : NULL;
}

static char *certificate_pem(X509 *certificate)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    return bio && PEM_write_bio_X509(bio, certificate) ? bio_text(bio) : NULL;
}

static bool store_pair(const char *dir, const char *name, const char *key, const char *certificate, struct err *e)
{
    if (!key || !certificate)
        return openssl_failed(e, "write out a certificate");
    AUTO(mem_freep) char *key_file = str_printf("%s/%s.key", dir, name);
    AUTO(mem_freep) char *certificate_file = str_printf("%s/%s.pem", dir, name);
    /* The key first: a certificate that is there has its key. */
    return file_replace(key_file, key, strlen(key), 0600, e) &&
           file_replace(certificate_file, certificate, strlen(certificate), 0644, e);
}

static bool make_ca(const char *dir, EVP_PKEY **key, X509 **certificate, struct err *e)
{
    *key = EVP_EC_gen("P-256");
    if (!*key)
        return openssl_failed(e, "make a key");
    struct signing ca = {.key = *key,
                         .issuer_key = *key,
                         .name = "brandsync-portal local CA (for trying out)",
                         .days = CA_DAYS,
                         .extension = ca_extension,
                         .extensions = ARRAY_LEN(ca_extension)};
    if (!sign(&ca, certificate, e))
        return false;
    AUTO(mem_freep) char *key_text = key_pem(*key);
    AUTO(mem_freep) char *text = certificate_pem(*certificate);
    return store_pair(dir, "ca", key_text, text, e);
}

static BIO *file_bio(const char *dir, const char *name, struct buf *text, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(dir, name);
    if (!file_read(file, PEM_MAX, text, e))
        return NULL;
    return BIO_new_mem_buf(text->data, (int)text->len);
}

static bool load_ca(const char *dir, EVP_PKEY **key, X509 **certificate, struct err *e)
{
    AUTO(buf_release) struct buf key_text = BUF_INIT(PEM_MAX), text = BUF_INIT(PEM_MAX);
    AUTO(bio_free) BIO *key_bio = file_bio(dir, "ca.key", &key_text, e);
    AUTO(bio_free) BIO *bio = key_bio ? file_bio(dir, "ca.pem", &text, e) : NULL;
    if (!bio)
        return false;
    *key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
    *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (*key && *certificate && X509_check_private_key(*certificate, *key) == 1 &&
        X509_cmp_current_time(X509_get0_notAfter(*certificate)) > 0)
        return true;
    ERR_clear_error();
    return err_set(e, ERR_CONFIG,
                   "the CA in '%s' is damaged or has run out; move ca.key and ca.pem away and a new one is made", dir);
}

bool authority_open(const char *dir, struct authority *a, struct err *e)
{
    AUTO(mem_freep) char *tls = path_join(dir, "tls");
    AUTO(mem_freep) char *ca_file = path_join(tls, "ca.pem");
    AUTO(key_free) EVP_PKEY *ca_key = NULL;
    AUTO(certificate_free) X509 *ca = NULL;
    if (!dir_make(tls, 0755, e))
        return false;
    bool is_there = access(ca_file, F_OK) == 0;
    if (!(is_there ? load_ca(tls, &ca_key, &ca, e) : make_ca(tls, &ca_key, &ca, e)))
        return false;

    AUTO(key_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    AUTO(certificate_free) X509 *certificate = NULL;
    if (!key)
        return openssl_failed(e, "make a key");
    struct signing server = {.key = key,
                             .issuer = ca,
                             .issuer_key = ca_key,
                             .name = "localhost",
                             .days = SERVER_DAYS,
                             .extension = server_extension,
                             .extensions = ARRAY_LEN(server_extension)};
    if (!sign(&server, &certificate, e))
        return false;
    *a = (struct authority){
        .ca_file = take(&ca_file), .certificate = certificate_pem(certificate), .key = key_pem(key)};
    if (store_pair(tls, "server", a->key, a->certificate, e))
        return true;
    authority_release(a);
    return false;
}

void authority_release(struct authority *a)
{
    mem_freep(&a->ca_file);
    mem_freep(&a->certificate);
    mem_freep(&a->key);
}
