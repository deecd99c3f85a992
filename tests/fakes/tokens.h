/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The real token source before a scripted IMS that gives "token-1", or what the test scripts. */
#ifndef BRANDSYNC_FAKE_TOKENS_H
#define BRANDSYNC_FAKE_TOKENS_H

#include "http.h"
#include "identity.h"

struct fake_tokens {
    struct fake_http ims;
    struct profile_identity identity;
    char secret_file[64];
    struct token_source *source;
};
void fake_tokens_init(struct fake_tokens *f, const struct clock *clock);
void fake_tokens_say(struct fake_tokens *f, const char *token); /* the next token */
void fake_tokens_release(struct fake_tokens *f);

#endif
