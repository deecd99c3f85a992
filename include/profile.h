/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * profile - one YAML file, one tenant -> an immutable, checked struct (product.md 2, "Profile" and "Fine print").
 *
 * Strict and driven by one schema table: an unknown key, a wrong type, a value out of range, folders that overlap on disk or on the
 * portal, a file that is missing or loosely protected, a feature in use that is not built yet: each is a problem with
 * file:line:column, the source line with a caret, what was expected and the nearest known key. All problems of a file at once.
 * Read in any thread; the struct is never changed after profile_load. The only place for libyaml.
 */
#ifndef BRANDSYNC_PROFILE_H
#define BRANDSYNC_PROFILE_H

#include "base.h"
#include "types.h"

enum transport_kind { TRANSPORT_DISTRIBUTION, TRANSPORT_DIRECT_UPLOAD, TRANSPORT_ASSETS_API };
enum identity_mode { IDENTITY_OAUTH, IDENTITY_JWT, IDENTITY_LEGACY_GATEWAY };
enum existing { EXISTING_PUBLISH, EXISTING_COMPARE, EXISTING_ASSUME_PUBLISHED, EXISTING_SKIP };
enum on_delete { ON_DELETE_KEEP, ON_DELETE_UNPUBLISH };
enum watch_mode { WATCH_AUTO, WATCH_EVENTS, WATCH_POLL };
enum digest_mode { DIGEST_NEVER, DIGEST_ALWAYS };

/* Where a value stands, for messages: "(acme.yaml:21)". */
struct place {
    int line, column; /* 1-based; 0: a default */
};

struct profile_tenant {
    char *url; /* https://acme.brand-portal.adobe.com without a trailing '/' */
    char *id;
    enum transport_kind transport;
    char *root; /* /content/dam/mac/acme */
    bool is_public;
    char *importer_path, *test_path;
    bool replication_test;
    struct strlist headers;                          /* "Name: value"; never one of the protocol's own */
    char *ca_file, *client_certificate_file, *proxy; /* NULL: none */
    bool close_connection;
    struct strlist upload_hosts;
    enum digest_mode digest;
    char *public_property;
    bool verify_read_back;
    int package_assets; /* most assets in one package, 1 to 200 (default 200) */
    struct place url_place, importer_path_place;
};
struct profile_identity {
    enum identity_mode mode;
    char *server; /* https://ims-na1.adobelogin.com without a trailing '/' */
    char *client_id, *client_secret_file;
    struct strlist scopes;
    char *technical_account_id, *organization_id, *private_key_file, *certificate_file; /* jwt */
    struct strlist metascopes;
    char *ca_file, *proxy;
    struct place secret_place, scopes_place, mode_place;
};
struct profile_folder {
    char *path;   /* absolute, clean */
    char *to;     /* below tenant.root, no leading '/': "campaigns" */
    char *remote; /* tenant.root + "/" + the mapped `to` */
    enum existing existing;
    bool is_public; /* the effective value: the folder's own, else the tenant's */
    struct strlist include, exclude;
    int64_t settle_ms, settle_unseen_ms, delete_after_ms, poll_every_ms;
    enum on_delete on_delete;
    enum priority priority;
    enum watch_mode watch;
    bool holds_empty;           /* empty_files: hold */
    bool holds_case_collisions; /* case_collisions: hold */
    bool removes_owned_folders, holds_new, needs_approval;
    struct strlist sidecar;
    struct place place, exclude_place, include_place, settle_place;
};
struct profile_retry {
    int64_t first_ms, max_ms;
    int attempts;
};
struct profile_guards {
    int max_unpublish, max_unpublish_percent, max_republish_percent, min_items;
};
struct profile {
    char *file; /* as given or found */
    char *name; /* the file's name without .yaml: "acme" */
    char *title;
    struct profile_tenant tenant;
    struct profile_identity identity;
    struct profile_folder *folder;
    size_t folders;
    int uploaders;
    char *timezone; /* schedule.timezone, default: the system's ("" then) */
    struct profile_guards guards;
    struct profile_retry retry;
    int64_t receipts_keep_ms;
    char *state; /* /var/lib/brandsync/NAME */
};

struct problem {
    int line, column;
    int width; /* columns to underline */
    bool is_warning;
    char *text; /* `unknown key "exlude" in folders[0]` */
    char *hint; /* `the nearest known key is "exclude"`, or NULL */
};
struct problems {
    struct problem *item;
    size_t count, errors;
    char *file, *source; /* the text, for the carets */
};
void problems_release(struct problems *p);
/* `FILE:21:5: error: unknown key ...` + source line + caret + hint, as ux.md 2.3 shows, for every problem in order of place. */
void problems_print(const struct problems *p, struct buf *out);

/* NULL when there is an error; warnings may be there beside a good profile. `p` is always filled (release it).
 * Files the profile names (secret, key) are checked for presence and modes when checks_files is true. */
struct profile *profile_load(const char *file, bool checks_files, struct problems *p) MUST_CHECK;
struct profile *profile_parse(const char *file_name, const char *text, size_t len, bool checks_files,
                              struct problems *p) MUST_CHECK;
void profile_free(struct profile *p);
DEFINE_FREEP(profile)

/* NAME or FILE -> the file's path: a name without '/' and ".yaml" is /etc/brandsync/NAME.yaml; NULL: $BRANDSYNC_PROFILE, else the only
 * profile in /etc/brandsync. ERR_CONFIG lists what there is. */
char *profile_find(const char *name_or_file, struct err *e) MUST_CHECK;

/* The profile as YAML with all defaults filled in (check --print); parses back to the same profile. */
void profile_print(const struct profile *p, struct buf *out);

/* The folder a local path lies in or is; NULL: not watched. */
const struct profile_folder *profile_folder_of(const struct profile *p, const char *path);

const char *transport_kind_name(enum transport_kind k);
const char *identity_mode_name(enum identity_mode m);
const char *existing_name(enum existing x);

#endif
