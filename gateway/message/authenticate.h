/* What happens with a token, whether it came in a message or with the handshake: the identity becomes the
 * connection's, the client is told, the automatic rooms are joined. Used by workers; keeps nothing. */
#ifndef MOONX_GATEWAY_MESSAGE_AUTHENTICATE_H
#define MOONX_GATEWAY_MESSAGE_AUTHENTICATE_H

#include "common/code_table.h"
#include "gateway/access/identity.h"
#include "gateway/worker.h"

struct conn;

enum authenticate_then {
    AUTHENTICATE_THEN_LIVE, /* the client may ask for a resume next: no events for a moment, or till it says something else */
    AUTHENTICATE_THEN_RESUME, /* the caller does: no events before */
};

/* The token is good: `auth_success`, and on the first one `auto_subscribed`. On a connection that already is
 * somebody's it moves the expiry, and rooms that the new token does not allow are left; another user's is refused. False: there was a refusal instead. */
bool authenticate_accept(struct worker *worker, struct conn *conn, const struct identity *identity,
                         enum authenticate_then then, const char *ref) MUST_CHECK;
/* The token is not: `auth_failed`; the third closes. AUTH_UNAVAILABLE counts as none. */
void authenticate_refuse(struct worker *worker, struct conn *conn, enum error_code code,
                         const char *ref);
/* For a refusal that is told in another way: counts and logs it. */
void authenticate_count_refusal(struct worker *worker, const struct conn *conn,
                                enum error_code code);

#endif
