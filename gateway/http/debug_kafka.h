/* GET /debug/kafka: where consumption stands, per topic-partition. Admin. */
#ifndef MOONX_GATEWAY_HTTP_DEBUG_KAFKA_H
#define MOONX_GATEWAY_HTTP_DEBUG_KAFKA_H

#include "gateway/http/server.h"

/* {"kafka":bool,"caughtUp":bool,"paced":bool,"partitions":[{"topic","partition","position","liveFrom",
 * "wholeFrom","highWatermark","lag","errors","gaps","restarts","state"}]}; what is not known yet is null. */
void debug_kafka_answer(const struct server_context *context, struct http_response *response);

#endif
