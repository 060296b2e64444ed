/* `resume` {position, channels?}: `subscribed` for each channel, then `resumed`, then what was missed. A client's
 * next message after authentication: what it has had on this connection can't be put in order, so it is answered as long as
 * that is nothing, and events are held back for a moment, or until another message comes (conn_hold_a_moment). */
#include "gateway/connection/conn.h"
#include "gateway/message/message.h"
#include "gateway/message/reply.h"
#include "gateway/message/resume.h"
#include "gateway/message/subscribe.h"

void handle_resume(struct worker *worker, struct conn *conn, const struct message *message) {
    struct resume resume = resume_read(worker, message, "position");
    const cJSON *channels = NULL;

    if (resume.claim == NULL) {
        resume.asked = true; /* without a position there is nothing else to answer */
        resume_start(worker, conn, &resume, message->ref);
        return;
    }
    conn_hold(worker, conn);
    if (message_field(message, "channels", &channels) != 0) {
        subscribe_each(worker, conn, channels, message->ref, subscribe_channel);
    }
    resume_start(worker, conn, &resume, message->ref);
}
