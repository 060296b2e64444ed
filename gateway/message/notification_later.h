/* Between a `notification` and its way to Kafka: where an external service is configured, it is asked what it knows, and
 * the notification waits for that, EXTERNAL_SERVICE_TIMEOUT at most; then it goes on, with metadata or without. Those of
 * one connection go on in the order in which they came, also those that ask nothing; between connections there is no
 * order, as there was none before. The message is noted with its text, and its connection found again by index and id:
 * what one that is gone had not been told of goes no further. Used by workers. */
#ifndef MOONX_GATEWAY_MESSAGE_NOTIFICATION_LATER_H
#define MOONX_GATEWAY_MESSAGE_NOTIFICATION_LATER_H

#include "gateway/message/message.h"

#define NOTIFICATION_LATER_MOST 1024 /* that wait */

struct notification_question {
    struct span user_id, type; /* user_id "": nothing is asked */
};

/* `metadata`: "" or a JSON object. `message` has ref, type and text. */
typedef void notification_go_on(struct worker *worker, struct conn *conn,
                                const struct message *message, struct span metadata);

/* Calls go_on once, at once or later; never if the connection goes before. -EAGAIN: too many wait; -ENOMEM. */
int notification_later(struct worker *worker, struct conn *conn, const struct message *message,
                       const struct notification_question *question,
                       notification_go_on *go_on) MUST_CHECK;

#endif
