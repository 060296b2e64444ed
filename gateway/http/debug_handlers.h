/* GET /debug/handlers: the chains of checks in their order, with what each may refuse and how often it has, and the
 * messages that clients may send. From the tables themselves, so it can't be out of date. */
#ifndef MOONX_GATEWAY_HTTP_DEBUG_HANDLERS_H
#define MOONX_GATEWAY_HTTP_DEBUG_HANDLERS_H

#include "gateway/http/server.h"

void debug_handlers_answer(const struct server_context *context, struct http_response *response);

#endif
