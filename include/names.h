/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/*
 * names - what a local name is called on the portal (product.md 3 "Names"). Pure; any thread.
 * The only place for utf8proc.
 *
 * Asset names lose * / : [ \ ] | # % { } ? & control characters and bytes that are not UTF-8, folder names also
 * " . ^ ; + and tab: one '-' each. Blanks (U+0020) at either end become '-', `subassets` gets a trailing '-';
 * Unicode NFC; case is kept.
 */
#ifndef BRANDSYNC_NAMES_H
#define BRANDSYNC_NAMES_H

#include "base.h"

enum name_kind { NAME_ASSET, NAME_FOLDER };

/* The portal's name for one local name. Never empty, never "." or "..". A name so made maps to itself. */
char *names_map(enum name_kind kind, const char *name);
/* Every part of a relative path, the last one as `last`, the others as folders: "Q1.2026/a.jpg" -> "Q1-2026/a.jpg". */
char *names_map_path(enum name_kind last, const char *path);
/* The title shown for it: the local name, with U+FFFD for each byte that is not UTF-8 and each character beyond XML. */
char *names_title(const char *name);

#endif
