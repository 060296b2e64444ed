/* `subscribe` {channel} or {channels}: one `subscribed` or `error` for each. */
#include "gateway/message/subscribe.h"

void handle_subscribe(struct worker *worker, struct conn *conn, const struct message *message) {
    subscribe_each_of_message(worker, conn, message, subscribe_channel);
}
