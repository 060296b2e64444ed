/* `ping`, with any data and also before authentication: `pong` {serverTime, position?}. */
#include "common/clock.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"

void handle_ping(struct worker *worker, struct conn *conn, const struct message *message) {
    cJSON *data = cJSON_CreateObject();

    data = reply_data(data, reply_add_integer(data, "serverTime", clock_wall_ms()) &&
                                reply_add_position(worker, conn, data));
    reply_send(worker, conn, "pong", data, message->ref);
}
