/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* The real token source before a scripted IMS. */
#include "tokens.h"

#include <sys/stat.h>
#include <unistd.h>

#define REPLY(token) "{\"token_type\":\"bearer\",\"access_token\":\"" token "\",\"expires_in\":86399}"

void fake_tokens_init(struct fake_tokens *f, const struct clock *clock)
{
    struct err e;
    memset(f, 0, sizeof(*f));
    fake_http_init(&f->ims, 200, REPLY("token-1"));
    snprintf(f->secret_file, sizeof(f->secret_file), "/tmp/brandsync-secret-%d", (int)getpid());
    BUG_ON(!file_replace(f->secret_file, "s3cret\n", 7, 0600, &e));
    f->identity.mode = IDENTITY_OAUTH;
    f->identity.server = str_copy("https://ims.test");
    f->identity.client_id = str_copy("client");
    f->identity.client_secret_file = str_copy(f->secret_file);
    strlist_add(&f->identity.scopes, "scope");
    f->source = token_source_new(&f->identity, &f->ims.http, clock, 1);
}

void fake_tokens_say(struct fake_tokens *f, const char *token)
{
    static char reply[FAKE_HTTP_SCRIPT][200];
    char *text = reply[f->ims.scripted];
    snprintf(text, sizeof(reply[0]), REPLY("%s"), token);
    fake_http_say(&f->ims, 200, text);
}

void fake_tokens_release(struct fake_tokens *f)
{
    token_source_free(f->source);
    fake_http_release(&f->ims);
    mem_freep(&f->identity.server);
    mem_freep(&f->identity.client_id);
    mem_freep(&f->identity.client_secret_file);
    strlist_release(&f->identity.scopes);
    unlink(f->secret_file);
}
