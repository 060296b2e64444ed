/* GET /connections: how many clients, in total and per worker. Admin. */
#ifndef MOONX_GATEWAY_HTTP_CONNECTIONS_H
#define MOONX_GATEWAY_HTTP_CONNECTIONS_H

#include "gateway/http/json_body.h"
#include "gateway/http/server.h"

void connections_answer(const struct server_context *context, struct http_response *response);
/* The same as part of another answer. */
void connections_add(struct json_body *body, const struct host_view *view);

#endif
