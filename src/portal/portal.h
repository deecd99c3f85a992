/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * portal - the local tenant's inside: what its files share.
 *
 *   brandsync-portal.c  main, command line (start, register)
 *   server.c, call.c    two libmicrohttpd daemons: TLS (IMS, importer, replication test) and the plain loopback page
 *   authority.c         own CA and server certificate (OpenSSL), made once below DIR/tls
 *   credential.c        registered credentials (DIR/credentials.json): client id, secrets, certificates, organization, scopes
 *   ims.c, exchange.c   /ims/exchange/jwt, /ims/token/v3; issues and checks bearer tokens
 *   importer.c          distribution importer: ADD, TEST, DELETE bodies and their replies (protocol.md 4.5, 11)
 *   unzip.c             a zip read as a stream of local entries, as Java's ZipInputStream does
 *   vault.c             a FileVault package being received: entries sorted into XML, originals and what is refused
 *   vault_xml.c         its XML: .content.xml (document view), filter.xml, properties.xml; vault_walk.c: expat with limits
 *   vault_filter.c      the workspace filter: what a package covers, and in which mode
 *   vault_plan.c        package + filter + what is there -> one change, as FileVault's importer would make it
 *   store.c             the tenant's content: files on disk, nodes in memory; one atomic change at a time
 *   store_tree.c        its tree, and the disk that follows it; store_open.c: log -> tree; store_json.c: the log's lines
 *   journal.c           JSON lines of all that was received; counters for /stats
 *   page*.c             the page one browses
 *
 * Threads: libmicrohttpd's, one per connection. Each struct below says by which mutex it is guarded.
 */
#ifndef BRANDSYNC_PORTAL_H
#define BRANDSYNC_PORTAL_H

#include "base.h"

/* --- store: the repository below /content, guarded by its own mutexes ------------------------------ */

enum node_kind { NODE_FOLDER, NODE_ASSET, NODE_OTHER, NODE_KINDS };

/* Properties carry their path relative to the node: "jcr:content/jcr:title", "jcr:content/metadata/dc:format",
 * "jcr:content/publicFolder". Values are text; arrays are "[a,b]" as in DocView, types are dropped except "{Boolean}true" -> "true". */
struct property {
    char *name, *value;
};
struct node {
    char *path; /* repository path, UTF-8: /content/dam/mac/acme/campaigns/a.jpg */
    enum node_kind kind;
    struct property *property;
    size_t properties;
    int64_t bytes;   /* of the original; -1: none */
    char sha256[65]; /* of the original as stored */
    int64_t arrived_ms;
    int64_t request; /* the journal's number of the request that brought it */
};
void node_release(struct node *n);
const char *node_property(const struct node *n, const char *name); /* NULL: not there */

struct store;

/* DIR/content/... holds the originals as files under their repository path (so that `diff -r` and `cp` work on them),
 * DIR/nodes.log the properties and the redo records, DIR/tmp what is being received. `root` is the tenant's root,
 * e.g. /content/dam/mac/acme; it and its parents always exist and cannot be deleted. A second process is refused. */
struct store *store_open(const char *dir, const char *root, struct err *e) MUST_CHECK;
void store_close(struct store *s);
const char *store_root(const struct store *s);

/* One atomic step: after a kill -9 at any moment either all of it is there or nothing. (Nothing is synced to the disk: a
 * power cut may take the last changes.) */
struct store_put {
    char *path;
    enum node_kind kind;       /* differs from what is there: what is there goes, with all below it */
    struct property *property; /* all that the node will have */
    size_t properties;
    char *spooled; /* file in DIR/tmp that becomes the original; NULL: none is sent */
    /* Of the spooled file, or of the original that is there and stays; -1: no original, one that is there goes. */
    int64_t bytes;
    char sha256[65];
};
struct store_change {
    struct store_put *put; /* parents before children; missing parents become sling:Folder */
    size_t puts;
    char **remove; /* subtrees, removed before the puts; missing ones are fine */
    size_t removes;
    int64_t request;
};
/* A change is worked out and applied between these two, so that nothing moves meanwhile. Reading needs neither. */
void store_begin(struct store *s);
void store_end(struct store *s);
/* Takes the spooled files and the properties. When the disk fails half-way, the store refuses all further changes until it
 * is opened again, which completes this one. */
bool store_apply(struct store *s, struct store_change *change, struct err *e) MUST_CHECK;
void store_put_release(struct store_put *put); /* unlinks a spooled file not taken */
void store_change_release(struct store_change *change);
/* May anybody change this path? Only strictly below the tenant's root or below /content/dam/collections. */
bool store_may_change(const struct store *s, const char *path, struct err *e) MUST_CHECK;

bool store_get(struct store *s, const char *path, struct node *copy); /* false: no such node */
bool store_has(struct store *s, const char *path);
/* Copies of the children of `path` (or of all below it), paths in byte order. Free each, then the array. */
struct node *store_list(struct store *s, const char *path, bool is_deep, size_t *count);
int store_original(struct store *s, const char *path);            /* descriptor for reading, -1: none */
int store_spool(struct store *s, char **path_out, struct err *e); /* a new file in DIR/tmp */
/* Public or not, and the folder that decided: the nearest folder at or above `path` with jcr:content/publicFolder.
 * `by` (the caller frees it) is NULL when none says anything (then: not public). */
bool store_is_public(struct store *s, const char *path, char **by);

/* --- unzip: push the body in as it arrives; entries come out in order ------------------------------- */

/* Errors are ERR_CHANGED when the zip is cut or its directory does not count its entries, else ERR_REFUSED. */

struct unzip_handler {
    /* A new entry; return false (with e) to stop. Directory entries (name ends in '/') have no data. */
    bool (*entry)(void *arg, const char *name, int64_t declared_bytes /* -1: not said */, struct err *e);
    bool (*data)(void *arg, const void *data, size_t len, struct err *e);
    bool (*end)(void *arg, int64_t bytes, struct err *e); /* size and CRC were right */
};
struct unzip;
struct unzip *unzip_new(const struct unzip_handler *handler, void *arg);
bool unzip_push(struct unzip *z, const void *data, size_t len, struct err *e) MUST_CHECK;
/* The body is over: true only when the central directory and its end record were seen and count the same entries. */
bool unzip_finish(struct unzip *z, struct err *e) MUST_CHECK;
void unzip_free(struct unzip *z);

/* --- vault: a package being received, and what it would do ------------------------------------------ */

/* Originals go to DIR/tmp as they arrive, XML is kept parsed; nothing of the store changes before vault_import. */

struct vault;
struct vault *vault_new(struct store *s);
bool vault_push(struct vault *v, const void *data, size_t len, struct err *e) MUST_CHECK;
/* All was received: works out the change as FileVault's importer would (a filter in mode replace deletes whatever it covers
 * and the package lacks) and applies it. ERR_CHANGED: the package was not whole.
 * `names` (may be NULL) receives the paths put and removed, one a line, as struct journal_line wants them. */
bool vault_import(struct vault *v, int64_t request, struct buf *names, struct err *e) MUST_CHECK;
void vault_free(struct vault *v);

/* --- journal and counters: own mutex ------------------------------------------------------------------ */

struct journal;
/* Numbers go on after those of the file; a line torn by a kill is ended first. */
struct journal *journal_open(const char *file, struct err *e) MUST_CHECK;
void journal_skip_to(struct journal *j, int64_t request); /* the next number is above `request` */
int64_t journal_next_request(struct journal *j);
/* Appends one JSON line: time, request, method, path, status, bytes, ms, kind (token, add, delete, test, replication-test,
 * other), and where known client_id, detail, assets[]. Requests of the TLS listener only: looking at the page leaves no
 * trace. Never a token or secret. status 0: the client went away before the answer. */
struct journal_line {
    int64_t request, bytes, ms;
    int status;
    const char *method, *path, *kind;
    const char *client_id, *detail; /* NULL: none */
    /* paths separated by '\n': "PATH" an asset, "PATH/" what is none, "-PATH" what went; NULL: none */
    const char *assets;
};
void journal_write(struct journal *j, const struct journal_line *line);
/* Since this start: {"requests":N,"tokens":N,"packages":N,"assets":N,"folders":N,"deletes":N,"tests":N,"refused":N,
 * "bytes":N,"status":{"200":N,...}} */
char *journal_stats(struct journal *j);
void journal_close(struct journal *j);

/* --- authority: DIR/tls/{ca,server}.{pem,key} ---------------------------------------------------------- */

/* The CA is made once; the server's certificate (127.0.0.1, ::1, localhost) anew at each start, so it never runs out. */
struct authority {
    char *ca_file;
    char *certificate, *key; /* PEM, the server's */
};
bool authority_open(const char *dir, struct authority *a, struct err *e) MUST_CHECK;
void authority_release(struct authority *a);

/* --- credential: DIR/credentials.json, what a developer console would keep --------------------------- */

enum credential_kind { CREDENTIAL_JWT, CREDENTIAL_OAUTH };
struct credential {
    enum credential_kind kind;
    char *client_id, *technical_account_id, *organization_id;
    struct strlist secret;      /* SHA-256 in hex: the secrets themselves are kept nowhere */
    struct strlist scope;       /* jwt: metascopes */
    struct strlist certificate; /* jwt: PEM of each certificate bound */
};
struct credentials {
    struct credential *item;
    size_t count;
};
bool credentials_load(const char *dir, struct credentials *c, struct err *e) MUST_CHECK; /* no file: none */
struct credential *credentials_find(const struct credentials *c, const char *client_id);
void credentials_release(struct credentials *c);
void credential_digest(char hex[65], const char *secret);

struct registration {
    enum credential_kind kind;
    /* NULL: a new one. One that is there gets one more certificate (jwt) or secret (oauth). */
    const char *client_id;
    const char *certificate_file; /* jwt */
    const char *scopes;           /* separated by commas; NULL: the usual ones */
};
/* Adds to DIR/credentials.json; processes take turns. `index` says which of `c` it was; `secret` is empty when the
 * credential keeps the one it has. */
bool credentials_register(const char *dir, const struct registration *r, struct credentials *c, size_t *index,
                          struct secret *secret, struct err *e) MUST_CHECK;

/* --- ims: credentials and tokens, own mutex ------------------------------------------------------------ */

struct ims;
/* Reads DIR/credentials.json, again whenever it changes. */
struct ims *ims_open(const char *dir, int64_t token_life_ms, struct err *e) MUST_CHECK;
/* `authority` is the Host the request named, e.g. "127.0.0.1:38443": aud and metascope claims are checked against
 * https://authority. Fields are the decoded form fields, NULL where missing. Fills the JSON reply, returns the HTTP status. */
struct ims_form {
    const char *authority, *client_id, *client_secret, *jwt_token, *grant_type, *scope;
};
/* protocol.md 1.1 */
int ims_exchange_jwt(struct ims *i, const struct ims_form *form, int64_t now_ms, struct buf *reply);
/* protocol.md 1.4 */
int ims_token(struct ims *i, const struct ims_form *form, int64_t now_ms, struct buf *reply);
/* The Authorization header's value as received, or NULL. false: missing, unknown or expired -> 401. client_id_out (may be
 * NULL) is the caller's. */
bool ims_allows(struct ims *i, const char *authorization, int64_t now_ms, char **client_id_out);
void ims_close(struct ims *i);

/* --- importer: one request, fed by the server -------------------------------------------------------- */

struct importer; /* store + journal */
struct import;   /* one request under way */
struct importer *importer_new(struct store *s);
/* digest: the Digest header or NULL. content_length: -1 when not sent (chunked). */
struct import *import_begin(struct importer *im, int64_t request, int64_t content_length, const char *digest);
/* Never fails: what is wrong is remembered, the rest of the body is drained. */
void import_push(struct import *i, const void *data, size_t len);
/* Returns the HTTP status and the JSON reply; `kind` and `assets` are for the journal. Frees nothing. */
int import_finish(struct import *i, struct buf *reply, const char **kind, struct buf *assets, struct buf *detail);
void import_free(struct import *i);
void importer_free(struct importer *im);

/* --- page: GETs of the plain listener ------------------------------------------------------------------ */

/* /                   the root          /at/PATH      a folder or an asset, PATH below the root
 * /asset/PATH         its bytes         /page.css     the looks */
struct page_site {
    struct store *store;
    const char *tenant;
    const char *watched; /* the folder to drop files into, for the first hint; NULL: not known */
};
struct page_request {
    const char *path;   /* decoded, as sent by anyone */
    const char *search; /* ?q= or NULL */
    bool as_guest;      /* ?as=guest */
    int64_t from;       /* ?from= the first asset shown */
    int64_t now_ms;
};
struct page_reply {
    int status;
    const char *type; /* Content-Type */
    bool is_download; /* not to be shown by the browser itself */
    struct buf body;  /* used when fd is -1 */
    int fd;           /* the original's bytes, the reply's own; -1: none */
    int64_t bytes;
};
void page_answer(const struct page_site *site, const struct page_request *request, struct page_reply *reply);
extern const char page_css[];

/* --- server: both listeners ---------------------------------------------------------------------------- */

struct server_opts {
    const char *listen;               /* 127.0.0.1 or ::1 */
    int port, page_port;              /* 0: any free one */
    bool port_moves, page_port_moves; /* when taken: the next free one above it */
    const char *importer_path;
    const struct authority *authority;
    struct ims *ims;
    struct journal *journal;
    struct importer *importer;
    struct page_site page;
};
struct server;
/* all but `listen` must outlive it */
struct server *server_start(const struct server_opts *o, struct err *e) MUST_CHECK;
int server_port(const struct server *s);
int server_page_port(const struct server *s);
void server_stop(struct server *s);
/* A Host header that names this machine's loopback, whatever the port (it may be forwarded). */
bool server_host_is_local(const char *host);

#endif
