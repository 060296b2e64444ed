/* `unsubscribe` {channel} or {channels}: one `unsubscribed` for each, whether it had been joined or not;
 * `error` only for what can be no channel. */
#include "gateway/connection/conn.h"
#include "gateway/message/channel.h"
#include "gateway/message/reply.h"
#include "gateway/message/subscribe.h"
#include "gateway/message/subscribe_later.h"

static subscribe_action leave_channel;

void handle_unsubscribe(struct worker *worker, struct conn *conn, const struct message *message) {
    subscribe_each_of_message(worker, conn, message, leave_channel);
}

static void leave_channel(struct worker *worker, struct conn *conn, const char *channel,
                          const char *ref) {
    struct channel_rooms rooms;
    cJSON *data;

    if (channel_rooms(span_of(channel), conn_user_id(worker, conn), &rooms) != 0) {
        reply_channel_error(worker, conn, ERROR_UNKNOWN_CHANNEL, channel, ref);
        return;
    }
    subscribe_later_cancel(worker, conn, channel);
    for (unsigned i = 0; i < rooms.count; i++) {
        (void)conn_leave(worker, conn, span_of(rooms.names[i]));
    }
    data = cJSON_CreateObject();
    data = reply_data(data, cJSON_AddStringToObject(data, "channel", channel) != NULL);
    reply_send(worker, conn, "unsubscribed", data, ref);
}
