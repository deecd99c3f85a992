/* SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception */
/* exchange - one request for a token, and the checks it must pass. */
#ifndef BRANDSYNC_PORTAL_EXCHANGE_H
#define BRANDSYNC_PORTAL_EXCHANGE_H

#include "portal.h"

#include <jansson.h>

enum { JWT_MAX = 16384, IMS_REPLY_MAX = 8192 };

/* Why not; GRANTED is 0. ims.c has the status and the words of each. */
enum refusal {
    GRANTED,
    NO_CLIENT,
    NO_EXCHANGE,
    WRONG_SECRET,
    WRONG_AUDIENCE,
    NO_ASSERTION,
    NOT_DECODABLE,
    EXPIRED,
    TOO_FAR_AHEAD,
    EXP_NOT_INTEGER,
    JTI_NOT_INTEGER,
    WRONG_ALGORITHM,
    WRONG_SIGNATURE,
    NO_BINDING,
    NO_METASCOPE,
    FOREIGN_METASCOPE,
    BAD_SUB,
    BAD_ISS,
    BAD_EXP,
    BAD_JTI,
    WRONG_GRANT,
    NO_GRANT,
    UNKNOWN_OAUTH_CLIENT,
    WRONG_OAUTH_SECRET,
    WRONG_SCOPE,
    TOO_MANY_TOKENS,
};

struct exchange {
    const struct ims_form *form;
    int64_t now_ms;
    const struct credentials *credentials;
    const struct credential *client;
    json_t *header, *claims;
    size_t signed_len; /* of jwt_token: header and payload with the dot between */
    struct buf signature;
    struct buf scopes; /* granted, separated by commas */
};
void exchange_release(struct exchange *x);

/* In the order in which IMS names what is wrong; ended by NULL. The first that does not grant decides. */
extern enum refusal (*const exchange_jwt[])(struct exchange *x);
extern enum refusal (*const exchange_oauth[])(struct exchange *x);

#endif
