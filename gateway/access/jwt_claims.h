/* What the claims of a token (RFC 7519 section 4) say about its bearer. Pure; called by auth_jwt once the
 * signature has been found good. */
#ifndef MOONX_GATEWAY_ACCESS_JWT_CLAIMS_H
#define MOONX_GATEWAY_ACCESS_JWT_CLAIMS_H

#include "common/code_table.h"
#include "common/json.h"
#include "gateway/access/identity.h"

struct jwt_rules {
    const char *issuer;   /* one of these, separated by commas; "" : not checked */
    const char *audience; /* "" : not checked */
    int64_t leeway_ms;
    const struct room_claim_names *room_claims; /* NULL: none are kept */
};

/* `claims` is an object without duplicate keys that has passed json_check. 0, or -EACCES with *code. */
int jwt_claims_read(struct json_value claims, const struct jwt_rules *rules, int64_t now_wall_ms,
                    struct identity *out, enum error_code *code) MUST_CHECK;

/* The same of a user that the auth service describes: id, email, roles, isActive; its token ends at
 * expires_ms. */
int jwt_claims_read_user(struct json_value user, int64_t expires_ms,
                         const struct room_claim_names *room_claims, struct identity *out,
                         enum error_code *code) MUST_CHECK;
/* What a token can be named by when it is revoked: `iat`, `sid`, `jti`; what is missing, too long or of a wrong kind is
 * left out. */
void jwt_claims_marks(struct json_value claims, struct identity_marks *out);
/* Whether `iss` is this one. */
bool jwt_claims_issuer_is(struct json_value claims, const char *issuer);
/* `exp` alone, past or future. -EINVAL when there is none. */
int jwt_claims_expiry(struct json_value claims, int64_t *out_ms) MUST_CHECK;

/* Whether an identity's user id may be one: valid room-name characters, short enough for its rooms. */
bool jwt_claims_user_id_valid(struct span user_id);

#endif
