/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * Self-signed certificates as the developer console takes them: X.509v3, SHA-256 (protocol.md 1.2).
 */
#include "certificate.h"
#include "identity_internal.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { CERTIFICATE_MAX = 64 * 1024, SERIAL_BITS = 159 /* positive, and 20 octets at most (RFC 5280, 4.1.2.2) */ };

void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

void x509_freep(X509 **certificate)
{
    X509_free(*certificate);
}

bool bio_give(BIO *from, struct buf *to, struct err *e)
{
    char *data = NULL;
    long len = BIO_get_mem_data(from, &data);
    return buf_add(to, data, (size_t)len) || err_set(e, ERR_LOCAL, "no room for %ld bytes of PEM", len);
}

/* --- making ------------------------------------------------------------------------------------------ */

static bool serial_set(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool is_set = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return is_set;
}

static bool name_set(X509 *certificate, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) &&
           X509_set_issuer_name(certificate, name);
}

static bool extensions_set(X509 *certificate)
{
    static const struct {
        int nid;
        const char *value;
    } wanted[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_subject_key_identifier, "hash"},
    };
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, wanted[i].nid, wanted[i].value);
        bool is_added = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        if (!is_added)
            return false;
    }
    return true;
}

X509 *certificate_make(EVP_PKEY *key, const struct key_opts *opts, struct err *e)
{
    AUTO(x509_freep) X509 *certificate = X509_new();
    if (certificate && X509_set_version(certificate, X509_VERSION_3) && serial_set(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
        X509_time_adj_ex(X509_getm_notAfter(certificate), opts->days, 0, NULL) && X509_set_pubkey(certificate, key) &&
        name_set(certificate, opts->common_name) && extensions_set(certificate) &&
        X509_sign(certificate, key, EVP_sha256()))
        return take(&certificate);
    err_openssl(e, ERR_LOCAL, "cannot make a certificate for '%s'", opts->common_name);
    return NULL;
}

/* --- reading ----------------------------------------------------------------------------------------- */

X509 *certificate_load(const char *certificate_file, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(CERTIFICATE_MAX);
    if (!file_read(certificate_file, CERTIFICATE_MAX, &text, e))
        return NULL;
    AUTO(bio_freep) BIO *in = BIO_new_mem_buf(text.data ? text.data : "", (int)text.len);
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    ERR_clear_error();
    if (!certificate)
        err_set(e, ERR_CONFIG, "'%s' holds no certificate in PEM form", certificate_file);
    return certificate;
}

bool certificate_pem(X509 *certificate, struct buf *pem, struct err *e)
{
    AUTO(bio_freep) BIO *out = BIO_new(BIO_s_mem());
    if (!out || !PEM_write_bio_X509(out, certificate))
        return err_openssl(e, ERR_LOCAL, "cannot write a certificate");
    return bio_give(out, pem, e);
}

/* Written anew, not copied: a key that stands in the same file is never handed out. */
bool certificate_read(const char *certificate_file, struct buf *pem, struct err *e)
{
    AUTO(x509_freep) X509 *certificate = certificate_load(certificate_file, e);
    return certificate && certificate_pem(certificate, pem, e);
}

static int64_t asn1_ms(const ASN1_TIME *time)
{
    struct tm parts;
    return ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) * 1000 : 0;
}

int64_t certificate_expires_ms(const char *certificate_file)
{
    struct err ignored;
    AUTO(x509_freep) X509 *certificate = certificate_load(certificate_file, &ignored);
    return certificate ? asn1_ms(X509_get0_notAfter(certificate)) : 0;
}

static void fingerprint_write(char *out, const unsigned char *digest, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        snprintf(out + (size_t)3 * i, 4, "%02X%s", digest[i], i + 1 < len ? ":" : "");
}

bool certificate_describe(X509 *certificate, struct key_info *out, struct err *e)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    AUTO(bio_freep) BIO *subject = BIO_new(BIO_s_mem());
    if (!subject || !X509_digest(certificate, EVP_sha256(), digest, &len) ||
        X509_NAME_print_ex(subject, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
        return err_openssl(e, ERR_LOCAL, "cannot read the certificate");
    char *text = NULL;
    long text_len = BIO_get_mem_data(subject, &text);
    snprintf(out->subject, sizeof(out->subject), "%.*s", (int)text_len, text ? text : "");
    fingerprint_write(out->fingerprint_sha256, digest, len);
    out->not_before_ms = asn1_ms(X509_get0_notBefore(certificate));
    out->not_after_ms = asn1_ms(X509_get0_notAfter(certificate));
    return true;
}
