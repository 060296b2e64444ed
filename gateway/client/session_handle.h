/* What the messages of a gateway mean to a session, by type: a table of small functions. Used by session.c alone. */
#ifndef MOONX_GATEWAY_CLIENT_SESSION_HANDLE_H
#define MOONX_GATEWAY_CLIENT_SESSION_HANDLE_H

#include "gateway/client/session.h"

/* Does what the message asks for; may set the verdict. */
void session_handle(struct session *session, const struct envelope *envelope);

/* A line on stderr about the session itself, unless --quiet. */
void session_note(const struct session *session, const char *format, ...) PRINTF_LIKE(2, 3);

/* Sends `authenticate`: with channels and position when `fresh`, the token alone to prolong a session. */
void session_authenticate(struct session *session, bool fresh);

/* Asks for the server's time and position. */
void session_ping(struct session *session);

#endif
