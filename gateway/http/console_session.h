/* GET /console/session: how the console signs in. In --dev it gets a token of the demo user, so that a newcomer sees
 * events at once; otherwise it asks for one. Used by workers. */
#ifndef MOONX_GATEWAY_HTTP_CONSOLE_SESSION_H
#define MOONX_GATEWAY_HTTP_CONSOLE_SESSION_H

#include "gateway/http/server.h"

/* {"dev":bool,"instance":text,"token":text}; `token` in --dev only, and only for a Host that names this machine: a
 * foreign page whose name has been made to point here (DNS rebinding) must not get it. */
void console_session_answer(const struct server_context *context, struct http_response *response);

#endif
