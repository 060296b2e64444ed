/* GET /instances: the hosts with their load, least loaded first; what a host says of itself. */
#ifndef MOONX_GATEWAY_HTTP_INSTANCES_H
#define MOONX_GATEWAY_HTTP_INSTANCES_H

#include "gateway/http/server.h"

/* This host as JSON, the caller's to free; NULL: out of memory. *connections is set in any case. */
char *instances_own(const struct host_view *view, const char *id, uint64_t capacity,
                    uint64_t *connections) MUST_CHECK;

/* {"complete","instances":[...]}: complete is false when Redis is configured but does not tell of the others. */
void instances_answer(const struct server_context *context, struct http_response *response);

#endif
