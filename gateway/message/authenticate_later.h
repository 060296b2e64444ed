/* A token that can't be judged at once (access/token_verify.h): the request is noted and the answer awaited. What the
 * client says meanwhile waits with it, if it is nobody yet (conn_await_verdict); who refreshes his token goes on as who
 * he is until the new one is judged. When the answer comes the connection is looked up by index and id, since it may have gone, and its place
 * may be another's. Used by workers; a note lives until its answer, at most
 * TOKEN_VERIFY_HOLD_MS and AUTH_SERVICE_TIMEOUT. */
#ifndef MOONX_GATEWAY_MESSAGE_AUTHENTICATE_LATER_H
#define MOONX_GATEWAY_MESSAGE_AUTHENTICATE_LATER_H

#include "gateway/message/message.h"

/* Asks for the token of an `authenticate`. One question a connection; a second refresh meanwhile, and a service that is
 * away, are answered with AUTH_UNAVAILABLE. */
void authenticate_later(struct worker *worker, struct conn *conn, const struct message *message,
                        struct span token);

#endif
