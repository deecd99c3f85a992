/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* ignores - the names that are never assets, and what makes them. ASCII case does not matter: SMB clients vary it. */
#include "plan_internal.h"

#include <strings.h>

/* A pattern is a name, or one with a single star at its start or its end. The first row that
 * matches counts: what says more comes earlier, and .xmp, which a profile may ask for, last. */
const struct ignore_row plan_ignores[] = {
    {".brandsync.yaml", "a sidecar of brandsync", false},
    {"_brandsync.yaml", "a sidecar of brandsync", false},
    {"*.collection.yaml", "a collection of brandsync", false},

    {".DS_Store", "macOS Finder", false},
    {"._*", "macOS, the second half of a file on a foreign disk", false},
    {".AppleDouble", "netatalk, the second half of files", true},
    {".AppleDB", "netatalk", true},
    {".AppleDesktop", "netatalk", true},
    {".TemporaryItems", "macOS, files being saved", true},
    {".Trash*", "a waste basket", false},
    {".fseventsd", "macOS", true},
    {".Spotlight-V100", "macOS Spotlight", true},
    {".DocumentRevisions-V100", "macOS versions", true},
    {"Network Trash Folder", "macOS, a waste basket", true},
    {"Temporary Items", "macOS, files being saved", true},
    {"Icon\r", "macOS, a folder's own icon", false},
    {"__MACOSX", "macOS, left over from a zip", true},

    {"@eaDir", "Synology thumbnails", true},
    {"#recycle", "Synology, a waste basket", true},
    {"#snapshot", "Synology snapshots", true},
    {"@tmp", "Synology", true},
    {"@Recycle", "QNAP, a waste basket", true},
    {"@Recently-Snapshot", "QNAP snapshots", true},
    {".@__thumb", "QNAP thumbnails", true},
    {".snapshot", "NetApp snapshots", true},
    {"~snapshot", "NetApp snapshots", true},
    {".zfs", "ZFS snapshots", true},
    {"lost+found", "ext4", true},
    {".nfs*", "NFS, removed but still open", false},
    {".fuse_hidden*", "FUSE, removed but still open", false},
    {".smbdelete*", "Samba, removed but still open", false},

    {"Thumbs.db", "Windows Explorer", false},
    {"ehthumbs.db", "Windows Media Center", false},
    {"ehthumbs_vista.db", "Windows Media Center", false},
    {"desktop.ini", "Windows Explorer", false},
    {"$RECYCLE.BIN", "Windows, a waste basket", true},
    {"RECYCLER", "Windows, a waste basket", true},
    {"System Volume Information", "Windows", true},

    {"~$*", "Microsoft Office, a document being edited", false},
    {".~lock.*", "LibreOffice, a document being edited", false},
    {"*.idlk", "Adobe InDesign, a document being edited", false},
    {".BridgeSort", "Adobe Bridge", false},
    {".BridgeCache*", "Adobe Bridge", false},
    {"*.swp", "vim, a file being edited", false},
    {"*.swx", "vim, a file being edited", false},
    {"*~", "an editor's copy of the state before", false},

    {"*.part", "a download or copy that is not complete (Firefox, KDE)", false},
    {"*.partial", "a download or copy that is not complete", false},
    {"*.filepart", "a copy that is not complete (WinSCP)", false},
    {"*.crdownload", "a download that is not complete (Chrome)", false},
    {"*.opdownload", "a download that is not complete (Opera)", false},
    {"*.download", "a download that is not complete (Safari)", false},
    {"*.tmp", "a temporary file", false},
    {"*.temp", "a temporary file", false},

    {".*", "a hidden name", false},
    {"*.xmp", "metadata beside an asset; an include that ends in .xmp publishes it", false},
    {NULL, NULL, false},
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_match(const char *pattern, const char *name)
{
    if (pattern[0] != '*' && lower(pattern[0]) != lower(name[0])) /* nearly always: a scan asks this of every name */
        return false;
    size_t len = strlen(pattern), name_len = strlen(name);
    if (pattern[0] == '*')
        return name_len >= len - 1 && strcasecmp(pattern + 1, name + name_len - (len - 1)) == 0;
    if (pattern[len - 1] == '*')
        return strncasecmp(pattern, name, len - 1) == 0;
    return strcasecmp(pattern, name) == 0;
}

const struct ignore_row *plan_ignore_row(const char *name, bool is_dir)
{
    for (const struct ignore_row *row = plan_ignores; row->pattern; row++)
        if ((is_dir || !row->only_dirs) && is_match(row->pattern, name))
            return row;
    return NULL;
}
