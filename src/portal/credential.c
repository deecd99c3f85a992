/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* credential - what is registered with the tenant's IMS: DIR/credentials.json. */
#include "portal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20, CLIENT_ID_MAX = 64, SECRETS_MAX = 2, RSA_BITS_MIN = 2048 };

static const char *const kind_name[] = {[CREDENTIAL_JWT] = "jwt", [CREDENTIAL_OAUTH] = "oauth"};
static const char *const usual_scopes[] = {
    [CREDENTIAL_JWT] = "ent_brand_portal_sdk", [CREDENTIAL_OAUTH] = "openid,AdobeID"};

/* --- the file ------------------------------------------------------------------------------------ */

static void json_freep(json_t **json)
{
    json_decref(*json);
}

static bool read_list(const json_t *array, struct strlist *list)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text)
            return false;
        strlist_add(list, text);
    }
    return json_is_array(array);
}

static bool read_credential(json_t *json, struct credential *c)
{
    const char *kind, *client_id, *account, *organization;
    json_t *secret, *scope, *certificate;
    if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "kind", &kind, "client_id", &client_id,
                    "technical_account_id", &account, "organization_id", &organization, "secrets", &secret, "scopes",
                    &scope, "certificates", &certificate))
        return false;
    c->kind = str_eq(kind, kind_name[CREDENTIAL_JWT]) ? CREDENTIAL_JWT : CREDENTIAL_OAUTH;
    c->client_id = str_copy(client_id);
    c->technical_account_id = str_copy(account);
    c->organization_id = str_copy(organization);
    return str_eq(kind, kind_name[c->kind]) && read_list(secret, &c->secret) && read_list(scope, &c->scope) &&
           read_list(certificate, &c->certificate);
}

static bool read_all(const json_t *root, struct credentials *c)
{
    const json_t *array = json_object_get(root, "credentials");
    c->item = mem_array(json_array_size(array) + 1, sizeof(*c->item));
    for (; c->count < json_array_size(array); c->count++) {
        if (!read_credential(json_array_get(array, c->count), &c->item[c->count])) {
            c->count++; /* what was read of it is released with the rest */
            return false;
        }
    }
    return json_is_array(array);
}

bool credentials_load(const char *dir, struct credentials *c, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(dir, "credentials.json");
    AUTO(buf_release) struct buf text = BUF_INIT(FILE_MAX);
    *c = (struct credentials){0};
    if (access(file, F_OK) < 0 && errno == ENOENT)
        return true;
    if (!file_read(file, FILE_MAX, &text, e))
        return false;
    json_error_t where;
    AUTO(json_freep) json_t *root = json_loadb(text.data ? text.data : "", text.len, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return err_set(e, ERR_CONFIG, "'%s' is not JSON: line %d: %s", file, where.line, where.text);
    if (read_all(root, c))
        return true;
    credentials_release(c);
    return err_set(e, ERR_CONFIG, "'%s' is not a list of credentials", file);
}

static json_t *list_json(const struct strlist *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->item[i]));
    return array;
}

static bool save(const char *dir, const struct credentials *c, struct err *e)
{
    AUTO(json_freep) json_t *root = json_object();
    json_t *array = json_array();
    json_object_set_new(root, "credentials", array);
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *one = &c->item[i];
        json_array_append_new(array, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "kind", kind_name[one->kind],
                                               "client_id", one->client_id, "technical_account_id",
                                               one->technical_account_id, "organization_id", one->organization_id,
                                               "secrets", list_json(&one->secret), "scopes", list_json(&one->scope),
                                               "certificates", list_json(&one->certificate)));
    }
    char *text = json_dumps(root, JSON_INDENT(1));
    AUTO(mem_freep) char *file = path_join(dir, "credentials.json");
    bool is_saved = file_replace(file, text, strlen(text), 0600, e);
    free(text);
    return is_saved;
}

/* --- in memory ----------------------------------------------------------------------------------- */

struct credential *credentials_find(const struct credentials *c, const char *client_id)
{
    for (size_t i = 0; i < c->count; i++)
        if (str_eq(c->item[i].client_id, client_id))
            return &c->item[i];
    return NULL;
}

void credentials_release(struct credentials *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct credential *one = &c->item[i];
        mem_freep(&one->client_id);
        mem_freep(&one->technical_account_id);
        mem_freep(&one->organization_id);
        strlist_release(&one->secret);
        strlist_release(&one->scope);
        strlist_release(&one->certificate);
    }
    mem_freep(&c->item);
    c->count = 0;
}

void credential_digest(char hex[65], const char *secret)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)secret, strlen(secret), digest);
    text_hex(hex, digest, sizeof(digest));
}

/* --- registering --------------------------------------------------------------------------------- */

static char *random_hex(size_t bytes)
{
    unsigned char raw[32];
    char hex[2 * sizeof(raw) + 1];
    BUG_ON(bytes > sizeof(raw));
    BUG_ON(RAND_bytes(raw, (int)bytes) != 1);
    text_hex(hex, raw, bytes);
    return str_copy(hex);
}

/* Real ids are upper case hex: 24 digits and a realm. */
static char *random_account(const char *realm)
{
    AUTO(mem_freep) char *hex = random_hex(12);
    for (char *at = hex; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return str_printf("%s@%s", hex, realm);
}

static bool is_client_id(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return len > 0 && len <= CLIENT_ID_MAX && !text[len];
}

static void add_scopes(struct strlist *list, const char *scopes)
{
    while (*scopes) {
        size_t len = strcspn(scopes, ", ");
        AUTO(mem_freep) char *scope = str_copy_n(scopes, len);
        if (len)
            strlist_add(list, scope);
        scopes += len + strspn(scopes + len, ", ");
    }
}

static bool has_text(const struct strlist *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->item[i], text))
            return true;
    return false;
}

/* The certificate of FILE as PEM, alone: whatever else the file holds (a key, even) stays out. */
static bool read_certificate(const char *file, char **pem, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(FILE_MAX);
    if (!file_read(file, FILE_MAX, &text, e))
        return false;
    BIO *in = BIO_new_mem_buf(text.data ? text.data : "", (int)text.len), *out = BIO_new(BIO_s_mem());
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    EVP_PKEY *key = certificate ? X509_get0_pubkey(certificate) : NULL;
    bool is_good = key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
                   X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 && out &&
                   PEM_write_bio_X509(out, certificate);
    if (is_good) {
        char *data = NULL;
        long len = BIO_get_mem_data(out, &data);
        *pem = str_copy_n(data, (size_t)len);
    }
    X509_free(certificate);
    BIO_free(in);
    BIO_free(out);
    ERR_clear_error();
    return is_good ||
           err_set(e, ERR_CONFIG, "'%s' is not a PEM certificate of an RSA key of %d bits or more that is still valid",
                   file, RSA_BITS_MIN);
}

static struct credential *add_credential(struct credentials *c, const struct registration *r)
{
    c->item = mem_grow(c->item, c->count + 1, sizeof(*c->item));
    struct credential *one = &c->item[c->count++];
    *one = (struct credential){.kind = r->kind};
    one->client_id = r->client_id ? str_copy(r->client_id) : random_hex(16);
    one->technical_account_id = random_account("techacct.adobe.com");
    one->organization_id = random_account("AdobeOrg");
    add_scopes(&one->scope, r->scopes ? r->scopes : usual_scopes[r->kind]);
    return one;
}

/* Two at once, as the console has it: the third takes the place of the oldest. */
static void add_secret(struct credential *one, struct secret *secret)
{
    AUTO(mem_freep) char *text = random_hex(20);
    char digest[65];
    secret_set(secret, text, strlen(text));
    credential_digest(digest, text);
    explicit_bzero(text, strlen(text));
    struct strlist kept = {0};
    for (size_t i = one->secret.count >= SECRETS_MAX ? one->secret.count - SECRETS_MAX + 1 : 0; i < one->secret.count;
         i++)
        strlist_add(&kept, one->secret.item[i]);
    strlist_add(&kept, digest);
    strlist_release(&one->secret);
    one->secret = kept;
}

static bool change(const struct registration *r, struct credentials *c, size_t *index, struct secret *secret,
                   struct err *e)
{
    AUTO(mem_freep) char *pem = NULL;
    if (r->kind == CREDENTIAL_JWT && !read_certificate(r->certificate_file, &pem, e))
        return false;
    struct credential *one = r->client_id ? credentials_find(c, r->client_id) : NULL;
    if (one && one->kind != r->kind)
        return err_set(e, ERR_CONFIG, "'%s' is registered already, as a credential of kind %s", r->client_id,
                       kind_name[one->kind]);
    bool is_new = !one;
    if (is_new)
        one = add_credential(c, r);
    if (is_new || r->kind == CREDENTIAL_OAUTH)
        add_secret(one, secret);
    if (pem && !has_text(&one->certificate, pem))
        strlist_add(&one->certificate, pem);
    *index = (size_t)(one - c->item);
    return true;
}

static int lock_file(const char *dir, struct err *e)
{
    AUTO(mem_freep) char *file = path_join(dir, "credentials.lock");
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        err_sys(e, errno, "cannot lock '%s'", file);
    else
        return fd;
    fd_close(&fd);
    return -1;
}

bool credentials_register(const char *dir, const struct registration *r, struct credentials *c, size_t *index,
                          struct secret *secret, struct err *e)
{
    *c = (struct credentials){0};
    if (r->client_id && !is_client_id(r->client_id))
        return err_set(e, ERR_CONFIG, "'%s' cannot be a client id: letters, digits, '_' and '-', at most %d",
                       r->client_id, CLIENT_ID_MAX);
    AUTO(fd_close) int lock = lock_file(dir, e);
    if (lock < 0 || !credentials_load(dir, c, e))
        return false;
    if (change(r, c, index, secret, e) && save(dir, c, e))
        return true;
    credentials_release(c);
    secret_release(secret);
    return false;
}
