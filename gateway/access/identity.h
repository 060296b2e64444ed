/* Who a verified token says that the client is. Flat; filled by a verifier, read by authenticate and by the
 * room policy. */
#ifndef MOONX_GATEWAY_ACCESS_IDENTITY_H
#define MOONX_GATEWAY_ACCESS_IDENTITY_H

#include "common/base.h"
#include "common/room_name.h"
#include "gateway/access/room_claims.h"

#define IDENTITY_EMAIL_MAX 254
#define IDENTITY_ROLES_MAX                                                                         \
    100 /* a token with more is INVALID_TOKEN: dropped roles would deny for no visible reason */
#define IDENTITY_ROLE_BYTES 64
#define IDENTITY_MARK_MAX   255 /* a longer `sid` or `jti` can be neither kept nor revoked */

/* By what a token can be named when it is revoked. */
struct identity_marks {
    int64_t issued_ms;                      /* `iat`, wall time; 0: it doesn't say */
    char session_id[IDENTITY_MARK_MAX + 1]; /* `sid`, "": none */
    char token_id[IDENTITY_MARK_MAX + 1];   /* `jti`, "": none */
};

struct identity {
    char user_id[ROOM_NAME_MAX_BYTES +
                 1]; /* valid room-name characters; `notifications:{id}` fits 128 */
    char email[IDENTITY_EMAIL_MAX + 1]; /* "" if the token has none */
    unsigned role_count;
    char roles[IDENTITY_ROLES_MAX][IDENTITY_ROLE_BYTES + 1];
    struct room_claims room_claims;
    int64_t expires_ms; /* wall time */
    struct identity_marks marks;
};

#endif
