/* Who a verified token says that the client is. Flat; filled by a verifier, read by authenticate and by the
 * room policy. */
#ifndef MOONX_GATEWAY_ACCESS_IDENTITY_H
#define MOONX_GATEWAY_ACCESS_IDENTITY_H

#include "common/base.h"
#include "common/room_name.h"

#define IDENTITY_EMAIL_MAX  254
#define IDENTITY_ROLES_MAX  32
#define IDENTITY_ROLE_BYTES 64

struct identity {
    char user_id[ROOM_NAME_MAX_BYTES +
                 1]; /* valid room-name characters; `notifications:{id}` fits 128 */
    char email[IDENTITY_EMAIL_MAX + 1]; /* "" if the token has none */
    unsigned role_count;
    char roles[IDENTITY_ROLES_MAX][IDENTITY_ROLE_BYTES + 1];
    int64_t expires_ms; /* wall time */
};

#endif
