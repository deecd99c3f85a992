/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* causes - the one table of what can be wrong: a stable name, a sentence, and what a person does about it. */
#include "types.h"

static const struct cause_info causes[CAUSES] = {
    [CAUSE_NONE] = {"", "", ""},
    [CAUSE_AUTH_SECRET] = {"auth.secret", "IMS refuses the client secret",
                           "put the credential's present client secret into identity.client_secret_file"},
    [CAUSE_AUTH_SCOPE] = {"auth.scope", "IMS gives no token for these scopes",
                          "copy the scopes line of the credential into identity.scopes"},
    [CAUSE_AUTH_SIGNATURE] = {"auth.signature", "IMS does not know the certificate of our key",
                              "brandsync key export, then add that certificate to the credential"},
    [CAUSE_AUTH_CLOCK] = {"auth.clock", "IMS calls our assertion expired: this host's clock is wrong",
                          "timedatectl set-ntp true"},
    [CAUSE_AUTH_JWT_ENDED] = {"auth.jwt-ended", "Adobe ended JWT credentials on 1 March 2026",
                              "create an OAuth Server-to-Server credential and set identity.mode: oauth"},
    [CAUSE_AUTH_RIGHTS] =
        {"auth.rights", "the token is good, but the tenant does not let it publish",
         "Admin Console: give this credential the Adobe product profile of Brand Portal; then brandsync test"},
    [CAUSE_AUTH_REFUSED] =
        {"auth.refused", "the credential is refused",
         "compare identity.client_id and the ids beside it with the credential in the Developer Console"},
    [CAUSE_AUTH_UNREACHABLE] = {"auth.unreachable", "IMS cannot be reached",
                                "nothing to do if it is an outage; goes on by itself"},
    [CAUSE_TENANT_PATH] = {"tenant.path", "the tenant has no importer at this path; a real tenant's path is not public",
                           "ask Adobe support for the distribution importer path, set tenant.importer_path"},
    [CAUSE_TENANT_UNREACHABLE] = {"tenant.unreachable", "the tenant cannot be reached",
                                  "check DNS, network and tenant.proxy; goes on by itself"},
    [CAUSE_TENANT_TLS] = {"tenant.tls", "the tenant's certificate is not trusted",
                          "install that CA, or set tenant.ca_file; verification cannot be switched off"},
    [CAUSE_TENANT_BUSY] = {"tenant.busy", "the tenant asks to slow down", "nothing to do; goes on by itself"},
    [CAUSE_TENANT_NOT_IMPORTER] = {"tenant.not-importer",
                                   "something answers in the tenant's place: this is not the importer",
                                   "look for a captive portal or a proxy between here and tenant.url"},
    [CAUSE_TENANT_ERROR] = {"tenant.error", "the tenant's importer failed",
                            "nothing to do if it passes; it is tried again by itself"},
    [CAUSE_ASSET_REFUSED] = {"asset.refused", "the tenant refused this asset",
                             "correct the file; it is sent again by itself"},
    [CAUSE_ASSET_TOO_LARGE] = {"asset.too-large", "too large for the tenant",
                               "replace it by a smaller file; it is sent again by itself"},
    [CAUSE_ASSET_NAME] = {"asset.name", "the name or path is too long for the portal", "shorten the name"},
    [CAUSE_ASSET_COLLISION] = {"asset.collision", "two files would have one name on the portal", "rename one of them"},
    [CAUSE_ASSET_EMPTY] = {"asset.empty", "the file is empty",
                           "nothing, if more is coming; else set the folder's empty_files: publish"},
    [CAUSE_FILE_PERMISSION] = {"file.permission", "the file cannot be read by this user",
                               "setfacl -R -m u:brandsync:rX -m d:u:brandsync:rX FOLDER"},
    [CAUSE_FILE_GONE] = {"file.gone", "the file is gone", "nothing to do"},
    [CAUSE_FILE_CHANGED] = {"file.changed", "the file changed while it was being sent",
                            "nothing to do; the newest content goes out"},
    [CAUSE_FILE_UNREADABLE] = {"file.unreadable", "the file cannot be read",
                               "look at the disk or the server that holds it"},
    [CAUSE_FOLDER_GONE] = {"folder.gone", "a watched folder is gone or not mounted; nothing is unpublished",
                           "mount it or put it back; goes on by itself"},
    [CAUSE_WATCH_LIMIT] = {"watch.limit", "more directories want watching than the system allows",
                           "sysctl -w fs.inotify.max_user_watches=NUMBER"},
    [CAUSE_DISK_FULL] = {"disk.full", "the ledger's disk is full; publishing paused, nothing lost",
                         "free space or move `state`"},
    [CAUSE_AGENT_SECOND] = {"agent.second", "another agent already uses this state folder",
                            "stop the other one, or set another `state`"},
    [CAUSE_PROFILE] = {"profile.invalid", "the profile is not valid", "brandsync check"},
};

const struct cause_info *cause_info(int cause)
{
    return cause > CAUSE_NONE && cause < CAUSES ? &causes[cause] : &causes[CAUSE_NONE];
}
