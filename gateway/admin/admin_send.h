/* What an operator sends to all hosts: through the uplink to Kafka, answered when Kafka has it. */
#ifndef MOONX_GATEWAY_ADMIN_ADMIN_SEND_H
#define MOONX_GATEWAY_ADMIN_ADMIN_SEND_H

#include "gateway/admin/admin.h"
#include "gateway/uplink.h"

/* 200 {"status":"published","id":"TOPIC:PARTITION:OFFSET"} later, or 503 now or later. */
enum admin_result admin_send(const struct admin_call *call, enum uplink_target target,
                             struct span key, struct span value, struct http_response *response);

#endif
