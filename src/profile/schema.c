/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * schema - every key of a profile (product.md 2 and 8): one row each. Defaults stand here as one would write them.
 *
 * A row whose feature is not built yet names the words that are (`built`); using another is an error, never ignored.
 * In this version sidecars are not read, so that no list but an empty one may be written for them.
 */
#include "profile_internal.h"

#define SECONDS INT64_C(1000)
#define HOURS (3600 * SECONDS)
#define DAYS (24 * HOURS)

/* In the order of their enums. */
const char *const transport_words[] = {"distribution", "direct-upload", "assets-api", NULL};
const char *const identity_words[] = {"oauth", "jwt", "legacy-gateway", NULL};
const char *const existing_words[] = {"publish", "compare", "assume-published", "skip", NULL};
static const char *const on_delete_words[] = {"keep", "unpublish", NULL};
static const char *const watch_words[] = {"auto", "events", "poll", NULL};
static const char *const digest_words[] = {"never", "always", NULL};
static const char *const priority_words[] = {"normal", "low", "high", NULL};
static const char *const sidecar_words[] = {"title", "metadata", "priority", "ignore", "dates", "public", NULL};

/* The second word is the one that sets the flag. */
static const char *const empty_words[] = {"publish", "hold", NULL};
static const char *const collision_words[] = {"allow", "hold", NULL};
static const char *const remove_words[] = {"never", "owned", NULL};
static const char *const approval_words[] = {"none", "required", NULL};
static const char *const verify_words[] = {"none", "read-back", NULL};

#define AT(field) .at = offsetof(struct profile_tenant, field)
static const struct key tenant_keys[] = {
    {"url", KEY_TEXT, AT(url), .is_required = true, .check = check_origin},
    {"id", KEY_TEXT, AT(id), .check = check_id},
    {"transport", KEY_WORD, AT(transport), .standard = "distribution", .words = transport_words,
     .built = "distribution"},
    {"root", KEY_TEXT, AT(root), .check = check_root},
    {"public", KEY_BOOL, AT(is_public), .standard = "false"},
    {"importer_path", KEY_TEXT, AT(importer_path), .standard = "/libs/sling/distribution/services/importers/default",
     .check = check_url_path},
    {"test_path", KEY_TEXT, AT(test_path), .standard = "/bin/receive", .check = check_url_path},
    {"replication_test", KEY_BOOL, AT(replication_test), .standard = "false"},
    {"headers", KEY_TEXTS, AT(headers), .standard = "", .check = check_header},
    {"ca_file", KEY_TEXT, AT(ca_file), .check = check_file},
    {"client_certificate_file", KEY_TEXT, AT(client_certificate_file), .check = check_file},
    {"proxy", KEY_TEXT, AT(proxy), .check = check_proxy},
    {"close_connection", KEY_BOOL, AT(close_connection), .standard = "false"},
    {"upload_hosts", KEY_TEXTS, AT(upload_hosts), .standard = "", .built = "", .check = check_host},
    {"digest", KEY_WORD, AT(digest), .standard = "never", .words = digest_words},
    {"public_property", KEY_TEXT, AT(public_property), .standard = "publicFolder", .check = check_property},
    {"verify", KEY_FLAG, AT(verify_read_back), .standard = "none", .words = verify_words, .built = "none"},
    {"package_assets", KEY_INT, AT(package_assets), .standard = "200", .min = 1, .max = 200},
    {0},
};
#undef AT

#define AT(field) .at = offsetof(struct profile_identity, field)
static const struct key identity_keys[] = {
    {"mode", KEY_WORD, AT(mode), .standard = "oauth", .words = identity_words, .built = "oauth|jwt"},
    {"server", KEY_TEXT, AT(server), .standard = "https://ims-na1.adobelogin.com", .check = check_origin},
    {"client_id", KEY_TEXT, AT(client_id), .is_required = true},
    {"client_secret_file", KEY_TEXT, AT(client_secret_file), .is_required = true, .check = check_file},
    {"scopes", KEY_LINE, AT(scopes), .standard = "", .check = check_scope},
    {"technical_account_id", KEY_TEXT, AT(technical_account_id)},
    {"organization_id", KEY_TEXT, AT(organization_id)},
    {"private_key_file", KEY_TEXT, AT(private_key_file), .check = check_file},
    {"certificate_file", KEY_TEXT, AT(certificate_file), .check = check_file},
    {"metascopes", KEY_LINE, AT(metascopes), .standard = "ent_brand_portal_sdk", .check = check_scope},
    {"ca_file", KEY_TEXT, AT(ca_file), .check = check_file},
    {"proxy", KEY_TEXT, AT(proxy), .check = check_proxy},
    {0},
};
#undef AT

#define AT(field) .at = offsetof(struct profile_folder, field)
static const struct key folder_keys[] = {
    {"path", KEY_TEXT, AT(path), .is_required = true, .check = check_dir},
    {"to", KEY_TEXT, AT(to), .check = check_to},
    {"existing", KEY_WORD, AT(existing), .is_required = true, .words = existing_words, .built = "publish|skip"},
    {"public", KEY_BOOL, AT(is_public)},
    {"include", KEY_TEXTS, AT(include), .standard = "", .check = check_pattern},
    {"exclude", KEY_TEXTS, AT(exclude), .standard = "", .check = check_pattern},
    {"settle", KEY_DURATION, AT(settle_ms), .standard = "2s", .min = 0, .max = 1 * HOURS},
    {"settle_unseen", KEY_DURATION, AT(settle_unseen_ms), .standard = "60s", .min = 0, .max = 1 * DAYS},
    {"on_delete", KEY_WORD, AT(on_delete), .standard = "keep", .words = on_delete_words, .built = "keep"},
    {"delete_after", KEY_DURATION, AT(delete_after_ms), .standard = "60s", .min = 1 * SECONDS, .max = 30 * DAYS},
    {"priority", KEY_WORD, AT(priority), .standard = "normal", .words = priority_words},
    {"watch", KEY_WORD, AT(watch), .standard = "auto", .words = watch_words},
    {"poll_every", KEY_DURATION, AT(poll_every_ms), .standard = "60s", .min = 1 * SECONDS, .max = 1 * DAYS},
    {"empty_files", KEY_FLAG, AT(holds_empty), .standard = "hold", .words = empty_words},
    {"case_collisions", KEY_FLAG, AT(holds_case_collisions), .standard = "hold", .words = collision_words},
    {"remove_folders", KEY_FLAG, AT(removes_owned_folders), .standard = "never", .words = remove_words,
     .built = "never"},
    {"hold_new", KEY_BOOL, AT(holds_new), .standard = "false", .built = "false"},
    {"approval", KEY_FLAG, AT(needs_approval), .standard = "none", .words = approval_words, .built = "none"},
    {"sidecar", KEY_TEXTS, AT(sidecar), .standard = "title metadata priority ignore dates", .words = sidecar_words,
     .built = ""},
    {0},
};
#undef AT

#define UNSTORED .at = NOT_STORED
static const struct key collection_keys[] = {
    {"name", KEY_TEXT, UNSTORED, .is_required = true},
    {"members", KEY_TEXTS, UNSTORED, .check = check_pattern},
    {"path", KEY_TEXT, UNSTORED, .check = check_dir},
    {0},
};
static const struct key window_keys[] = {
    {"days", KEY_LINE, UNSTORED, .check = check_days},
    {"from", KEY_TEXT, UNSTORED, .check = check_time},
    {"to", KEY_TEXT, UNSTORED, .check = check_end_time},
    {0},
};
static const struct key bandwidth_keys[] = {
    {"days", KEY_LINE, UNSTORED, .check = check_days},
    {"from", KEY_TEXT, UNSTORED, .check = check_time},
    {"to", KEY_TEXT, UNSTORED, .check = check_end_time},
    {"limit", KEY_TEXT, UNSTORED, .is_required = true, .check = check_rate},
    {0},
};
static const struct key schedule_keys[] = {
    {"timezone", KEY_TEXT, .at = offsetof(struct profile, timezone), .standard = "", .check = check_zone},
    {"windows", KEY_MAPS, UNSTORED, .below = window_keys, .built = ""},
    {"max_assets_per_hour", KEY_INT, UNSTORED, .min = 1, .max = 1000000, .built = ""},
    {"bandwidth", KEY_MAPS, UNSTORED, .below = bandwidth_keys, .built = ""},
    {0},
};
static const struct key approver_keys[] = {
    {"users", KEY_TEXTS, UNSTORED, .built = ""},
    {"groups", KEY_TEXTS, UNSTORED, .built = ""},
    {0},
};
static const struct key mail_keys[] = {
    {"to", KEY_TEXTS, UNSTORED, .is_required = true},
    {"from", KEY_TEXT, UNSTORED},
    {"server", KEY_TEXT, UNSTORED, .check = check_host},
    {0},
};
static const struct key notify_keys[] = {
    {"webhook", KEY_TEXT, UNSTORED, .check = check_webhook, .built = ""},
    {"mail", KEY_MAP, UNSTORED, .below = mail_keys, .built = ""},
    {0},
};

#define GUARD(field) .at = offsetof(struct profile_guards, field)
static const struct key guard_keys[] = {
    {"max_unpublish", KEY_INT, GUARD(max_unpublish), .standard = "100", .min = 0, .max = 1000000000},
    {"max_unpublish_percent", KEY_INT, GUARD(max_unpublish_percent), .standard = "10", .min = 0, .max = 100},
    {"max_republish_percent", KEY_INT, GUARD(max_republish_percent), .standard = "50", .min = 0, .max = 100},
    {"min_items", KEY_INT, GUARD(min_items), .standard = "20", .min = 0, .max = 1000000000},
    {0},
};

#define RETRY(field) .at = offsetof(struct profile_retry, field)
static const struct key retry_keys[] = {
    {"first", KEY_DURATION, RETRY(first_ms), .standard = "2s", .min = 100, .max = 1 * HOURS},
    {"max", KEY_DURATION, RETRY(max_ms), .standard = "5m", .min = 1 * SECONDS, .max = 1 * DAYS},
    {"attempts", KEY_INT, RETRY(attempts), .standard = "10", .min = 1, .max = 1000, .built = "10"},
    {0},
};
static const struct key receipts_keys[] = {
    {"keep", KEY_DURATION, .at = offsetof(struct profile, receipts_keep_ms), .standard = "400d", .min = 1 * DAYS,
     .max = 36500 * DAYS},
    {0},
};

/* Maps without a struct of their own (schedule, receipts) have the offset 0. */
#define AT(field) .at = offsetof(struct profile, field)
const struct key profile_keys[] = {
    {"version", KEY_INT, UNSTORED, .is_required = true, .min = 1, .max = 1},
    {"title", KEY_TEXT, AT(title)},
    {"tenant", KEY_MAP, AT(tenant), .is_required = true, .below = tenant_keys},
    {"identity", KEY_MAP, AT(identity), .is_required = true, .below = identity_keys},
    {"folders", KEY_MAPS, AT(folder), .is_required = true, .below = folder_keys,
     .item_bytes = sizeof(struct profile_folder), .count_at = offsetof(struct profile, folders)},
    {"collections", KEY_MAPS, UNSTORED, .below = collection_keys, .built = ""},
    {"uploaders", KEY_INT, AT(uploaders), .standard = "4", .min = 1, .max = 8},
    {"schedule", KEY_MAP, .at = 0, .below = schedule_keys},
    {"guards", KEY_MAP, AT(guards), .below = guard_keys},
    {"approvers", KEY_MAP, UNSTORED, .below = approver_keys},
    {"notify", KEY_MAP, UNSTORED, .below = notify_keys},
    {"retry", KEY_MAP, AT(retry), .below = retry_keys},
    {"receipts", KEY_MAP, .at = 0, .below = receipts_keys},
    {"state", KEY_TEXT, AT(state), .check = check_dir},
    {0},
};
#undef AT
