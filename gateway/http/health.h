/* GET /health and GET /ready, made from shared memory by whichever worker is asked. */
#ifndef MOONX_GATEWAY_HTTP_HEALTH_H
#define MOONX_GATEWAY_HTTP_HEALTH_H

#include "gateway/http/server.h"

/* 200 healthy or degraded (Kafka away, or a worker dead or hung while others live), 503 unhealthy (no live
 * worker, or no live ingest). */
void health_answer(const struct server_context *context, struct http_response *response);
/* 200, or 503 with the reason. */
void health_answer_ready(const struct server_context *context, struct http_response *response);

/* NULL when the host takes new clients, else why not, in a few words. Whether ingest lives at this moment
 * does not matter, once it has caught up: its successor goes on from the segment. */
const char *health_not_ready(const struct host_view *view);

#endif
